package link_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

func TestTransferOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var steps []string
		after := func(d time.Duration, values ...any) func(context.Context, int) ([]record.Record, error) {
			return func(context.Context, int) ([]record.Record, error) {
				time.Sleep(d)
				return of(values...), nil
			}
		}
		step := func(name string, p record.Processor) record.Processor {
			return record.ProcessorFunc(func(ctx context.Context, records []record.Record) ([]record.Record, error) {
				steps = append(steps, fmt.Sprint(name, payloads(records)))
				return p.Process(ctx, records)
			})
		}
		a, b := &taker{name: "a"}, &taker{name: "b"}
		l := started(t, link.Config{
			Inlets: inlets(
				&feed{name: "slowest", script: after(3*time.Second, 1, 2, 3)},
				&feed{name: "fastest", script: after(0, 4, 5)},
				&feed{name: "between", script: after(time.Second, 6)},
			),
			Processors: []record.Processor{
				step("tenfold", record.Map(func(n int) (int, error) { return 10 * n, nil })),
				step("less", record.Filter(func(n int) bool { return n != 50 })),
			},
			Groupers: []record.Grouper{record.By(func(n int) int { return n % 20 }), record.Chunk(2)},
			Outlets:  outlets(a, b),
		})
		r := transferred(t, l)

		assert.Equal(t, []string{"tenfold[1 2 3 4 5 6]", "less[10 20 30 40 50 60]"}, steps)
		batches := lists(list(10, 30), list(20, 40), list(60))
		assert.Equal(t, batches, a.got())
		assert.Equal(t, batches, b.got())
		assert.Equal(t, 3*time.Second, r.Took, "inlets are pulled side by side")
		assert.Equal(t, link.Ran, r.Outcome)
		assert.Equal(t, "pulled 6 filtered 1 held 0 pending 0 delivered 5 dropped 0 balanced", r.Account.String())
		var from []string
		for _, o := range a.all() {
			for _, r := range o.records {
				from = append(from, r.Inlet())
			}
		}
		assert.Equal(t, []string{"slowest", "slowest", "slowest", "fastest", "between"}, from)
	})
}

func TestTransferWithoutGroupersPushesOneBatch(t *testing.T) {
	out := &taker{name: "out"}
	l := started(t, link.Config{Inlets: inlets(feeding("a", list(1, 2)), feeding("b", list(3))), Outlets: outlets(out)})
	transferred(t, l)
	assert.Equal(t, lists(list(1, 2, 3)), out.got())
}

func TestTransferOfNothing(t *testing.T) {
	nothing := feeding("in", list(), list(1, 2), list())
	none := record.Filter(func(int) bool { return false })
	tests := map[string]struct {
		config link.Config
		pushes int
	}{
		"an inlet without records":              {link.Config{}, 1},
		"everything is filtered":                {link.Config{Processors: []record.Processor{none}}, 0},
		"with a grouper":                        {link.Config{Processors: []record.Processor{none}, Groupers: []record.Grouper{record.Chunk(1)}}, 0},
		"PushEmpty":                             {link.Config{PushEmpty: true}, 3},
		"PushEmpty and everything is filtered":  {link.Config{PushEmpty: true, Processors: []record.Processor{none}}, 3},
		"PushEmpty with a grouper":              {link.Config{PushEmpty: true, Processors: []record.Processor{none}, Groupers: []record.Grouper{record.Chunk(1)}}, 3},
		"PushEmpty and a lane that filters all": {link.Config{PushEmpty: true, Lanes: []link.Lane{{Processors: []record.Processor{none}}}}, 3},
		"a lane that filters all":               {link.Config{Lanes: []link.Lane{{Processors: []record.Processor{none}}}}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			out := &taker{name: "out"}
			c := tt.config
			c.Inlets = inlets(&feed{name: "in", script: nothing.script})
			if c.Lanes == nil {
				c.Outlets = outlets(out)
			} else {
				c.Lanes[0].Outlet = out
			}
			l := started(t, c)
			for range 3 {
				transferred(t, l)
			}
			_, err := shut(t, l)
			require.NoError(t, err)
			assert.Len(t, out.got(), tt.pushes)
		})
	}
}

