package link

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/databay-go/databay/record"
)

// policy says what a lane does with what was refused. It never changes.
type policy struct {
	retry Retry
}

// answer takes the outlet's answer about records, the head of the queue, and reports
// whether the lane is to go on at once. l.mu is held, but not while handlers are called.
func (ln *lane) answer(records []record.Record, err error) (more bool) {
	l := ln.link
	ln.calling = false
	if ln.dead {
		return false
	}
	if err == nil {
		ln.accepted(len(records))
		ln.finish()
		return true
	}
	rest, wrong := remainder(records, err)
	if wrong != nil {
		err = wrong
	}
	ln.accepted(len(records) - len(rest))
	e := ln.queue.head()
	failure := &Error{Op: OpPush, Node: ln.account.Name, Number: e.transfer.number, Records: len(rest), Kept: true, Err: err}
	e.records = rest
	e.offers++
	if len(rest) == 0 { // the failed push was an empty one
		ln.finish()
		l.failUnlocked(failure)
		return true
	}
	if wait, again := ln.again(err); again {
		if wait == 0 {
			return true
		}
		ln.pause(wait)
		return false
	}
	l.failUnlocked(failure)
	return false
}

// accepted notes that the outlet has accepted n records. l.mu is held.
func (ln *lane) accepted(n int) {
	if n == 0 {
		return
	}
	ln.account.Delivered += int64(n)
	ln.account.Pending -= int64(n)
	ln.link.delivered += int64(n)
	ln.trouble = nil
}

// again returns how long to wait before the lane offers again what was refused with
// err, or false if it does not in this transfer. Then it is parked. l.mu is held.
func (ln *lane) again(err error) (wait time.Duration, again bool) {
	if ln.trouble == nil {
		ln.trouble = new(trouble)
	}
	tr, retry, now := ln.trouble, ln.policy.retry.withDefaults(), time.Now()
	after := min(longestPause(err), maxPause)
	if tr.tries.count++; tr.tries.count == 1 {
		tr.tries.since = now
	}
	_, panicked := errors.AsType[*PanicError](err)
	if !panicked && !record.IsPermanent(err) && !tr.parked && ln.link.phase == started {
		if wait, again = retry.pause(tr.tries, now, ln.link.nextDue, after, rand.Float64()); again {
			return wait, true
		}
	}
	tr.parked = true
	if pause := max(after, retry.Gap); pause > 0 {
		tr.until = now.Add(pause)
	}
	return 0, false
}
