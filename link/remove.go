package link

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/outlet"
)

// RemoveInlets removes inlets, all or none. On a running link it waits for a pull
// that is going on, at most until ctx or ShutdownTimeout ends, and shuts the
// inlets down. A pull that has not returned by then is left behind, and its context
// lives on until the link is shut down. An inlet that is not there is an error,
// [ErrUnknownNode]. What an inlet has committed is kept: added again, it goes on from
// there, and what was pulled and not committed before is delivered twice. If the link is
// being stopped meanwhile, Shutdown does what is left.
func (l *Link) RemoveInlets(ctx context.Context, inlets ...inlet.Inlet) error {
	c, err := l.change(ctx)
	if err != nil {
		return err
	}
	defer c.end()
	rest := slices.Clone(l.inlets)
	var removed []*source
	var nodes []any
	var m mistakes
	for _, in := range inlets {
		i := slices.IndexFunc(rest, func(s *source) bool { return same(s.in, in) })
		if i < 0 {
			m.add("link %q: remove inlet %s: %w", l.name, nameOf(in), ErrUnknownNode)
			continue
		}
		removed = append(removed, rest[i])
		nodes = append(nodes, rest[i].in)
		rest = slices.Delete(rest, i, i+1)
	}
	if m != nil {
		return m.err()
	}
	l.mu.Lock()
	l.inlets = rest
	next := l.number // transfers before this one may pull from them
	l.mu.Unlock()
	if c.running {
		ctx, cancel := l.bounded(c.ctx)
		defer cancel()
		if !l.waitFor(ctx, func() bool { return l.front == nil || l.front.number >= next }) {
			if c.leave(nodes) {
				return nil
			}
			err = l.hungPulls(ctx, removed)
		}
		err = errors.Join(err, l.takeDown(c.base, c.nodes, nodes))
	}
	c.disclaim(nodes)
	return err
}

// leave leaves nodes to the Shutdown that has begun, if one has.
func (c *change) leave(nodes []any) bool {
	if !c.stopped() {
		return false
	}
	l := c.link
	l.mu.Lock()
	defer l.mu.Unlock()
	left := l.depart()
	left.leaving = append(left.leaving, nodes...)
	return true
}

// hungPulls leaves behind the pulls of removed inlets that have not returned.
func (l *Link) hungPulls(ctx context.Context, removed []*source) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, s := range removed {
		if s.calling() {
			left := l.depart()
			left.zombies = append(left.zombies, zombie{s.name(), s.in, s.calling})
			errs = append(errs, fmt.Errorf("link %q: remove inlet %s: its pull has not returned: %w", l.name, s.name(), context.Cause(ctx)))
		}
	}
	return errors.Join(errs...)
}

