package link

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/databay-go/databay/record"
)

// chain is a list of stages that records pass in order, of a link or of a lane.
// One goroutine at a time runs it.
//
// At any moment before, during and after a call of user code it is in the state
// that is right if that call fails: what a stage is given waits before it until
// the stage has taken it. So whatever ends a call, nothing is lost.
type chain struct {
	processors []record.Processor
	groupers   []record.Grouper

	stages   []*stage  // of the processors and the groupers
	grouping *grouping // the last stage; nil without groupers

	undertaker *undertaker  // nil: what is refused stays
	delta      delta        // since it was last taken
	next       time.Time    // when it wants to be run; this and replays are guarded by Link.mu
	replays    []replay     // of a link, that wait for a transfer
	dead       atomic.Bool  // it was left behind: what is left of a run is not done
	safe       atomic.Int64 // of what was held when it was emptied
}

// delta is how the account of a chain changed.
type delta struct{ produced, filtered, held, stuck, dead int64 }

// stage is a processor, or all groupers of a link, and what waits before it.
type stage struct {
	op   Op
	name string
	proc record.Processor
	hold record.Holder // nil if it keeps nothing

	settler *settler // nil if it does not wait for what it has released to be delivered

	stuck    []record.Record // given to it, not taken
	marks    []mark          // the barriers that have arrived, oldest first
	taken    int64           // records taken since the start
	holding  record.Holding  // after its last call
	failures int             // in a row

	calling atomic.Bool
}

// mark is a barrier and how many records arrived before it.
type mark struct {
	at int64
	b  *barrier
}

func newStage(p record.Processor) *stage {
	hold, _ := capability[record.Holder](p)
	return &stage{op: OpProcess, name: nameOf(p), proc: p, hold: hold, settler: newSettler(p)}
}

// newChain returns an empty chain, or nil if there is nothing in it.
func newChain(processors []record.Processor, groupers []record.Grouper) *chain {
	if len(processors)+len(groupers) == 0 {
		return nil
	}
	c := &chain{processors: processors, groupers: groupers}
	for _, p := range processors {
		c.stages = append(c.stages, newStage(p))
	}
	c.group()
	return c
}

// group appends the stage of the groupers, if there are any.
func (c *chain) group() {
	if len(c.groupers) > 0 {
		c.grouping = &grouping{groupers: c.groupers}
		c.stages = append(c.stages, &stage{op: OpGroup, name: "groupers", proc: c.grouping})
	}
}

// renewed returns an empty chain in place of c. w counts its dead letters. It calls no user code.
func (c *chain) renewed(w *window) *chain {
	if c == nil {
		return nil
	}
	fresh := &chain{processors: c.processors, groupers: c.groupers}
	for _, s := range c.stages[:len(c.processors)] {
		fresh.stages = append(fresh.stages, &stage{op: s.op, name: s.name, proc: s.proc, hold: s.hold, settler: s.settler.renewed()})
	}
	fresh.group()
	if u := c.undertaker; u != nil {
		fresh.bury(u.link, u.box, u.lane, u.optional, w)
	}
	return fresh
}

// nodes returns the groupers and the processors, in the order in which they are
// started.
func (c *chain) nodes() (nodes []any) {
	if c == nil {
		return nil
	}
	for _, g := range c.groupers {
		nodes = append(nodes, g)
	}
	for _, p := range c.processors {
		if s := spoolOf(p); s != nil {
			nodes = append(nodes, s)
		}
		nodes = append(nodes, p)
	}
	return nodes
}

// list returns the stages. A nil chain has none.
func (c *chain) list() []*stage {
	if c == nil {
		return nil
	}
	return c.stages
}

// stuck reports whether records wait before a stage.
func (c *chain) stuck() bool {
	return slices.ContainsFunc(c.list(), func(s *stage) bool { return len(s.stuck) > 0 })
}

// run gives records to the stages, what is stuck first, and returns what comes
// out and the barriers that have passed, among them perhaps b, which follows the
// records. Every failure is given to fail; it ends nothing but the way of its
// records.
func (c *chain) run(ctx context.Context, records []record.Record, b *barrier, fail func(*Error)) ([]record.Record, []*barrier) {
	var barriers []*barrier
	if b != nil {
		barriers = append(barriers, b)
	}
	if c != nil {
		c.undertaker.arrived(len(records))
	}
	for _, s := range c.list() {
		if c.dead.Load() {
			return nil, nil
		}
		records, barriers = s.run(ctx, records, barriers, c, fail)
	}
	return records, barriers
}

// calling returns the name of the stage that is being called, or "".
func (c *chain) calling() string {
	for _, s := range c.list() {
		if s.calling.Load() {
			return s.name
		}
	}
	return ""
}

// guard calls f, which calls the node of the stage. See the function guard.
func (s *stage) guard(f func() error, failed func(error)) error {
	s.calling.Store(true)
	defer s.calling.Store(false)
	return guard(f, func(err error) {
		s.calling.Store(false)
		failed(err)
	})
}

func (s *stage) run(ctx context.Context, records []record.Record, barriers []*barrier, c *chain, fail func(*Error)) ([]record.Record, []*barrier) {
	c.delta.stuck += int64(len(records))
	if len(s.stuck) == 0 {
		s.stuck = records
	} else {
		s.stuck = append(slices.Clip(s.stuck), records...)
	}
	for _, b := range barriers {
		s.mark(b)
	}
	var out []record.Record
	if len(s.stuck) > 0 || s.hold != nil {
		out = s.call(ctx, c, fail)
	}
	return out, s.pass(barriers[:0])
}

