package testkit

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/databay-go/databay/record"
)

// Fault is what goes wrong with a call. It is given the context of the call and
// the number of records that were given with it, or that a pull returned. If it
// returns nil nothing goes wrong, or no more than that time has passed.
//
// Faults count their calls by themselves: give each place one of its own.
type Fault func(ctx context.Context, records int) error

// Fail returns a fault that fails with err.
func Fail(err error) Fault {
	return func(context.Context, int) error { return err }
}

// Panic returns a fault that panics with v.
func Panic(v any) Fault {
	return func(context.Context, int) error { panic(v) }
}

// Exit returns a fault that calls [runtime.Goexit], as t.FailNow does.
func Exit() Fault {
	return func(context.Context, int) error {
		runtime.Goexit()
		return nil
	}
}

// Block returns a fault that waits until the context ends, and fails with its
// cause.
func Block() Fault {
	return func(ctx context.Context, _ int) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}
}

// Hang returns a fault that heeds no context: it waits until release is closed,
// for ever if that is nil. Then nothing goes wrong.
func Hang(release <-chan struct{}) Fault {
	return func(context.Context, int) error {
		<-release
		return nil
	}
}

// Slow returns a fault that takes d. If the context ends before, it fails with its
// cause.
func Slow(d time.Duration) Fault {
	return func(ctx context.Context, _ int) error {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Reject returns a fault that fails with a [*record.Partial] of the given indices,
// so far as there are such records, each because of cause. The rest is not
// affected: a [FaultyOutlet] and a [FaultyProcessor] hand it on. Without indices it
// rejects the first half, at least one.
func Reject(cause error, indices ...int) Fault {
	return func(_ context.Context, records int) error {
		var failures record.Failures
		if len(indices) == 0 {
			for i := range (records + 1) / 2 {
				failures.Add(i, cause)
			}
		}
		for _, i := range indices {
			if i >= 0 && i < records {
				failures.Add(i, cause)
			}
		}
		return failures.Err()
	}
}

// Flaky returns a fault that is f for the first n calls. An n below 1 is never.
func Flaky(n int, f Fault) Fault {
	var calls atomic.Int64
	return func(ctx context.Context, records int) error {
		if calls.Add(1) > int64(n) {
			return nil
		}
		return f(ctx, records)
	}
}

// Every returns a fault that is f for every nth call: the nth, the 2nth, and so
// on. It panics if n is below 1.
func Every(n int, f Fault) Fault {
	if n < 1 {
		panic(fmt.Sprintf("testkit.Every: n is %d, want at least 1", n))
	}
	var calls atomic.Int64
	return func(ctx context.Context, records int) error {
		if calls.Add(1)%int64(n) != 0 {
			return nil
		}
		return f(ctx, records)
	}
}

// strike calls f, if there is one.
func (f Fault) strike(ctx context.Context, records int) error {
	if f == nil {
		return nil
	}
	return f(ctx, records)
}
