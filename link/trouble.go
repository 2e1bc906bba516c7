package link

import (
	"time"

	"github.com/databay-go/databay/record"
)

// trouble is what a lane knows about refusals. The methods of a nil trouble say that
// there were none. It is guarded by Link.mu.
type trouble struct {
	tries  tries       // in this transfer
	parked bool        // the queue is offered once a transfer
	until  time.Time   // nothing is to be offered before, in further transfers
	timer  *time.Timer // of a pause between two tries; nil: there is none
}

// begin begins the tries of a transfer.
func (tr *trouble) begin() {
	if tr != nil {
		tr.tries = tries{}
	}
}

// waits reports whether nothing is to be offered yet.
func (tr *trouble) waits(phase phase) bool {
	if tr == nil || tr.until.IsZero() {
		return false
	}
	if phase == started && time.Now().Before(tr.until) {
		return true
	}
	tr.until = time.Time{}
	return false
}

// pauses reports whether the lane pauses between two tries. l.mu is held.
func (ln *lane) pauses() bool { return ln.trouble != nil && ln.trouble.timer != nil }

// pause lets the lane go on after a while. l.mu is held.
func (ln *lane) pause(wait time.Duration) { ln.trouble.timer = time.AfterFunc(wait, ln.resume) }

// resume goes on after a pause.
func (ln *lane) resume() {
	ln.link.mu.Lock()
	if ln.pauses() { // else somebody has ended it
		ln.trouble.timer = nil
		ln.work()
	}
	ln.link.mu.Unlock()
}

// interrupt ends a pause and reports whether there was one: the caller then has to call
// work, or to give the lane back. l.mu is held.
func (ln *lane) interrupt() bool {
	if !ln.pauses() {
		return false
	}
	ln.trouble.timer.Stop()
	ln.trouble.timer = nil
	return true
}

// pauseOf returns the pause that err asks for.
func pauseOf(err error) time.Duration { return min(longestPause(err), maxPause) }

// longestPause returns the longest pause that err, or anything it wraps, asks for.
func longestPause(err error) (d time.Duration) {
	switch e := err.(type) {
	case *record.RetryAfterError:
		return max(e.After, longestPause(e.Err))
	case interface{ Unwrap() error }:
		return longestPause(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			d = max(d, longestPause(err))
		}
	}
	return d
}
