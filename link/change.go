package link

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/state"
)

// withInlets returns the link's sources and those of inlets.
func (l *Link) withInlets(m *mistakes, field string, inlets []inlet.Inlet) []*source {
	all := slices.Clip(l.inlets)
	for i, in := range inlets {
		name := inlet.Name(in)
		taken := func(name string) bool {
			return slices.ContainsFunc(all, func(s *source) bool { return s.name == name })
		}
		s := newSource(in, name)
		if taken(name) {
			if s.pos != nil {
				m.add("%s[%d]: another inlet has the name %q: one with a position needs one of its own", field, i, name)
			}
			s = newSource(in, another(name, taken))
		}
		all = append(all, s)
	}
	return all
}

// withLanes returns the link's lanes and those of configs.
func (l *Link) withLanes(m *mistakes, configs []Lane) []*lane {
	all := slices.Clip(l.lanes)
	for _, c := range configs {
		taken := func(name string) bool {
			return slices.ContainsFunc(all, func(ln *lane) bool { return ln.name == name })
		}
		name := c.Name
		if name == "" {
			if name = nameOf(c.Outlet); taken(name) {
				name = another(name, taken)
			}
		} else if taken(name) {
			m.add("Lanes: two have the Name %q", name)
		}
		ln := &lane{
			link: l, out: c.Outlet, name: name, processors: slices.Clone(c.Processors),
			timeout: c.Timeout, limit: bound(c.Pending, defaultPending), copies: l.copies(c.Outlet),
		}
		ln.account.Name, ln.reported.Name = name, name
		if a, ok := c.Outlet.(outlet.Atomic); ok && l.journal != nil && a.Store() == any(l.journal.store) {
			ln.atomic = a
		}
		all = append(all, ln.renewed())
	}
	return all
}

// copies reports whether out gets copies of records.
func (l *Link) copies(out outlet.Outlet) bool {
	r, ok := out.(outlet.Reader)
	switch l.isolation {
	case CopyAlways:
		return true
	case SharePayloads:
		return false
	}
	return !ok || !r.ReadOnly()
}

// another returns name with the first number from 2 that makes it unique.
func another(name string, taken func(string) bool) string {
	for n := 2; ; n++ {
		if s := fmt.Sprintf("%s#%d", name, n); !taken(s) {
			return s
		}
	}
}

// unique checks that no node is there twice.
func (m *mistakes) unique(nodes []any) {
	seen := make(map[any]bool)
	for _, node := range nodes {
		id, ok := identity(node)
		if !ok {
			continue
		}
		if seen[id] {
			m.add("%s is in the link twice: %w", nameOf(node), ErrDuplicateNode)
		}
		seen[id] = true
	}
}

// change begins a change of nodes, one at a time. done ends it.
func (l *Link) change(ctx context.Context) (running bool, done func(), err error) {
	if FromContext(ctx) == l {
		return false, nil, ErrInside
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.phase == starting || l.changing {
		l.idle.Wait()
	}
	if l.phase == stopping {
		return false, nil, fmt.Errorf("link %q: %w", l.name, ErrStopped)
	}
	l.changing = true
	return l.phase == started, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.changing = false
		l.idle.Broadcast()
	}, nil
}

// AddInlets adds inlets at the end, all or none. On a running link they are started
// and, if they are resumable, set to their committed positions; the next transfer
// pulls from them. A nil or invalid inlet, or one that is in the link already
// ([ErrDuplicateNode]), is an error. From inside a transfer it is [ErrInside], as
// are the other changes of nodes.
func (l *Link) AddInlets(ctx context.Context, inlets ...inlet.Inlet) error {
	running, done, err := l.change(ctx)
	if err != nil {
		return err
	}
	defer done()
	var m mistakes
	for i, in := range inlets {
		m.inlet(fmt.Sprintf("inlet %d", i), in)
	}
	if m != nil {
		return fmt.Errorf("link %q: add inlets: %w", l.name, m.err())
	}
	all := l.withInlets(&m, "inlet", inlets)
	added := all[len(l.inlets):]
	var nodes []any
	for _, s := range added {
		nodes = append(nodes, s.in)
	}
	return l.add(ctx, m, running, nodes, func() error {
		return l.rewind(ctx, running, added)
	}, func() {
		l.inlets = all
		l.remember()
	})
}

