package link

import (
	"context"
	"errors"
	"sync"

	"github.com/databay-go/databay/inlet"
)

// checker is a node of any kind, or a store, that is what inlets and outlets call a
// Checker.
type checker = inlet.Checker

// Check asks all nodes and the store that have a Check method, see [inlet.Checker] and
// [outlet.Checker], all side by side, whether they reach what they are there for; a store that has none is read. Nothing is
// started or moved. It may be called at any time. The error joins all failures, each an
// [*Error]. Calls that do not return soon after ctx has ended are left behind.
func (l *Link) Check(ctx context.Context) error {
	l.mu.Lock()
	nodes := l.allNodes()
	j := l.journal
	l.mu.Unlock()
	type call struct {
		name  string
		check func(context.Context) error
	}
	var calls []call
	for _, node := range nodes {
		if c, ok := capability[checker](node); ok {
			calls = append(calls, call{nameOf(node), c.Check})
		}
	}
	if j != nil {
		check := func(ctx context.Context) error {
			_, _, err := j.store.Get(ctx, j.key)
			return err
		}
		if c, ok := j.store.(checker); ok {
			check = c.Check
		}
		calls = append(calls, call{"store", check})
	}
	failures := make([]error, len(calls))
	var all sync.WaitGroup
	for i, c := range calls {
		all.Go(func() {
			if err := l.try(ctx, c.name, func() error { return c.check(ctx) }); err != nil {
				failures[i] = &Error{Op: OpCheck, Link: l.name, Node: c.name, Number: -1, Err: err}
			}
		})
	}
	all.Wait()
	return errors.Join(failures...)
}
