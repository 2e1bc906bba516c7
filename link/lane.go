package link

import (
	"context"
	"errors"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state"
)

// lane serves one outlet: records come in, pass the lane's processors and wait in
// a queue, in order, until the outlet accepts them. What was refused stays at the
// head of the queue and is offered again after a pause, as long as [Retry] allows, or
// else with the next transfer, when the lane is taken again.
//
// Whoever finds a lane idle takes it, and works until there is nothing left to do
// or something fails. A pause needs no goroutine: the lane stays taken, and a timer
// goes on with the work.
type lane struct {
	link     *Link
	out      outlet.Outlet
	in       *intake        // nil: there are no processors
	copier   *record.Copier // of whoever works the lane; nil: offers are no copies
	policy   *policy        // of pushes, see rules; nil: the usual one
	window   *window        // of dead letters; nil: there is no bound
	limit    int32          // of pending records; negative: none
	optional bool           // it stops nothing
	atomic   bool           // the outlet can write the link's commit

	// Guarded by Link.mu.
	working  bool
	calling  bool     // the outlet, or a processor
	burying  bool     // dead letters are being written
	cut      bool     // the last push was cancelled: the policy has no say
	commit   bool     // a barrier has passed that may be committed
	flush    bool     // holders are to release everything
	dead     bool     // it was given up
	at       int32    // how many entries of the queue were passed over since the lane was taken, see Relaxed
	ends     int32    // of transfers, in inbox and queue
	queue    fifo     // before the outlet
	spill    *spill   // nil: there is no spool
	trouble  *trouble // nil if everything that was offered since was accepted
	given    int64    // number of the last barrier added
	passed   int64    // number of the last barrier that has passed
	account  LaneAccount
	reported LaneAccount
}

// entry is one batch for a lane, the end of a transfer, or both.
type entry struct {
	records  []record.Record
	transfer *Transfer // whose update they bear; nil: only an end, or a call of the processors
	barrier  *barrier  // of its end; nil if there is nothing to commit
	offers   int32     // made so far
	end      bool      // a transfer ends with it
	leaving  bool      // the oldest of the records are being made dead letters
}

// add appends e to the lane. l.mu is held.
func (ln *lane) add(e entry) {
	n := int64(len(e.records))
	ln.account.Offered += n
	ln.account.Pending += n
	if e.end {
		ln.ends++
	}
	if e.barrier != nil {
		if ln.given < 0 {
			ln.passed = e.barrier.number - 1 // the lane has never seen those before
		}
		ln.given = e.barrier.number
	}
	if ln.in != nil {
		ln.in.inbox.push(e)
	} else if len(e.records) > 0 || e.end || ln.link.pushEmpty {
		ln.enqueue(e)
	}
}

// enqueue appends e to the queue. l.mu is held.
func (ln *lane) enqueue(e entry) {
	if e.transfer != nil {
		e.transfer.uses++
	}
	ln.queue.push(e)
}

// take takes the lane if it is idle and there is something to do, and reports
// whether it did: the caller then has to call work. l.mu is held.
func (ln *lane) take() bool {
	if ln.working || ln.dead || ln.queue.len() == 0 && !ln.in.waiting() && !ln.spill.behind() && !ln.commit {
		return false
	}
	ln.trouble.begin()
	ln.at = 0
	ln.working = true
	return true
}

// start calls work in a goroutine of its own.
func (ln *lane) start() {
	go func() {
		ln.link.mu.Lock()
		ln.work()
		ln.link.mu.Unlock()
	}()
}

// work does what there is to do, and then gives the lane back. l.mu is held as in step.
// If user code calls runtime.Goexit, the lane is given back on the way out.
func (ln *lane) work() {
	done := false
	defer func() {
		if !done {
			ln.link.mu.Lock()
			ln.release()
			ln.link.mu.Unlock()
		}
	}()
	for ln.step() {
	}
	done = true
	ln.release()
}

