package link_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// checked are nodes with a Check.
type checkedInlet struct {
	inlet.Inlet
	check func(context.Context) error
}

func (c *checkedInlet) Check(ctx context.Context) error { return c.check(ctx) }

type checkedOutlet struct {
	outlet.Outlet
	check func(context.Context) error
}

func (c *checkedOutlet) Check(ctx context.Context) error { return c.check(ctx) }

// Every node is asked, all failures come at once, and nothing is moved.
func TestCheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fails := func(text string) func(context.Context) error {
			return func(context.Context) error { time.Sleep(time.Second); return errors.New(text) }
		}
		in, out, dead := &feed{name: "in"}, &taker{name: "out"}, &taker{name: "dead"}
		store := &vault{get: func(int, func() ([]byte, int64, error)) ([]byte, int64, error) { return nil, 0, errors.New("no store") }}
		l, err := link.New(link.Config{
			Name: "l", State: store,
			Inlets:     inlets(inlet.Named("in", &checkedInlet{in, fails("no source")}), &feed{name: "other"}),
			Outlets:    outlets(&checkedOutlet{out, fails("no sink")}, &checkedOutlet{outlet.Named("panics", outlet.Discard()), func(context.Context) error { panic("boom") }}),
			DeadLetter: &checkedOutlet{dead, fails("no letters")},
		})
		require.NoError(t, err)
		start := time.Now()
		err = l.Check(t.Context())
		assert.Equal(t, time.Second, time.Since(start), "side by side")
		assert.EqualError(t, err, "link l: check *link_test.checkedOutlet: no letters\n"+
			"link l: check *link_test.checkedOutlet: no sink\nlink l: check *link_test.checkedOutlet: panic: boom\n"+
			"link l: check in: no source\nlink l: check store: no store")
		assert.Empty(t, in.all())
		assert.Empty(t, out.all())
		assert.Empty(t, store.puts)
	})
}

// A Check that hangs is left behind when its context ends.
func TestCheckHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		l, err := link.New(link.Config{Inlets: inlets(&feed{name: "in"}), Outlets: outlets(&checkedOutlet{outlet.Discard(), func(context.Context) error { <-release; return nil }})})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = l.Check(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.NotEmpty(t, l.Busy())
		close(release)
	})
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var store vault
		out, alarm := &taker{name: "out"}, &taker{name: "alarm"}
		broker := &broker{feed: feed{name: "broker"}}
		broker.script = func(_ context.Context, n int) ([]record.Record, error) { return of(100 * n), nil }
		window := feeding("window", list(1000), list(2000))
		l, err := link.New(link.Config{
			Name: "l", State: &store, Inlets: inlets(counting("n", 2, 9), broker, window),
			Processors: []record.Processor{record.Map(func(n int) (int, error) {
				if n == 2 {
					return 0, errDown
				}
				return -n, nil
			})},
			Groupers: []record.Grouper{record.Chunk(2)},
			Lanes: []link.Lane{
				{Outlet: out, Retry: link.Retry{Tries: 1}},
				{Outlet: alarm, Processors: []record.Processor{record.Filter(func(n int) bool { return n < -50 })}},
			},
		})
		require.NoError(t, err)
		for run := range 2 {
			p, err := l.DryRun(t.Context())
			require.EqualError(t, err, "link l: process map(int): 1 failed: record 1: 503")
			assert.Equal(t, "l", p.Link)
			want := [][]any{list(1, 2), list(100 * (run + 1)), list(1000), list(1000, 2000)}
			assert.Equal(t, want[0], payloads(p.Inlets[0].Records))
			assert.Equal(t, want[1], payloads(p.Inlets[1].Records))
			assert.Equal(t, want[2+run], payloads(p.Inlets[2].Records), "what is kept is there the next time too")
			assert.Equal(t, []bool{false, false, true}, []bool{p.Inlets[0].Kept, p.Inlets[1].Kept, p.Inlets[2].Kept})
			assert.Equal(t, list(-1, -100*(run+1)), payloads(p.Lanes[0].Batches[0]))
			assert.Equal(t, list(-100*(run+1)), payloads(p.Lanes[1].Batches[0]))
			time.Sleep(time.Minute)
		}
		assert.Empty(t, out.all())
		assert.Empty(t, store.puts)
		assert.Empty(t, broker.committed)
		assert.Equal(t, link.Account{Lanes: []link.LaneAccount{{Name: "out"}, {Name: "alarm"}}}, l.Account())

		require.NoError(t, l.Start(t.Context()))
		transfer(t, l)
		shut(t, l)
		assert.ElementsMatch(t, list(-1, -300, -1000, -2000), out.accepted(), "the sample is the first that is delivered")
		updates := window.all()
		assert.Equal(t, updates[1].Due, updates[2].From, "no window is read twice, or left out")
		assert.Equal(t, int64(5), l.Account().Pulled)
	})
}

