package link

import "time"

// RetryPause is what a lane asks a [Retry] after count offers.
func RetryPause(r Retry, count int, since, now, next time.Time, after time.Duration, random float64) (time.Duration, bool) {
	return r.withDefaults().pause(tries{count, since}, now, next, after, random)
}

// Window counts the dead letters among the last records.
type Window struct{ w *window }

// NewWindow returns the window of a limit.
func NewWindow(d DeadLetterLimit) *Window {
	return &Window{newWindow(&letterLimit{DeadLetterLimit: d})}
}

// Pass, Fail, Room and Exceeded are those of a window.
func (w *Window) Pass(n int64)   { w.w.pass(n) }
func (w *Window) Fail(n int)     { w.w.fail(n) }
func (w *Window) Room(n int) int { return w.w.room(n) }
func (w *Window) Exceeded() bool { return w.w.exceeded() }

// Reasons is what a dead letter says about err.
var Reasons = reasons

// Barriers is how many transfers are not committed.
func (l *Link) Barriers() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.journal.order)
}
