package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state"
)

// keyPrefix and the name of a link are its key in the store.
const keyPrefix = "link/"

// barrier is the end of the pulls of one transfer. It follows their records
// through processors and lanes, passes none that is failed, held or pending, and
// carries what committing it writes.
type barrier struct {
	link    *Link
	number  int64
	due     time.Time
	points  []point // of every inlet, at the end of the pulls
	left    int     // lanes it has not passed; guarded by Link.mu
	handed  bool    // it is in the lanes; set before they see it
	settled bool    // left has become 0; guarded by Link.mu
	value   []byte  // what commits it, if that was needed early

	receipts []receipt // of the stages it has passed; guarded by Link.mu
}

// point is where an inlet stands: its read position and the end of its window.
type point struct {
	name     string
	position []byte
	from     time.Time
}

// absorb makes b superfluous if newer, which waits at the same place, can stand for it,
// and reports whether it can: no lane has seen b, or no other lane has to let one of
// them pass.
func (b *barrier) absorb(newer *barrier) bool {
	l := b.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if b.handed && (b.left > 1 || newer.left > 1) {
		return false
	}
	l.journal.forget(b)
	return true
}

// forget takes b out of the order. Link.mu is held.
func (j *journal) forget(b *barrier) {
	if i := slices.Index(j.order, b); i >= 0 {
		j.order = append(j.order[:i], j.order[i+1:]...)
	}
}

// journal is how a link keeps its positions: what is committed and what is to be.
type journal struct {
	store  state.Store
	key    string
	writer string
	head   string // how every value of this writer begins, up to the number

	// Guarded by Link.mu.
	order     []*barrier // not committed, oldest first
	newest    *barrier   // settled with all before it, not committed
	waiting   int        // how many barriers newest stands for
	unwritten *barrier   // the last one that said nothing but a number
	running   bool       // a commit is being made, or inlets are being set
	calling   string     // what is being called meanwhile
	ending    bool       // only the Shutdown commits any more
	fenced    bool

	// Of whoever is committing.
	rev       int64
	value     []byte           // as committed
	points    map[string]point // as committed
	kinds     map[string]kind  // what the positions are, of inlets that have one
	delivered int64            // records delivered when it was committed
	told      map[string][]byte
	offered   bool // an outlet was given a value since: it may be the committed one
}

// kind is what the positions of an inlet are.
type kind struct {
	name string
	json string // the same, quoted
}

// load reads the store and returns a journal for a new term of writing.
func (j *journal) load(ctx context.Context, delivered int64) (*journal, stored, error) {
	value, rev, err := j.store.Get(ctx, j.key)
	if err != nil {
		return nil, stored{}, fmt.Errorf("read %q: %w", j.key, err)
	}
	s := stored{Number: -1}
	if rev != 0 {
		if s, err = decodeStored(value); err != nil {
			return nil, stored{}, fmt.Errorf("the value of %q is not one of a link: %w", j.key, err)
		}
		if s.Link != j.link() {
			return nil, stored{}, fmt.Errorf("the value of %q is one of the link %q, want one of the link %q", j.key, s.Link, j.link())
		}
	}
	j = &journal{store: j.store, key: j.key, writer: fmt.Sprintf("%016x", rand.Uint64()), rev: rev, value: value, delivered: delivered}
	j.head = fmt.Sprintf(`{"link":%s,"writer":"%s","number":`, quoted(j.link()), j.writer)
	j.points = make(map[string]point, len(s.Inlets))
	for name, in := range s.Inlets {
		j.points[name] = point{name, in.Position, in.From}
		if in.Type != "" {
			j.know(name, in.Type)
		}
	}
	return j, s, nil
}

func (j *journal) link() string { return strings.TrimPrefix(j.key, keyPrefix) }

// know notes what the positions of the named inlet are.
func (j *journal) know(name, typ string) {
	if j.kinds == nil {
		j.kinds = make(map[string]kind)
	}
	j.kinds[name] = kind{typ, quoted(typ)}
}

