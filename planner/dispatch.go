package planner

import (
	"errors"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// emit takes an instant that the trigger has found due. It does not block.
func (p *Planner) emit(t Tick) {
	p.index.RLock()
	e := p.byName[t.ID]
	p.index.RUnlock()
	if e == nil {
		return
	}
	e.clock.Lock()
	defer e.clock.Unlock()
	if e.table == nil || e.next.IsZero() || t.Due.Before(e.next) {
		return // it is accounted for
	}
	s := span{last: t.Due, count: 1}
	known := false
	defer func() {
		if !known { // the schedule has called runtime.Goexit
			p.arrive(e, s)
		}
	}()
	most, _ := e.link.Misfire()
	s = e.table.span(e.next, t.Due, most)
	known = true
	p.arrive(e, s)
}

// arrive decides what becomes of the instants that have come. e.clock is held.
func (p *Planner) arrive(e *entry, s span) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.next = s.next
	o := skipped
	switch {
	case e.holds():
		e.book.came(s, 0, paused)
		return
	case e.stage != active || p.state != running:
		o = interrupted
	case !e.pulling() || !e.due.IsZero() || e.backlog != nil || e.link.Overlap() != link.Skip:
		e.book.came(s, int64(len(s.late))+1, missed)
		e.await(s)
		return
	}
	e.book.came(s, 1, missed)
	e.book.ended(o)
	p.pool.check()
}

// run makes one transfer, in a goroutine of the pool. It returns, or unwinds, with
// p.mu held.
func (p *Planner) run(e *entry, tick link.Tick) {
	var t *link.Transfer
	defer func() { p.ran(e, tick, t) }() // also after runtime.Goexit
	t = e.link.Begin(tick)
}

// ran takes the end of what a transfer needs its goroutine for, and returns with
// p.mu held. t is nil if the goroutine was ended by runtime.Goexit.
func (p *Planner) ran(e *entry, tick link.Tick, t *link.Transfer) {
	if t != nil && tick.Reason == record.Scheduled {
		if o := t.Outcome(); p.refused(t, o) { // the others are reported
			e.book.ended(outcomeOf(o))
		}
	}
	p.mu.Lock()
	p.pool.vacate(e)
	if e.due.IsZero() {
		e.backlog = nil
	}
	if r := e.forced; r != nil {
		e.forced = nil
		r.settle(t, errGoexit)
	} else if t != nil {
		t.Release()
	}
	e.busy.Store(false)
	if e.stage == active {
		e.rearm()
		e.wanted()
	}
}

// errGoexit is why there is no Report of a forced transfer.
var errGoexit = errors.New("planner: a node has called runtime.Goexit")

// refused reports whether a transfer with this outcome was not made at all, so that
// there is no Report of it.
func (p *Planner) refused(t *link.Transfer, o link.Outcome) bool {
	switch o {
	case link.Coalesced, link.Interrupted:
		return true
	case link.Failed:
		r, _ := t.Wait(p.past)
		return r.Number < 0
	}
	return false
}
