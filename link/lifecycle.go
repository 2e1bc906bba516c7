package link

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/databay-go/databay/record"
)

// zombie is a call that was left behind.
type zombie struct {
	name    string
	node    any         // nil if it is none, or cannot be added again
	running func() bool // it has not returned; l.mu is held
}

// leaveBehind notes that c, a call of the named node, was left behind.
func (l *Link) leaveBehind(name string, c *call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := l.depart()
	left.zombies = append(left.zombies, zombie{name, nil, func() bool { return !c.ended() }})
}

// try calls f, which calls the named node, and leaves it behind if it has not
// returned soon after ctx has ended.
func (l *Link) try(ctx context.Context, name string, f func() error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	c := begin(f)
	if !c.withinGrace(ctx) {
		l.leaveBehind(name, c)
		return fmt.Errorf("%w: %w", errAbandoned, context.Cause(ctx))
	}
	return c.err
}

// Start starts the nodes of the link, the outlets first, then processors, then
// inlets, and reads the store: inlets are set to their committed positions. If
// something fails, what was started is shut down again. ctx is for starting only.
// When it ends, or Shutdown is called, the start has failed; calls that do not
// return soon after are left behind.
//
// The error is [ErrRunning] if the link is running. A link may be started again
// after a Shutdown, from what is committed and otherwise empty, once all calls that
// were left behind have returned.
func (l *Link) Start(ctx context.Context) error { return l.start(ctx, nil) }

// start is Start. If end is not nil, the Shutdown that follows leaves there what it
// returns.
func (l *Link) start(ctx context.Context, end *ending) error {
	l.mu.Lock()
	for l.phase == stopped && l.changing {
		l.mu.Unlock()
		if !l.waitFor(ctx, func() bool { return l.phase != stopped || !l.changing }) {
			return fmt.Errorf("link %q: its nodes are being changed: %w", l.name, context.Cause(ctx))
		}
		l.mu.Lock()
	}
	if l.phase != stopped {
		l.mu.Unlock()
		return fmt.Errorf("link %q: %w", l.name, ErrRunning)
	}
	if hung := l.busy(); len(hung) > 0 {
		l.mu.Unlock()
		return fmt.Errorf("link %q: calls that were given up are still running: %s", l.name, strings.Join(hung, ", "))
	}
	l.phase = starting
	l.ending = end
	l.errs = nil
	if l.left != nil {
		l.left.zombies = nil
	}
	if l.nodes == nil {
		l.nodes = new(Nodes)
	}
	life, cancel := context.WithCancelCause(lasting{ctx, l})
	ctx, giveUp := context.WithCancelCause(context.WithValue(ctx, linkKey{}, l))
	defer giveUp(nil)
	l.giveUp = giveUp
	l.mu.Unlock()

	err := l.startNodes(ctx)

	l.mu.Lock()
	l.giveUp = nil
	if err != nil {
		cancel(ErrStopped)
		l.phase = stopped
	} else {
		l.phase, l.ctx, l.cancel = started, life, cancel
		if l.timing != nil {
			l.timing.ctx, l.timing.cut = nil, false
		}
	}
	l.idle.Broadcast()
	l.mu.Unlock()
	if err == nil {
		l.changed()
	}
	return err
}

func (l *Link) startNodes(ctx context.Context) (err error) {
	var up []any
	defer func() {
		if err != nil {
			err = errors.Join(err, l.takeDown(ctx, l.nodes, up))
		}
	}()
	nodes := l.allNodes()
	for i, node := range nodes {
		if err := l.nodes.start(ctx, l, node); err != nil {
			return &Error{Op: OpStart, Link: l.name, Node: nameOf(node), Number: -1, Err: err}
		}
		up = nodes[:i+1]
	}
	l.renew()
	if l.journal != nil {
		if err := l.recall(ctx); err != nil {
			return err
		}
	}
	l.restore(l.lanes)
	if cause := context.Cause(ctx); errors.Is(cause, ErrStopped) {
		return fmt.Errorf("link %q: %w", l.name, cause)
	}
	return nil
}

// recall reads the store and sets the inlets to what is committed.
func (l *Link) recall(ctx context.Context) error {
	old, delivered := l.journal, l.delivered
	type found struct {
		journal *journal
		stored  stored
	}
	reading := make(chan found, 1)
	err := l.try(ctx, "store", func() error {
		j, s, err := old.load(ctx, delivered)
		reading <- found{j, s}
		return err
	})
	if err != nil {
		return &Error{Op: OpState, Link: l.name, Node: old.key, Number: -1, Err: err}
	}
	read := <-reading
	l.mu.Lock()
	l.journal = read.journal
	l.number = max(l.number, read.stored.Number+1)
	if read.stored.Due.After(l.due) {
		l.due = read.stored.Due
	}
	l.mu.Unlock()
	for _, src := range l.inlets {
		if err := read.journal.rewind(ctx, l, src); err != nil {
			return &Error{Op: OpSeek, Link: l.name, Node: src.name(), Number: -1, Err: err}
		}
	}
	return nil
}

