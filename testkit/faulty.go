package testkit

import (
	"context"
	"sync/atomic"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// Counter counts the calls of a node.
type Counter struct {
	starts, shutdowns, calls atomic.Int64
}

// Starts returns how often the node was started, failed starts included.
func (c *Counter) Starts() int { return int(c.starts.Load()) }

// Shutdowns returns how often the node was shut down.
func (c *Counter) Shutdowns() int { return int(c.shutdowns.Load()) }

// Calls returns how often Pull, Push or Process was called.
func (c *Counter) Calls() int { return int(c.calls.Load()) }

// nothing is what a faulty node stands around that decorates none: an inlet that
// yields nothing, an outlet that accepts everything, a processor that changes
// nothing.
type nothing struct{}

func (nothing) Pull(context.Context, record.Update) ([]record.Record, error) { return nil, nil }

func (nothing) Push(context.Context, []record.Record, record.Update) error { return nil }

func (nothing) ReadOnly() bool { return true }

func (nothing) Process(_ context.Context, records []record.Record) ([]record.Record, error) {
	return records, nil
}

// FaultyInlet decorates an inlet with faults, and counts its calls. The zero value
// is an inlet that yields nothing.
type FaultyInlet struct {
	// Inlet is what is decorated, or nil for an inlet that yields nothing.
	Inlet inlet.Inlet

	// Name is the name, or "" for that of Inlet.
	Name string

	// OnStart, OnPull and OnShutdown strike before the call gets to Inlet. With an
	// error of theirs it does not get there.
	OnStart, OnPull, OnShutdown Fault

	// AfterPull strikes when Inlet has returned without an error. The records are
	// returned together with its error.
	AfterPull Fault

	Counter
}

// Pull pulls from the inlet.
func (f *FaultyInlet) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	f.calls.Add(1)
	if err := f.OnPull.strike(ctx, 0); err != nil {
		return nil, err
	}
	records, err := f.Unwrap().Pull(ctx, u)
	if err != nil {
		return records, err
	}
	return records, f.AfterPull.strike(ctx, len(records))
}

// Start starts the inlet.
func (f *FaultyInlet) Start(ctx context.Context) error {
	f.starts.Add(1)
	if err := f.OnStart.strike(ctx, 0); err != nil {
		return err
	}
	if s, ok := inlet.As[inlet.Starter](f.Inlet); ok {
		return s.Start(ctx)
	}
	return nil
}

// Shutdown shuts the inlet down.
func (f *FaultyInlet) Shutdown(ctx context.Context) error {
	f.shutdowns.Add(1)
	if err := f.OnShutdown.strike(ctx, 0); err != nil {
		return err
	}
	if s, ok := inlet.As[inlet.Shutdowner](f.Inlet); ok {
		return s.Shutdown(ctx)
	}
	return nil
}

// String returns the name.
func (f *FaultyInlet) String() string {
	switch {
	case f.Name != "":
		return f.Name
	case f.Inlet != nil:
		return inlet.Name(f.Inlet)
	}
	return "testkit.FaultyInlet"
}

// Unwrap returns the inlet that is decorated, or one that yields nothing.
func (f *FaultyInlet) Unwrap() inlet.Inlet {
	if f.Inlet == nil {
		return nothing{}
	}
	return f.Inlet
}

// FaultyOutlet decorates an outlet with faults, and counts its calls. The zero
// value is an outlet that accepts everything.
type FaultyOutlet struct {
	// Outlet is what is decorated, or nil for an outlet that accepts everything.
	Outlet outlet.Outlet

	// Name is the name, or "" for that of Outlet.
	Name string

	// OnStart, OnPush and OnShutdown strike before the call gets to Outlet. With
	// an error of theirs it does not get there, but for the records that a
	// [*record.Partial] of OnPush does not name.
	OnStart, OnPush, OnShutdown Fault

	// AfterPush strikes when Outlet has accepted everything: an answer that gets
	// lost, for instance.
	AfterPush Fault

	Counter
}

// Push pushes to the outlet.
func (f *FaultyOutlet) Push(ctx context.Context, records []record.Record, u record.Update) error {
	f.calls.Add(1)
	err := f.OnPush.strike(ctx, len(records))
	rest, failed := others(records, err)
	if err != nil && failed == nil {
		return err
	}
	if len(rest) > 0 || len(records) == 0 {
		if err := failed.join(f.Unwrap().Push(ctx, rest, u)); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return f.AfterPush.strike(ctx, len(records))
}

// Start starts the outlet.
func (f *FaultyOutlet) Start(ctx context.Context) error {
	f.starts.Add(1)
	if err := f.OnStart.strike(ctx, 0); err != nil {
		return err
	}
	if s, ok := outlet.As[outlet.Starter](f.Outlet); ok {
		return s.Start(ctx)
	}
	return nil
}

// Shutdown shuts the outlet down.
func (f *FaultyOutlet) Shutdown(ctx context.Context) error {
	f.shutdowns.Add(1)
	if err := f.OnShutdown.strike(ctx, 0); err != nil {
		return err
	}
	if s, ok := outlet.As[outlet.Shutdowner](f.Outlet); ok {
		return s.Shutdown(ctx)
	}
	return nil
}

// ReadOnly returns what the outlet says, and true if there is none.
func (f *FaultyOutlet) ReadOnly() bool {
	r, ok := f.Unwrap().(outlet.Reader)
	return ok && r.ReadOnly()
}

// String returns the name.
func (f *FaultyOutlet) String() string {
	switch {
	case f.Name != "":
		return f.Name
	case f.Outlet != nil:
		return outlet.Name(f.Outlet)
	}
	return "testkit.FaultyOutlet"
}

// Unwrap returns the outlet that is decorated, or one that accepts everything.
func (f *FaultyOutlet) Unwrap() outlet.Outlet {
	if f.Outlet == nil {
		return nothing{}
	}
	return f.Outlet
}

var (
	_ inlet.Shutdowner  = (*FaultyInlet)(nil)
	_ outlet.Shutdowner = (*FaultyOutlet)(nil)
	_ outlet.Reader     = (*FaultyOutlet)(nil)
)
