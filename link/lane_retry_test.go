package link_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// times returns when the offers were made, after start.
func (o *taker) times(start time.Time) (at []time.Duration) {
	for _, f := range o.all() {
		at = append(at, f.at.Sub(start))
	}
	return at
}

func seconds(all ...float64) []time.Duration {
	at := []time.Duration{}
	for _, s := range all {
		at = append(at, time.Duration(s*float64(time.Second)))
	}
	return at
}

// even is a Retry without jitter.
var even = link.Retry{Jitter: -1}

func TestLaneRetry(t *testing.T) {
	t.Parallel()
	permanent, gone := record.Permanent(errDown), errors.New("gone")
	partly := func(failed ...error) error {
		var f record.Failures
		for i, err := range failed {
			f.Add(i, err)
		}
		return f.Err()
	}
	answers := func(all ...error) func(context.Context, int, []record.Record) error {
		return func(_ context.Context, n int, _ []record.Record) error {
			if n > len(all) {
				return nil
			}
			return all[n-1]
		}
	}
	tests := map[string]struct {
		retry  link.Retry
		script func(context.Context, int, []record.Record) error
		next   time.Duration // 0: none
		offers []time.Duration
		kept   int64
	}{
		"accepted at once":       {even, answers(), 0, seconds(0), 0},
		"accepted in the end":    {even, answers(errDown, errDown), 0, seconds(0, 1, 3), 0},
		"never":                  {even, answers(errDown, errDown, errDown), 0, seconds(0, 1, 3), 3},
		"one try":                {link.Retry{Tries: 1}, answers(errDown), 0, seconds(0), 3},
		"without a pause":        {link.Retry{Backoff: -1}, answers(errDown, errDown), 0, seconds(0, 0, 0), 0},
		"for good":               {even, answers(permanent), 0, seconds(0), 3},
		"for good, at last":      {even, answers(errDown, permanent), 0, seconds(0, 1), 3},
		"some for good":          {even, answers(partly(permanent, errDown)), 0, seconds(0), 2},
		"progress renews it":     {even, answers(errDown, errDown, partly(gone, gone), errDown, errDown), 0, seconds(0, 1, 3, 4, 6), 2},
		"progress, and an end":   {even, answers(errDown, partly(gone, gone), partly(gone), errDown, errDown, errDown), 0, seconds(0, 1, 2, 3, 5), 1},
		"until the next due":     {even, answers(errDown, errDown), 3 * time.Second, seconds(0, 1), 3},
		"before the next due":    {even, answers(errDown, errDown), 3*time.Second + 1, seconds(0, 1, 3), 0},
		"within":                 {link.Retry{Tries: -1, Within: 8 * time.Second, Jitter: -1}, answers(errDown, errDown, errDown, errDown), 0, seconds(0, 1, 3, 7), 3},
		"a longer pause":         {even, answers(record.RetryAfter(5*time.Second, errDown)), 0, seconds(0, 5), 0},
		"a pause that is longer": {even, answers(record.RetryAfter(time.Minute, errDown)), 0, seconds(0), 3},
		"a panic":                {even, func(context.Context, int, []record.Record) error { panic(errDown) }, 0, seconds(0), 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				out := &taker{name: "out", script: tt.script}
				var failures []*link.Error
				l := started(t, link.Config{
					Inlets: inlets(counting("n", 3, 3)), Lanes: []link.Lane{{Outlet: out, Retry: tt.retry}},
					OnError: func(_ context.Context, err *link.Error) error { failures = append(failures, err); return nil },
				})
				start := time.Now()
				tick := link.Tick{}
				if tt.next > 0 {
					tick.Next = start.Add(tt.next)
				}
				r, err := l.Transfer(t.Context(), tick)
				require.NoError(t, err)
				assert.Equal(t, tt.offers, out.times(start))
				assert.Equal(t, tt.kept, r.Lanes[0].Pending)
				assert.Equal(t, 3-tt.kept, r.Lanes[0].Delivered)
				if tt.kept == 0 {
					assert.Equal(t, link.Ran, r.Outcome, "what a retry has mended is no failure")
					assert.Empty(t, failures)
				} else {
					assert.Equal(t, link.Failed, r.Outcome)
					require.Len(t, failures, 1, "it is told once")
					assert.Equal(t, tt.kept, int64(failures[0].Records))
					assert.True(t, failures[0].Kept)
				}
				for i, o := range out.all() {
					assert.EqualValues(t, i+1, o.update.Attempt)
				}
			})
		})
	}
}

// A queue that was left after a failure is offered once a transfer, until something
// of it is accepted. Then there are retries again.
func TestLaneParked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		accept := 0
		out := &taker{name: "out", script: func(context.Context, int, []record.Record) error {
			if accept--; accept >= 0 {
				return nil
			}
			return errDown
		}}
		l := started(t, link.Config{Inlets: inlets(counting("n", 1, 99)), Lanes: []link.Lane{{Outlet: out, Retry: even}}})
		offers := func() int {
			before := len(out.all())
			transfer(t, l)
			return len(out.all()) - before
		}
		assert.Equal(t, 3, offers())
		assert.True(t, l.LaneStats()[0].Parked)
		assert.Equal(t, 1, offers())
		assert.Equal(t, 1, offers())
		accept = 1
		assert.Equal(t, 1+3, offers(), "one is accepted, the next one is tried")
		assert.Equal(t, 1, offers())
		accept = 99
		assert.Equal(t, 5, offers())
		assert.False(t, l.LaneStats()[0].Parked)
		assert.Equal(t, values(1, 6), out.accepted())
	})
}

