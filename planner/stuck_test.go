package planner_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
	"github.com/databay-go/databay/testkit"
)

// A stop with everything stuck takes the timeout and a second at most, and says where
// every record is.
func TestShutdownOfWhatIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer synctest.Wait() // what was left behind ends
		defer close(release)
		cursor := func(name string) inlet.Inlet {
			return inlet.Since(name, func(_ context.Context, after int) ([]int, int, error) {
				return []int{after + 1, after + 2}, after + 2, nil
			})
		}
		every := schedule.Every(time.Second)
		hungInlet, err := link.New(link.Config{
			Name: "hung inlet", Schedule: every,
			Inlets:  []inlet.Inlet{&testkit.FaultyInlet{Inlet: cursor("a"), OnPull: testkit.Hang(release)}},
			Outlets: []outlet.Outlet{new(testkit.Sink)},
		})
		require.NoError(t, err)
		stuck, err := link.New(link.Config{
			Name: "stuck lanes", Schedule: every,
			Inlets: []inlet.Inlet{cursor("b"), inlet.Each(func(context.Context) (int, error) { return 0, nil })},
			Lanes: []link.Lane{
				{Name: "hung", Outlet: &testkit.FaultyOutlet{Outlet: new(testkit.Sink), OnPush: testkit.Hang(release)}},
				{Name: "full", Outlet: outlet.Of(func(context.Context, []int) error { return errors.New("503") }), Pending: 7},
				{Name: "holding", Outlet: new(testkit.Sink), Processors: []record.Processor{buffer.New(&buffer.Options{Count: 1000})}},
			},
		})
		require.NoError(t, err)
		p, err := planner.New(&planner.Options{ShutdownTimeout: 5 * time.Second}, hungInlet, stuck)
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context()))
		time.Sleep(10500 * time.Millisecond)

		began := time.Now()
		_, err = p.Shutdown(context.Background())
		assert.LessOrEqual(t, time.Since(began), 6*time.Second)
		require.ErrorContains(t, err, "hung")

		for _, l := range []*link.Link{hungInlet, stuck} {
			require.NoError(t, l.Account().Balance(), "%v", l.Account())
		}
		account := stuck.Account()
		assert.EqualValues(t, 9, account.Pulled, "until a lane was full")
		for i, want := range []struct{ delivered, abandoned, lost int64 }{{0, 9, 3}, {0, 9, 3}, {9, 0, 0}} {
			lane := account.Lanes[i]
			assert.Equal(t, want.delivered, lane.Delivered, lane.Name)
			assert.Equal(t, want.abandoned, lane.Abandoned, lane.Name)
			assert.Equal(t, want.lost, lane.Lost, "%s: of the inlet without a position", lane.Name)
			assert.Zero(t, lane.Pending+lane.Held, lane.Name)
		}
	})
}

// An outlet that begins to hang while another one is busy stops nothing, once that one
// is idle again.
func TestOutletThatHangsBesideABusyOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer synctest.Wait()
		defer close(release)
		pushes := 0
		hangs := outlet.Func(func(context.Context, []record.Record, record.Update) error {
			if pushes++; pushes > 1 {
				<-release
			}
			return nil
		})
		slow := &testkit.FaultyOutlet{Outlet: new(testkit.Sink), OnPush: testkit.Slow(1500 * time.Millisecond)}
		l, err := link.New(link.Config{
			Schedule: schedule.Every(time.Second),
			Inlets:   []inlet.Inlet{inlet.RandomInt(0, 9)},
			Lanes:    []link.Lane{{Name: "hangs", Outlet: hangs}, {Name: "slow", Outlet: slow}},
		})
		require.NoError(t, err)
		p, err := planner.New(&planner.Options{ShutdownTimeout: time.Second}, l)
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context()))
		time.Sleep(20500 * time.Millisecond)
		assert.GreaterOrEqual(t, l.Account().Lanes[1].Delivered, int64(9), "%v", l.Account())
		_, err = p.Shutdown(context.Background())
		require.ErrorContains(t, err, "hangs")
	})
}

// Links whose lanes all pause between two tries hold no place.
func TestPausesHoldNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := func() outlet.Outlet {
			return outlet.Func(func(context.Context, []record.Record, record.Update) error { return errors.New("503") })
		}
		retry := link.Retry{Tries: -1, Within: -1, Backoff: 20 * time.Second, MaxBackoff: -1, Jitter: -1}
		failing, err := link.New(link.Config{
			Name: "failing", Schedule: schedule.Every(time.Hour),
			Inlets: []inlet.Inlet{inlet.Values(1)},
			Lanes:  []link.Lane{{Outlet: outlet.Named("a", down()), Retry: retry}, {Outlet: outlet.Named("b", down()), Retry: retry}},
		})
		require.NoError(t, err)
		sink := new(testkit.Sink)
		other, err := link.New(link.Config{
			Name: "other", Schedule: schedule.Every(time.Second), SkipImmediate: true,
			Inlets: []inlet.Inlet{inlet.RandomInt(0, 9)}, Outlets: []outlet.Outlet{sink},
		})
		require.NoError(t, err)
		p, err := planner.New(&planner.Options{Concurrency: 1, ShutdownTimeout: time.Second, OnError: func(context.Context, *link.Error) error { return nil }}, failing, other)
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context()))
		time.Sleep(10500 * time.Millisecond)
		assert.Len(t, sink.Payloads(), 10)
		_, err = p.Shutdown(context.Background())
		require.NoError(t, err)
	})
}
