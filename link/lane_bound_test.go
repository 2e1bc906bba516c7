package link_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// With as many pending records as a lane may have, the link pulls nothing and
// offers what is pending all the same.
func TestLanePending(t *testing.T) {
	out, other := &taker{name: "out", script: failing(3, errDown)}, &taker{name: "other"}
	in := counting("n", 3, 100)
	l := started(t, link.Config{Inlets: inlets(in), Lanes: []link.Lane{{Outlet: out, Pending: 5}, {Outlet: other}}})
	want := []struct {
		outcome link.Outcome
		pending int64
		pulled  int64
		fails   bool
	}{
		{link.Failed, 3, 3, true},
		{link.Failed, 6, 3, true}, // one transfer may exceed the bound
		{link.Blocked, 6, 0, true},
		{link.Blocked, 0, 0, false},
		{link.Ran, 0, 3, false},
	}
	for i, w := range want {
		r, err := transfer(t, l)
		assert.Equal(t, w.outcome, r.Outcome, i)
		assert.Equal(t, w.fails, err != nil, i)
		assert.Equal(t, w.fails, r.Err != nil, i)
		assert.Equal(t, w.pulled, r.Pulled, i)
		assert.Equal(t, w.pending, l.Account().Lanes[0].Pending, i)
		assert.Equal(t, int64(i), r.Number, "a blocked transfer uses its number up")
	}
	assert.Equal(t, values(1, 9), out.accepted())
	assert.Equal(t, values(1, 9), other.accepted())
	assert.Equal(t, lists(values(1, 3), values(1, 3), values(1, 3), values(1, 3), values(4, 6), values(7, 9)), out.got())
}

func TestLanePendingBounds(t *testing.T) {
	tests := map[string]struct {
		pending, per int
		pulls        int64 // until it blocks
	}{
		"default":      {0, 4000, 3},
		"given":        {1, 1, 1},
		"exactly full": {6, 3, 2},
		"none":         {-1, 4000, 20},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			out := &taker{name: "out", script: failing(1000, errDown)}
			l := started(t, link.Config{Inlets: inlets(counting("n", tt.per, 1_000_000)), Lanes: []link.Lane{{Outlet: out, Pending: tt.pending}}})
			for range 20 {
				transfer(t, l)
			}
			assert.Equal(t, tt.pulls*int64(tt.per), l.Account().Pulled)
		})
	}
}

// With as many transfers undelivered as MaxUncommitted allows, the link pulls
// nothing. Those without records count too.
func TestMaxUncommitted(t *testing.T) {
	tests := map[string]struct {
		bound, last int
		pulls       int
	}{
		"default": {0, 1, 1000},
		"given":   {5, 100, 5},
		"one":     {1, 1, 1},
		"none":    {-1, 1, 1100},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			down := true
			out := &taker{name: "out", script: func(context.Context, int, []record.Record) error {
				if down {
					return errDown
				}
				return nil
			}}
			in := &recorder{feed: feed{name: "in"}}
			in.script = func(_ context.Context, n int) ([]record.Record, error) {
				if n > tt.last {
					return nil, nil
				}
				return of(n), nil
			}
			l := started(t, link.Config{Inlets: inlets(in), MaxUncommitted: tt.bound, Outlets: outlets(out)})
			var r link.Report
			for range 1100 {
				r, _ = l.Transfer(t.Context(), link.Tick{Reason: record.Forced})
			}
			assert.Len(t, in.all(), tt.pulls)
			if tt.bound >= 0 {
				assert.Equal(t, link.Blocked, r.Outcome)
			}
			down = false
			transferred(t, l) // all is accepted
			pulls := len(in.all())
			transferred(t, l)
			assert.Len(t, in.all(), pulls+1)
		})
	}
}

// What a lane's processors have let through counts as what they have not seen.
func TestMaxUncommittedBehindProcessors(t *testing.T) {
	down := true
	out := &taker{name: "out", script: func(context.Context, int, []record.Record) error {
		if down {
			return errDown
		}
		return nil
	}}
	same := record.Map(func(n int) (int, error) { return n, nil })
	l := started(t, link.Config{
		Inlets: inlets(counting("n", 1, 99)), MaxUncommitted: 2,
		Lanes: []link.Lane{{Outlet: out, Processors: []record.Processor{same}}},
	})
	for _, want := range []int64{4, 8} {
		down = false
		for range 2 {
			transferred(t, l)
		}
		down = true
		for range 4 {
			transfer(t, l)
		}
		assert.Equal(t, want, l.Account().Pulled)
		down = false
		transferred(t, l)
		assert.Equal(t, int64(0), l.Account().Lanes[0].Pending)
	}
}

// A store that does not answer blocks as well, and the link goes on when it does.
func TestMaxUncommittedOfAStore(t *testing.T) {
	down := true
	store := &vault{put: func(_ int, do func() (int64, error)) (int64, error) {
		if down {
			return 0, errDown
		}
		return do()
	}}
	out := &taker{name: "out"}
	l := started(t, link.Config{Name: "l", State: store, Inlets: inlets(counting("n", 1, 100)), MaxUncommitted: 3, Outlets: outlets(out)})
	for range 3 {
		_, err := transfer(t, l)
		require.ErrorIs(t, err, errDown)
	}
	for range 3 {
		r, err := transfer(t, l)
		assert.Equal(t, link.Blocked, r.Outcome)
		assert.ErrorIs(t, err, errDown, "it is tried all the same")
	}
	assert.Equal(t, list(1, 2, 3), out.accepted())
	down = false
	r := transferred(t, l)
	assert.Equal(t, link.Ran, r.Outcome)
	assert.Equal(t, list(1, 2, 3, 4), out.accepted())
	assert.Equal(t, "4", position(t, store, "link/l", "n"))
}

// Transfers that only a holder keeps back do not count.
func TestMaxUncommittedOfHolders(t *testing.T) {
	lanes := map[string]func(link.Config, *keeper) link.Config{
		"of the link": func(c link.Config, k *keeper) link.Config {
			c.Processors = []record.Processor{k}
			return c
		},
		"of a lane": func(c link.Config, k *keeper) link.Config {
			c.Lanes = []link.Lane{{Outlet: c.Outlets[0], Processors: []record.Processor{k}}}
			c.Outlets = nil
			return c
		},
	}
	for name, with := range lanes {
		t.Run(name, func(t *testing.T) {
			out, k := &taker{name: "out"}, &keeper{name: "k", size: 8}
			l := started(t, with(link.Config{Inlets: inlets(counting("n", 1, 100)), MaxUncommitted: 2, Outlets: outlets(out)}, k))
			for range 7 {
				assert.Equal(t, link.Ran, transferred(t, l).Outcome)
			}
			a := l.Account()
			assert.Equal(t, int64(7), a.Held+a.Lanes[0].Held)
			assert.Empty(t, out.got())
			transferred(t, l)
			assert.Equal(t, lists(values(1, 8)), out.got())
		})
	}
}