func TestFlushPushesNothingEmpty(t *testing.T) {
	out := &taker{name: "out"}
	l := started(t, link.Config{PushEmpty: true, Inlets: inlets(counting("n", 1, 0)), Outlets: outlets(out)})
	_, err := l.Transfer(t.Context(), link.Tick{Reason: record.Flush})
	require.NoError(t, err)
	assert.Empty(t, out.got())
}

// Nothing is left to be offered after it, so the position is committed.
func TestPushEmptyThatFailsHoldsNothingBack(t *testing.T) {
	out, store := &taker{name: "out", script: failing(1, errDown)}, new(vault)
	l := started(t, link.Config{
		Name: "l", State: store, PushEmpty: true, Inlets: inlets(counting("n", 2, 4)), Outlets: outlets(out),
		Processors: []record.Processor{record.Filter(func(int) bool { return false })},
	})
	_, err := transfer(t, l)
	require.ErrorIs(t, err, errDown)
	assert.False(t, failure(t, err).Fatal())
	assert.Equal(t, "2", position(t, store, "link/l", "n"))
}

func TestPushEmptyThatFailsIsNotRepeated(t *testing.T) {
	out := &taker{name: "out", script: failing(1, errDown)}
	l := started(t, link.Config{PushEmpty: true, Inlets: inlets(counting("n", 1, 0)), Outlets: outlets(out)})
	_, err := transfer(t, l)
	require.ErrorIs(t, err, errDown)
	assert.Equal(t, 0, failure(t, err).Records)
	transferred(t, l)
	assert.Equal(t, lists(list(), list()), out.got())
}

// Of several callers one waits for another: nothing is called side by side.
func TestTransfersWaitForOneAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int64
		in := &feed{name: "in", script: func(_ context.Context, n int) ([]record.Record, error) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			time.Sleep(time.Second)
			return of(n), nil
		}}
		out := &taker{name: "out", script: slow(100 * time.Millisecond)}
		l := started(t, link.Config{Inlets: inlets(in), Outlets: outlets(out)})
		ends := make(chan link.Report, 3)
		for range 3 {
			go func() {
				r, err := l.Transfer(t.Context(), link.Tick{Reason: record.Forced})
				assert.NoError(t, err)
				ends <- r
			}()
		}
		for want := range int64(3) {
			assert.Equal(t, want, (<-ends).Number)
		}
		assert.Equal(t, int64(1), most.Load())
		assert.Equal(t, 1, out.most)
		assert.Equal(t, list(1, 2, 3), out.accepted())
	})
}

func TestTransferIsRefused(t *testing.T) {
	var inside error
	in := &feed{name: "in"}
	l, err := link.New(link.Config{Inlets: inlets(in), Outlets: outlets(&taker{name: "out"})})
	require.NoError(t, err)
	r, err := l.Transfer(t.Context(), link.Tick{})
	assert.ErrorIs(t, err, link.ErrStopped)
	assert.Equal(t, link.Interrupted, r.Outcome)
	assert.Equal(t, int64(-1), r.Number)

	in.script = func(ctx context.Context, _ int) ([]record.Record, error) {
		_, inside = l.Transfer(ctx, link.Tick{})
		return nil, nil
	}
	require.NoError(t, l.Start(t.Context()))
	transferred(t, l)
	assert.ErrorIs(t, inside, link.ErrInside)
	_, err = l.Shutdown(t.Context())
	require.NoError(t, err)
	_, err = l.Transfer(t.Context(), link.Tick{})
	assert.ErrorIs(t, err, link.ErrStopped)
}

// If ctx ends while others serve lanes, Transfer returns and the transfer goes on.
func TestTransferIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fast, slower := &taker{name: "fast"}, &taker{name: "slower", script: slow(time.Minute)}
		l := started(t, link.Config{Inlets: inlets(feeding("in", list(1))), Outlets: outlets(fast, slower)})
		why := errors.New("why")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, why)
		defer cancel()
		began := time.Now()
		_, err := l.Transfer(ctx, link.Tick{})
		assert.ErrorIs(t, err, why)
		assert.Equal(t, time.Second, time.Since(began))
		assert.Equal(t, list(1), fast.accepted())
		time.Sleep(time.Minute)
		assert.Equal(t, list(1), slower.accepted())
	})
}
