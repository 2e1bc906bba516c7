package link

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
)

// settler is a stage that keeps what it has released until that is delivered. The
// methods of a nil settler are those of a stage that does not.
type settler struct {
	node record.Settler
	name string

	mu   sync.Mutex // held while it is called
	told int64      // up to which it knows
}

// receipt says what a stage had released when a barrier passed it: all of that is before
// the barrier. Later barriers have later receipts of the same stages.
type receipt struct {
	settler  *settler
	released int64
}

func newSettler(p record.Processor) *settler {
	node, ok := capability[record.Settler](p)
	if _, user := node.(spool.User); !ok || user && spoolOf(p) == nil { // it keeps nothing
		return nil
	}
	return &settler{node: node, name: nameOf(p)}
}

// renewed returns a settler for another start.
func (s *settler) renewed() *settler {
	if s == nil {
		return nil
	}
	return &settler{node: s.node, name: s.name}
}

// sign gives b, which passes the stage, a receipt.
func (s *settler) sign(b *barrier, released int64) {
	if s == nil || released == 0 {
		return
	}
	b.link.mu.Lock()
	b.receipts = append(b.receipts, receipt{s, released})
	b.link.mu.Unlock()
}

// op returns what fails if the stage fails with err: as with lanes, one whose spool gives
// no answer, or is full, is to be tried again.
func (s *settler) op(op Op, err error) Op {
	if s != nil && longestPause(err) > 0 {
		return OpSpool
	}
	return op
}

// settle tells the stage that what it had released is delivered. number is that of the
// transfer which tells.
func (s *settler) settle(ctx context.Context, released, number int64, fail func(*Error)) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if released <= s.told {
		return
	}
	failed := func(err error) {
		err = fmt.Errorf("what is delivered may be released again after a start: %w", err)
		fail(&Error{Op: OpSpool, Node: s.name, Number: number, Kept: true, Err: err})
	}
	if err := guard(func() error { return s.node.Settled(ctx, released) }, failed); err != nil {
		failed(err)
		return
	}
	s.told = released
}

// safe counts what s holds and no inlet need return again, should it be given up.
func (s *stage) safe() int64 {
	if s.settler == nil {
		return 0
	}
	return int64(max(0, s.holding.Records-s.holding.Span))
}

// settled tells the stages that everything before b is delivered, or done with in
// another way. Whoever is committing calls it.
func (l *Link) settled(ctx context.Context, b *barrier) {
	for _, r := range b.receipts { // to which nobody adds any more
		l.mu.Lock()
		stopped := l.phase == stopped
		l.journal.calling = r.settler.name
		l.mu.Unlock()
		if stopped { // the write was left behind, and the stage is shut down
			return
		}
		r.settler.settle(ctx, r.released, b.number, l.fail)
	}
}

// settle tells the stages that everything they have released is done with. A nil chain
// has none.
func (c *chain) settle(ctx context.Context, fail func(*Error)) {
	for _, s := range c.list() {
		s.settler.settle(ctx, s.holding.Released, -1, fail)
	}
}

// settles reports whether there is a stage that waits for what it has released to be
// delivered.
func (c *chain) settles() bool {
	return slices.ContainsFunc(c.list(), func(s *stage) bool { return s.settler != nil })
}

// settles reports whether one of lanes has such a stage.
func settles(lanes []*lane) bool {
	return slices.ContainsFunc(lanes, func(ln *lane) bool { return ln.in != nil && ln.in.chain.settles() })
}

// spoolOf returns the spool that a processor uses, or nil.
func spoolOf(p record.Processor) spool.Spool {
	node, _ := capability[record.Settler](p)
	if u, ok := node.(spool.User); ok {
		if s := u.Spool(); !isNil(s) {
			return s
		}
	}
	return nil
}

// processorPlaces returns processors, and the spools that they use, and where they are.
func processorPlaces(prefix string, processors []record.Processor) (places []place) {
	for i, p := range processors {
		field := fmt.Sprintf("%sProcessors[%d]", prefix, i)
		places = append(places, place{field, p})
		if s := spoolOf(p); s != nil {
			places = append(places, place{field + ".Spool", s})
		}
	}
	return places
}

// emptied counts what was held and is not lost when the chain was emptied. A nil chain
// has none.
func (c *chain) emptied() int64 {
	if c == nil {
		return 0
	}
	return c.safe.Load()
}

func (in *intake) emptied() int64 {
	if in == nil {
		return 0
	}
	return in.chain.emptied()
}