// rewind sets the inlet to what is committed, unless that is the position of an inlet
// of another type.
func (j *journal) rewind(ctx context.Context, l *Link, s *source) error {
	at := j.points[s.name()]
	if s.at != nil {
		var typ string
		err := l.try(ctx, s.name(), func() error {
			typ = s.positionType()
			return nil
		})
		if err != nil {
			return err
		}
		if old := j.kinds[s.name()].name; old != "" && old != typ && at.position != nil {
			return fmt.Errorf("%q holds for the inlet %q the position of a %s, want one of a %s", j.key, s.name(), old, typ)
		}
		j.know(s.name(), typ)
	}
	return s.rewind(ctx, l, at)
}

// worth reports whether committing b would say something new.
func (j *journal) worth(b *barrier, delivered int64) bool {
	if j.delivered != delivered || j.offered {
		return true
	}
	for _, p := range b.points {
		if !bytes.Equal(j.points[p.name].position, p.position) {
			return true
		}
	}
	return false
}

// write makes b the committed one by compare-and-swap. A lost or doubtful answer
// is resolved by reading back.
func (j *journal) write(ctx context.Context, b *barrier) error {
	value := b.value
	if value == nil {
		value = j.encode(b)
	}
	const attempts = 3
	var err error
	for range attempts {
		var rev int64
		if rev, err = j.store.Put(ctx, j.key, value, j.rev); err == nil {
			j.commit(b, value, rev)
			return nil
		}
		found, rev, getErr := j.store.Get(ctx, j.key)
		if getErr != nil {
			return errors.Join(err, getErr)
		}
		number, ours := j.ours(found)
		switch {
		case bytes.Equal(found, value): // written after all, or by an atomic outlet
			j.commit(b, value, rev)
			return nil
		case rev == j.rev: // not written
		case !ours:
			return j.fencing(rev)
		case number > b.number: // by an atomic outlet that was given up
			return nil
		default:
			j.rev = rev
		}
	}
	return err
}

// fencing is the error of a store that holds another writer's revision.
func (j *journal) fencing(rev int64) error {
	return fmt.Errorf("%w: %q holds revision %d, this one's is %d", ErrFenced, j.key, rev, j.rev)
}

// ours reports whether this writer wrote value in this term, and the number in it.
func (j *journal) ours(value []byte) (number int64, ok bool) {
	s, err := decodeStored(value)
	return s.Number, err == nil && s.Writer == j.writer
}

func (j *journal) commit(b *barrier, value []byte, rev int64) {
	j.rev, j.value, j.offered = rev, value, false
	for _, p := range b.points {
		j.points[p.name] = p
	}
}

// passed notes that b has passed one lane, and reports whether there is something
// to commit. l.mu is held.
func (l *Link) passed(b *barrier) bool {
	if b.left--; b.left > 0 {
		return false
	}
	b.settled = true
	j := l.journal
	for len(j.order) > 0 && j.order[0].settled {
		j.newest = j.order[0]
		j.waiting++
		j.order = j.order[1:]
	}
	return j.newest != nil
}

// commits reports whether the link has something to commit to.
func (l *Link) commits() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.journal != nil
}

func (j *journal) isFenced() bool { return j != nil && j.fenced }

// commit writes the newest barrier that is settled with all before it, until there
// is none. One goroutine at a time does it. last is true at a stop, when also
// what would say nothing but a number is written.
func (l *Link) commit(ctx context.Context, last bool) {
	l.mu.Lock()
	j := l.journal
	if !last {
		ctx = l.ctx // commits are not cancelled with a transfer
	}
	l.mu.Unlock()
	for j != nil {
		l.mu.Lock()
		if last && j.newest == nil {
			j.newest, j.unwritten = j.unwritten, nil
		}
		b := j.newest
		if b == nil || j.running || j.fenced || l.phase == stopped || j.ending && !last {
			l.mu.Unlock()
			return
		}
		waiting, delivered := j.waiting, l.delivered
		j.running, j.calling, j.newest, j.waiting = true, "store", nil, 0
		l.mu.Unlock()
		ok := l.commitOne(ctx, b, delivered, waiting, last)
		if !ok {
			return
		}
	}
}

