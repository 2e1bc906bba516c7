package planner

import "time"

// Place is where a ticker places an instant whose base is base, after the wall clock
// has run ahead by skew.
func Place(base time.Time, skew time.Duration, t time.Time) time.Duration {
	return axis{base: base, skew: skew}.place(t)
}

// Skew is how much more wall time than monotonic time has passed between readings.
func Skew(base, now time.Time) time.Duration { return axis{base: base}.skewAt(now) }

// OnTheClock returns due as the wall clock reads at now.
func OnTheClock(due, now time.Time) time.Time { return onTheClock(due, now) }
