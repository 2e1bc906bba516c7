package inlet_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/record"
)

// resumable is what Since returns.
type resumable interface {
	inlet.Inlet
	inlet.Positioner
	inlet.Seeker
}

func since[C, T any](t *testing.T, f func(ctx context.Context, after C) ([]T, C, error)) resumable {
	t.Helper()
	in, ok := inlet.Since("test", f).(resumable)
	require.True(t, ok)
	return in
}

// counter yields two numbers a pull.
func counter(_ context.Context, after int) ([]int, int, error) {
	return []int{after + 1, after + 2}, after + 2, nil
}

func TestSince(t *testing.T) {
	in := since(t, counter)
	assert.Nil(t, in.Position(), "the beginning")
	for i := range 3 {
		got, err := pull(t, in)
		require.NoError(t, err)
		assert.Equal(t, []any{2*i + 1, 2*i + 2}, payloads(got))
	}
	assert.Equal(t, "6", string(in.Position()))
}

func TestSinceRestarts(t *testing.T) {
	first := since(t, counter)
	require.NoError(t, first.Seek(t.Context(), nil))
	_, err := pull(t, first)
	require.NoError(t, err)
	committed := first.Position()
	_, err = pull(t, first)
	require.NoError(t, err)
	assert.Equal(t, "2", string(committed), "a position does not change")

	second := since(t, counter)
	require.NoError(t, second.Seek(t.Context(), committed))
	assert.Equal(t, committed, second.Position())
	got, err := pull(t, second)
	require.NoError(t, err)
	assert.Equal(t, []any{3, 4}, payloads(got), "what was not committed comes again")

	require.NoError(t, second.Seek(t.Context(), nil))
	assert.Nil(t, second.Position())
	got, err = pull(t, second)
	require.NoError(t, err)
	assert.Equal(t, []any{1, 2}, payloads(got), "nil is the beginning")
}

func TestSinceMoves(t *testing.T) {
	for _, test := range []struct {
		name   string
		values []int
		err    error
		moves  bool
	}{
		{"values", []int{1}, nil, true},
		{"nothing new", nil, nil, true},
		{"an error without values", nil, errBroken, false},
		{"an error with an empty slice", []int{}, errBroken, false},
		{"an error with values", []int{1}, errBroken, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var seen []int
			in := since(t, func(_ context.Context, after int) ([]int, int, error) {
				seen = append(seen, after)
				return test.values, after + 10, test.err
			})
			require.NoError(t, in.Seek(t.Context(), []byte("5")))
			for range 2 {
				got, err := pull(t, in)
				assert.Equal(t, test.err, err)
				assert.Len(t, got, len(test.values))
			}
			if test.moves {
				assert.Equal(t, []int{5, 15}, seen)
				assert.Equal(t, "25", string(in.Position()))
			} else {
				assert.Equal(t, []int{5, 5}, seen)
				assert.Equal(t, "5", string(in.Position()))
			}
		})
	}
}

// oneWay is a cursor that can be written and not read.
type oneWay struct{ N int }

func (oneWay) MarshalJSON() ([]byte, error) { return []byte(`"N"`), nil }

func TestSinceCursorThatCannotBeStored(t *testing.T) {
	var seen []float64
	next := math.NaN()
	in := since(t, func(_ context.Context, after float64) ([]int, float64, error) {
		seen = append(seen, after)
		return []int{1}, next, nil
	})
	got, err := pull(t, in)
	assert.EqualError(t, err, `inlet "test": cursor NaN cannot be stored as JSON and read again: json: unsupported value: NaN`)
	assert.Nil(t, got, "they come again")
	assert.Nil(t, in.Position())
	next = 1.5
	got, err = pull(t, in)
	require.NoError(t, err)
	assert.Equal(t, []any{1}, payloads(got))
	assert.Equal(t, []float64{0, 0}, seen)

	for name, in := range map[string]inlet.Inlet{
		"one way":  inlet.Since("x", func(context.Context, oneWay) ([]int, oneWay, error) { return []int{1}, oneWay{1}, errBroken }),
		"channel":  inlet.Since("x", func(context.Context, chan int) ([]int, chan int, error) { return []int{1}, make(chan int), errBroken }),
		"function": inlet.Since("x", func(context.Context, func()) ([]int, func(), error) { return []int{1}, func() {}, errBroken }),
	} {
		got, err := pull(t, in)
		assert.ErrorContains(t, err, "cannot be stored as JSON and read again", name)
		assert.ErrorIs(t, err, errBroken, name)
		assert.Nil(t, got, name)
	}
}