// commitOne writes b and tells inlets. If it fails, b is the newest again unless
// there is a newer one.
func (l *Link) commitOne(ctx context.Context, b *barrier, delivered int64, waiting int, last bool) (ok bool) {
	j := l.journal
	var failure *Error
	defer func() {
		l.mu.Lock()
		j.running, j.calling = false, ""
		if !ok && !j.fenced {
			if j.newest == nil {
				j.newest = b
			}
			j.waiting += waiting
		}
		l.idle.Broadcast()
		l.mu.Unlock()
		if failure != nil {
			l.fail(failure)
		}
	}()
	if !last && !j.worth(b, delivered) {
		l.mu.Lock()
		j.unwritten = b
		l.mu.Unlock()
		l.settled(ctx, b)
		return true
	}
	failed := func(err error) {
		failure = &Error{Op: OpState, Node: j.key, Number: b.number, Err: err}
	}
	if err := guard(func() error { return j.write(ctx, b) }, failed); err != nil {
		if errors.Is(err, ErrFenced) {
			l.mu.Lock()
			j.fenced = true
			l.mu.Unlock()
		}
		failed(err)
		return false
	}
	l.mu.Lock()
	j.delivered, j.unwritten = delivered, nil
	l.mu.Unlock()
	ok = true
	l.tell(ctx, b)
	l.settled(ctx, b)
	return ok
}

// tell tells the brokers among the inlets what is committed.
func (l *Link) tell(ctx context.Context, b *barrier) {
	j := l.journal
	for _, s := range l.sources() {
		if s.at == nil || s.at.commit == nil {
			continue
		}
		i := slices.IndexFunc(b.points, func(p point) bool { return p.name == s.name() })
		if i < 0 || bytes.Equal(b.points[i].position, j.told[s.name()]) {
			continue
		}
		position := b.points[i].position
		l.mu.Lock()
		stopped := l.phase == stopped
		j.calling = s.name()
		l.mu.Unlock()
		if stopped { // the write was left behind, and the inlet is shut down
			return
		}
		failed := func(err error) {
			l.fail(&Error{Op: OpCommit, Node: s.name(), Number: b.number, Kept: true, Err: err})
		}
		if err := guard(func() error { return s.at.commit.Commit(ctx, position) }, failed); err != nil {
			failed(err)
			continue
		}
		if j.told == nil {
			j.told = make(map[string][]byte)
		}
		j.told[s.name()] = position
	}
}

// early returns what committing b will write, for an atomic outlet to write it
// first. l.mu is held and no commit is running.
func (j *journal) early(b *barrier) *record.Commit {
	if b.value == nil {
		b.value = j.encode(b)
	}
	j.offered = true
	return &record.Commit{Key: j.key, Value: b.value, Revision: j.rev}
}

// conflict finds out why an atomic outlet could not write c: err is a conflict. It
// returns nil if c is written, and the records with it, by an offer whose answer was
// lost. Another writer's value stops the link.
func (l *Link) conflict(c *record.Commit, err error) error {
	l.mu.Lock()
	j, ctx := l.journal, l.ctx
	if j.running { // inlets are being added; what is offered again will tell
		l.mu.Unlock()
		return err
	}
	j.running, j.calling = true, "store"
	l.mu.Unlock()
	var found []byte
	var rev int64
	unread := alone(func() (err error) {
		found, rev, err = j.store.Get(ctx, c.Key)
		return err
	})
	l.mu.Lock()
	j.running, j.calling = false, ""
	l.idle.Broadcast()
	if unread == nil && bytes.Equal(found, c.Value) {
		l.mu.Unlock()
		return nil
	}
	if _, ours := j.ours(found); unread != nil || rev == c.Revision || ours {
		if unread == nil {
			j.rev = rev
		}
		l.mu.Unlock()
		return err
	}
	j.fenced = true
	l.mu.Unlock()
	l.fail(&Error{Op: OpState, Node: j.key, Number: -1, Err: j.fencing(rev)})
	return err
}
