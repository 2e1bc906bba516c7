package testkit

import (
	"context"

	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state"
)

// FaultyProcessor decorates a processor with faults, and counts its calls. The zero
// value is a processor that changes nothing. It is a [record.Holder], of nothing if
// Processor is none, and so has one place in one link.
type FaultyProcessor struct {
	// Processor is what is decorated, or nil for one that changes nothing.
	Processor record.Processor

	// OnProcess strikes before the call gets to Processor. With an error of its it
	// does not get there, but for the records that a [*record.Partial] does not
	// name.
	OnProcess Fault

	// AfterProcess strikes when Processor has returned without an error. The
	// records are returned together with its error.
	AfterProcess Fault

	Counter
}

// Process calls the processor.
func (f *FaultyProcessor) Process(ctx context.Context, records []record.Record) ([]record.Record, error) {
	f.calls.Add(1)
	err := f.OnProcess.strike(ctx, len(records))
	rest, failed := others(records, err)
	if err != nil && failed == nil {
		return nil, err
	}
	out := rest
	if f.Processor != nil {
		var other error
		if out, other = f.Processor.Process(ctx, rest); other != nil && record.AsPartial(other) == nil {
			out = nil
		}
		if err := failed.join(other); err != nil {
			return out, err
		}
	}
	if err != nil {
		return out, err
	}
	return out, f.AfterProcess.strike(ctx, len(records))
}

// Holding returns what the processor says.
func (f *FaultyProcessor) Holding() record.Holding {
	if h, ok := f.Processor.(record.Holder); ok {
		return h.Holding()
	}
	return record.Holding{}
}

// Flush calls the processor's.
func (f *FaultyProcessor) Flush() {
	if h, ok := f.Processor.(record.Holder); ok {
		h.Flush()
	}
}

// Validate calls the processor's.
func (f *FaultyProcessor) Validate() error {
	if v, ok := f.Processor.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// rejected are the records of a call that failed already.
type rejected struct {
	partial *record.Partial
	index   []int // of the others
}

// others returns the records that err does not name: all if it is nil, and none
// but a nil rejected if it is no Partial.
func others(records []record.Record, err error) ([]record.Record, *rejected) {
	if err == nil {
		return records, &rejected{}
	}
	p := record.AsPartial(err)
	if p == nil {
		return nil, nil
	}
	r := &rejected{partial: p}
	var rest []record.Record
	for i := range records {
		if p.Failed[i] == nil {
			rest, r.index = append(rest, records[i]), append(r.index, i)
		}
	}
	return rest, r
}

// join returns the error of the call for all records, of which the others failed
// with err.
func (r *rejected) join(err error) error {
	if err == nil || r.partial == nil {
		return err
	}
	var failures record.Failures
	for i, cause := range r.partial.Failed {
		failures.Add(i, cause)
	}
	p := record.AsPartial(err)
	for at, i := range r.index {
		if p == nil {
			failures.Add(i, err)
		} else {
			failures.Add(i, p.Failed[at])
		}
	}
	return failures.Err()
}

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

var (
	_ record.Holder = (*FaultyProcessor)(nil)
	_ state.Store   = (*FaultyStore)(nil)
)
