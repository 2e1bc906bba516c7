package testkit

import (
	"context"

	"github.com/databay-go/databay/state"
)

// FaultyStore decorates a store with faults. The zero value has a store in memory.
type FaultyStore struct {
	// Store is what is decorated, or nil for a [state.Memory] of its own.
	Store state.Store

	// OnGet and OnPut strike before the call gets to Store. With an error of
	// theirs it does not get there.
	OnGet, OnPut Fault

	// AfterPut strikes when Store has written: the answer gets lost.
	AfterPut Fault

	memory state.Memory
}

func (f *FaultyStore) store() state.Store {
	if f.Store != nil {
		return f.Store
	}
	return &f.memory
}

// Get reads from the store.
func (f *FaultyStore) Get(ctx context.Context, key string) (value []byte, rev int64, err error) {
	if err := f.OnGet.strike(ctx, 0); err != nil {
		return nil, 0, err
	}
	return f.store().Get(ctx, key)
}

// Put writes to the store.
func (f *FaultyStore) Put(ctx context.Context, key string, value []byte, rev int64) (int64, error) {
	if err := f.OnPut.strike(ctx, 0); err != nil {
		return 0, err
	}
	rev, err := f.store().Put(ctx, key, value, rev)
	if err == nil {
		err = f.AfterPut.strike(ctx, 0)
	}
	if err != nil {
		return 0, err
	}
	return rev, nil
}

// Unwrap returns the store that is decorated.
func (f *FaultyStore) Unwrap() state.Store { return f.store() }

var _ state.Store = (*FaultyStore)(nil)
