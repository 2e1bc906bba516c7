package planner_test

import (
	"context"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
)

// readBefore returns the moment now as it would have been read before the wall clock was
// set forward by d, or the machine was suspended for so long.
func readBefore(t *testing.T, now time.Time, d time.Duration) time.Time {
	t.Helper()
	then := now.Add(-d)
	(*[2]int64)(unsafe.Pointer(&then))[1] += int64(d) // the monotonic reading
	require.Zero(t, then.Sub(now))
	require.Equal(t, -d, then.Round(0).Sub(now.Round(0)))
	return then
}

func TestOnTheClock(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct{ moved, want time.Duration }{
		"as it was":       {0, 0},
		"forward":         {8 * time.Hour, 8 * time.Hour},
		"back":            {-8 * time.Hour, -8 * time.Hour},
		"a second":        {time.Second, time.Second},
		"hardly":          {time.Second - 1, 0},
		"back, hardly":    {1 - time.Second, 0},
		"a little longer": {time.Minute + 1, time.Minute + 1},
	} {
		t.Run(name, func(t *testing.T) {
			for _, away := range []time.Duration{0, time.Minute, -time.Hour} {
				due := readBefore(t, now, test.moved).Add(away)
				got := planner.OnTheClock(due, now)
				assert.Equal(t, test.want, got.Round(0).Sub(due.Round(0)))
			}
		})
	}
	for _, away := range []time.Duration{0, time.Hour, -time.Hour} {
		due := now.Round(0).Add(away)
		assert.Equal(t, due, planner.OnTheClock(due, now), "an instant of the wall clock is what it is")
	}
}

// After the machine was suspended and a forced transfer was made, instants are not in the
// past that this has covered, and the windows of inlets do not lag behind.
func TestDueAfterTheClockWasSet(t *testing.T) {
	began := time.Now()
	every := schedule.Every(time.Millisecond).(schedule.Binder).Bind("", readBefore(t, began, 8*time.Hour))
	dues := make(chan time.Time)
	l, err := link.New(link.Config{
		Name: "one",
		Inlets: []inlet.Inlet{inlet.Func(func(ctx context.Context, u record.Update) ([]record.Record, error) {
			if u.Reason == record.Scheduled {
				select {
				case dues <- u.Due:
				case <-ctx.Done():
				}
			}
			return nil, nil
		})},
		Outlets:       []outlet.Outlet{outlet.Discard()},
		Schedule:      atFunc(every.Next),
		SkipImmediate: true,
	})
	require.NoError(t, err)
	p, err := planner.New(nil, l)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context()))
	forced := make(chan error, 1)
	go func() {
		_, err := p.Force(t.Context())
		forced <- err
	}()
	for done := false; !done; {
		select {
		case <-dues:
		case err := <-forced:
			require.NoError(t, err)
			done = true
		}
	}
	for range 3 {
		select {
		case due := <-dues:
			assert.WithinRange(t, due, began, time.Now())
		case <-time.After(time.Minute):
			require.Fail(t, "nothing comes after a forced transfer")
		}
	}
	end, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.Shutdown(end)
	require.NoError(t, err)
}