// rewind sets inlets that are new in a running link to what is committed.
func (l *Link) rewind(ctx context.Context, running bool, added []*source) error {
	if !running || !slices.ContainsFunc(added, (*source).resumable) {
		return nil
	}
	l.mu.Lock()
	j := l.journal
	fresh := j == nil
	if fresh {
		l.remember()
		j = l.newJournal(new(state.Memory))
	}
	for j.running {
		l.idle.Wait()
	}
	j.running = true
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		j.running = false
		l.idle.Broadcast()
		l.mu.Unlock()
	}()
	if fresh {
		if _, err := j.load(ctx, 0); err != nil {
			return &Error{Op: OpState, Link: l.name, Node: j.key, Number: -1, Err: err}
		}
		l.mu.Lock()
		l.journal = j
		l.mu.Unlock()
	}
	for _, s := range added {
		if err := s.rewind(ctx, j.points[s.name]); err != nil {
			return &Error{Op: OpSeek, Link: l.name, Node: s.name, Number: -1, Err: err}
		}
	}
	return nil
}

// AddOutlets adds outlets, each in a lane with default values, as AddLanes does.
func (l *Link) AddOutlets(ctx context.Context, outlets ...outlet.Outlet) error {
	lanes := make([]Lane, len(outlets))
	for i, o := range outlets {
		lanes[i].Outlet = o
	}
	return l.AddLanes(ctx, lanes...)
}

// AddLanes adds lanes at the end, all or none. On a running link their outlets and
// processors are started; they serve from the next transfer on. The errors are
// those of AddInlets.
func (l *Link) AddLanes(ctx context.Context, lanes ...Lane) error {
	running, done, err := l.change(ctx)
	if err != nil {
		return err
	}
	defer done()
	var m mistakes
	for i, lane := range lanes {
		m.lane(fmt.Sprintf("lane %d: Outlet", i), fmt.Sprintf("lane %d: ", i), lane)
	}
	if m != nil {
		return fmt.Errorf("link %q: add lanes: %w", l.name, m.err())
	}
	all := l.withLanes(&m, lanes)
	var nodes []any
	for _, ln := range all[len(l.lanes):] {
		nodes = append(nodes, ln.nodes()...)
	}
	return l.add(ctx, m, running, nodes, func() error { return nil }, func() { l.lanes = all })
}

// add starts nodes if the link is running, prepares and then, with l.mu held,
// publishes them. If something fails, nothing has changed.
func (l *Link) add(ctx context.Context, m mistakes, running bool, nodes []any, prepare func() error, publish func()) (err error) {
	m.unique(append(l.allNodes(), nodes...))
	if m != nil {
		return fmt.Errorf("link %q: %w", l.name, m.err())
	}
	if l.host != nil {
		if err := l.nodes.claim(l, nodes); err != nil {
			return err
		}
	}
	var up []any
	defer func() {
		if err != nil {
			err = errors.Join(err, l.takeDown(ctx, up))
			if l.host != nil {
				l.nodes.disclaim(l, nodes)
			}
		}
	}()
	if running {
		for _, node := range nodes {
			if err := l.nodes.start(ctx, node); err != nil {
				return &Error{Op: OpStart, Link: l.name, Node: nameOf(node), Number: -1, Err: err}
			}
			up = append(up, node)
		}
	}
	if err := prepare(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if running && l.phase != started {
		return fmt.Errorf("link %q: %w", l.name, ErrStopped)
	}
	publish()
	return nil
}

// takeDown shuts nodes down, the last first, and joins their errors.
func (l *Link) takeDown(ctx context.Context, nodes []any) (err error) {
	down, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceLate)
	defer cancel()
	for _, node := range slices.Backward(nodes) {
		if e := l.nodes.shutdown(down, down.Done(), node); e != nil {
			err = errors.Join(err, &Error{Op: OpShutdown, Link: l.name, Node: nameOf(node), Number: -1, Err: e})
		}
	}
	return err
}

// RemoveInlets removes inlets, all or none. On a running link it waits for a pull
// that is going on, at most until ctx or ShutdownTimeout ends, and shuts the
// inlets down. An inlet that is not there is an error, [ErrUnknownNode]. What an
// inlet has committed is kept: added again, it goes on from there.
func (l *Link) RemoveInlets(ctx context.Context, inlets ...inlet.Inlet) error {
	running, done, err := l.change(ctx)
	if err != nil {
		return err
	}
	defer done()
	rest := slices.Clone(l.inlets)
	var nodes []any
	for _, in := range inlets {
		i := slices.IndexFunc(rest, func(s *source) bool { return same(s.in, in) })
		if i < 0 {
			return fmt.Errorf("link %q: remove inlet %s: %w", l.name, inlet.Name(in), ErrUnknownNode)
		}
		nodes = append(nodes, rest[i].in)
		rest = slices.Delete(rest, i, i+1)
	}
	l.mu.Lock()
	l.inlets = rest
	front := l.front
	l.mu.Unlock()
	if running {
		ctx, cancel := l.bounded(ctx)
		defer cancel()
		if !l.waitFor(ctx, func() bool { return front == nil || l.front != front }) {
			err = fmt.Errorf("link %q: remove inlets: a pull has not returned: %w", l.name, context.Cause(ctx))
		}
		err = errors.Join(err, l.takeDown(ctx, nodes))
	}
	if l.host != nil {
		l.nodes.disclaim(l, nodes)
	}
	return err
}

