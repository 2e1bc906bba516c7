package testkit

import (
	"context"

	"github.com/databay-go/databay/record"
)

// FaultyProcessor decorates a processor with faults, and counts its calls. The zero
// value is a processor that changes nothing.
type FaultyProcessor struct {
	// Processor is what is decorated, or nil for one that changes nothing.
	Processor record.Processor

	// Name is the name, or "" for that of Processor.
	Name string

	// OnStart, OnProcess and OnShutdown strike before the call gets to Processor.
	// With an error of theirs it does not get there, but for the records that a
	// [*record.Partial] of OnProcess does not name.
	OnStart, OnProcess, OnShutdown Fault

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
	out, other := f.Unwrap().Process(ctx, rest)
	if other != nil && record.AsPartial(other) == nil {
		out = nil
	}
	if err := failed.join(other); err != nil {
		return out, err
	}
	if err != nil {
		return out, err
	}
	return out, f.AfterProcess.strike(ctx, len(records))
}

// Start starts the processor.
func (f *FaultyProcessor) Start(ctx context.Context) error {
	f.starts.Add(1)
	if err := f.OnStart.strike(ctx, 0); err != nil {
		return err
	}
	if s, ok := processorAs[starter](f.Processor); ok {
		return s.Start(ctx)
	}
	return nil
}

// Shutdown shuts the processor down.
func (f *FaultyProcessor) Shutdown(ctx context.Context) error {
	f.shutdowns.Add(1)
	if err := f.OnShutdown.strike(ctx, 0); err != nil {
		return err
	}
	if s, ok := processorAs[shutdowner](f.Processor); ok {
		return s.Shutdown(ctx)
	}
	return nil
}

// String returns the name.
func (f *FaultyProcessor) String() string {
	switch {
	case f.Name != "":
		return f.Name
	case f.Processor != nil:
		return processorName(f.Processor)
	}
	return "testkit.FaultyProcessor"
}

// Unwrap returns the processor that is decorated, or one that changes nothing.
func (f *FaultyProcessor) Unwrap() record.Processor {
	if f.Processor == nil {
		return nothing{}
	}
	return f.Processor
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

var _ record.Processor = (*FaultyProcessor)(nil)
