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

// change is a change of the nodes of a link. There is one at a time.
type change struct {
	link    *Link
	base    context.Context // the caller's
	ctx     context.Context // that, until the link is being stopped
	cancel  context.CancelCauseFunc
	running bool
	nodes   *Nodes // of the link
	claims  bool   // the link has a host
}

// change begins a change of nodes. end ends it.
func (l *Link) change(ctx context.Context) (*change, error) {
	if FromContext(ctx) == l {
		return nil, ErrInside
	}
	c := &change{link: l, base: context.WithValue(ctx, linkKey{}, l)}
	c.ctx, c.cancel = context.WithCancelCause(c.base)
	var err error
	free := l.waitFor(ctx, func() bool { // begun there, where nobody can come between
		switch {
		case l.phase == starting || l.changing:
			return false
		case l.phase == stopping:
			err = fmt.Errorf("link %q: %w", l.name, ErrStopped)
		default:
			l.changing, l.giveUp = true, c.cancel
			c.running, c.nodes, c.claims = l.phase == started, l.nodes, l.host != nil
		}
		return true
	})
	if !free {
		err = fmt.Errorf("link %q: its nodes are being started or changed: %w", l.name, context.Cause(ctx))
	}
	if err != nil {
		c.cancel(nil)
		return nil, err
	}
	return c, nil
}

func (c *change) end() {
	l := c.link
	l.mu.Lock()
	defer l.mu.Unlock()
	c.cancel(nil)
	l.changing, l.giveUp = false, nil
	l.idle.Broadcast()
}

// stopped reports whether the link is being stopped.
func (c *change) stopped() bool { return errors.Is(context.Cause(c.ctx), ErrStopped) }

// disclaim gives up the claims on nodes.
func (c *change) disclaim(nodes []any) {
	if c.claims {
		c.nodes.disclaim(c.link, nodes)
	}
}

// AddInlets adds inlets at the end, all or none. On a running link they are started
// and, if they are resumable, set to their committed positions; the next transfer
// pulls from them. A nil or invalid inlet, or one that is in the link already
// ([ErrDuplicateNode]), is an error. From inside a transfer it is [ErrInside], as
// are the other changes of nodes.
func (l *Link) AddInlets(ctx context.Context, inlets ...inlet.Inlet) error {
	c, err := l.change(ctx)
	if err != nil {
		return err
	}
	defer c.end()
	var m mistakes
	var places []place
	var nodes []any
	for i, in := range inlets {
		field := fmt.Sprintf("inlet %d", i)
		m.inlet(field, in)
		places = append(places, place{field, in})
		nodes = append(nodes, in)
	}
	all := l.withInlets(&m, func(i int) string { return places[i].field }, inlets)
	added := all[len(l.inlets):]
	return c.add(m, places, nil, nodes, func() error { return c.rewind(added, slices.ContainsFunc(added, (*source).resumable)) }, func() {
		l.inlets = all
		l.remember()
	})
}