// mark notes that b has arrived. Of barriers with nothing between them the newer one may
// stand for the older.
func (s *stage) mark(b *barrier) {
	at := s.taken + int64(len(s.stuck))
	s.marks = append(s.marks, mark{at, b})
	last := len(s.marks) - 1
	for i := last; i > 0 && i > last-2; i-- { // another lane may have let the one before pass by now
		if older, newer := s.marks[i-1], s.marks[i]; older.at == newer.at && older.b.absorb(newer.b) {
			s.marks = slices.Delete(s.marks, i-1, i)
		}
	}
}

// pass appends to out the barriers that nothing holds back any more.
func (s *stage) pass(out []*barrier) []*barrier {
	if len(s.stuck) > 0 {
		return out
	}
	n := 0
	for n < len(s.marks) && s.marks[n].at <= s.taken-int64(s.holding.Span) {
		s.settler.sign(s.marks[n].b, s.holding.Released)
		out = append(out, s.marks[n].b)
		n++
	}
	s.marks = slices.Delete(s.marks, 0, n)
	return out
}

// call calls the processor with what waits before it and returns its result.
func (s *stage) call(ctx context.Context, c *chain, fail func(*Error)) []record.Record {
	given := s.stuck
	var out []record.Record
	failed := func(err error) {
		fail(&Error{Op: s.op, Node: s.name, Records: len(given), Kept: true, Err: err})
	}
	err := s.guard(func() (err error) {
		out, err = s.proc.Process(ctx, given)
		return err
	}, failed)
	var rest []record.Record
	var dead []int // indices of dead letters
	if s.failures++; err == nil {
		s.failures = 0
	} else {
		var refused []refusal
		if refused, err = refusals(given, err); record.AsPartial(err) == nil {
			out = nil
		}
		failure := &Error{Op: s.settler.op(s.op, err), Node: s.name, Records: len(refused), Err: cut(ctx, err)}
		refused, dead = c.undertaker.bury(ctx, s, refused, fail)
		for _, r := range refused {
			rest = append(rest, r.record)
		}
		failure.DeadLettered, failure.Kept = len(dead), len(rest) > 0
		fail(failure)
	}
	holding := s.ask(fail)
	took := len(given) - len(rest) - len(dead)
	if took > 0 && len(rest) > 0 { // what was refused is taken after what came behind it
		for i := range s.marks {
			if s.marks[i].at > s.taken {
				s.marks[i].at = s.taken + int64(len(given))
			}
		}
	}
	s.vanish(dead)
	s.stuck = rest
	s.taken += int64(took)
	d := &c.delta
	d.stuck -= int64(took + len(dead))
	d.dead += int64(len(dead))
	change := int64(holding.Records - s.holding.Records)
	s.holding = holding
	d.held += change
	if lost := int64(took) - int64(len(out)) - change; lost >= 0 {
		d.filtered += lost
	} else {
		d.produced -= lost
	}
	return out
}

// vanish lets the marks forget the records at the given indices of those that waited:
// the stage has never taken them.
func (s *stage) vanish(indices []int) {
	for i := range s.marks {
		m := &s.marks[i]
		before := int64(0)
		for _, k := range indices {
			if s.taken+int64(k) < m.at {
				before++
			}
		}
		if m.at > s.taken {
			m.at -= before
		}
	}
}

// ask returns what the stage holds. A holder that cannot say holds what it held
// before; its span then covers everything, so that nothing is passed over.
func (s *stage) ask(fail func(*Error)) record.Holding {
	if s.hold == nil {
		return record.Holding{}
	}
	holding := s.holding
	failed := func(err error) {
		fail(&Error{Op: s.op, Node: s.name, Err: fmt.Errorf("holding: %w", err)})
	}
	err := s.guard(func() error {
		h := s.hold.Holding()
		if h.Records < 0 || h.Span < 0 {
			return fmt.Errorf("its Records is %d and its Span %d, want neither below 0", h.Records, h.Span)
		}
		holding = h
		return nil
	}, failed)
	if err != nil {
		failed(err)
		holding.Span = int(s.taken) + len(s.stuck)
	}
	return holding
}

// flush tells the holders of the chain to release everything at their next call.
func (c *chain) flush(fail func(*Error)) {
	for _, s := range c.list() {
		if s.hold == nil {
			continue
		}
		flush := func() error { s.hold.Flush(); return nil }
		if err := s.guard(func() error { return alone(flush) }, nil); err != nil { // a runtime.Goexit ends nothing else
			fail(&Error{Op: s.op, Node: s.name, Err: fmt.Errorf("flush: %w", err)})
		}
	}
}

// leave takes out everything that waits before stages and returns it.
func (c *chain) leave() (left []record.Record) {
	for _, s := range c.list() {
		left = append(left, s.stuck...)
		c.safe.Add(s.safe())
		s.stuck, s.marks, s.taken, s.holding = nil, nil, 0, record.Holding{}
	}
	return left
}

// empty takes out everything that waits before stages, and asks holders for what
// they keep. It returns those records.
func (c *chain) empty(ctx context.Context) (left []record.Record) {
	ignore := func(*Error) {} // nothing can be done, and the account says what is left
	c.flush(ignore)
	for _, s := range c.list() {
		left = append(left, s.stuck...)
		s.stuck, s.marks, s.taken = nil, nil, 0
		safe := s.safe()
		c.safe.Add(safe)
		if s.hold != nil && int64(s.holding.Records) > safe {
			var out []record.Record
			err := s.guard(func() (err error) {
				out, err = s.proc.Process(ctx, nil)
				return err
			}, func(error) {})
			if err == nil || record.AsPartial(err) != nil {
				left = append(left, out...)
			}
		}
		s.holding = record.Holding{}
	}
	return left
}

// wake returns when the first holder wants to be called, or the zero time.
func (c *chain) wake() (first time.Time) {
	for _, s := range c.list() {
		first = earlier(first, s.holding.Wake)
	}
	return first
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
