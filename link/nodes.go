package link

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
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
	for node != nil {
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
// decorators stand around. ok is false if it has none: functions cannot be
// compared, and values without a size are equal without being the same.
func identity(node any) (id any, ok bool) {
	for {
		next, decorated := inner(node)
		if !decorated || next == nil {
			break
		}
		node = next
	}
	v := reflect.ValueOf(node)
	if !v.IsValid() || !v.Comparable() {
		return nil, false
	}
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return node, t.Size() > 0
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
	if s, ok := capability[fmt.Stringer](node); ok {
		var name string
		if guard(func() error { name = s.String(); return nil }, nil) == nil && name != "" {
			return name
		}
	}
	return fmt.Sprintf("%T", node)
}

// stateful reports whether node may be used in one place only.
func stateful(node any) bool {
	if _, ok := capability[inlet.Seeker](node); ok {
		return true
	}
	if _, ok := capability[inlet.Committer](node); ok {
		return true
	}
	_, ok := capability[record.Holder](node)
	return ok
}

// Nodes knows which nodes several links share, so that each is started once,
// before the first link that uses it, and shut down once, after the last. The
// zero value is ready to use; it is safe for concurrent use. See [Link.Attach].
type Nodes struct {
	mu     sync.Mutex
	idle   sync.Cond
	users  map[any]*users
	places map[any]*Link // of stateful nodes
}

type users struct {
	count int
	busy  bool // it is being started or shut down
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

// enter waits until nobody starts or stops the node and returns its users.
func (ns *Nodes) enter(id any) *users {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if ns.idle.L == nil {
		ns.idle.L = &ns.mu
	}
	if ns.users == nil {
		ns.users = make(map[any]*users)
	}
	for {
		u := ns.users[id]
		if u == nil {
			u = new(users)
			ns.users[id] = u
		}
		if !u.busy {
			u.busy = true
			return u
		}
		ns.idle.Wait()
	}
}

func (ns *Nodes) leave(id any, u *users, change int) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	u.busy = false
	if u.count += change; u.count == 0 {
		delete(ns.users, id)
	}
	ns.idle.Broadcast()
}

// start starts node unless another link has. A start that has not returned when
// ctx ends has failed.
func (ns *Nodes) start(ctx context.Context, node any) (err error) {
	s, ok := capability[starter](node)
	if !ok {
		if _, ok := capability[shutdowner](node); !ok {
			return nil
		}
	}
	if id, ok := identity(node); ok {
		u := ns.enter(id)
		change := 0
		defer func() { ns.leave(id, u, change) }()
		if u.count > 0 {
			change = 1
			return nil
		}
		defer func() {
			if err == nil {
				change = 1
			}
		}()
	}
	if s == nil {
		return nil
	}
	return apart(ctx.Done(), fmt.Errorf("it has not started in time: %w", context.Cause(ctx)), func() error { return s.Start(ctx) })
}

// shutdown shuts node down unless another link uses it still. One that has not
// returned when late closes is left behind.
func (ns *Nodes) shutdown(ctx context.Context, late <-chan struct{}, node any) error {
	s, ok := capability[shutdowner](node)
	if !ok {
		if _, ok := capability[starter](node); !ok {
			return nil
		}
	}
	if id, ok := identity(node); ok {
		u := ns.enter(id)
		defer ns.leave(id, u, -1)
		if u.count > 1 {
			return nil
		}
	}
	if s == nil {
		return nil
	}
	return apart(late, errAbandoned, func() error { return s.Shutdown(ctx) })
}

// errAbandoned is the cause of what a Shutdown did not wait for any longer.
var errAbandoned = errors.New("abandoned: it was still running when the time to shut down had ended")
