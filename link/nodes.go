package link

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
)

// inner returns what node decorates, if it is a decorator of any kind.
func inner(node any) (any, bool) {
	switch d := node.(type) {
	case interface{ Unwrap() inlet.Inlet }:
		return d.Unwrap(), true
	case interface{ Unwrap() outlet.Outlet }:
		return d.Unwrap(), true
	case interface{ Unwrap() record.Processor }:
		return d.Unwrap(), true
	case interface{ Unwrap() record.Grouper }:
		return d.Unwrap(), true
	}
	return nil, false
}

// capability finds in node, or in what it decorates, something that is a T.
func capability[T any](node any) (T, bool) {
	for !isNil(node) {
		if t, ok := node.(T); ok {
			return t, true
		}
		next, ok := inner(node)
		if !ok {
			break
		}
		node = next
	}
	var none T
	return none, false
}

// identity returns what makes node the same as another: the node that all its
// decorators stand around or, if that has no identity, the innermost decorator that
// has one. ok is false if there is none: only pointers and channels have an
// identity, and not those to values without a size, which are equal without being
// the same.
func identity(node any) (id any, ok bool) {
	for decorated := true; decorated && !isNil(node); node, decorated = inner(node) {
		switch t := reflect.TypeOf(node); t.Kind() {
		case reflect.Pointer:
			if t.Elem().Size() > 0 {
				id, ok = node, true
			}
		case reflect.Chan:
			id, ok = node, true
		}
	}
	return id, ok
}

// same reports whether a and b are one node.
func same(a, b any) bool {
	x, ok := identity(a)
	if !ok {
		return false
	}
	y, ok := identity(b)
	return ok && x == y
}

// nameOf returns what the String method of node says, else its type.
func nameOf(node any) string {
	if name, ok := saidName(node); ok {
		return name
	}
	if node == nil {
		return "<nil>"
	}
	return reflect.TypeOf(node).String()
}

// saidName returns what the String method of node says, if it says something.
func saidName(node any) (name string, ok bool) {
	s, ok := capability[fmt.Stringer](node)
	if !ok {
		return "", false
	}
	err := alone(func() error { name = s.String(); return nil })
	return name, err == nil && name != ""
}

// stateful reports whether node may be used in one place only.
func stateful(node any) bool {
	if _, ok := capability[inlet.Seeker](node); ok {
		return true
	}
	if _, ok := capability[inlet.Committer](node); ok {
		return true
	}
	if _, ok := node.(spool.Spool); ok {
		return true
	}
	_, ok := capability[record.Holder](node)
	return ok
}

// Nodes knows which nodes several links share, so that each is started once,
// before the first link that uses it, and shut down once, after the last. The
// zero value is ready to use; it is safe for concurrent use. See [Link.Attach].
type Nodes struct {
	transfers sync.Pool // blank ones

	mu     sync.Mutex
	users  map[any]*users
	places map[any]*Link // of stateful nodes
}

// users are the links for which a node is started.
type users struct {
	count int
	busy  chan struct{} // it is being started or shut down until this closes
	hung  bool          // by a call that was left behind
}

type (
	starter    interface{ Start(context.Context) error }
	shutdowner interface{ Shutdown(context.Context) error }
)

// claim notes that l uses nodes, and fails if one of them keeps a state and is used
// by another link.
func (ns *Nodes) claim(l *Link, nodes []any) error {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	var errs []error
	var ids []any
	for _, node := range nodes {
		id, ok := identity(node)
		if !ok || !stateful(node) {
			continue
		}
		if other := ns.places[id]; other != nil && other != l {
			errs = append(errs, fmt.Errorf("%s keeps a state and is used by the links %q and %q: %w",
				nameOf(node), other.name, l.name, ErrDuplicateNode))
		}
		ids = append(ids, id)
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	for _, id := range ids {
		if ns.places == nil {
			ns.places = make(map[any]*Link)
		}
		ns.places[id] = l
	}
	return nil
}

// disclaim undoes a claim.
func (ns *Nodes) disclaim(l *Link, nodes []any) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	for _, node := range nodes {
		if id, ok := identity(node); ok && ns.places[id] == l {
			delete(ns.places, id)
		}
	}
}

