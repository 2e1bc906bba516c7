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

// patience is how long the steps of a stop are waited for.
type patience struct {
	ctx    context.Context // of the last commit and of nodes shutting down
	cancel context.CancelCauseFunc

	// Closed when these are not waited for any longer.
	commits, aside, nodes, handlers chan struct{}

	mu     sync.Mutex
	closed bool
	steps  []*time.Timer
}

func newPatience(ctx context.Context) *patience {
	p := &patience{commits: make(chan struct{}), aside: make(chan struct{}), nodes: make(chan struct{}), handlers: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return p
}

// expire ends the time.
func (p *patience) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.steps) > 0 {
		return
	}
	after := func(d time.Duration, f func()) { p.steps = append(p.steps, time.AfterFunc(d, f)) }
	after(graceLast, func() { p.cancel(ErrStopped) })
	after(graceCommit, func() { close(p.commits) })
	after(graceAside, func() { close(p.aside) })
	after(graceNodes, func() { close(p.nodes) })
	after(graceReport, func() { close(p.handlers) })
}

// end is called when nothing is waited for any longer.
func (p *patience) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, timer := range p.steps {
		timer.Stop()
	}
	p.cancel(ErrStopped)
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
		switch c := ns.shutdown(p.ctx, node); {
		case c == nil:
		case !c.within(p.aside):
			rest = append(rest, open{node, c})
		case c.err != nil:
			failed(node, c.err)
		}
	}
	for _, o := range rest {
		switch {
		case !o.call.within(p.nodes):
			ns.hang(o.node)
			l.leaveBehind(nameOf(o.node), o.call)
			failed(o.node, errAbandoned)
		case o.call.err != nil:
			failed(o.node, o.call.err)
		}
	}
	return failures
}
