package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

func BenchmarkTransfer(b *testing.B) {
	for _, n := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			benchmarkLink(b, link.Config{Inlets: []inlet.Inlet{orders(n, structPayload)}, Outlets: []outlet.Outlet{new(reader)}})
		})
	}
	b.Run("int", func(b *testing.B) {
		benchmarkLink(b, link.Config{Inlets: []inlet.Inlet{ints()}, Outlets: []outlet.Outlet{new(reader)}})
	})
}

func BenchmarkBulk(b *testing.B) {
	b.Run("maps/copies", func(b *testing.B) {
		benchmarkLink(b, bulkConfig(mapPayload, record.Filter(activeMap), new(counter), new(counter)))
	})
	b.Run("maps/readers", func(b *testing.B) {
		benchmarkLink(b, bulkConfig(mapPayload, record.Filter(activeMap), new(reader), new(reader)))
	})
	b.Run("structs", func(b *testing.B) {
		benchmarkLink(b, bulkConfig(structPayload, record.Filter(activeOrder), new(counter), new(counter)))
	})
}

func benchmarkLink(b *testing.B, config link.Config) {
	l, stop, err := started(config)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if err := transfers(l, 1); err != nil {
			b.Fatal(err)
		}
	}
	require.NoError(b, stop())
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		name   string
		values []float64
		want   float64
	}{
		{"none", nil, 0},
		{"odd", []float64{3, 1, 2}, 2},
		{"even", []float64{4, 1, 2, 3}, 2.5},
	} {
		t.Run(test.name, func(t *testing.T) {
			assert.InDelta(t, test.want, median(test.values), 0)
		})
	}
}

func TestResult(t *testing.T) {
	r := result{name: "W1", ratio: 0.5, goal: 0.6}
	assert.Equal(t, "W1 ratio 0.50 goal 0.60", r.String())
	assert.False(t, r.failed(), "within the tolerance")
	r.strict = true
	assert.True(t, r.failed(), "no tolerance")
	assert.True(t, result{ratio: 0.79, goal: 1}.failed())
}

// The hand-written side does what it is said to do.
func TestByHand(t *testing.T) {
	sink := new(handCounter)
	l := &handLink{inlet: handMaps{100}, processors: []handProcessor{&handBuffer{size: 300}}, batch: 70, copies: true, outlets: []handOutlet{sink}}
	require.NoError(t, handTransfers(l, 7))
	assert.EqualValues(t, 600, sink.count)

	nested := map[string]any{"list": []any{map[string]any{"n": 1}}}
	deepCopy(nested).(map[string]any)["list"].([]any)[0].(map[string]any)["n"] = 2
	assert.Equal(t, map[string]any{"list": []any{map[string]any{"n": 1}}}, nested)

	first, second, err := handDeep()()
	require.NoError(t, err)
	assert.EqualValues(t, bulk/2, first)
	assert.EqualValues(t, bulk/2, second)
}
