package planner

import (
	"context"
	"sync"
)

// tasks are short goroutines that belong to a planner.
type tasks struct {
	mu    sync.Mutex
	count int
	none  chan struct{} // while somebody waits: closed when there is none
}

// spawn calls f in a goroutine.
func (ts *tasks) spawn(f func()) {
	ts.mu.Lock()
	ts.count++
	ts.mu.Unlock()
	go func() {
		defer func() {
			ts.mu.Lock()
			defer ts.mu.Unlock()
			if ts.count--; ts.count == 0 && ts.none != nil {
				close(ts.none)
				ts.none = nil
			}
		}()
		f()
	}()
}

// wait waits until there is none, or ctx ends.
func (ts *tasks) wait(ctx context.Context) bool {
	ts.mu.Lock()
	if ts.count == 0 {
		ts.mu.Unlock()
		return true
	}
	if ts.none == nil {
		ts.none = make(chan struct{})
	}
	none := ts.none
	ts.mu.Unlock()
	select {
	case <-none:
		return true
	case <-ctx.Done():
		return false
	}
}
