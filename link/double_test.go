package link_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// diary notes what is called, in order. A nil one notes nothing.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(line string) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

// take returns the lines since it was called last.
func (d *diary) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := d.lines
	d.lines = nil
	return lines
}

// life is a name and a lifecycle that is noted in a diary. Hooks that are nil do
// nothing.
type life struct {
	name       string
	diary      *diary
	onStart    func(context.Context) error
	onShutdown func(context.Context) error
}

func (n *life) String() string { return n.name }

func (n *life) Start(ctx context.Context) error {
	n.diary.note("start " + n.name)
	if n.onStart == nil {
		return nil
	}
	return n.onStart(ctx)
}

func (n *life) Shutdown(ctx context.Context) error {
	n.diary.note("shutdown " + n.name)
	if n.onShutdown == nil {
		return nil
	}
	return n.onShutdown(ctx)
}

// pump is an inlet.
type pump struct {
	life
	onPull func(ctx context.Context, u record.Update) ([]record.Record, error)
}

func (n *pump) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	n.diary.note("pull " + n.name)
	if n.onPull == nil {
		return nil, nil
	}
	return n.onPull(ctx, u)
}

// tape is a resumable inlet: it yields the next of its values, one record a value
// and at most per a pull. Its position is the number of values read, in ASCII.
type tape struct {
	pump
	values []any
	per    int
	read   int
	onSeek func(context.Context) error
}

func (n *tape) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	if _, err := n.pump.Pull(ctx, u); err != nil {
		return nil, err
	}
	next := min(n.read+n.per, len(n.values))
	records := of(n.values[n.read:next]...)
	n.read = next
	return records, nil
}

func (n *tape) Position() []byte { return []byte{byte('0' + n.read)} }

func (n *tape) Seek(ctx context.Context, position []byte) error {
	n.diary.note("seek " + n.name + " " + string(position))
	n.read = 0
	if len(position) > 0 {
		n.read = int(position[0] - '0')
	}
	if n.onSeek == nil {
		return nil
	}
	return n.onSeek(ctx)
}

// pipe is a processor.
type pipe struct {
	life
	onProcess func(context.Context, []record.Record) ([]record.Record, error)
}

func (n *pipe) Process(ctx context.Context, records []record.Record) ([]record.Record, error) {
	n.diary.note("process " + n.name)
	if n.onProcess == nil {
		return records, nil
	}
	return n.onProcess(ctx, records)
}

// cutter is a grouper.
type cutter struct {
	life
	onGroup func(context.Context) error
}

func (n *cutter) Group(ctx context.Context, batches [][]record.Record) ([][]record.Record, error) {
	n.diary.note("group " + n.name)
	if n.onGroup == nil {
		return batches, nil
	}
	return batches, n.onGroup(ctx)
}

// tank is an outlet that keeps what it accepts.
type tank struct {
	life
	onPush func(ctx context.Context, records []record.Record, u record.Update) error

	mu   sync.Mutex
	kept []any
}

func (n *tank) Push(ctx context.Context, records []record.Record, u record.Update) error {
	n.diary.note("push " + n.name)
	if n.onPush != nil {
		if err := n.onPush(ctx, records, u); err != nil {
			return err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.kept = append(n.kept, payloads(records)...)
	return nil
}

func (n *tank) content() []any {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.kept)
}

// trap holds the call that steps into it, once, whatever becomes of its context,
// until it is opened.
type trap struct {
	open  chan struct{}
	once  sync.Once
	armed atomic.Bool
}

func newTrap() *trap {
	tr := &trap{open: make(chan struct{})}
	tr.armed.Store(true)
	return tr
}

// release opens the trap.
func (tr *trap) release() { tr.once.Do(func() { close(tr.open) }) }

// step reports whether it was held.
func (tr *trap) step() bool {
	if !tr.armed.CompareAndSwap(true, false) {
		return false
	}
	<-tr.open
	return true
}

// nodesOf returns the nodes of the failures with the given Op that err joins, in
// order.
func nodesOf(err error, op link.Op) (nodes []string) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			nodes = append(nodes, nodesOf(e, op)...)
		}
		return nodes
	}
	if e, ok := errors.AsType[*link.Error](err); ok && e.Op == op {
		nodes = append(nodes, e.Node)
	}
	return nodes
}

// written returns what was put, also what failed.
func (v *vault) written() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.puts)
}