// step does one thing and reports whether there may be more to do. l.mu is held, but
// not while user code is called, nor when that ends the goroutine.
func (ln *lane) step() bool {
	l := ln.link
	if ln.dead || l.journal.isFenced() || l.halted() != nil {
		return false
	}
	if ln.commit {
		ln.commit = false
		ctx := l.ctx
		l.mu.Unlock()
		l.commit(ctx, false)
		l.mu.Lock()
		return true
	}
	if l.cancelled() {
		return false
	}
	if ln.spill.behind() && (ln.queue.len() == 0 || len(ln.head().records) > 0) {
		return ln.unspool()
	}
	if ln.queue.len() > int(ln.at) {
		e := ln.head()
		if e.leaving {
			return false
		}
		if e.transfer == nil || len(e.records) == 0 && !l.pushEmpty {
			ln.pass()
			return true
		}
		if ln.trouble.waits(l.phase) {
			return false
		}
		u := &e.transfer.told
		if !e.transfer.alone || e.offers > 0 || ln.atomic {
			own := e.transfer.update()
			own.Attempt = e.offers + 1
			if ln.atomic {
				own.Commit = l.commitWith(ln)
			}
			u = &own
		}
		ln.calling, ln.cut = true, false
		ctx, records := l.context(), e.records
		l.mu.Unlock()
		err := ln.offer(ctx, records, u)
		if err != nil && u.Commit != nil && errors.Is(err, state.ErrConflict) {
			err = l.conflict(u.Commit, err)
		}
		l.mu.Lock()
		ln.cut = err != nil && context.Cause(ctx) == ErrCancelled
		return ln.answer(records, err)
	}
	if in := ln.in; in.waiting() {
		var e entry
		if !in.state.stuck && in.inbox.len() > 0 {
			if e = in.inbox.pop(); e.end {
				ln.ends--
			}
		}
		in.inside = true
		ln.calling = true
		t := e.transfer
		if t == nil {
			t = in.last
		}
		if t == nil { // there was none yet
			t = in.replays[0].transfer
		}
		if in.since.IsZero() && len(e.records) > 0 {
			in.since = t.began
		}
		return ln.process(e, t)
	}
	return false
}

// pop removes the head of the queue, which is done. l.mu is held.
func (ln *lane) pop() {
	e := ln.queue.head()
	if e.transfer != nil {
		e.transfer.uses--
	}
	if ln.spill != nil {
		ln.spill.ahead = false
	}
	end, b := e.end, e.barrier
	ln.queue.drop()
	if end {
		ln.passEnd(b)
	}
}

// passEnd lets b, the barrier of the end of a transfer that has left the queue, pass.
// l.mu is held.
func (ln *lane) passEnd(b *barrier) {
	ln.ends--
	if b != nil {
		ln.passed = b.number
		ln.commit = ln.link.passed(b) || ln.commit
	}
}

// process runs the lane's processors on e and queues what comes out, as records of t.
// l.mu is held as in step.
func (ln *lane) process(e entry, t *Transfer) bool {
	l := ln.link
	ctx, flush := l.context(), ln.flush
	rejoin(ln.in.replays)
	ln.in.replays = nil
	l.mu.Unlock()
	fail := func(err *Error) {
		err.Number = t.number
		if err.Op != OpDeadLetter { // which may be for good
			err.Optional = ln.optional
		}
		l.mu.Lock()
		dead := ln.dead
		l.mu.Unlock()
		if !dead {
			l.fail(err)
		}
	}
	ln.in.chain.during(t)
	if flush {
		ln.in.chain.flush(fail)
	}
	out, barriers := ln.in.chain.run(ctx, e.records, e.barrier, fail)
	l.mu.Lock()
	if ln.dead {
		return false
	}
	ln.settle()
	if e.end && e.barrier == nil {
		barriers = append(barriers, nil) // nothing to commit, but an end
	}
	if len(out) > 0 || l.pushEmpty && e.transfer != nil {
		next := entry{records: out, transfer: t}
		if len(barriers) == 1 {
			next.end, next.barrier, barriers = true, barriers[0], nil
			ln.ends++
		}
		ln.enqueue(next)
	}
	for _, b := range barriers {
		ln.enqueue(entry{end: true, barrier: b})
		ln.ends++
	}
	if ln.optional { // what is pending there is not kept
		l.mu.Unlock()
		ln.in.chain.settle(ctx, fail)
		l.mu.Lock()
	}
	return !ln.in.state.stuck
}

