package link

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/databay-go/databay/record"
)

// answer takes the outlet's answer about records, the head of the queue, and reports
// whether the lane is to go on at once. l.mu is held, but not while handlers or the
// dead-letter outlet are called.
func (ln *lane) answer(records []record.Record, err error) (more bool) {
	ln.calling = false
	if ln.dead {
		return false
	}
	if err == nil {
		ln.accepted(len(records))
		ln.finish()
		if ln.spill != nil {
			ln.taken(nil)
		}
		return !ln.dead && (ln.queue.len() > int(ln.at) || ln.commit || ln.in != nil || ln.spill != nil)
	}
	refused, err := refusals(records, err)
	ln.accepted(len(records) - len(refused))
	e := ln.head()
	failure := &Error{Op: OpPush, Node: ln.account.Name, Number: e.transfer.number, Records: len(refused), Optional: ln.optional, Err: err}
	if ln.cut {
		failure.Err = cancelled(err)
	}
	if len(refused) == 0 { // the failed push was an empty one
		failure.Kept = true
		ln.finish()
		ln.link.failUnlocked(failure)
		return true
	}
	return ln.refused(e, refused, failure)
}

// refused does with refused records, all that is left of the head of the queue, what the
// policy says, and tells of the failure unless it is mended by another try. l.mu is held
// as in answer.
func (ln *lane) refused(e *entry, refused []refusal, failure *Error) (more bool) {
	e.offers++
	e.records = e.records[:0:0]
	now := time.Now()
	wait, again := ln.again(failure.Err, now)
	fates := make([]fate, len(refused))
	letters, offers, age := 0, int(e.offers), now.Sub(e.transfer.began)
	if ln.cut {
		offers, age = 0, 0
	}
	for i, r := range refused {
		e.records = append(e.records, r.record)
		fates[i] = ln.rules().fate(r.cause, offers, age, !again && !ln.cut)
		if fates[i] == buried {
			letters++
		}
	}
	var failures []*Error
	if letters > 0 {
		lives := true
		if failures, lives = ln.bury(e, refused, fates); !lives {
			return false
		}
	}
	e = ln.head()
	left, forGood := e.records[:0:0], false
	var places []int
	for i, r := range refused {
		switch fates[i] {
		case buried:
			failure.DeadLettered++
		case dropped:
			failure.Dropped++
		default:
			left, places = append(left, r.record), append(places, r.index)
			forGood = forGood || record.IsPermanent(r.cause)
		}
	}
	e.records = left
	ln.account.DeadLettered += int64(failure.DeadLettered)
	ln.account.Dropped += int64(failure.Dropped)
	ln.account.Refused += int64(failure.Dropped)
	ln.done(failure.DeadLettered + failure.Dropped)
	failure.handled = !forGood && failure.DeadLettered+failure.Dropped > 0
	again = again && len(left) > 0 && !forGood
	if failure.Kept = len(left) > 0 && !again; !again {
		ln.park(failure, now)
	} else {
		failure.Records -= len(left) // it may be mended
	}
	if len(left) == 0 {
		ln.finish()
	}
	ln.taken(places)
	if failure.Records > 0 {
		failures = append(failures, failure)
	}
	for _, f := range failures {
		ln.link.failUnlocked(f)
	}
	switch {
	case ln.dead || again && (ln.link.phase != started || ln.link.cancelled()): // meanwhile
		return false
	case again && wait > 0:
		ln.pause(wait)
		return false
	}
	if failure.Kept && ln.rules().relaxed {
		ln.at++
		return true
	}
	return again || len(left) == 0
}

// accepted notes that the outlet has accepted n records. l.mu is held.
func (ln *lane) accepted(n int) {
	if n == 0 {
		return
	}
	ln.account.Delivered += int64(n)
	ln.done(n)
	if ln.trouble != nil {
		ln.trouble = nil
	}
	if ln.window != nil {
		ln.window.pass(int64(n))
	}
}

// done notes that the lane is done with n records. l.mu is held.
func (ln *lane) done(n int) {
	ln.account.Pending -= int64(n)
	ln.link.delivered += int64(n)
}

// again returns how long to wait before the lane offers again what was refused with
// err, or false if it does not in this transfer. l.mu is held.
func (ln *lane) again(err error, now time.Time) (wait time.Duration, again bool) {
	if ln.trouble == nil {
		ln.trouble = new(trouble)
	}
	tr := ln.trouble
	if tr.tries.count++; tr.tries.count == 1 {
		tr.tries.since = now
	}
	if tr.parked || panicked(err) || ln.link.phase != started || ln.cut {
		return 0, false
	}
	return ln.rules().retry.withDefaults().pause(tr.tries, now, ln.link.nextDue, pauseOf(err), rand.Float64())
}

// park ends the tries in this transfer. l.mu is held.
func (ln *lane) park(failure *Error, now time.Time) {
	tr := ln.trouble
	tr.tries = tries{}
	tr.parked = tr.parked || failure.Kept || failure.Dropped > 0
	pause := pauseOf(failure.Err)
	if failure.Kept {
		pause = max(pause, ln.rules().retry.Gap)
	}
	if pause > 0 {
		tr.until = now.Add(pause)
	}
}

// bury makes dead letters of those refused records whose fate it is. Those that are not
// accepted are kept. It returns what is to be told, and whether the lane lives on. l.mu
// is held, but not meanwhile.
func (ln *lane) bury(e *entry, refused []refusal, fates []fate) (failures []*Error, lives bool) {
	l := ln.link
	ln.burying = true
	d := DeadLetter{Lane: ln.account.Name, Stage: OpPush, Attempts: int(e.offers)}
	t, ctx := e.transfer, l.context()
	w := ln.window
	l.mu.Unlock()
	d.Node = nameOf(ln.out)
	written, err := ln.rules().box.bury(ctx, ln.rules().timeout, w, d, t, refused, func(i int) bool { return fates[i] == buried })
	l.mu.Lock()
	ln.burying = false
	if ln.dead {
		return nil, false
	}
	missing := 0
	for i := range fates {
		if fates[i] == buried && !written[i] {
			fates[i] = kept
			missing++
		}
	}
	failures = l.lettersFailed(ln.rules().box, missing, w, err)
	for _, failure := range failures {
		failure.Number, failure.Optional = t.number, ln.optional && failure.Kept
	}
	return failures, true
}

// notRight is the error of an answer that cannot be right.
func notRight(wrong error) error { return fmt.Errorf("it answered with %w", wrong) }