// renew makes the stages empty, and replaces the lanes that the last stop has left
// behind.
func (l *Link) renew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chain = l.chain.renewed(l.arrivals())
	if l.limit != nil {
		l.limit.reached = nil
	}
	lanes := make([]*lane, len(l.lanes))
	for i, ln := range l.lanes {
		if ln.dead {
			ln = ln.renewed()
		}
		lanes[i] = ln
	}
	l.lanes = lanes
}

// renewed returns an empty lane in place of ln, with its account.
func (ln *lane) renewed() *lane {
	fresh := &lane{
		link: ln.link, out: ln.out, limit: ln.limit, atomic: ln.atomic, policy: ln.policy, window: ln.link.letterWindow(ln.optional), optional: ln.optional,
		account: ln.account, reported: ln.reported, given: -1, passed: -1,
	}
	if ln.spill != nil {
		fresh.spill = &spill{spool: ln.spill.spool}
	}
	if ln.copier != nil {
		fresh.copier = new(record.Copier)
	}
	if ln.in != nil {
		fresh.in = &intake{chain: ln.in.chain.renewed(fresh.window)}
	}
	return fresh
}

// allNodes returns all nodes in the order in which they are started.
func (l *Link) allNodes() []any {
	letters := l.letterboxes(l.lanes)
	nodes := make([]any, 0, len(letters)+len(l.lanes)+len(l.inlets))
	for _, b := range letters {
		nodes = append(nodes, b.out)
	}
	for _, ln := range l.lanes {
		if ln.spill != nil {
			nodes = append(nodes, ln.spill.spool)
		}
		nodes = append(nodes, ln.out)
	}
	for _, ln := range l.lanes {
		if ln.in != nil {
			nodes = append(nodes, ln.in.chain.nodes()...)
		}
	}
	nodes = append(nodes, l.chain.nodes()...)
	for _, s := range l.inlets {
		nodes = append(nodes, s.in)
	}
	return nodes
}

// Once starts the link, makes one transfer, releases what is held, and shuts the
// link down: the program of a cron job. The end of ctx is a soft stop: the link is
// then shut down, which ShutdownTimeout bounds.
//
// The Report is of all of that together. The error joins what failed, less what a
// handler has settled, and less failures whose records were delivered in the end.
// It is [ErrRunning] if the link is running.
func (l *Link) Once(ctx context.Context) (Report, error) {
	if FromContext(ctx) == l {
		return Report{}, ErrInside
	}
	end := new(ending)
	if err := l.start(ctx, end); err != nil {
		return Report{}, err
	}
	t := &Transfer{transfer: transfer{link: l, number: -1, reason: record.Forced, began: time.Now()}}
	begun := make(chan struct{})
	go func() {
		defer close(begun)
		l.mu.Lock()
		t.begin(l, Tick{Reason: record.Forced})
		l.mu.Unlock()
	}()
	select {
	case <-begun:
		t.Wait(ctx)
	case <-ctx.Done():
	}
	l.mu.Lock()
	cut := !t.finished
	l.mu.Unlock()
	l.Shutdown(context.WithoutCancel(ctx)) // which somebody else may have done already
	l.mu.Lock()
	endErr := end.err
	report, err := t.report(), t.open()
	l.mu.Unlock()
	if report.Number < 0 { // the link was stopped before it could begin
		report.Outcome, report.Err, err = Interrupted, ErrStopped, ErrStopped
	}
	report.Took = time.Since(report.Began)
	report.Account = report.Account.Add(end.report.Account)
	report.Err = errors.Join(report.Err, end.report.Err)
	report.Outcome = max(report.Outcome, end.report.Outcome)
	if !report.abandoned() {
		err, endErr = unkept(err), unkept(endErr)
	}
	if cut {
		err = errors.Join(context.Cause(ctx), err)
	}
	return report, errors.Join(err, endErr)
}

func (a Account) abandoned() bool {
	sum := a.Abandoned
	for _, ln := range a.Lanes {
		sum += ln.Abandoned
	}
	return sum > 0
}

// unkept returns err without the failures whose records were kept. A broker that was
// not told of the last commit is no such failure: there is no next one.
func unkept(err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	var left []error
	for _, e := range joined.Unwrap() {
		if le, ok := errors.AsType[*Error](e); ok && le.Kept && le.Op != OpCommit {
			continue
		}
		left = append(left, e)
	}
	return errors.Join(left...)
}
