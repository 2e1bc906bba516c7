package link

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/databay-go/databay/record"
)

// Tick asks for a transfer.
type Tick struct {
	// Due is the instant the transfer is made for. Zero is the moment at which
	// it begins.
	Due time.Time

	// Reason is why. A [record.Flush] pulls nothing.
	Reason record.Reason

	// Next is the instant for which the next transfer will be made, or zero if
	// there is none or it is not known. A lane that tries again what was refused
	// stops before it.
	Next time.Time
}

// The phases of a transfer.
const (
	retrying = 1 + iota
	pulling
	processing
	handing
	serving
	ended = serving
)

// Transfer is one transfer that was begun.
type Transfer struct {
	link  *Link
	ctx   context.Context // that nodes are called with: the link's
	stop  bool            // it is the last one, of a Shutdown
	phase uint8

	reason   record.Reason
	number   int64 // below 0: it is not made
	due      time.Time
	nextDue  time.Time
	told     record.Update // what the only inlet is told, and then the only lane
	began    time.Time
	clock    time.Time // the last reading of the wall clock, kept for the next transfer
	sources  []*source
	batches  [][]record.Record
	one      [1][]record.Record // the array of batches, if there is one
	barriers []*barrier
	errs     []*Error
	blocked  bool
	inline   *lane // that the goroutine of the transfer works: the only required one
	spread   bool  // there are several, and they have goroutines of their own
	alone    bool  // no other lane has its records

	// Guarded by Link.mu.
	taken      bool    // what was pulled is taken over
	dead       bool    // given up by a Shutdown
	handed     bool    // the hand-over is done
	uses       int     // by lanes that have its records
	busy       []*lane // of a stop: those that were busy then
	outcome    Outcome
	took       time.Duration
	err        error         // all that has failed
	account    Account       // its changes; its Lanes are kept for the next transfer
	lent       bool          // somebody else has the Lanes too: they are not to be changed
	unbalanced *Error        // a mistake in it
	finished   bool          // the report is made and has been delivered
	done       chan struct{} // closed then; made when somebody waits
	next       *Transfer     // in Link.outbox
}

// Transfer makes one transfer and returns its Report and its errors, less those
// for which a handler returned nil. It returns when the transfer is settled, when
// no lane is working any more, or when another transfer is handed over. If ctx
// ends while lanes are served by other goroutines, it returns ctx's error and the
// transfer goes on. A node that calls runtime.Goexit may end the calling goroutine:
// the transfer is made all the same, and Transfer does not return.
//
// The error is [ErrStopped] if the link is not started or is being stopped,
// [ErrFenced] if another writer has taken over, and [ErrInside] if ctx is that of
// a call that this link makes. Of several callers one waits for another.
func (l *Link) Transfer(ctx context.Context, tick Tick) (report Report, err error) {
	if FromContext(ctx) == l {
		return Report{}, ErrInside
	}
	l.mu.Lock()
	t := l.blank()
	t.begin(l, tick)
	if !t.finished {
		if err := t.await(ctx); err != nil {
			return Report{}, err
		}
	}
	err = t.result(&report)
	t.release()
	l.mu.Unlock()
	return report, err
}

// Begin makes one transfer as far as the calling goroutine has to do it: when it
// returns, records have been pulled, processed and handed over, and the only required
// lane has been served or, of several, one is idle or pauses between two tries. Other
// lanes may still be working. As with [Link.Transfer], a node may end the calling
// goroutine. It is for who runs links, as a planner does.
func (l *Link) Begin(tick Tick) *Transfer {
	l.mu.Lock()
	t := l.blank()
	t.begin(l, tick)
	l.mu.Unlock()
	return t
}

// begin makes the transfer as far as its goroutine has to. l.mu is held.
func (t *Transfer) begin(l *Link, tick Tick) {
	t.link, t.reason, t.nextDue = l, tick.Reason, tick.Next
	if t.enter(tick.Due) {
		t.run()
	}
}

