package link

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/databay-go/databay/record"
)

// How long after the end of the time to shut down something is still waited for.
const (
	graceCalls = 500 * time.Millisecond // calls, whose contexts end when the time does
	graceNodes = 700 * time.Millisecond // the contexts of the last commit and of nodes shutting down
	graceLate  = 900 * time.Millisecond // those calls themselves
)

// stop is a Shutdown that is going on, or was the last one.
type stop struct {
	hard   bool // its time has ended
	over   bool // calls are not waited for any longer
	last   context.Context
	cancel context.CancelCauseFunc // of last
	late   chan struct{}           // closed when nothing is waited for any longer
	timers []*time.Timer

	done   chan struct{}
	report Report
	err    error
}

// Shutdown stops the link. It waits for transfers to end, makes a last one that
// pulls nothing and in which processors release what they hold and lanes offer
// what is pending, commits, and shuts the nodes down: inlets, then processors,
// then outlets. The Report says what happened since the last one and what was
// abandoned; OnReport gets it too. The error joins what failed meanwhile, less
// what a handler has settled.
//
// When ctx or ShutdownTimeout ends, the contexts of calls end, with [ErrStopped]
// as the cause. Calls that do not return soon after are left behind and named in
// the error; Shutdown returns less than a second later.
//
// On a link that is not running, Shutdown does nothing. Several callers wait for
// the same end. Called with the context of a call that this link makes, it begins
// the stop and returns at once.
func (l *Link) Shutdown(ctx context.Context) (Report, error) {
	if FromContext(ctx) == l {
		go l.Shutdown(context.Background())
		return Report{}, nil
	}
	l.mu.Lock()
	for l.phase == starting {
		l.idle.Wait()
	}
	if l.phase == stopped {
		l.mu.Unlock()
		return Report{}, nil
	}
	first := l.phase == started
	if first {
		l.phase = stopping
		l.stop = &stop{done: make(chan struct{}), late: make(chan struct{})}
		l.stop.last, l.stop.cancel = context.WithCancelCause(context.WithoutCancel(l.ctx))
	}
	s := l.stop
	l.mu.Unlock()
	if l.shutdownTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.shutdownTimeout)
		defer cancel()
	}
	defer context.AfterFunc(ctx, func() { l.cut(s) })()
	if first {
		l.end(s)
	}
	<-s.done
	return s.report, s.err
}

// cut ends the time of s.
func (l *Link) cut(s *stop) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.hard {
		return
	}
	s.hard = true
	l.cancel(ErrStopped)
	after := func(d time.Duration, f func()) { s.timers = append(s.timers, time.AfterFunc(d, f)) }
	after(graceCalls, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		s.over = true
		l.idle.Broadcast()
	})
	after(graceNodes, func() { s.cancel(ErrStopped) })
	after(graceLate, func() { close(s.late) })
}

// await waits until done reports true or calls are not waited for any longer.
func (l *Link) await(s *stop, done func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !s.over && !done() {
		l.idle.Wait()
	}
}

// end does the work of Shutdown.
func (l *Link) end(s *stop) {
	l.await(s, func() bool { return !l.changing })
	t := &Transfer{link: l, stop: true, update: record.Update{Link: l.name, Tags: l.tags, Reason: record.Flush}}
	go t.begin()
	l.await(s, func() bool { return t.handed || t.finished })
	resting := func() bool {
		return !slices.ContainsFunc(l.allLanes(), func(ln *lane) bool { return ln.working })
	}
	l.await(s, resting)
	l.lastOffer(t.busy)
	l.await(s, resting)

	hung := l.abandon()
	apart(s.late, nil, func() error { l.commit(s.last, true); return nil }) // its failures are in l.errs
	l.drain(s)
	failed := func(node string, err error) {
		e := &Error{Op: OpShutdown, Node: node, Number: -1, Err: err}
		l.note(e)
		apart(s.late, nil, func() error { l.judge(e); return nil }) // a handler may hang too
	}
	for _, name := range hung {
		failed(name, errAbandoned)
	}
	for _, node := range slices.Backward(l.allNodes()) {
		if err := l.nodes.shutdown(s.last, s.late, node); err != nil {
			failed(nameOf(node), err)
		}
	}

	l.mu.Lock()
	if l.current != nil && l.current != t {
		l.makeReport()
	}
	l.current = nil
	l.fillReport(t)
	t.finished = false
	l.outbox = append(l.outbox, t)
	l.mu.Unlock()
	apart(s.late, nil, func() error { l.deliver(); return nil })

	l.mu.Lock()
	s.report, s.err = t.report, t.open()
	if l.delivering {
		s.err = errors.Join(s.err, &Error{Op: OpReport, Link: l.name, Node: "OnReport", Number: -1, Err: errAbandoned})
	}
	l.phase, l.draining = stopped, nil
	l.cancel(ErrStopped)
	s.cancel(ErrStopped)
	for _, timer := range s.timers {
		timer.Stop()
	}
	l.idle.Broadcast()
	l.mu.Unlock()
	close(s.done)
}

