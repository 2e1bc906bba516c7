package link

import (
	"context"
	"slices"
	"sync"
	"time"
)

// When the time to shut down has ended, what is left is given up step by step.
const (
	graceCalls  = 500 * time.Millisecond // calls, whose contexts end when the time does
	graceLast   = 600 * time.Millisecond // the context of the last commit and of nodes shutting down
	graceCommit = 650 * time.Millisecond // the last commit, and holders being emptied
	graceAside  = 750 * time.Millisecond // one node after another: the others are shut down side by side
	graceNodes  = 850 * time.Millisecond // nodes shutting down
	graceReport = 950 * time.Millisecond // handlers
)

// patience is how long the steps of a stop are waited for: so much longer than its
// time, which is a context, that another one ends first.
type patience struct {
	time context.Context

	mu     sync.Mutex
	end    time.Time       // of time; zero: it has not ended
	last   context.Context // of the last commit and of nodes shutting down; nil: there is none
	cancel context.CancelCauseFunc
}

// expired notes the end of the time.
func (p *patience) expired() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end.IsZero() {
		p.end = time.Now()
		p.bound()
	}
	return p.end
}

// bound sees to it that last ends some time after the time does: it is called when
// either is set. p.mu is held.
func (p *patience) bound() {
	if cancel := p.cancel; cancel != nil && !p.end.IsZero() {
		time.AfterFunc(time.Until(p.end.Add(graceLast)), func() { cancel(ErrStopped) })
	}
}

// context returns the context of the last commit and of nodes shutting down.
func (p *patience) context() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil {
		p.last, p.cancel = context.WithCancelCause(context.WithoutCancel(p.time))
		p.bound()
	}
	return p.last
}

// spent reports whether the time has ended so long ago.
func (p *patience) spent(grace time.Duration) bool {
	return p.time.Err() != nil && time.Since(p.expired()) >= grace
}

// within waits for the end of a call until the time has ended so long ago, and reports
// whether it has ended.
func (p *patience) within(grace time.Duration, c *call) bool {
	if c.within(p.time.Done()) {
		return true
	}
	late := time.NewTimer(time.Until(p.expired().Add(grace)))
	defer late.Stop()
	select {
	case <-c.done:
		return true
	case <-late.C:
		return c.ended()
	}
}

// done is called when nothing is waited for any longer.
func (p *patience) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cancel != nil {
		p.cancel(ErrStopped)
	}
}

// down shuts nodes down, the last first, and returns what has failed.
func (l *Link) down(p *patience, ns *Nodes, nodes []any) (failures []*Error) {
	type open struct {
		node any
		call *call
	}
	var rest []open
	failed := func(node any, err error) {
		failures = append(failures, &Error{Op: OpShutdown, Link: l.name, Node: nameOf(node), Number: -1, Err: err})
	}
	for _, node := range slices.Backward(nodes) {
		switch c := ns.shutdown(p, node); {
		case c == nil:
		case !p.within(graceAside, c):
			rest = append(rest, open{node, c})
		case c.err != nil:
			failed(node, c.err)
		}
	}
	for _, o := range rest {
		switch {
		case !p.within(graceNodes, o.call):
			ns.hang(o.node)
			l.leaveBehind(nameOf(o.node), o.call)
			failed(o.node, errAbandoned)
		case o.call.err != nil:
			failed(o.node, o.call.err)
		}
	}
	return failures
}
