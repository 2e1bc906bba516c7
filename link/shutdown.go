package link

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/databay-go/databay/record"
)

// stop is a Shutdown that is going on.
type stop struct {
	patience // of the contexts of calls

	// Guarded by Link.mu.
	begun bool // nobody works on its transfer any more
	hard  bool // its time has ended
	ended bool // it is done
	over  bool // calls are not waited for any longer
	gone  bool // handlers are not waited for any longer
}

// ending is what a Shutdown returns.
type ending struct {
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
// the error; Shutdown returns less than a second later. What such a call has to say
// when it returns is ignored.
//
// On a link that is not running, Shutdown does nothing; a Start that is going on
// is given up. Several callers wait for the same end. Called with the context of a
// call that this link makes, it begins the stop and returns at once.
func (l *Link) Shutdown(ctx context.Context) (Report, error) {
	inside := FromContext(ctx) == l
	l.mu.Lock()
	if l.phase == starting {
		l.giveUp(ErrStopped)
	}
	for l.phase == starting && !inside {
		l.idle.Wait()
	}
	if l.phase == stopped || l.phase == starting {
		l.mu.Unlock()
		return Report{}, nil
	}
	first := l.phase == started
	if first {
		l.phase = stopping
		l.stop = &stop{patience: patience{time: l.ctx}}
		if l.changing {
			l.giveUp(ErrStopped)
		}
		l.idle.Broadcast()
	}
	s := l.stop
	var end *ending
	if !first && !inside {
		if l.ending == nil {
			l.ending = new(ending)
		}
		end = l.ending
	}
	l.mu.Unlock()
	if !inside {
		return l.finish(ctx, s, end)
	}
	if first {
		go l.finish(context.Background(), s, nil)
	}
	return Report{}, nil
}

// finish waits for the end of s, at most as long as it may take. The first to call
// it does the work; the others say where the end is to be left.
func (l *Link) finish(ctx context.Context, s *stop, end *ending) (Report, error) {
	cut := func() { l.cut(s) }
	defer context.AfterFunc(ctx, cut)()
	if d, ok := ctx.Deadline(); l.shutdownTimeout > 0 && !(ok && time.Until(d) <= l.shutdownTimeout) {
		defer time.AfterFunc(l.shutdownTimeout, cut).Stop()
	}
	if end == nil {
		return l.end(s)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for !s.ended {
		l.idle.Wait()
	}
	return end.report, end.err
}

// cut ends the time of s.
func (l *Link) cut(s *stop) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.hard || s.ended {
		return
	}
	s.hard = true
	l.cancel(ErrStopped)
	after := func(d time.Duration, flag *bool) {
		time.AfterFunc(d, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			*flag = true
			l.idle.Broadcast()
		})
	}
	after(graceCalls, &s.over)
	after(graceReport, &s.gone)
	s.expired()
}

// await waits until done reports true, or until *limit does.
func (l *Link) await(limit *bool, done func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !*limit && !done() {
		l.idle.Wait()
	}
}

