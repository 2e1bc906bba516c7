package link

import (
	"math"
	"time"
)

// Retry says how a lane goes on within one transfer after its outlet has refused
// records: it offers them again after a pause, and nothing behind them meanwhile. The
// zero value is 3 tries within 30 s.
//
// The lane stops trying, and its queue is parked until the next transfer,
//
//   - after as many offers as Tries says, or when the next one would come later than
//     Within allows,
//   - when the next one would come at the next due instant of the link or later,
//   - at once when all that is left has failed for good ([record.Permanent]), and
//     after a panic.
//
// If the outlet accepts some of the records, all bounds begin anew. A parked queue
// is offered once a transfer until something of it is accepted. A pause that the
// outlet asks for with [record.RetryAfter] is kept, up to an hour, also over further
// transfers. A Shutdown waits for no pause.
type Retry struct {
	// Tries is how many times the same records are offered. If zero, 3; with 1
	// nothing is offered again; if -1, there is no bound.
	Tries int

	// Within bounds the time from the first refusal to the last offer. If zero,
	// 30 s; if -1, there is no bound.
	Within time.Duration

	// Backoff is the pause before the second offer. It doubles with every further
	// one, up to MaxBackoff. If zero, 1 s; if -1, there is no pause.
	Backoff time.Duration

	// MaxBackoff bounds the pause. If zero, 10 s; if -1, there is no bound.
	MaxBackoff time.Duration

	// Jitter is the part of every pause that is random, at most 1: with 0.5 a
	// pause of 2 s is one between 1 s and 2 s. If zero, 0.5; if -1, nothing is.
	Jitter float64

	// Gap is the least time between two offers of a parked queue. Transfers that
	// come sooner leave the lane alone, which counts as idle. If zero, there is
	// none.
	Gap time.Duration
}

const (
	defaultTries      = 3
	defaultWithin     = 30 * time.Second
	defaultBackoff    = time.Second
	defaultMaxBackoff = 10 * time.Second
	defaultJitter     = 0.5

	// maxPause bounds what RetryAfter asks for.
	maxPause = time.Hour
)

// withDefaults returns r with every default value in its place.
func (r Retry) withDefaults() Retry {
	r.Tries = bound(r.Tries, defaultTries)
	r.Within = bound(r.Within, defaultWithin)
	r.Backoff = max(0, bound(r.Backoff, defaultBackoff))
	r.MaxBackoff = bound(r.MaxBackoff, defaultMaxBackoff)
	if r.Jitter == 0 {
		r.Jitter = defaultJitter
	}
	r.Jitter = max(0, r.Jitter)
	return r
}

func (m *mistakes) retry(field string, r Retry) {
	if r.Tries < -1 {
		m.add("%s.Tries is %d, want more than 0, 0 for %d or -1 for no bound", field, r.Tries, defaultTries)
	}
	if r.Within < -1 {
		m.add("%s.Within is %v, want more than 0, 0 for %v or -1 for no bound", field, r.Within, defaultWithin)
	}
	if r.Backoff < -1 {
		m.add("%s.Backoff is %v, want more than 0, 0 for %v or -1 for no pause", field, r.Backoff, defaultBackoff)
	}
	if r.MaxBackoff < -1 {
		m.add("%s.MaxBackoff is %v, want more than 0, 0 for %v or -1 for no bound", field, r.MaxBackoff, defaultMaxBackoff)
	}
	if !(r.Jitter >= 0 && r.Jitter <= 1 || r.Jitter == -1) {
		m.add("%s.Jitter is %v, want more than 0 and at most 1, 0 for %v or -1 for none", field, r.Jitter, defaultJitter)
	}
	if r.Gap < 0 {
		m.add("%s.Gap is %v, want more than 0, or 0 for none", field, r.Gap)
	}
}

// tries are the offers that a lane has made without anything being accepted.
type tries struct {
	count int
	since time.Time // of the first refusal
}

// pause returns how long to wait before the next offer, or false if there is to be
// none in this transfer. r has its default values. next is the next due instant of the
// link, zero if there is none; after is the least pause that the outlet asks for;
// random is from 0 up to 1.
func (r Retry) pause(t tries, now, next time.Time, after time.Duration, random float64) (wait time.Duration, again bool) {
	if r.Tries > 0 && t.count >= r.Tries {
		return 0, false
	}
	wait = max(after, r.backoff(t.count, random))
	offer := now.Add(wait)
	if r.Within > 0 && offer.Sub(t.since) > r.Within || !next.IsZero() && !offer.Before(next) {
		return 0, false
	}
	return wait, true
}

// backoff returns the pause after count offers.
func (r Retry) backoff(count int, random float64) time.Duration {
	d := float64(r.Backoff) * math.Exp2(float64(count-1))
	if r.MaxBackoff > 0 {
		d = min(d, float64(r.MaxBackoff))
	}
	d = min(d, math.MaxInt64/4) // a pause that no bound ends
	return time.Duration(d * (1 - r.Jitter*random))
}
