package link

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
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

// ends returns where the next Shutdown, or the one that is going on, leaves what it
// returns. l.mu is held.
func (l *Link) ends() *ending {
	if l.ending == nil {
		l.ending = new(ending)
	}
	return l.ending
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
		end = l.ends()
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
		last = &Transfer{link: l, stop: true, reason: record.Flush, number: l.number, due: now, began: now}
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

// abandon leaves behind the calls that have not returned, and returns the names of
// the nodes. front says that one of them is before a hand-over.
func (l *Link) abandon() (hung []string, front bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left != nil {
		n := 0
		for _, z := range l.left.zombies {
			if z.running() {
				l.left.zombies[n] = z
				n++
			}
		}
		l.left.zombies = l.left.zombies[:n]
	}
	hung = l.calls()
	if t := l.front; t != nil {
		front = true
		l.front = nil
		if l.chain != nil {
			l.chain.dead.Store(true)
		}
		names := t.calling()
		if len(names) == 0 {
			names = append(names, l.culprit())
		}
		for _, name := range names {
			left := l.depart()
			left.zombies = append(left.zombies, zombie{name, nil, func() bool { return !t.handed }})
		}
		t.giveUp(strings.Join(names, ", "))
	}
	for _, ln := range l.allLanes() {
		if ln.working {
			ln.giveUp()
		}
	}
	l.idle.Broadcast()
	return hung, front
}

// giveUp ends a transfer that hangs before its hand-over. l.mu is held.
func (t *Transfer) giveUp(node string) {
	l := t.link
	t.dead = true
	if t.reason != record.Flush && !t.blocked {
		l.due = t.due // it may have pulled
	}
	if !t.taken { // what some inlets have returned while another hangs
		for _, s := range t.sources {
			if atomic.LoadInt32(&s.state) == returned {
				l.account.Pulled += int64(len(s.records))
				l.transit = append(slices.Clip(l.transit), s.records...)
			}
		}
	}
	if t.stop {
		return
	}
	t.errs = append(t.errs, &Error{Op: OpShutdown, Link: l.name, Node: node, Number: t.number, Err: errAbandoned})
	t.outcome, t.err = Failed, join(t.errs)
	t.account.Lanes, t.lent = nil, false
	t.took = time.Since(t.began)
	t.finish()
}

// drain empties stages, holders and queues into the account. front says that the
// stages of the link are left behind. It returns what hangs.
func (l *Link) drain(p *patience, front bool) (hung []string) {
	var held []record.Record
	if !front {
		held = l.empty(p, l.chain, &hung)
	}
	l.mu.Lock()
	a := &l.account
	left := append(slices.Clip(l.transit), held...)
	if l.chain != nil {
		for _, p := range l.chain.replays {
			left = append(left, p.records...)
		}
		l.chain.replays, l.chain.next = nil, time.Time{}
	}
	abandoned := int64(len(l.transit)) + a.Held + a.Failed
	l.transit = nil
	a.Held, a.Failed = 0, 0
	a.Abandoned += abandoned
	a.Lost += l.lost(abandoned-l.chain.emptied(), left)
	lanes := l.allLanes()
	l.mu.Unlock()
	for _, ln := range lanes {
		var held []record.Record
		l.mu.Lock()
		dead := ln.dead
		l.mu.Unlock()
		if !dead {
			held = ln.in.empty(l, p, &hung)
		}
		l.mu.Lock()
		ln.returned() // a call that hangs has it, but it is in the spool still
		left := ln.empty()
		abandoned := ln.account.Pending + ln.account.Held
		ln.account.Pending, ln.account.Held = 0, 0
		ln.account.Abandoned += abandoned
		if ln.optional { // commits have not waited for it
			ln.account.Lost += abandoned
		} else {
			ln.account.Lost += l.lost(abandoned-ln.in.emptied(), append(left, held...))
		}
		ln.dead = true
		l.mu.Unlock()
	}
	return hung
}

// empty empties a chain, unless one of its holders hangs: its name is added to
// hung.
func (l *Link) empty(p *patience, c *chain, hung *[]string) []record.Record {
	if c == nil {
		return nil
	}
	if p.spent(graceCommit) { // there is no time left to ask holders
		return c.leave()
	}
	emptied := make(chan []record.Record, 1)
	emptying := begin(func() error {
		emptied <- c.empty(p.context())
		return nil
	})
	if !p.within(graceCommit, emptying) {
		name := c.calling()
		l.leaveBehind(name, emptying)
		*hung = append(*hung, name)
		return nil
	}
	select {
	case left := <-emptied:
		return left
	default: // a holder has called runtime.Goexit
		return nil
	}
}

// lost returns how many of n abandoned records no inlet will return again. left
// are those that are known. l.mu is held.
func (l *Link) lost(n int64, left []record.Record) (lost int64) {
	all := !slices.ContainsFunc(l.inlets, func(s *source) bool { return !s.resumable() })
	if all && l.account.Replayed == 0 && !slices.ContainsFunc(l.lanes, func(ln *lane) bool { return ln.account.Replayed > 0 }) {
		return 0
	}
	for _, r := range left {
		o := r.Origin()
		i := slices.IndexFunc(l.inlets, func(s *source) bool { return &s.origin == o })
		if i >= 0 && l.inlets[i].resumable() || o != nil && o.Spooled {
			continue
		}
		lost++
	}
	return max(0, min(n, lost+max(0, n-int64(len(left)))))
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