// rewind sets inlets that are new in a running link to what is committed. needed says
// that there has to be something to commit.
func (c *change) rewind(added []*source, needed bool) error {
	l := c.link
	if !c.running || !needed {
		return nil
	}
	// While inlets are being set there is no commit, so that points stands still.
	if !l.waitFor(c.ctx, func() bool { return l.journal == nil || !l.journal.running }) {
		return &Error{Op: OpState, Link: l.name, Node: l.name, Number: -1, Err: context.Cause(c.ctx)}
	}
	l.mu.Lock()
	j, life := l.journal, l.ctx
	none := j == nil
	if none {
		j = l.newJournal(new(state.Memory))
	}
	j.running = true
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		j.running = false
		pending := j.newest != nil
		l.idle.Broadcast()
		l.mu.Unlock()
		if pending { // meanwhile something has settled
			begin(func() error { l.commit(life, false); return nil }).within(c.ctx.Done())
		}
	}()
	if none {
		fresh, _, err := j.load(c.ctx, 0)
		if err != nil {
			return &Error{Op: OpState, Link: l.name, Node: j.key, Number: -1, Err: err}
		}
		fresh.running = true
		l.mu.Lock()
		j, l.journal = fresh, fresh
		l.mu.Unlock()
	}
	for _, s := range added {
		if err := j.rewind(c.ctx, l, s); err != nil {
			return &Error{Op: OpSeek, Link: l.name, Node: s.name(), Number: -1, Err: err}
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
	c, err := l.change(ctx)
	if err != nil {
		return err
	}
	defer c.end()
	var m mistakes
	var places, letters []place
	for i, lane := range lanes {
		field := fmt.Sprintf("lane %d: ", i)
		m.lane(field+"Outlet", field, lane, l.fallback())
		letters = append(letters, lane.letters(field)...)
		places = append(places, lane.places(field, field+"Outlet")...)
	}
	all := l.withLanes(&m, func(i int) string { return fmt.Sprintf("lane %d: ", i) }, lanes)
	var nodes []any
	for _, b := range l.letterboxes(all)[len(l.letterboxes(l.lanes)):] {
		nodes = append(nodes, b.out)
	}
	for _, ln := range all[len(l.lanes):] {
		nodes = append(nodes, ln.nodes()...)
	}
	added := all[len(l.lanes):]
	return c.add(m, places, letters, nodes, func() error {
		if c.running {
			l.restore(added)
		}
		return c.rewind(nil, settles(added))
	}, func() {
		l.lanes = all
		l.remember()
	})
}

// add starts nodes if the link is running, prepares and then, with Link.mu held,
// publishes them. If something fails, nothing has changed.
func (c *change) add(m mistakes, places, letters []place, nodes []any, prepare func() error, publish func()) (err error) {
	l := c.link
	var known []place
	for _, node := range l.allNodes()[len(l.letterboxes(l.lanes)):] {
		known = append(known, place{node: node})
	}
	for _, b := range l.letterboxes(l.lanes) {
		letters = append(letters, place{node: b.out})
	}
	m.unique(append(known, places...), letters)
	m.hung(l, places)
	if m != nil {
		return fmt.Errorf("link %q: %w", l.name, m.err())
	}
	if c.claims {
		if err := c.nodes.claim(l, nodes); err != nil {
			return err
		}
	}
	var up []any
	defer func() {
		if err != nil {
			err = errors.Join(err, l.takeDown(c.base, c.nodes, up))
			c.disclaim(nodes)
		}
	}()
	if c.running {
		for _, node := range nodes {
			if err := c.nodes.start(c.ctx, l, node); err != nil {
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
	switch {
	case c.running && l.phase != started:
		return fmt.Errorf("link %q: %w", l.name, ErrStopped)
	case l.nodes != c.nodes:
		return fmt.Errorf("link %q was attached or detached meanwhile", l.name)
	}
	publish()
	return nil
}

// hung checks that no call of the nodes is still running that was left behind.
func (m *mistakes) hung(l *Link, places []place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, z := range l.departed().zombies {
		for _, p := range places {
			if z.node != nil && z.running() && same(z.node, p.node) {
				m.add("%s: a call of %s that was given up is still running", p.field, z.name)
			}
		}
	}
}

// takeDown shuts nodes down, the last first, within the time that ctx and
// ShutdownTimeout leave, and joins their errors.
func (l *Link) takeDown(ctx context.Context, ns *Nodes, nodes []any) error {
	if len(nodes) == 0 {
		return nil
	}
	ctx, cancel := l.bounded(ctx)
	defer cancel()
	p := &patience{time: ctx}
	defer p.done()
	defer context.AfterFunc(ctx, func() { p.expired() })()
	return join(l.down(p, ns, nodes))
}

// bounded returns ctx with the bound that ShutdownTimeout is.
func (l *Link) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if l.shutdownTimeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, l.shutdownTimeout)
}

// waitFor waits until done, which is called with l.mu held, reports true, and
// reports whether it has. It gives up when ctx ends.
func (l *Link) waitFor(ctx context.Context, done func() bool) bool {
	defer context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.idle.Broadcast()
	})()
	l.mu.Lock()
	defer l.mu.Unlock()
	for !done() {
		if ctx.Err() != nil {
			return false
		}
		l.idle.Wait()
	}
	return true
}