// lastOffer lets lanes that were busy when the last transfer was handed over offer
// once more.
func (l *Link) lastOffer(lanes []*lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ln := range lanes {
		if ln.take() {
			go ln.work()
		}
	}
}

// abandon leaves behind the calls that have not returned, and returns the names of
// the nodes.
func (l *Link) abandon() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.zombies = nil
	hung := l.busy()
	if t := l.front; t != nil {
		t.dead = true
		l.front = nil
		for _, name := range t.calling() {
			l.zombies = append(l.zombies, zombie{name, true, func() bool { return !t.handed }})
		}
	}
	for _, ln := range l.allLanes() {
		if ln.working {
			ln.dead = true
			l.zombies = append(l.zombies, zombie{ln.name, false, func() bool { return ln.working }})
		}
	}
	l.idle.Broadcast()
	return hung
}

// drain empties stages, holders and queues into the account.
func (l *Link) drain(s *stop) {
	l.mu.Lock()
	left := l.transit
	abandoned := int64(len(left))
	l.transit = nil
	mine := !slices.ContainsFunc(l.zombies, func(z zombie) bool { return z.front })
	l.mu.Unlock()
	if mine {
		left = append(left, l.empty(s, &l.chain)...)
	}
	l.mu.Lock()
	a := &l.account
	abandoned += a.Held + a.Failed
	a.Held, a.Failed = 0, 0
	a.Abandoned += abandoned
	a.Lost += l.lost(abandoned, left)
	l.state = chainState{}
	lanes := l.allLanes()
	l.mu.Unlock()
	for _, ln := range lanes {
		var held []record.Record
		l.mu.Lock()
		dead := ln.dead
		l.mu.Unlock()
		if !dead {
			held = l.empty(s, &ln.chain)
		}
		l.mu.Lock()
		left := ln.empty()
		abandoned := ln.account.Pending + ln.account.Held
		ln.account.Pending, ln.account.Held = 0, 0
		ln.account.Abandoned += abandoned
		ln.account.Lost += l.lost(abandoned, append(left, held...))
		ln.state = chainState{}
		ln.dead = true
		l.mu.Unlock()
	}
}

// empty empties a chain, unless one of its holders hangs.
func (l *Link) empty(s *stop, c *chain) []record.Record {
	if len(c.stages) == 0 {
		return nil
	}
	emptied := make(chan []record.Record, 1)
	apart(s.late, nil, func() error {
		emptied <- c.empty(s.last)
		return nil
	})
	select {
	case left := <-emptied:
		return left
	default:
		return nil
	}
}

// lost returns how many of n abandoned records no inlet will return again. left
// are those that are known. l.mu is held.
func (l *Link) lost(n int64, left []record.Record) (lost int64) {
	all := !slices.ContainsFunc(l.inlets, func(s *source) bool { return !s.resumable() })
	if all {
		return 0
	}
	for _, r := range left {
		i := slices.IndexFunc(l.inlets, func(s *source) bool { return s.origin == r.Origin() })
		if i < 0 || !l.inlets[i].resumable() {
			lost++
		}
	}
	return min(n, lost+max(0, n-int64(len(left))))
}

// open joins the errors that no handler has settled. l.mu is held.
func (t *Transfer) open() error {
	var open []error
	for _, err := range t.errs {
		if !err.settled {
			open = append(open, err)
		}
	}
	return errors.Join(open...)
}
