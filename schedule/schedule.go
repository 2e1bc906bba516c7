// Package schedule says when: arithmetic over time, without goroutines, clocks or
// timers.
//
//	every := schedule.Every(5 * time.Second)
package schedule

import (
	"fmt"
	"math"
	"time"
)

// Schedule yields the instants at which something is due.
//
// Next returns the first instant strictly after the given one, or the zero time
// if there is none. It is a pure function: the same argument has the same result.
// It must be safe for concurrent use.
type Schedule interface {
	Next(after time.Time) time.Time
}

// Binder is a [Schedule] that depends on when it begins or on whom it serves. Bind
// is asked once, when a planner starts to serve the link, and what it returns is
// used from then on. The anchor is that moment.
type Binder interface {
	Schedule
	Bind(link string, anchor time.Time) Schedule
}

// Counter is a [Schedule] that counts its instants without visiting them. Count
// returns how many there are after from, up to and including to.
type Counter interface {
	Schedule
	Count(from, to time.Time) int
}

// Validator is a [Schedule] that knows mistakes in its own configuration.
type Validator interface {
	Validate() error
}

// Every returns a schedule with an instant every d: anchor + k·d for k = 1, 2, …,
// the anchor being the moment it is bound. It does not drift, however late a
// planner wakes. Unbound, it is anchored at the Unix epoch. Its instants end 292
// years after the anchor, where a [time.Duration] does. A d that is not positive
// is an error of its Validate.
func Every(d time.Duration) Schedule { return every{d: d, anchor: time.Unix(0, 0)} }

type every struct {
	d      time.Duration
	anchor time.Time
}

var (
	_ Binder    = every{}
	_ Counter   = every{}
	_ Validator = every{}
)

func (e every) String() string { return "every " + e.d.String() }

func (e every) Validate() error {
	if e.d <= 0 {
		return fmt.Errorf("schedule.Every: interval is %v, want more than 0", e.d)
	}
	return nil
}

func (e every) Bind(_ string, anchor time.Time) Schedule {
	e.anchor = anchor
	return e
}

func (e every) Next(after time.Time) time.Time {
	if e.d <= 0 {
		return time.Time{}
	}
	passed := e.passed(after) * e.d
	if passed > math.MaxInt64-e.d {
		return time.Time{}
	}
	return e.anchor.Add(passed + e.d)
}

func (e every) Count(from, to time.Time) int {
	if e.d <= 0 || !to.After(from) {
		return 0
	}
	return int(min(e.passed(to)-e.passed(from), math.MaxInt)) // an int may be small
}

// passed returns how many instants there are up to and including t.
func (e every) passed(t time.Time) time.Duration {
	return max(t.Sub(e.anchor), 0) / e.d
}
