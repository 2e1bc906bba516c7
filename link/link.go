package link

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
	"github.com/databay-go/databay/state"
)

// Link moves records from its inlets to its outlets, one transfer at a time. Its
// methods are safe for concurrent use. See the package documentation.
type Link struct {
	name             string
	tags             []string
	inletConcurrency int32
	maxUncommitted   int32
	shutdownTimeout  time.Duration
	schedule         schedule.Schedule
	timing           *timing // nil: the usual one
	onError          func(context.Context, *Error) error
	onReport         func(context.Context, Report)
	letters          *letterbox   // of the stages, and of lanes that have no other; may be nil
	limit            *letterLimit // nil: there is none
	chain            *chain       // of the transfer before its hand-over; nil without stages
	isolation        Isolation
	pushEmpty        bool
	skipImmediate    bool

	phase    phase // these fields and those below are guarded by mu
	changing bool  // nodes are being added or removed
	judging  bool  // OnError is being called
	mu       sync.Mutex
	idle     condition               // something has ended that others may wait for
	stop     *stop                   // the Shutdown that is going on
	ending   *ending                 // of the next Shutdown, or the one that is going on; nil: nobody else asks for it
	giveUp   context.CancelCauseFunc // of the Start or the change of nodes that is going on
	ctx      context.Context         // that nodes are called with, from Start to Shutdown
	cancel   context.CancelCauseFunc
	host     Host
	nodes    *Nodes

	inlets []*source // replaced as a whole, never changed
	lanes  []*lane   // the same
	left   *departed // nil: nothing

	front     *Transfer // before its hand-over
	number    int64     // of the next transfer
	due       time.Time // of the last transfer that pulled
	nextDue   time.Time // as the last transfer knows it
	account   Account   // without lanes
	transit   []record.Record
	kept      map[*source]sample // by a dry run
	delivered int64
	journal   *journal // nil: there is nothing to commit

	current    *Transfer // handed over, without a report yet
	errs       []*Error  // since the last report
	reported   Account   // as of the last report, without lanes
	outbox     *Transfer // the first that has a report to be given away
	delivering *Transfer // whose report is being given away
	spare      *Transfer // a blank one, of a link without a host
}

// departed is what has left a link and is not done with.
type departed struct {
	draining []*lane  // removed, and not empty yet
	gone     []*lane  // removed since the last report
	leaving  []any    // nodes that were removed and are left for Shutdown to shut down
	zombies  []zombie // calls that were given up
}

// departed returns what has left the link. l.mu is held.
func (l *Link) departed() (d departed) {
	if l.left != nil {
		d = *l.left
	}
	return d
}

// depart returns what has left the link, to be changed. l.mu is held.
func (l *Link) depart() *departed {
	if l.left == nil {
		l.left = new(departed)
	}
	return l.left
}

// phase is where a link is in its life.
type phase uint8

const (
	stopped phase = iota
	starting
	started
	stopping
)

// Host is what runs a link, as a planner does. Its methods are called from any
// goroutine, and never while the link holds a lock.
type Host interface {
	// Failed is told of an error that the link's OnError has not settled. It
	// returns what is left of it: nil if it has.
	Failed(ctx context.Context, l *Link, err *Error) error

	// Reported is given every Report, after OnReport and under the same rules. It
	// does not keep Lanes, which becomes that of another Report.
	Reported(ctx context.Context, l *Link, r Report)

	// Changed is told that Ready or Wake may have changed.
	Changed(l *Link)
}

// New returns the link that c describes. Its error joins all mistakes in c; each
// names the field, its value and what would be right.
func New(c Config) (*Link, error) {
	m := c.check()
	l := &Link{
		name:             c.name(),
		tags:             slices.Clone(c.Tags),
		inletConcurrency: small(c.InletConcurrency),
		maxUncommitted:   small(bound(c.MaxUncommitted, defaultMaxUncommitted)),
		isolation:        c.Isolation,
		pushEmpty:        c.PushEmpty,
		skipImmediate:    c.SkipImmediate,
		shutdownTimeout:  bound(c.ShutdownTimeout, defaultShutdownTimeout),
		schedule:         c.Schedule,
		timing:           c.timing(),
		onError:          c.OnError,
		onReport:         c.OnReport,
	}
	if c.DeadLetterLimit != (DeadLetterLimit{}) {
		l.limit = &letterLimit{DeadLetterLimit: c.DeadLetterLimit}
	}
	l.idle.cond.L = &l.mu
	if !isNil(c.DeadLetter) {
		l.letters = l.letterbox(c.DeadLetter, nil)
	}
	if c.State != nil {
		l.journal = l.newJournal(c.State)
	}
	l.inlets = l.withInlets(&m, func(i int) string { return fmt.Sprintf("Inlets[%d]", i) }, c.Inlets)
	l.lanes = l.withLanes(&m, func(i int) string { return fmt.Sprintf("Lanes[%d].", i) }, c.lanes())
	m.unique(c.places(), c.letters())
	if err := m.err(); err != nil {
		return nil, fmt.Errorf("link %q: %w", l.name, err)
	}
	l.chain = newChain(slices.Clone(c.Processors), slices.Clone(c.Groupers))
	l.chain.bury(l, l.letters, "", false, l.arrivals())
	l.remember()
	return l, nil
}