// settle takes over what the last run of the chain has changed. l.mu is held.
func (ln *lane) settle() {
	d := ln.in.settle()
	ln.calling = false
	ln.account.Produced += d.produced
	ln.account.Filtered += d.filtered
	ln.account.Held += d.held
	ln.account.DeadLettered += d.dead
	ln.account.Pending += d.produced - d.filtered - d.held - d.dead
}

// head returns the first entry of the queue that was not passed over. l.mu is held.
func (ln *lane) head() *entry { return &ln.queue.entries[ln.queue.first+int(ln.at)] }

// pass goes on to the entry after the head, which is removed unless it is behind others.
// l.mu is held.
func (ln *lane) pass() {
	if ln.at == 0 {
		ln.pop()
	} else {
		ln.at++
	}
}

// finish is the end of the head, whose records have left the lane. l.mu is held.
func (ln *lane) finish() {
	if ln.at == 0 {
		ln.pop()
		return
	}
	e := ln.head() // what is left is an end
	e.records = nil
	if e.transfer != nil {
		e.transfer.uses--
		e.transfer = nil
	}
	ln.at++
}

// release gives the lane back, unless it pauses. l.mu is held as in step.
func (ln *lane) release() {
	l := ln.link
	if ln.pauses() {
		l.idle.Broadcast()
		return
	}
	if ln.in != nil && ln.in.inside && !ln.dead { // a processor has called runtime.Goexit
		ln.settle()
	}
	ln.calling = false
	ln.working = false
	l.idle.Broadcast()
	if !ln.dead && l.quiet() {
		l.makeReport()
	}
	reports, host := l.outbox != nil, l.host
	if !reports && host == nil {
		return
	}
	l.mu.Unlock()
	if reports {
		l.deliver()
	}
	if host != nil {
		host.Changed(l)
	}
	l.mu.Lock()
}

// actual counts the pending records where they are. l.mu is held.
func (ln *lane) actual() (n int64) {
	switch in := ln.in; {
	case ln.dead: // they are given up
		return ln.account.Pending
	case in == nil:
	case in.inside: // they are with the processors
		return ln.account.Pending
	default:
		n = in.records()
	}
	return n + ln.queue.records()
}

// call returns the name of the node that is being called, or "". l.mu is held.
func (ln *lane) call() string {
	if ln.in != nil && ln.in.inside {
		if name := ln.in.chain.calling(); name != "" {
			return name
		}
	}
	switch {
	case ln.calling:
		return ln.account.Name
	case ln.burying:
		return ln.rules().box.name
	case ln.spill != nil && ln.spill.busy:
		return "spool of " + ln.account.Name
	}
	return ""
}

// giveUp leaves the call behind that the lane is making. l.mu is held.
func (ln *lane) giveUp() {
	l := ln.link
	name := ln.call()
	if name == "" {
		name = l.culprit()
	}
	ln.dead = true
	if ln.in != nil {
		ln.in.chain.dead.Store(true)
	}
	left := l.depart()
	left.zombies = append(left.zombies, zombie{name, ln.out, func() bool { return ln.working }})
}

// empty takes everything out of the lane, which nobody works any more, and returns
// the records. l.mu is held.
func (ln *lane) empty() (left []record.Record) {
	if ln.in != nil {
		left = ln.in.inbox.empty(left)
		ln.in.state = chainState{}
		for _, p := range ln.in.replays {
			left = append(left, p.records...)
		}
		ln.in.replays = nil
	}
	left = ln.queue.empty(left)
	ln.ends = 0
	return left
}
