package planner

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// entry is one link of a planner, and the link's [link.Host]. Its fields are guarded
// by Planner.mu unless they say otherwise.
type entry struct {
	p    *Planner
	link *link.Link
	book book // has a lock of its own

	stage  stage
	paused bool
	fenced bool // it is paused for good

	// Small fields of what is wanted and of the transfer, together to save memory.
	immediate bool
	flush     bool
	queued    bool          // it is in the queue
	reason    record.Reason // of the transfer that is running

	removal *removal // while it is being removed

	// Written with Planner.mu and clock held; either will do to read.
	clock sync.Mutex // held by an emit for the entry
	table *timetable // nil: its schedule has not begun
	next  time.Time  // the first instant that has not come; zero: there is none

	// What is wanted of it.
	due     time.Time    // the first instant that waits; zero: none does
	backlog *[]time.Time // those behind it; nil unless it makes up for several
	first   *request     // forced transfers, in order

	after *entry // the next in the queue
	slot  int    // its place in pool.running; below 0: it is not running

	// Of the transfer that is running.
	forced *request // that it is made for

	// waiting says that something is wanted for which the link was not ready, so
	// that Changed has to look. busy says that a transfer is in the pool, which
	// looks when it has ended. Written with Planner.mu held.
	waiting atomic.Bool
	busy    atomic.Bool

	alarm *alarmClock // nil: it has never had a wake
}

// stage is where an entry is in its life.
type stage uint8

const (
	idle    stage = iota // the planner is not running
	joining              // it is being added to a running planner
	active
	leaving // it is being removed, or the planner is stopping
	gone
)

// removal is what a Remove has to know about an entry.
type removal struct {
	failures []error
	done     chan struct{}
}

// alarmClock wakes an entry when the link's holders want a transfer.
type alarmClock struct {
	timer   *time.Timer
	armed   time.Time // what the timer is set for; zero: it is not set
	flushed time.Time // the wake for which the last flush was made
	futile  int       // how many flushes in a row have not changed it
}

// holds reports whether the schedule is paused.
func (e *entry) holds() bool { return e.paused || e.fenced || e.p.paused }

// pulling reports whether a transfer that pulls is running or waiting, other than
// one for an instant that waits.
func (e *entry) pulling() bool {
	return e.slot >= 0 && e.reason != record.Flush || e.immediate && !e.holds() || e.first != nil
}

// patient reports whether an instant waits until the link is ready.
func (e *entry) patient() bool { return e.backlog != nil || e.link.Overlap() != link.Skip }

// urgent reports whether it is the turn of a forced transfer, which covers the instants
// that wait.
func (e *entry) urgent() bool { return e.first != nil && e.first.behind == 0 }

// await lets the instants of s wait that are to be run. p.mu is held.
func (e *entry) await(s span) {
	instead, waited := missed, !e.due.IsZero()
	if !e.queued {
		instead = skipped // those that wait do so for the link, not for a place
	}
	for _, due := range s.late {
		e.append(due, instead)
	}
	e.append(s.last, instead)
	if e.slot >= 0 && (waited || e.reason != record.Flush) {
		e.link.Cancel()
	}
	e.wanted()
	if waited {
		e.p.pool.check()
	}
}

// append lets an instant wait behind the others. If they are too many, the first one
// gives way. p.mu is held.
func (e *entry) append(due time.Time, instead outcome) {
	if e.due.IsZero() {
		e.due = due
		return
	}
	if most, _ := e.link.Misfire(); most > 1 {
		if e.backlog == nil {
			e.backlog = new([]time.Time)
		}
		if *e.backlog = append(*e.backlog, due); len(*e.backlog) < most {
			return
		}
		e.shift()
	} else {
		e.due = due
	}
	e.book.ended(instead)
}

// shift returns the first instant that waits, which does so no longer. p.mu is held.
func (e *entry) shift() (due time.Time) {
	due, e.due = e.due, time.Time{}
	if b := e.backlog; b != nil && len(*b) > 0 {
		e.due, *b = (*b)[0], (*b)[1:]
	}
	return due
}

// forgo ends the waiting of all instants. p.mu is held.
func (e *entry) forgo(o outcome) {
	for !e.due.IsZero() {
		e.shift()
		e.book.ended(o)
	}
	e.backlog = nil
}

