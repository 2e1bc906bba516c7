package link

import (
	"fmt"
	"slices"
	"time"

	"github.com/databay-go/databay/record"
)

// Outcome is how a transfer ended.
type Outcome uint8

const (
	Running     Outcome = iota // it has not ended
	Ran                        // it did what it could, without an error
	Failed                     // it was not blocked, and a node failed
	Blocked                    // it pulled nothing: too much is undelivered, or a stage still fails
	Coalesced                  // its instant is covered by a later transfer: nothing was done
	Interrupted                // the link was stopped: nothing was done
	Cancelled                  // it failed because it was cancelled, see CancelPrevious
)

// String returns the outcome in lower case.
func (o Outcome) String() string {
	names := [...]string{"running", "ran", "failed", "blocked", "coalesced", "interrupted", "cancelled"}
	if int(o) < len(names) {
		return names[o]
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// Report tells what one transfer did, and what else has happened since the last
// Report.
type Report struct {
	Link    string
	Tags    []string
	Number  int64
	Due     time.Time
	Reason  record.Reason
	Began   time.Time
	Took    time.Duration // from Began to when the report was made
	Outcome Outcome

	// Err joins all errors, each an [*Error].
	Err error

	// Account holds the changes since the last Report. Of Held and Pending,
	// which go up and down, they may be negative. Reports of which they are the same may
	// share Lanes, which are not to be changed.
	Account
}

// makeReport makes the report of the current transfer. l.mu is held.
func (l *Link) makeReport() {
	t := l.current
	l.current = nil
	l.fillReport(t)
	if l.onReport == nil && l.host == nil {
		t.finish()
		return
	}
	l.send(t)
}

// send puts t, which has its report, behind those whose reports are to be given away.
// l.mu is held.
func (l *Link) send(t *Transfer) {
	at := &l.outbox
	for *at != nil {
		at = &(*at).next
	}
	*at = t
}

// fillReport gives t what has happened since the last report. l.mu is held.
func (l *Link) fillReport(t *Transfer) {
	l.changes(t)
	t.took = time.Since(t.began)
	err := t.account.balance()
	if err == nil {
		err = l.missing()
	}
	if err != nil {
		t.unbalanced = &Error{Op: OpReport, Link: l.name, Node: "account", Number: t.number, Err: err}
		l.errs = append(l.errs, t.unbalanced)
	}
	t.errs, t.err = nil, nil
	if len(l.errs) > 0 {
		var asked []*Error
		for _, err := range l.errs {
			if err.asked && !t.stop { // the next report has it, with the answer
				asked = append(asked, err)
			} else {
				t.errs = append(t.errs, err)
			}
		}
		l.errs, t.err = asked, join(t.errs)
	}
	switch {
	case t.blocked && !t.stop:
		t.outcome = Blocked
	case len(t.errs) > 0 && t.cancelled():
		t.outcome = Cancelled
	case len(t.errs) > 0:
		t.outcome = Failed
	default:
		t.outcome = Ran
	}
}

// changes sets the account of t to how that of the link has changed since it was called
// last. l.mu is held.
func (l *Link) changes(t *Transfer) {
	lanes := l.allLanes()
	if l.left != nil {
		lanes = append(slices.Clip(lanes), l.left.gone...)
		l.left.gone = nil
	}
	a := &t.account
	in := int64(len(l.transit))
	l.account.Failed += in
	a.since(&l.reported, &l.account)
	l.account.Failed -= in
	if len(a.Lanes) != len(lanes) {
		a.Lanes, t.lent = make([]LaneAccount, len(lanes)), false
	}
	for i, ln := range lanes {
		if a.Lanes[i].is(&ln.reported, &ln.account) {
			ln.reported = ln.account
			continue
		}
		if t.lent {
			a.Lanes, t.lent = slices.Clone(a.Lanes), false
		}
		a.Lanes[i].since(&ln.reported, &ln.account)
	}
}

// missing compares what is pending according to the account with what is there.
// l.mu is held.
func (l *Link) missing() error {
	for _, ln := range l.allLanes() {
		if ln.account.Pending == 0 && ln.queue.len() == 0 && ln.in == nil {
			continue
		}
		if n := ln.actual(); n != ln.account.Pending {
			return fmt.Errorf("%w: lane %s: pending %d, but %d records are waiting", ErrUnbalanced, ln.account.Name, ln.account.Pending, n)
		}
	}
	return nil
}
