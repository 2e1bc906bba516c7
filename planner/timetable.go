package planner

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/schedule"
)

// countedUpTo is how many instants are counted one by one.
const countedUpTo = 1000

// timetable is a schedule that can be trusted: what it returns is after what it was
// asked for, and a failure of any kind is reported and ends it.
type timetable struct {
	s      schedule.Schedule
	e      *entry // told of a failure, once at most
	failed atomic.Bool
}

// newTimetable returns the timetable of a link from the anchor on.
func newTimetable(e *entry, anchor time.Time) *timetable {
	t := &timetable{s: e.link.Schedule(), e: e}
	if b, ok := t.s.(schedule.Binder); ok {
		name := e.link.Name()
		t.guard(func() {
			bound := b.Bind(name, anchor)
			if bound == nil {
				t.fail(fmt.Errorf("Bind(%q, %v) returned nil, want a schedule", name, anchor))
				return
			}
			t.s = bound
		})
	}
	return t
}

// Next returns the first instant after the given one, or the zero time.
func (t *timetable) Next(after time.Time) (next time.Time) {
	if t.failed.Load() {
		return time.Time{}
	}
	t.guard(func() {
		n := t.s.Next(after)
		if !n.IsZero() && !n.After(after) {
			t.fail(fmt.Errorf("Next(%v) returned %v, want an instant after it or the zero time", after, n))
			return
		}
		next = n
	})
	return next
}

// span is what has passed when an emit is made.
type span struct {
	last  time.Time   // the last instant that has passed
	next  time.Time   // the one after it
	count int64       // how many have passed, last among them
	more  bool        // there are more than count
	late  []time.Time // those before last that are run too
}

// span returns what has passed since first, which is the first instant that was not
// known to have passed, when the one at due has. As many as most says are to be run.
func (t *timetable) span(first, due time.Time, most int) span {
	s := span{last: due, next: t.Next(due), count: 1}
	if !s.next.IsZero() {
		if now := time.Now(); !s.next.After(now) {
			s.last, s.next = t.lastUpTo(s.next, now)
		}
	}
	if s.last.After(first) {
		s.count, s.more = t.count(first, s.last)
		s.late = t.before(first, s.last, most-1)
	}
	return s
}

// lastUpTo returns the last instant up to now, and the one after it. known is an
// instant that is not after now. Between it and now there may be any number of
// others; the time is halved until there are none.
func (t *timetable) lastUpTo(known, now time.Time) (last, next time.Time) {
	last, high := known, now
	for {
		next = t.Next(last)
		if next.IsZero() || next.After(now) {
			return last, next
		}
		last = next
		for { // find an instant in the later half, if there is one
			half := high.Sub(last) / 2
			if half <= 0 {
				break
			}
			middle := last.Add(half)
			if later := t.Next(middle); !later.IsZero() && !later.After(now) {
				last = later
				break
			}
			high = middle
		}
	}
}

// count returns how many instants there are from first to last, which are two of
// them. There may be more if it says so.
func (t *timetable) count(first, last time.Time) (n int64, more bool) {
	if c, ok := t.s.(schedule.Counter); ok && !t.failed.Load() {
		t.guard(func() { n = int64(c.Count(first, last)) })
		return max(n, 1) + 1, false
	}
	n = 1
	for at := first; at.Before(last) && !at.IsZero(); n++ {
		if n == countedUpTo {
			return n, true
		}
		at = t.Next(at)
	}
	return max(n, 2), false
}

// before returns the n instants before last that are the latest, in order, or as many
// as there are from first on.
func (t *timetable) before(first, last time.Time, n int) []time.Time {
	found := make([]time.Time, n)
	for n > 0 && last.After(first) {
		n--
		last, _ = t.lastUpTo(first, last.Add(-1))
		found[n] = last
	}
	return found[n:]
}

// minStep is the least step of the wall clock that moves Dues.
const minStep = time.Second

// onTheClock returns due as the wall clock reads at now. An instant with a monotonic
// reading has that of the clock as it was when its schedule began: if the clock was set
// since, or the machine suspended, that is another time.
func onTheClock(due, now time.Time) time.Time {
	if due == due.Round(0) {
		return due
	}
	if moved := now.Add(due.Sub(now)); moved.Round(0).Sub(due.Round(0)).Abs() >= minStep {
		return moved
	}
	return due
}

// guard calls f, which calls the schedule. If it panics or calls runtime.Goexit,
// the schedule has failed.
func (t *timetable) guard(f func()) {
	returned := false
	defer func() {
		if !returned {
			t.fail(caught(recover()))
		}
	}()
	f()
	returned = true
}

func (t *timetable) fail(err error) {
	if !t.failed.Swap(true) {
		t.e.scheduleFailed(err)
	}
}

// scheduleFailed tells the handlers that the schedule has failed, once the planner is
// started. It does not wait for them, since a trigger does not.
func (e *entry) scheduleFailed(err error) {
	failure := scheduleError(e.link, err)
	tell := func() { _ = e.Failed(e.p.handling(), e.link, failure) }
	e.p.mu.Lock()
	defer e.p.mu.Unlock()
	if e.p.state == starting {
		e.p.untold = append(e.p.untold, tell)
	} else {
		e.p.tasks.spawn(tell)
	}
}

// scheduleError is the error of a link whose schedule has failed.
func scheduleError(l *link.Link, err error) *link.Error {
	name := fmt.Sprintf("%T", l.Schedule())
	if s, ok := l.Schedule().(fmt.Stringer); ok {
		_ = guard(func() { name = s.String() })
	}
	return &link.Error{Op: link.OpSchedule, Link: l.Name(), Node: name, Number: -1, Err: err}
}