// run runs the phases that are left. Each leaves the link in a state from which
// the next can go on, however it ends: user code that calls runtime.Goexit ends
// one phase, and the others are run while the goroutine's deferred functions are.
// l.mu is held, but not while user code is called, nor when that ends the goroutine.
func (t *Transfer) run() {
	l := t.link
	defer func() {
		if t.phase < ended {
			l.mu.Lock()
			t.run()
			l.mu.Unlock()
		}
	}()
	for t.phase < ended {
		t.phase++
		switch t.phase {
		case retrying:
			if t.stop || t.blocked || t.reason == record.Flush || l.chain != nil {
				t.retry()
			}
		case pulling:
			t.pull()
		case processing:
			t.process()
		case handing:
			t.hand()
		case serving:
			t.serve()
		}
	}
}

// enter waits until no other transfer is before its hand-over, at most until the link
// is being stopped, and reports whether this one may be made. If not, its report
// says why. l.mu is held.
func (t *Transfer) enter(due time.Time) bool {
	l := t.link
	for l.front != nil && (t.stop || l.phase == started) {
		l.idle.Wait()
	}
	t.number, t.began = -1, t.now()
	now := due.IsZero()
	if now {
		due = t.began
	}
	t.due = due.Round(0) // the wall clock alone counts, whatever is done to it
	switch {
	case l.phase != started && !(t.stop && l.stop != nil && !l.stop.over):
		return t.refuse(Interrupted, ErrStopped)
	case l.journal.isFenced():
		return t.refuse(Failed, ErrFenced)
	case l.halted() != nil:
		return t.refuse(Failed, l.halted())
	}
	due, late := clampDue(t.reason, t.due, l.due)
	if late && !now {
		return t.refuse(Coalesced, nil)
	}
	t.due, t.number = due, l.number
	l.number++
	l.front = t
	t.ctx = l.renewed()
	t.sources = l.inlets
	t.blocked = l.full(t.reason != record.Flush)
	if l.chain != nil {
		rejoin(l.chain.replays)
		l.chain.replays = nil
	}
	return true
}

// now returns the time. It reads the wall clock at most once a millisecond: transfers
// back to back have the monotonic clock.
func (t *Transfer) now() time.Time {
	if d := time.Since(t.clock); 0 <= d && d < time.Millisecond {
		return t.clock.Add(d)
	}
	t.clock = time.Now()
	return t.clock
}

// clampDue returns the Due of a transfer after the last one that pulled was made
// for last, so that dues never go back. late says that a scheduled instant is not
// after it: it is covered already.
func clampDue(reason record.Reason, due, last time.Time) (_ time.Time, late bool) {
	if due.After(last) {
		return due, false
	}
	return last, reason == record.Scheduled
}

// refuse ends a transfer that is not made. l.mu is held.
func (t *Transfer) refuse(o Outcome, err error) bool {
	t.outcome, t.err, t.finished = o, err, true
	t.account.Lanes, t.lent = nil, false
	t.link.idle.Broadcast()
	return false
}