func bound[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// small returns a bound as an int32. One that is too high for it is none, and so is any
// below 0.
func small(n int) int32 { return int32(max(min(n, math.MaxInt32), -1)) }

func (l *Link) newJournal(store state.Store) *journal {
	return &journal{store: store, key: keyPrefix + l.name}
}

// remember gives the link a store of its own if it needs one and has none. l.mu is
// held.
func (l *Link) remember() {
	if l.journal == nil && (slices.ContainsFunc(l.inlets, (*source).resumable) || l.chain.settles() || settles(l.lanes)) {
		l.journal = l.newJournal(new(state.Memory))
	}
}

// Name returns the name of the link.
func (l *Link) Name() string { return l.name }

// String returns the name of the link.
func (l *Link) String() string { return l.name }

// Tags returns the tags of the link. The slice is not to be changed.
func (l *Link) Tags() []string { return l.tags }

// Schedule returns the schedule of the link, or nil.
func (l *Link) Schedule() schedule.Schedule { return l.schedule }

// SkipImmediate reports whether planners leave out the immediate transfer.
func (l *Link) SkipImmediate() bool { return l.skipImmediate }

// Inlets returns the inlets of the link, in order.
func (l *Link) Inlets() []inlet.Inlet {
	var all []inlet.Inlet
	for _, s := range l.sources() {
		all = append(all, s.in)
	}
	return all
}

func (l *Link) sources() []*source {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inlets
}

// Outlets returns the outlets of the link, in order.
func (l *Link) Outlets() []outlet.Outlet {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []outlet.Outlet
	for _, ln := range l.lanes {
		all = append(all, ln.out)
	}
	return all
}

// Attach gives the link to a host and makes it share the starting and stopping of
// nodes with the other links that are attached with the same nodes. It fails if a
// node that keeps a state is used by another of them, or if the link has a host
// already. Attaching to a nil host detaches. The link must not be running.
func (l *Link) Attach(h Host, nodes *Nodes) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.phase != stopped:
		return fmt.Errorf("link %q: %w", l.name, ErrRunning)
	case h == nil:
		if l.nodes != nil {
			l.nodes.disclaim(l, l.allNodes())
		}
		l.host, l.nodes = nil, nil
		return nil
	case l.host != nil:
		return fmt.Errorf("link %q belongs to a planner already", l.name)
	case nodes == nil:
		nodes = new(Nodes)
	}
	if err := nodes.claim(l, l.allNodes()); err != nil {
		return err
	}
	l.host, l.nodes = h, nodes
	return nil
}

// allLanes returns the lanes and those that are being drained.
func (l *Link) allLanes() []*lane {
	if l.left == nil {
		return l.lanes
	}
	return append(slices.Clip(l.lanes), l.left.draining...)
}

// settle takes over what the last run of the chain has changed. l.mu is held.
func (l *Link) settle() {
	l.transit = nil
	if l.chain == nil {
		return
	}
	d := l.chain.delta
	l.chain.delta = delta{}
	l.account.Produced += d.produced
	l.account.Filtered += d.filtered
	l.account.Held += d.held
	l.account.Failed += d.stuck
	l.account.DeadLettered += d.dead
	l.delivered += d.dead // something was done with them
	l.chain.next = l.chain.wake()
}

// newBarrier returns the barrier at the end of the pulls of t, or nil if there is
// nothing to commit. That of a stop, which pulls nothing, carries its number. l.mu is
// held.
func (l *Link) newBarrier(t *Transfer) *barrier {
	if l.journal == nil {
		return nil
	}
	b := &barrier{link: l, number: t.number, due: t.due, points: make([]point, len(t.sources))}
	if t.stop {
		b.due = l.due
	}
	for i, s := range t.sources {
		b.points[i] = s.point()
	}
	l.journal.order = append(l.journal.order, b)
	return b
}

// commitWith returns the commit that the outlet of ln may write together with the
// head of its queue, or nil. l.mu is held.
func (l *Link) commitWith(ln *lane) *record.Commit {
	j := l.journal
	b := ln.queue.head().barrier
	if b == nil || j == nil || j.running || j.newest != nil || len(j.order) == 0 || j.order[0] != b || ln.at > 0 || l.required() != 1 || len(l.departed().draining) > 0 {
		return nil
	}
	offered := b.value != nil // then it may be written, and the outlet has to know
	if !offered && (l.account.Held > 0 || l.account.Failed > 0 || ln.queue.len() != 1 || ln.in.waiting() || ln.account.Held > 0) {
		return nil
	}
	return j.early(b)
}

// Account returns what became of all records since New. It balances at any time.
func (l *Link) Account() Account {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total()
}

func (l *Link) total() Account {
	a := l.account
	a.Failed += int64(len(l.transit))
	a.Lanes = make([]LaneAccount, 0, len(l.lanes))
	for _, ln := range l.allLanes() {
		a.Lanes = append(a.Lanes, ln.account)
	}
	return a
}