// wanted looks whether something that is wanted of e can be done, and queues it
// then. p.mu is held.
func (e *entry) wanted() {
	if e.queued || e.slot >= 0 || e.stage != active || e.p.state != running {
		return
	}
	waits := !e.due.IsZero()
	if waits && !e.patient() || !waits && e.immediate && !e.holds() {
		e.p.pool.enqueue(e)
		return
	}
	if !waits && e.first == nil && !e.flush {
		return
	}
	e.waiting.Store(true) // first, so that Changed cannot come in between
	if e.link.Ready() {
		e.waiting.Store(false)
		e.p.pool.enqueue(e)
	} else if waits {
		e.link.Cancel()
	}
}

// pick returns the transfer to make now, if there is one. What has become
// superfluous is dropped. p.mu is held.
func (e *entry) pick() (tick link.Tick, ok bool) {
	if e.stage != active {
		return link.Tick{}, false
	}
	for !e.due.IsZero() && !e.urgent() {
		ready := e.link.Ready()
		if !ready && e.patient() {
			e.wanted()
			return link.Tick{}, false
		}
		due := e.shift()
		_, grace := e.link.Misfire()
		switch {
		case grace > 0 && time.Since(due) > grace:
			e.book.ended(missed)
		case ready:
			if e.first != nil {
				e.first.behind--
			}
			return link.Tick{Due: onTheClock(due, time.Now()), Reason: record.Scheduled}, true
		default:
			e.book.ended(skipped)
		}
	}
	if e.due.IsZero() {
		e.backlog = nil
	}
	if e.immediate && !e.holds() {
		e.immediate = false
		return link.Tick{Reason: record.Immediate}, true
	}
	if e.first == nil && !e.flush || !e.link.Ready() {
		e.wanted()
		return link.Tick{}, false
	}
	if r := e.first; r != nil {
		e.first = r.next
		r.began, e.forced = true, r
		return link.Tick{Reason: record.Forced}, true
	}
	e.flush = false
	if wake := e.link.Wake(); !wake.IsZero() && !wake.After(time.Now()) {
		e.alarm.flushed = wake
		return link.Tick{Due: wake, Reason: record.Flush}, true
	}
	e.rearm()
	return link.Tick{}, false
}

// Pauses before a flush is made again that has not changed the wake it was made for.
const (
	firstFutile = time.Second
	maxFutile   = time.Minute
)

// rearm sets the timer to the link's wake. p.mu is held.
func (e *entry) rearm() {
	wake := e.link.Wake()
	a := e.alarm
	if a == nil {
		if wake.IsZero() {
			return
		}
		a = new(alarmClock)
		e.alarm = a
	}
	if wake.Equal(a.armed) || e.stage != active {
		return
	}
	a.armed = wake
	if wake.IsZero() {
		a.timer.Stop()
		return
	}
	wait := time.Until(wake)
	if wait <= 0 && wake.Equal(a.flushed) {
		wait = min(firstFutile<<min(a.futile, 10), maxFutile)
		a.futile++
	} else {
		a.futile = 0
	}
	if a.timer == nil {
		a.timer = time.AfterFunc(wait, e.woken)
	} else {
		a.timer.Reset(wait)
	}
}

// woken is called by the timer.
func (e *entry) woken() {
	e.p.mu.Lock()
	defer e.p.mu.Unlock()
	if e.stage == active {
		e.alarm.armed = time.Time{}
		e.flush = true
		e.wanted()
	}
}

// Changed is part of [link.Host].
func (e *entry) Changed(*link.Link) {
	if e.busy.Load() {
		return // who runs the transfer looks when it has ended
	}
	e.p.mu.Lock()
	defer e.p.mu.Unlock()
	if e.stage != active {
		return
	}
	e.rearm()
	if e.waiting.Load() {
		e.waiting.Store(false)
		e.wanted()
	}
}

// drop takes back everything that is wanted of e, because err. p.mu is held.
func (e *entry) drop(err error) {
	e.forgo(interrupted)
	e.immediate, e.flush = false, false
	for r := e.first; r != nil; r = r.next {
		r.settle(nil, err)
	}
	e.first = nil
	if e.alarm != nil && e.alarm.timer != nil {
		e.alarm.timer.Stop()
	}
}
