package link

import "time"

// hand hands everything over to the lanes, and lets the next transfer begin. l.mu is
// held as in run.
func (t *Transfer) hand() {
	l := t.link
	t.handed = true
	if t.dead {
		l.idle.Broadcast()
		return
	}
	if l.current != nil {
		l.makeReport()
	}
	l.current, l.nextDue = t, t.nextDue
	pulls := t.pulls()
	if pulls {
		l.due = t.due
	}
	l.settle()
	l.errs = append(l.errs, t.errs...)
	if l.pushEmpty && len(t.batches) == 0 && pulls {
		t.batches = append(t.batches, nil)
	}
	commit := l.distribute(t, pulls)
	var taken []*lane
	alone := l.required() == 1 // else a lane that hangs would keep this goroutine from the others
	for i, ln := range l.allLanes() {
		if ln.in != nil {
			ln.in.last = t
			t.uses++
		}
		ln.flush = ln.flush || t.stop
		if !ln.take() {
			if t.stop && ln.working {
				t.busy = append(t.busy, ln)
			}
			continue
		}
		switch required := !ln.optional && i < len(l.lanes); {
		case required && alone:
			t.inline = ln
		case required:
			t.spread = true
			fallthrough
		default:
			taken = append(taken, ln)
		}
	}
	l.front = nil
	l.idle.Broadcast()
	if t.inline == nil && l.quiet() {
		l.makeReport()
	}
	ready := t.inline == nil || l.ready()
	reports := l.outbox != nil
	if len(taken) == 0 && !reports && !ready && !commit { // then no user code is called
		return
	}
	l.mu.Unlock()
	for _, ln := range taken {
		ln.start()
	}
	if commit {
		l.commit(t.ctx, false)
	}
	if reports {
		l.deliver()
	}
	if ready {
		l.changed()
	}
	l.mu.Lock()
}

// lone returns the only lane if what the only inlet has returned can be given to it as
// it is, and at once: there are no stages and no positions, the lane is required, and
// there is nothing else to do. l.mu is held.
func (t *Transfer) lone() *lane {
	l := t.link
	if len(t.sources) != 1 || len(l.lanes) != 1 || l.chain != nil || l.journal != nil || l.kept != nil ||
		l.left != nil || l.current != nil || l.outbox != nil || t.errs != nil || t.dead || t.stop {
		return nil
	}
	if s := t.sources[0]; s.err != nil || len(s.records) == 0 {
		return nil
	}
	ln := l.lanes[0]
	if ln.working || ln.dead || ln.optional || ln.in != nil || ln.spill != nil || ln.trouble != nil || ln.queue.len() > 0 {
		return nil
	}
	return ln
}

// handTo does what the phases to the hand-over do, in the usual case: it hands what the
// only inlet has returned to the only lane, and takes it. l.mu is held.
func (t *Transfer) handTo(ln *lane) {
	l, s := t.link, t.sources[0]
	n := int64(len(s.records))
	l.account.Pulled += n
	l.account.Handed += n
	ln.account.Offered += n
	ln.account.Pending += n
	ln.ends++
	t.uses++
	e := ln.queue.grow()
	e.records, e.transfer, e.end = s.records, t, true
	t.told.From, t.told.Attempt = time.Time{}, 1
	s.records, s.state, s.from = nil, untouched, t.due
	ln.at, ln.working = 0, true
	t.taken, t.handed, t.inline, t.alone, t.phase = true, true, ln, true, handing
	l.current, l.due, l.nextDue = t, t.due, t.nextDue
	l.front = nil
	l.idle.Broadcast()
}

// distribute gives the batches of t to every lane, and with the last one the newest
// barrier: it stands for those before it, since the lanes see them at the same
// place. It reports whether there is something to commit: no lane is required. l.mu is
// held.
func (l *Link) distribute(t *Transfer, pulls bool) (commit bool) {
	var b *barrier
	if n := len(t.barriers); n > 0 {
		b = t.barriers[n-1]
		b.handed = true
		b.left = l.required()
		for _, older := range t.barriers[:n-1] {
			l.journal.forget(older)
		}
	}
	for _, batch := range t.batches {
		l.account.Handed += int64(len(batch))
	}
	for _, ln := range l.lanes {
		for i, batch := range t.batches {
			e := entry{records: batch, transfer: t}
			if i == len(t.batches)-1 && !ln.optional {
				e.end, e.barrier = pulls || b != nil, b
			}
			ln.add(e)
		}
		switch {
		case len(t.batches) > 0:
		case b != nil && !ln.optional:
			ln.add(entry{end: true, barrier: b})
		case ln.in != nil && ln.in.inbox.len() == 0:
			ln.add(entry{}) // holders may want to release
		}
	}
	return b != nil && b.left == 0 && l.passed(b)
}

// watch waits until one of several required lanes is idle again or pauses between two
// tries. l.mu is held.
func (t *Transfer) watch() {
	l := t.link
	for !t.dead && l.phase != stopped && l.occupied() {
		l.idle.Wait()
	}
}