// With a Gap a parked queue is left alone for a while, and the lane is idle.
func TestLaneGap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &taker{name: "out", script: failing(3, errDown)}
		l := started(t, link.Config{Inlets: inlets(counting("n", 1, 99)), Lanes: []link.Lane{{Outlet: out, Retry: link.Retry{Tries: 1, Gap: 3 * time.Second}}}})
		start := time.Now()
		for range 10 {
			transfer(t, l)
			assert.True(t, l.Ready())
			time.Sleep(time.Second)
		}
		at := out.times(start)
		assert.Equal(t, seconds(0, 3, 6, 9), at[:4])
		assert.Equal(t, values(1, 10), out.accepted())
	})
}

// While a lane pauses it is busy, no goroutine waits, and the others go on.
func TestLanePauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out, other := &taker{name: "out", script: failing(2, errDown)}, &taker{name: "other"}
		l := started(t, link.Config{Inlets: inlets(counting("n", 1, 99)), Lanes: []link.Lane{{Outlet: out, Retry: even}, {Outlet: other}}})
		start := time.Now()
		first := l.Begin(link.Tick{})
		synctest.Wait()
		assert.Zero(t, time.Since(start), "the goroutine of the transfer does not pause")
		assert.Equal(t, link.Running, first.Outcome())
		assert.Empty(t, l.Busy(), "nothing is called")
		stats := l.LaneStats()
		assert.True(t, stats[0].Working)
		assert.False(t, stats[1].Working)
		assert.True(t, l.Ready(), "the other one is idle")
		time.Sleep(500 * time.Millisecond)
		l.Begin(link.Tick{})
		synctest.Wait()
		assert.Equal(t, list(1, 2), other.accepted())
		assert.Equal(t, time.Second, l.LaneStats()[0].Age(start.Add(time.Second)))
		time.Sleep(3 * time.Second)
		assert.Equal(t, seconds(0, 1, 3, 3), out.times(start))
		assert.Equal(t, list(1, 2), out.accepted())
		assert.Equal(t, link.Ran, first.Outcome(), "its report is made when the next transfer is handed over")
		assert.Zero(t, l.LaneStats()[0].Age(time.Now()))

		only := started(t, link.Config{Inlets: inlets(counting("n", 1, 99)), Lanes: []link.Lane{{Outlet: &taker{script: failing(1, errDown)}, Retry: even}}})
		only.Begin(link.Tick{})
		assert.False(t, only.Ready(), "a pause is no idleness")
		time.Sleep(time.Second)
		synctest.Wait()
		assert.True(t, only.Ready())
	})
}

// A Shutdown does not wait for a pause: it offers at once, and once more at its end.
func TestShutdownDuringPause(t *testing.T) {
	t.Parallel()
	for accepts, want := range map[int]int64{2: 0, 3: 0, 4: 1} {
		synctest.Test(t, func(t *testing.T) {
			out := &taker{name: "out", script: failing(accepts-1, errDown)}
			l := started(t, link.Config{Inlets: inlets(counting("n", 1, 1)), Lanes: []link.Lane{{Outlet: out, Retry: link.Retry{Backoff: time.Hour, MaxBackoff: -1, Within: -1}}}})
			l.Begin(link.Tick{})
			start := time.Now()
			r, _ := shut(t, l)
			assert.Zero(t, time.Since(start))
			assert.Equal(t, want, r.Lanes[0].Abandoned, accepts)
			assert.Empty(t, l.Busy())
		})
	}
}

// Removing an outlet waits for its tries, and leaves nothing behind when its time ends
// during a pause.
func TestRemoveOutletDuringPause(t *testing.T) {
	t.Parallel()
	for name, refusals := range map[string]int{"accepted": 1, "refused": 99} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				out := &taker{name: "out", script: failing(refusals, errDown)}
				l := started(t, link.Config{
					Inlets:          inlets(counting("n", 2, 2)),
					Lanes:           []link.Lane{{Outlet: out, Retry: link.Retry{Backoff: 10 * time.Second, Jitter: -1, Tries: 9}}, {Outlet: &taker{name: "other"}}},
					ShutdownTimeout: 15 * time.Second,
				})
				l.Begin(link.Tick{})
				start := time.Now()
				err := l.RemoveOutlets(t.Context(), out)
				if refusals == 1 {
					require.NoError(t, err)
					assert.Equal(t, 10*time.Second, time.Since(start))
					return
				}
				require.EqualError(t, err, `link "link": remove outlet out: 2 records dropped`)
				assert.Equal(t, 15*time.Second, time.Since(start))
				assert.Empty(t, l.Busy())
				require.NoError(t, l.AddOutlets(t.Context(), out), "no call was left behind")
			})
		})
	}
}