// bounded returns ctx with the bound that ShutdownTimeout is.
func (l *Link) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if l.shutdownTimeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, l.shutdownTimeout)
}

// waitFor waits until done reports true, and reports whether it has. It gives up
// when ctx ends or the link is being stopped.
func (l *Link) waitFor(ctx context.Context, done func() bool) bool {
	defer context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.idle.Broadcast()
	})()
	l.mu.Lock()
	defer l.mu.Unlock()
	for !done() {
		if ctx.Err() != nil || l.phase != started {
			return false
		}
		l.idle.Wait()
	}
	return true
}

func (ln *lane) nodes() []any {
	nodes := []any{ln.out}
	for _, p := range ln.processors {
		nodes = append(nodes, p)
	}
	return nodes
}

// RemoveOutlets removes outlets with their lanes, all or none. On a running link the
// lanes get no more records, and it waits until they have delivered what they
// have, at most until ctx or ShutdownTimeout ends. The rest is dropped and no
// longer holds a commit back; the error says how much it is. Then the outlets are
// shut down. An outlet that is not there is an error, [ErrUnknownNode], and so is
// removing the last.
func (l *Link) RemoveOutlets(ctx context.Context, outlets ...outlet.Outlet) error {
	running, done, err := l.change(ctx)
	if err != nil {
		return err
	}
	defer done()
	rest := slices.Clone(l.lanes)
	var removed []*lane
	for _, out := range outlets {
		i := slices.IndexFunc(rest, func(ln *lane) bool { return same(ln.out, out) })
		if i < 0 {
			return fmt.Errorf("link %q: remove outlet %s: %w", l.name, nameOf(out), ErrUnknownNode)
		}
		removed = append(removed, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	if len(rest) == 0 {
		return fmt.Errorf("link %q: remove outlets: none would be left: add another first", l.name)
	}
	ctx, cancel := l.bounded(ctx)
	defer cancel()
	l.mu.Lock()
	l.lanes = rest
	if running {
		l.draining = append(slices.Clip(l.draining), removed...)
	}
	for _, ln := range removed {
		ln.flush = true
		if len(ln.chain.stages) > 0 && ln.update != nil {
			ln.inbox.push(entry{update: ln.update}) // so that holders release
		}
		if running && ln.take() {
			go ln.work()
		}
	}
	l.mu.Unlock()
	for _, ln := range removed {
		nodes := ln.nodes()
		if running {
			l.waitFor(ctx, func() bool { return !ln.working && ln.queue.len() == 0 && ln.inbox.len() == 0 && !ln.state.stuck })
			err = errors.Join(err, l.drop(ctx, ln), l.takeDown(ctx, nodes))
		}
		if l.host != nil {
			l.nodes.disclaim(l, nodes)
		}
	}
	return err
}

// drop gives up what is left in a lane that was removed.
func (l *Link) drop(ctx context.Context, ln *lane) error {
	l.mu.Lock()
	mine := !ln.working
	ln.dead = true
	l.mu.Unlock()
	if mine {
		ln.chain.empty(ctx)
	}
	l.mu.Lock()
	ln.empty()
	dropped := ln.account.Pending + ln.account.Held
	ln.account.Dropped += dropped
	ln.account.Pending, ln.account.Held = 0, 0
	commit := false
	if l.journal != nil {
		for _, b := range slices.Clone(l.journal.order) {
			if ln.passed < b.number && b.number <= ln.given {
				commit = l.passed(b) || commit
			}
		}
	}
	l.draining = slices.DeleteFunc(slices.Clone(l.draining), func(o *lane) bool { return o == ln })
	l.gone = append(l.gone, ln)
	life := l.ctx
	l.mu.Unlock()
	if commit {
		l.commit(life, false)
	}
	if dropped > 0 {
		return fmt.Errorf("link %q: remove outlet %s: %d records dropped", l.name, ln.name, dropped)
	}
	return nil
}