// fail notes an error of this transfer and asks the handlers.
func (t *Transfer) fail(err *Error) {
	l := t.link
	err.Link, err.Number = l.name, t.number
	l.mu.Lock()
	dead := t.dead
	if !dead {
		t.errs = append(t.errs, err)
	}
	l.mu.Unlock()
	if !dead {
		l.judge(err)
	}
}

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
		t.told.From = s.from
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
	if len(t.sources) == 1 {
		t.sources[0].state = untouched
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
	defer t.through(records, b) // also if a handler calls runtime.Goexit
	for _, err := range failures {
		t.fail(err)
	}
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
		if n > 1 {
			l.journal.order = slices.DeleteFunc(l.journal.order, func(o *barrier) bool { return slices.Contains(t.barriers[:n-1], o) })
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

// serve works the only required lane or, of several, waits until one is idle again or
// pauses between two tries. l.mu is held as in run.
func (t *Transfer) serve() {
	l := t.link
	switch {
	case t.inline != nil:
		t.inline.work()
	case t.spread:
		for !t.dead && l.phase != stopped && l.occupied() {
			l.idle.Wait()
		}
	}
}

// Outcome returns how the transfer ended, or [Running].
func (t *Transfer) Outcome() Outcome {
	t.link.mu.Lock()
	defer t.link.mu.Unlock()
	return t.outcome
}

// Wait waits for the transfer's end, as [Link.Transfer] does.
func (t *Transfer) Wait(ctx context.Context) (r Report, err error) {
	t.link.mu.Lock()
	if !t.finished {
		if err := t.await(ctx); err != nil {
			return Report{}, err
		}
	}
	defer t.link.mu.Unlock()
	err = t.result(&r)
	return r, err
}

// await waits for the end of a transfer that goes on. It is called and returns with l.mu
// held, but releases it if ctx ends first, which is an error.
func (t *Transfer) await(ctx context.Context) error {
	l := t.link
	if t.done == nil {
		t.done = make(chan struct{})
	}
	l.mu.Unlock()
	select {
	case <-t.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	l.mu.Lock()
	return nil
}

// result sets r to the report of a transfer that has ended, and returns its error. l.mu
// is held.
func (t *Transfer) result(r *Report) error {
	t.fill(r)
	t.lent = true
	if t.number < 0 || len(t.errs) == 0 {
		return t.err
	}
	return t.open()
}

// fill sets r to the report of the transfer.
func (t *Transfer) fill(r *Report) {
	l := t.link
	r.Link = l.name
	r.Tags = l.tags
	r.Number = t.number
	r.Due = t.due
	r.Reason = t.reason
	r.Began = t.began
	r.Took = t.took
	r.Outcome = t.outcome
	r.Err = t.err
	r.Account = t.account
}

func (t *Transfer) report() (r Report) {
	t.fill(&r)
	return r
}

// update returns what nodes are told, less what differs between them.
func (t *Transfer) update() (u record.Update) {
	t.tell(&u)
	return u
}

func (t *Transfer) tell(u *record.Update) {
	u.Link = t.link.name
	u.Tags = t.link.tags
	u.Number = t.number
	u.Due = t.due
	u.Reason = t.reason
}

// blank returns a transfer that has not begun. l.mu is held.
func (l *Link) blank() *Transfer {
	if t := l.spare; t != nil {
		l.spare = nil
		return t
	}
	if l.nodes != nil {
		if t, ok := l.nodes.transfers.Get().(*Transfer); ok {
			return t
		}
	}
	return new(Transfer)
}

// Release says that the caller of [Link.Begin] is done with t, which may become
// another transfer then. Nobody may use t any more. It is not required.
func (t *Transfer) Release() {
	l := t.link
	l.mu.Lock()
	defer l.mu.Unlock()
	t.release()
}

// release makes t blank if nothing else refers to it. l.mu is held.
func (t *Transfer) release() {
	l := t.link
	if !t.finished || t.uses > 0 || t.done != nil || t.dead || l.delivering == t || l.nodes == nil {
		return
	}
	lanes := t.account.Lanes
	*t = Transfer{clock: t.clock, lent: t.lent}
	t.account.Lanes = lanes
	if l.host == nil {
		l.spare = t
		return
	}
	l.nodes.transfers.Put(t)
}

// calling returns the names of the nodes that a transfer before its hand-over is
// calling.
func (t *Transfer) calling() (names []string) {
	for _, s := range t.sources {
		if s.calling() {
			names = append(names, s.name())
		}
	}
	if name := t.link.chain.calling(); name != "" {
		names = append(names, name)
	}
	for _, ln := range t.link.lanes {
		if ln.spill != nil && ln.spill.busy && !ln.working {
			names = append(names, ln.call())
		}
	}
	if b := t.link.letters; b != nil && b.calls.Load() {
		names = append(names, b.name)
	}
	return names
}
