package link_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

func TestInletConcurrency(t *testing.T) {
	tests := []struct {
		bound int
		want  time.Duration
		most  int64
	}{
		{0, 20 * time.Millisecond, 50},
		{-1, 20 * time.Millisecond, 50},
		{50, 20 * time.Millisecond, 50},
		{10, 100 * time.Millisecond, 10},
		{1, time.Second, 1},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.bound), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var running, sum atomic.Int64
				var all []inlet.Inlet
				for i := range 50 {
					all = append(all, &feed{name: fmt.Sprint(i), script: func(context.Context, int) ([]record.Record, error) {
						running.Add(1)
						defer running.Add(-1)
						time.Sleep(10 * time.Millisecond)
						sum.Add(running.Load()) // everybody has begun who begins at this moment
						time.Sleep(10 * time.Millisecond)
						return of(i), nil
					}})
				}
				out := &taker{name: "out"}
				l := started(t, link.Config{Inlets: all, InletConcurrency: tt.bound, Outlets: outlets(out)})
				began := time.Now()
				transferred(t, l)
				assert.Equal(t, tt.want, time.Since(began))
				assert.Equal(t, 50*tt.most, sum.Load(), "always as many as may")
				assert.Equal(t, lists(values(0, 49)), out.got())
			})
		})
	}
}

// What an inlet's failure looks like, and that the others are delivered.
func TestPullFails(t *testing.T) {
	tests := map[string]struct {
		script    func(context.Context, int) ([]record.Record, error)
		is        error
		contains  string
		delivered []any
	}{
		"an error": {
			func(context.Context, int) ([]record.Record, error) { return nil, errDown }, errDown, "503", list(1, 3),
		},
		"records with an error": {
			func(context.Context, int) ([]record.Record, error) { return of(2), errDown }, errDown, "503", list(1, 2, 3),
		},
		"a panic": {
			func(context.Context, int) ([]record.Record, error) { panic("boom") }, nil, "panic: boom", list(1, 3),
		},
		"a panic with an error": {
			func(context.Context, int) ([]record.Record, error) { panic(errDown) }, errDown, "panic: 503", list(1, 3),
		},
		"Goexit": {
			func(context.Context, int) ([]record.Record, error) { runtime.Goexit(); return nil, nil }, nil, "runtime.Goexit", list(1, 3),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			out := &taker{name: "out"}
			l := started(t, link.Config{
				Name:    "l",
				Inlets:  inlets(feeding("first", list(1)), &feed{name: "second", script: tt.script}, feeding("third", list(3))),
				Outlets: outlets(out),
			})
			r, err := transfer(t, l)
			e := failure(t, err)
			assert.Equal(t, link.OpPull, e.Op)
			assert.Equal(t, "second", e.Node)
			assert.Equal(t, int64(0), e.Number)
			assert.False(t, e.Kept)
			assert.True(t, e.Fatal())
			assert.ErrorContains(t, err, "link l: pull second: ")
			assert.ErrorContains(t, err, tt.contains)
			if tt.is != nil {
				assert.ErrorIs(t, err, tt.is)
			}
			assert.Equal(t, link.Failed, r.Outcome)
			assert.Equal(t, err.Error(), r.Err.Error())
			assert.Equal(t, tt.delivered, out.accepted())
		})
	}
}

// The position after records that came with an error counts, the window does not.
func TestPullFailsWithRecords(t *testing.T) {
	pulls := 0
	in := inlet.Since("n", func(_ context.Context, after int) ([]int, int, error) {
		if pulls++; pulls == 2 {
			return []int{after + 1}, after + 1, errDown
		}
		return []int{after + 1, after + 2}, after + 2, nil
	})
	out, store := &taker{name: "out"}, new(vault)
	l := started(t, link.Config{Name: "l", Inlets: inlets(in), Outlets: outlets(out), State: store})
	transferred(t, l)
	first := stored(t, store, "link/l").Inlets["n"]
	_, err := transfer(t, l)
	require.ErrorIs(t, err, errDown)
	second := stored(t, store, "link/l").Inlets["n"]
	assert.Equal(t, "2", string(first.Position))
	assert.Equal(t, "3", string(second.Position))
	assert.Equal(t, first.From, second.From)
	transferred(t, l)
	assert.Equal(t, list(1, 2, 3, 4, 5), out.accepted())
}

// An inlet that cannot say where it stands stands where it did.
func TestPositionPanics(t *testing.T) {
	out, store := &taker{name: "out"}, new(vault)
	in := &bashful{broker: broker{feed: feed{name: "b", script: func(_ context.Context, n int) ([]record.Record, error) { return of(n), nil }}}}
	l := started(t, link.Config{Name: "l", Inlets: inlets(in), Outlets: outlets(out), State: store})
	transferred(t, l)
	in.shy = true
	_, err := transfer(t, l)
	e := failure(t, err)
	assert.Equal(t, link.OpPull, e.Op)
	assert.ErrorContains(t, e, "position: panic: shy")
	assert.Equal(t, list(1, 2), out.accepted())
	assert.Equal(t, "@1", string(stored(t, store, "link/l").Inlets["b"].Position))
	in.shy = false
	transferred(t, l)
	assert.Equal(t, "@3", string(stored(t, store, "link/l").Inlets["b"].Position))
}

type bashful struct {
	broker
	shy bool
}

func (s *bashful) Position() []byte {
	if s.shy {
		panic("shy")
	}
	return s.broker.Position()
}

// Neither of two errors of one pull hides the other.
func TestPullAndPositionFail(t *testing.T) {
	in := &bashful{shy: true, broker: broker{feed: feed{name: "b", script: func(context.Context, int) ([]record.Record, error) { return nil, errDown }}}}
	l := started(t, link.Config{Inlets: inlets(in), Outlets: outlets(&taker{name: "out"})})
	_, err := transfer(t, l)
	require.ErrorIs(t, err, errDown)
	assert.ErrorContains(t, err, "position: panic: shy")
}

// Goexit in the only inlet ends the goroutine after the transfer, not the link.
func TestGoexitInTheOnlyInlet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &feed{name: "in", script: func(_ context.Context, n int) ([]record.Record, error) {
			if n == 2 {
				runtime.Goexit()
			}
			return of(n), nil
		}}
		out := &taker{name: "out", script: failing(1, errDown)}
		var reports []link.Report
		l := started(t, link.Config{Inlets: inlets(in), Outlets: outlets(out), OnReport: func(_ context.Context, r link.Report) { reports = append(reports, r) }})
		for range 3 {
			go l.Transfer(t.Context(), link.Tick{Reason: record.Forced})
			synctest.Wait()
		}
		assert.Equal(t, list(1, 3), out.accepted())
		require.Len(t, reports, 3)
		assert.ErrorContains(t, reports[1].Err, "runtime.Goexit was called")
		assert.Equal(t, int64(1), reports[1].Lanes[0].Delivered, "lanes are served all the same")
	})
}