// end does the work of Shutdown.
func (l *Link) end(s *stop) (Report, error) {
	l.mu.Lock()
	for _, ln := range l.allLanes() {
		if ln.interrupt() { // no pause is waited for
			ln.start()
		}
	}
	l.mu.Unlock()
	l.await(&s.over, func() bool { return !l.changing })
	l.mu.Lock()
	last := l.blank()
	last.link, last.stop = l, true
	l.mu.Unlock()
	go func() {
		l.mu.Lock()
		last.begin(l, Tick{Reason: record.Flush})
		s.begun = true
		l.mu.Unlock()
	}()
	l.await(&s.over, func() bool { return last.handed || last.finished })
	resting := func() bool {
		return !slices.ContainsFunc(l.allLanes(), func(ln *lane) bool { return ln.working })
	}
	l.await(&s.over, resting)
	l.lastOffer(last)
	l.await(&s.over, resting)
	l.await(&s.over, func() bool { // who has handed something over may be about to commit
		j := l.journal
		if j == nil || j.running {
			return j == nil
		}
		j.ending = true
		return true
	})
	if l.spills() {
		spilling := begin(func() error {
			for _, failure := range l.spillRest(s.context(), last) {
				l.fail(failure)
			}
			return nil
		})
		if !s.within(graceCommit, spilling) {
			l.leaveBehind("spool", spilling)
		}
	}

	hung, front := l.abandon()
	if l.commits() {
		commit := begin(func() error { l.commit(s.context(), true); return nil }) // its failures are noted
		if !s.within(graceCommit, commit) {
			l.mu.Lock()
			if name := l.journal.calling; name != "" {
				hung = append(hung, name)
			}
			l.mu.Unlock()
		}
	}
	hung = append(hung, l.drain(&s.patience, front)...)
	var failures []*Error
	for _, name := range hung {
		failures = append(failures, &Error{Op: OpShutdown, Node: name, Err: errAbandoned})
	}
	l.mu.Lock()
	ns, leaving := l.nodes, l.departed().leaving
	if l.left != nil {
		l.left.leaving = nil
	}
	l.mu.Unlock()
	failures = append(failures, l.down(&s.patience, ns, append(l.allNodes(), leaving...))...)
	ns.disclaim(l, leaving)
	report, err := l.conclude(s, last, failures)
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.begun {
		last.lent = true
		last.release()
	}
	return report, err
}

// conclude tells the handlers about failures and the report, and ends the stop.
func (l *Link) conclude(s *stop, last *Transfer, failures []*Error) (Report, error) {
	for _, err := range failures {
		err.Number = -1
		l.note(err)
	}
	for _, err := range failures {
		s.within(graceReport, begin(func() error { l.judge(err); return nil }))
	}

	l.mu.Lock()
	if !last.handed { // something hangs before it
		now := time.Now()
		last = &Transfer{transfer: transfer{link: l, stop: true, reason: record.Flush, number: l.number, due: now, began: now}}
		l.number++
	}
	if l.current != nil && l.current != last {
		l.makeReport()
	}
	l.current = nil
	l.fillReport(last)
	l.send(last)
	l.mu.Unlock()
	go l.deliver()
	l.await(&s.gone, func() bool { return l.delivering == nil && l.outbox == nil })

	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range l.handling() {
		l.errs = append(l.errs, &Error{Op: OpShutdown, Link: l.name, Node: name, Number: -1, Err: errAbandoned})
	}
	last.errs = append(last.errs, l.errs...) // what handlers have failed with since
	l.errs = nil
	for t := l.outbox; t != nil; t = t.next {
		t.finish()
	}
	if l.delivering != nil {
		l.delivering.finish()
	}
	report, err := last.report(), last.open()
	if report.Err = join(last.errs); report.Err != nil {
		report.Outcome = Failed
	}
	if l.ending != nil {
		*l.ending = ending{report, err}
	}
	l.phase, l.outbox, l.stop, l.ending = stopped, nil, nil, nil
	if l.left != nil {
		l.left.draining = nil
	}
	s.ended = true
	l.cancel(ErrStopped)
	s.done()
	l.idle.Broadcast()
	return report, err
}

// lastOffer lets lanes that were busy when the last transfer was handed over offer
// once more.
func (l *Link) lastOffer(last *Transfer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ln := range last.busy {
		if ln.take() {
			ln.start()
		}
	}
}

// open joins the errors that no handler has settled. l.mu is held.
func (t *Transfer) open() error {
	var open []*Error
	for _, err := range t.errs {
		switch {
		case err.settled || err.Optional:
		case err.handed != nil:
			open = append(open, err.handed)
		default:
			open = append(open, err)
		}
	}
	return join(open)
}

// join joins errs, if there are any.
func join(errs []*Error) error {
	if len(errs) == 0 {
		return nil
	}
	all := make([]error, len(errs))
	for i, err := range errs {
		all[i] = err
	}
	return errors.Join(all...)
}