// enter waits until nobody starts or stops the node and returns its users, for
// leave to be called. A node without an identity has no other users. It fails if
// limit closes, or if a call that was left behind is still running.
func (ns *Nodes) enter(limit <-chan struct{}, node any) (*users, error) {
	id, ok := identity(node)
	if !ok {
		return new(users), nil
	}
	for {
		ns.mu.Lock()
		u := ns.users[id]
		if u == nil {
			if ns.users == nil {
				ns.users = make(map[any]*users)
			}
			u = new(users)
			ns.users[id] = u
		}
		busy := u.busy
		switch {
		case busy == nil:
			u.busy = make(chan struct{})
			ns.mu.Unlock()
			return u, nil
		case u.hung:
			ns.mu.Unlock()
			return nil, errors.New("a call of its Start or Shutdown that was given up is still running")
		}
		ns.mu.Unlock()
		select {
		case <-busy:
		case <-limit:
			return nil, errors.New("another link was still starting or stopping it")
		}
	}
}

func (ns *Nodes) leave(node any, u *users, change int) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if u.busy == nil {
		return // it has no identity
	}
	close(u.busy)
	u.busy, u.hung = nil, false
	if u.count += change; u.count == 0 {
		id, _ := identity(node)
		delete(ns.users, id)
	}
}

// hang notes that the call that has entered node was left behind.
func (ns *Nodes) hang(node any) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	id, ok := identity(node)
	if !ok || ns.users[id] == nil || ns.users[id].busy == nil {
		return
	}
	u := ns.users[id]
	close(u.busy) // who waits is told
	u.busy, u.hung = make(chan struct{}), true
}

// start starts node for l unless another link has. A start that has not returned
// soon after ctx ends is left behind; if it succeeds later, the node is shut down.
func (ns *Nodes) start(ctx context.Context, l *Link, node any) error {
	s, ok := capability[starter](node)
	if !ok {
		if _, ok := capability[shutdowner](node); !ok {
			return nil
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	u, err := ns.enter(ctx.Done(), node)
	if err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	if u.count > 0 || s == nil {
		ns.leave(node, u, 1)
		return nil
	}
	c := begin(func() error { return s.Start(ctx) })
	if c.withinGrace(ctx) {
		change := 0
		if c.err == nil {
			change = 1
		}
		ns.leave(node, u, change)
		return c.err
	}
	ns.hang(node)
	l.leaveBehind(nameOf(node), begin(func() error {
		defer ns.leave(node, u, 0)
		<-c.done
		if s, ok := capability[shutdowner](node); ok && c.err == nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), defaultShutdownTimeout)
			defer cancel()
			return s.Shutdown(ctx)
		}
		return nil
	}))
	return fmt.Errorf("%w: %w", errAbandoned, context.Cause(ctx))
}

// withinGrace waits for the end of the call until shortly after ctx has ended.
func (c *call) withinGrace(ctx context.Context) bool {
	if c.within(ctx.Done()) {
		return true
	}
	late := make(chan struct{})
	defer time.AfterFunc(graceCalls, func() { close(late) }).Stop()
	return c.within(late)
}

// shutdown begins to shut node down, unless another link uses it still, and returns
// the call, or nil if there is nothing to do.
func (ns *Nodes) shutdown(p *patience, node any) *call {
	s, ok := capability[shutdowner](node)
	if !ok {
		if _, ok := capability[starter](node); !ok {
			return nil
		}
	}
	ctx := p.context()
	return begin(func() error {
		u, err := ns.enter(nil, node)
		if err != nil {
			return err
		}
		defer ns.leave(node, u, -1)
		if u.count > 1 || s == nil {
			return nil
		}
		return s.Shutdown(ctx)
	})
}

// errAbandoned is the cause of what was not waited for any longer.
var errAbandoned = errors.New("abandoned: it was still running when its time had ended")
