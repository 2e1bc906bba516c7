package link_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// instants makes a transfer at each of n instants, a second apart, unless the link
// is not ready, as a planner does. It returns how many pulls there were, how many
// transfers pulled nothing, and how many instants were skipped.
func instants(l *link.Link, in *feed, n int) []int {
	skipped := 0
	for range n {
		if l.Ready() {
			go l.Begin(link.Tick{Reason: record.Forced})
		} else {
			skipped++
		}
		time.Sleep(time.Second)
	}
	time.Sleep(time.Minute)
	pulled := len(in.all())
	return []int{pulled, n - skipped - pulled, skipped}
}

// oneEach yields the number of the pull.
func oneEach() *feed {
	return &feed{name: "in", script: func(_ context.Context, n int) ([]record.Record, error) { return of(n), nil }}
}

// hang hangs until the context ends.
func hang(ctx context.Context, _ int, _ []record.Record) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// A link with one outlet skips what comes while it is busy, and queues nothing.
func TestOverlapOfOneSlowOutlet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &taker{name: "out", script: slow(3500 * time.Millisecond)}
		in := oneEach()
		l := started(t, link.Config{Inlets: inlets(in), Outlets: outlets(out)})
		assert.Equal(t, []int{5, 0, 15}, instants(l, in, 20))
		assert.Equal(t, lists(list(1), list(2), list(3), list(4), list(5)), out.got())
	})
}

// One outlet that hangs, or is slow, leaves the other as it was until its lane is
// full.
func TestOverlapOfTwoOutlets(t *testing.T) {
	tests := map[string]struct {
		script  func(context.Context, int, []record.Record) error
		pending int
		ran     int
		offers  int   // of the slow one
		waiting int64 // there, after the last instant
	}{
		"one hangs":                   {hang, 0, 20, 1, 20},
		"one hangs, its lane is full": {hang, 5, 5, 1, 5},
		"one is slow":                 {slow(3500 * time.Millisecond), 0, 20, 20, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				other, out := &taker{name: "other"}, &taker{name: "out", script: tt.script}
				in := oneEach()
				l := started(t, link.Config{
					Inlets: inlets(in), Lanes: []link.Lane{{Outlet: out, Pending: tt.pending}, {Outlet: other}},
					ShutdownTimeout: time.Second,
				})
				start := time.Now()
				assert.Equal(t, []int{tt.ran, 20 - tt.ran, 0}, instants(l, in, 20))
				assert.Equal(t, values(1, tt.ran), other.accepted())
				for i, o := range other.all() {
					assert.Equal(t, time.Duration(i)*time.Second, o.at.Sub(start), "none is late")
				}
				assert.Len(t, out.all(), tt.offers)
				assert.Equal(t, 1, out.most)
				assert.Equal(t, tt.waiting, l.Account().Lanes[0].Pending)
			})
		})
	}
}

// While one outlet is slow its lane grows, and then sets the pace.
func TestOverlapPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other, out := &taker{name: "other"}, &taker{name: "out", script: slow(3500 * time.Millisecond)}
		l := started(t, link.Config{Inlets: inlets(counting("n", 1, 100)), Outlets: outlets(other, out)})
		for range 20 {
			require.True(t, l.Ready())
			go l.Begin(link.Tick{Reason: record.Forced})
			time.Sleep(time.Second)
		}
		synctest.Wait()
		assert.Equal(t, values(1, 20), other.accepted())
		assert.Equal(t, int64(15), l.Account().Lanes[1].Pending)
		time.Sleep(time.Minute)
		assert.Equal(t, values(1, 20), out.accepted())
	})
}

func TestReadyAndBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pause := func(context.Context, int) ([]record.Record, error) { time.Sleep(time.Second); return of(1), nil }
		rest := record.ProcessorFunc(func(_ context.Context, r []record.Record) ([]record.Record, error) {
			time.Sleep(time.Second)
			return r, nil
		})
		h := new(host)
		l, err := link.New(link.Config{
			Inlets:     inlets(&feed{name: "a", script: pause}, &feed{name: "b", script: pause}),
			Processors: []record.Processor{rest},
			Outlets:    outlets(&taker{name: "x", script: slow(time.Second)}, &taker{name: "y", script: slow(2 * time.Second)}),
		})
		require.NoError(t, err)
		require.NoError(t, l.Attach(h, new(link.Nodes)))
		assert.False(t, l.Ready(), "it is not started")
		require.NoError(t, l.Start(t.Context()))
		assert.Positive(t, h.changed())
		want := []struct {
			ready bool
			busy  []string
		}{
			{false, []string{"a", "b"}},
			{false, []string{"record.ProcessorFunc"}},
			{false, []string{"x", "y"}},
			{true, []string{"y"}},
			{true, nil},
		}
		assert.True(t, l.Ready())
		assert.Empty(t, l.Busy())
		go l.Transfer(t.Context(), link.Tick{})
		time.Sleep(500 * time.Millisecond)
		last := false
		for i, w := range want {
			assert.Equal(t, w.ready, l.Ready(), i)
			assert.Equal(t, w.busy, l.Busy(), i)
			if w.ready && !last {
				assert.Positive(t, h.changed(), "a host is told that it is ready")
			}
			last = w.ready
			h.changed()
			time.Sleep(time.Second)
		}
		_, err = l.Shutdown(t.Context())
		require.NoError(t, err)
		assert.False(t, l.Ready())
	})
}

// Wake is the first of all holders', of the link and of its lanes.
func TestWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &taker{name: "out"}
		ofLink := &keeper{name: "link", size: 9, wake: 10 * time.Second, key: func(n any) any { return n.(int) % 2 }}
		ofLane := &keeper{name: "lane", size: 9, wake: 3 * time.Second}
		l := started(t, link.Config{
			Inlets:     inlets(feeding("in", list(1))),
			Processors: []record.Processor{ofLink},
			Lanes:      []link.Lane{{Outlet: out, Processors: []record.Processor{ofLane}}},
		})
		start := time.Now()
		assert.True(t, l.Wake().IsZero())
		transferred(t, l)
		assert.Equal(t, start.Add(10*time.Second), l.Wake())
		time.Sleep(10 * time.Second)
		flush := func() link.Report {
			r, err := l.Transfer(t.Context(), link.Tick{Due: l.Wake(), Reason: record.Flush})
			require.NoError(t, err)
			return r
		}
		r := flush()
		assert.Equal(t, int64(-1), r.Held)
		assert.Equal(t, int64(1), r.Lanes[0].Held)
		assert.Equal(t, start.Add(13*time.Second), l.Wake())
		assert.Empty(t, out.got())
		time.Sleep(3 * time.Second)
		r = flush()
		assert.True(t, l.Wake().IsZero())
		assert.Equal(t, lists(list(1)), out.got())
		u := out.all()[0].update
		assert.Equal(t, record.Flush, u.Reason)
		assert.Equal(t, int64(2), u.Number)
		assert.True(t, u.Due.Equal(start.Add(13*time.Second)))
		assert.Equal(t, int64(0), r.Pulled)
	})
}

// A flush pulls nothing and is offered what is pending.
func TestFlushTransfer(t *testing.T) {
	in, out := feeding("in", list(1), list(2)), &taker{name: "out", script: failing(1, errDown)}
	l := started(t, link.Config{Inlets: inlets(in), Outlets: outlets(out)})
	transfer(t, l)
	r, err := l.Transfer(t.Context(), link.Tick{Reason: record.Flush})
	require.NoError(t, err)
	assert.Equal(t, link.Ran, r.Outcome)
	assert.Equal(t, int64(1), r.Number)
	assert.Len(t, in.all(), 1)
	assert.Equal(t, list(1), out.accepted())
	transferred(t, l)
	assert.True(t, in.all()[1].From.Equal(in.all()[0].Due), "a flush is no end of a window")
}