// Processors that hold records are not called.
func TestDryRunHolds(t *testing.T) {
	t.Parallel()
	k := &keeper{name: "buffer", size: 2}
	l, err := link.New(link.Config{
		Inlets:  inlets(counting("n", 3, 9)),
		Outlets: outlets(&taker{name: "out"}), Processors: []record.Processor{record.Filter(func(n int) bool { return n > 1 }), k},
	})
	require.NoError(t, err)
	p, err := l.DryRun(t.Context())
	require.NoError(t, err)
	assert.Zero(t, k.calls)
	assert.Equal(t, []string{"buffer"}, p.Holding)
	assert.Equal(t, 2, p.Held)
	assert.Equal(t, "inlet n: 3 records\n  1\n  2\n  3\nprocessor buffer: holds records\nlane out: 0 records in 0 batches\n", p.String())
}

// Nothing is left over by a dry run that fails.
func TestDryRunFails(t *testing.T) {
	t.Parallel()
	d := new(diary)
	pulls := 0
	l, err := link.New(link.Config{
		Name: "l",
		Inlets: inlets(&pump{life: life{name: "in", diary: d}, onPull: func(context.Context, record.Update) ([]record.Record, error) {
			if pulls++; pulls == 1 {
				panic("boom")
			}
			return of(1), nil
		}}),
		Outlets: outlets(&tank{life: life{name: "tank", diary: d}}),
	})
	require.NoError(t, err)
	_, err = l.DryRun(t.Context())
	require.EqualError(t, err, "link l: pull in: panic: boom")
	assert.Equal(t, []string{"start in", "pull in", "shutdown in"}, d.take(), "no outlet is started")
	require.NoError(t, l.Start(t.Context()))
	_, err = l.DryRun(t.Context())
	require.ErrorIs(t, err, link.ErrRunning)
	transferred(t, l)
	shut(t, l)
}

func ExampleLink_DryRun() {
	l, err := link.New(link.Config{
		Inlets:     []inlet.Inlet{inlet.Values(3, 80, 95)},
		Processors: []record.Processor{record.Filter(func(degrees int) bool { return degrees > 70 })},
		Outlets:    []outlet.Outlet{outlet.Named("alarm", outlet.Discard())},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	preview, err := l.DryRun(context.Background())
	fmt.Print(preview)
	fmt.Println(err)
	// Output:
	// inlet values(int): 3 records
	//   3
	//   80
	//   95
	// lane alarm: 2 records in 1 batches
	//   80
	//   95
	// <nil>
}

// A dry run that does not pull, since its context has ended, leaves the windows of inlets
// as they are.
func TestDryRunNotMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var from []time.Time
		in := windowInlet(func(u record.Update) { from = append(from, u.From) })
		l, err := link.New(link.Config{Name: "l", Inlets: []inlet.Inlet{in}, Outlets: []outlet.Outlet{outlet.Discard()}})
		require.NoError(t, err)
		until := time.Now()
		_, err = l.DryRun(t.Context())
		require.NoError(t, err)
		time.Sleep(time.Minute)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = l.DryRun(ended)
		require.ErrorIs(t, err, context.Canceled)
		_, err = l.Once(t.Context())
		require.NoError(t, err)
		require.Len(t, from, 2)
		assert.True(t, until.Equal(from[1]), from[1])
	})
}

// windowInlet is told of every pull, and has no lifecycle.
type windowInlet func(record.Update)

func (f windowInlet) Pull(_ context.Context, u record.Update) ([]record.Record, error) {
	f(u)
	return of(1), nil
}