// RemoveOutlets removes outlets with their lanes, all or none. On a running link the
// lanes get no more records, and it waits until they have delivered what they
// have, at most until ctx or ShutdownTimeout ends. The rest is dropped and no
// longer holds a commit back; the error says how much it is. A push that has not
// returned by then is left behind, and its context lives on until the link is shut down.
// Then the outlets are shut down. An outlet that is not there is an error, [ErrUnknownNode], and so is
// removing the last. What is in the spool of a lane and not delivered stays there. If
// the link is being stopped meanwhile, Shutdown does what is left, and drops nothing.
func (l *Link) RemoveOutlets(ctx context.Context, outlets ...outlet.Outlet) error {
	c, err := l.change(ctx)
	if err != nil {
		return err
	}
	defer c.end()
	rest := slices.Clone(l.lanes)
	var removed []*lane
	var m mistakes
	for _, out := range outlets {
		i := slices.IndexFunc(rest, func(ln *lane) bool { return same(ln.out, out) })
		if i < 0 {
			m.add("link %q: remove outlet %s: %w", l.name, nameOf(out), ErrUnknownNode)
			continue
		}
		removed = append(removed, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	if len(rest) == 0 {
		m.add("link %q: remove outlets: none would be left: add another first", l.name)
	}
	if m != nil {
		return m.err()
	}
	ctx, cancel := l.bounded(c.ctx)
	defer cancel()
	l.mu.Lock()
	l.lanes = rest
	if c.running {
		left := l.depart()
		left.draining = append(slices.Clip(left.draining), removed...)
		for _, ln := range removed {
			ln.retire()
		}
		if l.quiet() { // the current transfer has waited for these lanes alone
			l.makeReport()
		}
	}
	l.mu.Unlock()
	if c.running {
		l.deliver()
		l.changed()
	}
	for _, ln := range removed {
		nodes := ln.nodes()
		if c.running {
			if !l.waitFor(ctx, ln.isEmpty) && c.leave(nodes) {
				continue
			}
			err = errors.Join(err, l.drop(ctx, ln), l.takeDown(c.base, c.nodes, nodes))
		}
		c.disclaim(nodes)
	}
	var orphans []any // outlets of dead letters that no lane needs any more
	for _, b := range l.letterboxes(removed) {
		if !slices.Contains(l.letterboxes(rest), b) {
			orphans = append(orphans, b.out)
		}
	}
	if c.running && !c.leave(orphans) {
		err = errors.Join(err, l.takeDown(c.base, c.nodes, orphans))
	}
	c.disclaim(orphans)
	return err
}

// retire makes a lane that was removed deliver what it has. l.mu is held.
func (ln *lane) retire() {
	ln.flush = true
	if ln.in != nil && ln.in.last != nil {
		ln.in.inbox.push(entry{}) // so that holders release
	}
	if ln.take() {
		ln.start()
	}
}

// isEmpty reports whether the lane is idle and has nothing left. l.mu is held.
func (ln *lane) isEmpty() bool {
	return !ln.working && ln.queue.len() == 0 && !ln.in.waiting() && !ln.spill.behind()
}

// drop gives up what is left in a lane that was removed, or will soon after ctx has
// ended.
func (l *Link) drop(ctx context.Context, ln *lane) error {
	p := &patience{time: ctx}
	defer p.done()
	defer context.AfterFunc(ctx, func() { p.expired() })()
	l.mu.Lock()
	var hung []string
	if ln.interrupt() { // there is no time left for another try
		ln.working = false
	}
	if ln.working {
		ln.giveUp()
		hung = append(hung, ln.account.Name)
	}
	dead, empty := ln.dead, ln.isEmpty()
	ln.dead = true
	life := l.ctx
	l.mu.Unlock()
	if !dead {
		if ln.in != nil && empty { // no barrier follows what its processors have released
			p.within(graceCommit, begin(func() error { ln.in.chain.settle(life, l.fail); return nil }))
		}
		ln.in.empty(l, p, &hung)
	}
	l.mu.Lock()
	ln.returned()
	ln.empty()
	dropped := ln.account.Pending + ln.account.Held
	ln.account.Dropped += dropped
	ln.account.Removed += dropped
	ln.account.Pending, ln.account.Held = 0, 0
	commit := false
	if l.journal != nil {
		for _, b := range slices.Clone(l.journal.order) {
			if ln.passed < b.number && b.number <= ln.given {
				commit = l.passed(b) || commit
			}
		}
	}
	left := l.depart()
	left.draining = slices.DeleteFunc(slices.Clone(left.draining), func(o *lane) bool { return o == ln })
	left.gone = append(left.gone, ln)
	l.mu.Unlock()
	if commit {
		p.within(graceCommit, begin(func() error { l.commit(life, false); return nil }))
	}
	var errs []error
	for _, name := range hung {
		errs = append(errs, fmt.Errorf("link %q: remove outlet %s: %s: %w", l.name, ln.account.Name, name, errAbandoned))
	}
	if dropped > 0 {
		errs = append(errs, fmt.Errorf("link %q: remove outlet %s: %d records dropped", l.name, ln.account.Name, dropped))
	}
	return errors.Join(errs...)
}
