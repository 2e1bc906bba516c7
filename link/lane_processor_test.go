package link_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// The processors of a lane run once, whatever the outlet answers, and only for it.
func TestLaneProcessors(t *testing.T) {
	calls := 0
	once := record.ProcessorFunc(func(_ context.Context, records []record.Record) ([]record.Record, error) {
		calls++
		return records[:1], nil
	})
	out, other := &taker{name: "out", script: failing(2, errDown)}, &taker{name: "other"}
	l := started(t, link.Config{
		Inlets: inlets(feeding("in", list(1, 2, 3))),
		Lanes:  []link.Lane{{Outlet: out, Processors: []record.Processor{once, record.FlatMap(func(n int) ([]int, error) { return []int{n, n}, nil })}}, {Outlet: other}},
	})
	for range 2 {
		transfer(t, l)
	}
	transferred(t, l)
	assert.Equal(t, 1, calls)
	assert.Equal(t, lists(list(1, 1), list(1, 1), list(1, 1)), out.got())
	assert.Equal(t, lists(list(1, 2, 3)), other.got())
	a := l.Account()
	assert.Equal(t, link.LaneAccount{Name: "out", Offered: 3, Produced: 1, Filtered: 2, Delivered: 2}, a.Lanes[0])
	assert.Equal(t, "pulled 3 produced out=1 other=0 filtered out=2 other=0 held 0 pending 0 delivered out=2 other=3 dropped 0 balanced", a.String())
}

// A processor of a lane that fails keeps its records before it, and what comes
// later behind them; other lanes go on.
func TestLaneProcessorFails(t *testing.T) {
	fails := 2
	p := record.ProcessorFunc(func(_ context.Context, records []record.Record) ([]record.Record, error) {
		if fails > 0 {
			fails--
			return nil, errDown
		}
		return records, nil
	})
	out, other := &taker{name: "out"}, &taker{name: "other"}
	store := new(vault)
	l := started(t, link.Config{
		Name: "l", State: store, Inlets: inlets(counting("n", 2, 100)),
		Lanes: []link.Lane{{Outlet: out, Processors: []record.Processor{p}}, {Outlet: other}},
	})
	r, err := transfer(t, l)
	e := failure(t, err)
	assert.Equal(t, link.OpProcess, e.Op)
	assert.Equal(t, int64(0), e.Number)
	assert.Equal(t, 2, e.Records)
	assert.True(t, e.Kept)
	assert.Equal(t, int64(2), r.Lanes[0].Pending)
	transfer(t, l)
	assert.Equal(t, "", position(t, store, "link/l", "n"))
	assert.Equal(t, values(1, 4), other.accepted())
	transferred(t, l)
	assert.Equal(t, values(1, 6), out.accepted())
	assert.Equal(t, "6", position(t, store, "link/l", "n"))
}

// A holder in a lane keeps the commit back, and releases at the end.
func TestLaneHolder(t *testing.T) {
	out, other, store := &taker{name: "out"}, &taker{name: "other"}, new(vault)
	l := started(t, link.Config{
		Name: "l", State: store, Inlets: inlets(counting("n", 2, 6)),
		Lanes: []link.Lane{{Outlet: out, Processors: []record.Processor{&keeper{name: "k", size: 4}}}, {Outlet: other}},
	})
	for i, want := range []string{"", "4", "4", "4"} {
		transferred(t, l)
		assert.Equal(t, want, position(t, store, "link/l", "n"), i)
	}
	assert.Equal(t, int64(2), l.Account().Lanes[0].Held)
	r, err := shut(t, l)
	require.NoError(t, err)
	assert.Equal(t, int64(-2), r.Lanes[0].Held)
	assert.Equal(t, int64(2), r.Lanes[0].Delivered)
	assert.Equal(t, lists(values(1, 4), values(5, 6)), out.got())
	assert.Equal(t, record.Flush, out.all()[1].update.Reason)
	assert.Equal(t, int64(4), out.all()[1].update.Number, "what is released bears the update of that transfer")
	assert.Equal(t, "6", position(t, store, "link/l", "n"))
}

// Transfers without records, behind a lane's processor that holds some, take no memory.
func TestEmptyTransfersBehindAHolder(t *testing.T) {
	for name, others := range map[string][]outlet.Outlet{"one lane": nil, "two lanes": {outlet.Discard()}} {
		t.Run(name, func(t *testing.T) {
			in := inlet.Since("one", func(_ context.Context, after int) ([]int, int, error) {
				if after > 0 {
					return nil, after, nil
				}
				return []int{1}, 1, nil
			})
			kept := new(tank)
			l := started(t, link.Config{
				Inlets:  []inlet.Inlet{in},
				Outlets: others,
				Lanes:   []link.Lane{{Outlet: kept, Processors: []record.Processor{buffer.New(&buffer.Options{Count: 10})}}},
			})
			for range 100 {
				_, err := l.Transfer(t.Context(), link.Tick{})
				require.NoError(t, err)
			}
			assert.LessOrEqual(t, l.Barriers(), 3)
			_, err := l.Shutdown(t.Context())
			require.NoError(t, err)
			assert.Equal(t, list(1), kept.content())
		})
	}
}
