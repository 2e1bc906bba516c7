package link

import (
	"slices"
	"sync"

	"github.com/databay-go/databay/record"
)

// pulls reports whether the transfer calls inlets.
func (t *Transfer) pulls() bool { return !t.blocked && t.reason != record.Flush }

// retry gives what waits before stages another chance. While that fails, nothing
// is pulled. l.mu is held as in run.
func (t *Transfer) retry() {
	l := t.link
	var b *barrier
	switch {
	case t.stop:
		t.blocked = false // what is held is to leave
		l.mu.Unlock()
		l.chain.flush(t.fail)
		l.mu.Lock()
		b = l.newBarrier(t)
	case t.blocked:
		l.mu.Unlock()
		l.commit(t.ctx, false) // it may be the store that blocks
		if t.reason != record.Flush {
			l.makeRoom(t)
		}
		l.mu.Lock()
		t.blocked = l.full(t.reason != record.Flush)
	}
	if t.blocked || !(t.reason == record.Flush || l.chain.stuck()) {
		return
	}
	defer func() { t.blocked = l.chain.stuck() }() // also if a node calls runtime.Goexit
	l.mu.Unlock()
	t.through(nil, b)
	l.mu.Lock()
}

// pull pulls from all inlets. l.mu is held as in run.
func (t *Transfer) pull() {
	if !t.pulls() {
		return
	}
	l := t.link
	if l.kept != nil {
		for s, k := range l.kept {
			if k.until.After(s.from) {
				s.from = k.until
			}
		}
	}
	if len(t.sources) == 1 {
		s := t.sources[0]
		s.state = calling
		t.tell(&t.told) // early: what has just been written is slow to copy
		t.told.From, t.told.Attempt = s.from, 0
		l.mu.Unlock()
		s.pull(t.ctx, &t.told)
	} else {
		l.mu.Unlock()
		t.pullAll()
	}
	l.mu.Lock()
	if ln := t.lone(); ln != nil {
		t.handTo(ln)
	}
}

// pullAll pulls from the inlets side by side.
func (t *Transfer) pullAll() {
	l := t.link
	var places chan struct{}
	if l.inletConcurrency > 0 {
		places = make(chan struct{}, l.inletConcurrency)
	}
	var pulls sync.WaitGroup
	for _, s := range t.sources {
		if places != nil {
			places <- struct{}{}
		}
		pulls.Go(func() {
			if places != nil {
				defer func() { <-places }()
			}
			s.pullAside(t)
		})
	}
	pulls.Wait()
}

// process joins what was pulled and runs it through the processors and groupers. l.mu is
// held as in run.
func (t *Transfer) process() {
	if !t.pulls() {
		return
	}
	for _, s := range t.sources {
		s.state = untouched
	}
	if t.dead { // then what was pulled is accounted for already
		return
	}
	l := t.link
	if l.kept != nil {
		l.unpack(t)
	}
	var records []record.Record
	for i, s := range t.sources {
		if i == 0 {
			records = s.records
		} else {
			records = append(slices.Clip(records), s.records...)
		}
	}
	t.taken = true
	l.account.Pulled += int64(len(records))
	l.transit = records
	var failures []*Error
	for _, s := range t.sources {
		if err := s.take(t.due); err != nil {
			failures = append(failures, &Error{Op: OpPull, Node: s.name(), Err: err})
		}
	}
	b := l.newBarrier(t)
	if len(failures) == 0 && l.chain == nil { // then no user code is called
		t.through(records, b)
		return
	}
	l.mu.Unlock()
	t.failed(failures, records, b)
	l.mu.Lock()
}

// failed tells of failed pulls before the records of the others go through the stages.
func (t *Transfer) failed(failures []*Error, records []record.Record, b *barrier) {
	for _, err := range failures {
		t.fail(err)
	}
	t.through(records, b)
}

// through runs records, and the barrier after them, through the link's stages.
func (t *Transfer) through(records []record.Record, b *barrier) {
	l := t.link
	if l.chain == nil {
		if b != nil {
			t.barriers = append(t.barriers, b)
		}
	} else {
		l.chain.during(t)
		out, passed := l.chain.run(t.ctx, records, b, t.fail)
		t.barriers = append(t.barriers, passed...)
		if l.chain.grouping != nil {
			t.batches = append(t.batches, l.chain.grouping.take()...)
			return
		}
		records = out
	}
	if len(records) > 0 {
		if t.batches == nil {
			t.batches = t.one[:0]
		}
		t.batches = append(t.batches, records)
	}
}