func TestSinceSeeksGarbage(t *testing.T) {
	in := since(t, counter)
	require.NoError(t, in.Seek(t.Context(), []byte("7")))
	for _, garbage := range []string{"", "x", `"7"`, "7.5", "[7]", "{}", "7 8"} {
		err := in.Seek(t.Context(), []byte(garbage))
		require.ErrorContains(t, err, `inlet "test": stored position `, garbage)
		assert.ErrorContains(t, err, "is no int: ")
		assert.Equal(t, "7", string(in.Position()), "it stays where it is")
	}
	got, err := pull(t, in)
	require.NoError(t, err)
	assert.Equal(t, []any{8, 9}, payloads(got))
	assert.Less(t, len(in.Seek(t.Context(), make([]byte, 10_000)).Error()), 1000, "what is stored is shown in part")
}

type place struct {
	At   time.Time
	ID   string
	Seen map[string]int
}

// Whatever a cursor is, the function gets what it would get after a restart.
func TestSinceCursorTypes(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	t.Run("struct", func(t *testing.T) { roundTrip(t, place{at, "a", map[string]int{"x": 1}}) })
	t.Run("pointer", func(t *testing.T) { roundTrip(t, &place{At: at}) })
	t.Run("string", func(t *testing.T) { roundTrip(t, "a\x00é") })
	t.Run("time", func(t *testing.T) { roundTrip(t, at) })
	t.Run("large number", func(t *testing.T) { roundTrip(t, int64(math.MaxInt64)) })
	t.Run("map", func(t *testing.T) { roundTrip(t, map[string]int{"p0": 7}) })
	t.Run("bytes", func(t *testing.T) { roundTrip(t, []byte{0, 255}) })
}

func roundTrip[C any](t *testing.T, next C) {
	t.Helper()
	var seen []C
	f := func(_ context.Context, after C) ([]int, C, error) {
		seen = append(seen, after)
		return nil, next, nil
	}
	in := since(t, f)
	for range 2 {
		_, err := pull(t, in)
		require.NoError(t, err)
	}
	again := since(t, f)
	require.NoError(t, again.Seek(t.Context(), in.Position()))
	_, err := pull(t, again)
	require.NoError(t, err)
	var zero C
	assert.Equal(t, []C{zero, next, next}, seen)
	assert.Equal(t, in.Position(), again.Position())
}

// A function that fails, or panics, after it has changed what its cursor refers to
// has not moved it.
func TestSinceCursorIsNotShared(t *testing.T) {
	fail := true
	var seen []int
	in := since(t, func(_ context.Context, after map[string]int) ([]int, map[string]int, error) {
		seen = append(seen, after["p"])
		if after == nil {
			return []int{1}, map[string]int{"p": 1}, nil
		}
		after["p"] += 10
		if fail {
			fail = false
			return nil, after, errBroken
		}
		if len(seen) == 3 {
			panic("broken")
		}
		return []int{1}, after, nil
	})
	_, err := pull(t, in)
	require.NoError(t, err)
	_, err = pull(t, in)
	require.Error(t, err)
	assert.Panics(t, func() { _, _ = pull(t, in) })
	_, err = pull(t, in)
	require.NoError(t, err)
	assert.Equal(t, []int{0, 1, 1, 1}, seen)
	assert.Equal(t, `{"p":11}`, string(in.Position()))
}

func TestSinceOfRecords(t *testing.T) {
	in := since(t, func(_ context.Context, after int) ([]record.Record, int, error) {
		return []record.Record{record.New("row", attr("k", "v")).WithID("table/1")}, after + 1, nil
	})
	got, err := pull(t, in)
	require.NoError(t, err)
	assert.Equal(t, "row {k=v}", got[0].String())
	assert.Equal(t, "table/1", got[0].ID())
}
