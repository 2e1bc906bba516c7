package link

import (
	"context"
	"fmt"
)

// hasRoom reports whether the lane is not full. l.mu is held.
func (ln *lane) hasRoom() bool { return ln.limit < 0 || ln.account.Pending < int64(ln.limit) }

// surplus returns how many records have to leave the lane before another pull. l.mu is
// held.
func (ln *lane) surplus() int {
	if ln.hasRoom() {
		return 0
	}
	n := int(ln.account.Pending) - int(ln.limit) + 1
	if n > 0 && ln.spill != nil && ln.keepsHead() {
		n -= len(ln.queue.head().records) // it cannot leave
	}
	return n
}

// dropOldest drops as many of the oldest records as there are too many, but for those
// that somebody works on. l.mu is held.
func (ln *lane) dropOldest() {
	for n := ln.surplus(); n > 0; n = ln.surplus() {
		from, i := ln.oldest(true)
		if from == nil {
			return
		}
		e := &from.entries[i]
		n = min(n, len(e.records))
		e.records = e.records[n:]
		ln.account.Dropped += int64(n)
		ln.account.Overflowed += int64(n)
		ln.done(n)
		if len(e.records) == 0 && !e.end {
			if from == &ln.queue {
				e.transfer.uses--
				if i < from.first+int(ln.at) {
					ln.at--
				}
			}
			from.remove(i)
		}
	}
}

// oldest returns the queue, or perhaps the inbox, and the place in it of the oldest
// records that nobody works on, or nil. l.mu is held.
func (ln *lane) oldest(inbox bool) (from *fifo, at int) {
	offered := -1 // the place of what is being offered
	if ln.burying || ln.calling && (ln.in == nil || !ln.in.inside) {
		offered = ln.queue.first + int(ln.at)
	}
	if at := ln.queue.filled(offered); at >= 0 {
		return &ln.queue, at
	}
	if inbox && ln.in != nil {
		if at := ln.in.inbox.filled(-1); at >= 0 {
			return &ln.in.inbox, at
		}
	}
	return nil, 0
}

// makeRoom moves what is more than full lanes may have to their spools, or makes dead
// letters of the oldest records, as far as spools and the outlets of letters accept
// them.
func (l *Link) makeRoom(t *Transfer) {
	l.mu.Lock()
	lanes := l.lanes
	l.mu.Unlock()
	for _, ln := range lanes {
		ln.spillSurplus(t)
		for more := true; more; {
			l.mu.Lock()
			more = ln.rules().onFull == DeadLetterOldest && ln.surplus() > 0 && l.halted() == nil && !t.dead
			var failures []*Error
			if more {
				more, failures = ln.buryOldest(t.ctx)
			}
			l.mu.Unlock()
			for _, failure := range failures {
				l.fail(failure)
			}
		}
	}
}

// spillSurplus moves what is pending to the spool, if the lane is full and has one.
func (ln *lane) spillSurplus(t *Transfer) {
	l := ln.link
	l.mu.Lock()
	var failures []*Error
	if ln.rules().onFull == Spill && ln.surplus() > 0 && !t.dead {
		failures = ln.spillOver(t.ctx, t)
	}
	l.mu.Unlock()
	for _, failure := range failures {
		l.fail(failure)
	}
}

// buryOldest makes dead letters of some of the oldest records, and reports whether all of
// these were accepted, and what has failed. l.mu is held, but not meanwhile.
func (ln *lane) buryOldest(ctx context.Context) (all bool, failures []*Error) {
	l := ln.link
	from, at := ln.oldest(false)
	if from == nil {
		return false, nil
	}
	e := &from.entries[at]
	records := e.records[:min(ln.surplus(), len(e.records))]
	e.leaving = true // so that the lane does not offer it meanwhile
	t, w, box := e.transfer, ln.window, ln.rules().box
	d := DeadLetter{Lane: ln.account.Name, Stage: OpPush, Attempts: int(e.offers)}
	full := fmt.Errorf("the lane is full: %d records are pending", ln.account.Pending)
	l.mu.Unlock()
	d.Node = nameOf(ln.out)
	refused, _ := refusals(records, full)
	written, err := box.bury(ctx, ln.rules().timeout, w, d, t, refused, func(int) bool { return true })
	l.mu.Lock()
	if ln.dead {
		return false, nil
	}
	e = ln.leaving()
	e.leaving = false
	left := e.records[:0:0]
	for i, r := range e.records {
		if !written[i] {
			left = append(left, r)
		}
	}
	e.records = left
	ln.account.DeadLettered += int64(len(written))
	ln.done(len(written))
	failures = l.lettersFailed(box, len(records)-len(written), w, err)
	for _, failure := range failures {
		failure.Number, failure.Optional = t.number, ln.optional && failure.Kept
	}
	return len(written) == len(records), failures
}

// leaving returns the entry whose records are being made dead letters. l.mu is held.
func (ln *lane) leaving() *entry {
	for i := ln.queue.first; ; i++ {
		if e := &ln.queue.entries[i]; e.leaving {
			return e
		}
	}
}
