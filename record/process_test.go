package record_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/record"
)

type (
	validator interface{ Validate() error }
	stringer  = fmt.Stringer
)

func of(payloads ...any) (rs []record.Record) {
	for _, p := range payloads {
		rs = append(rs, record.New(p))
	}
	return rs
}

func payloads(rs []record.Record) (ps []any) {
	for _, r := range rs {
		ps = append(ps, r.Payload)
	}
	return ps
}

func TestProcessors(t *testing.T) {
	double := func(_ context.Context, r record.Record) (record.Record, error) {
		n, err := record.As[int](r)
		return r.With(2 * n), err
	}
	for _, test := range []struct {
		name   string
		proc   record.Processor
		in     []any
		out    []any
		failed map[int]string
	}{
		{"each", record.Each(double), []any{1, 2}, []any{2, 4}, nil},
		{"each fails alone", record.Each(double), []any{1, "x", 2, nil}, []any{2, 4},
			map[int]string{1: "payload is a string, want int", 3: "payload is a <nil>, want int"}},
		{"map", record.Map(func(n int) (string, error) { return strconv.Itoa(n), nil }), []any{1, 2}, []any{"1", "2"}, nil},
		{"map fails alone", record.Map(strconv.Atoi), []any{"1", "x", "3", 4}, []any{1, 3},
			map[int]string{1: `strconv.Atoi: parsing "x": invalid syntax`, 3: "payload is a int, want string"}},
		{"map to nil", record.Map(func(int) (any, error) { return nil, nil }), []any{1}, []any{nil}, nil},
		{"map of nil", record.Map(func(v any) (string, error) { return fmt.Sprint(v), nil }), []any{nil}, []any{"<nil>"}, nil},
		{"filter", record.Filter(func(n int) bool { return n > 1 }), []any{1, 2, 3}, []any{2, 3}, nil},
		{"filter all", record.Filter(func(int) bool { return false }), []any{1, 2}, nil, nil},
		{"filter fails alone, and closed", record.Filter(func(n int) bool { return n > 1 }), []any{1, "x", 3}, []any{3},
			map[int]string{1: "payload is a string, want int"}},
		{"flatmap", record.FlatMap(func(n int) ([]int, error) { return make([]int, n), nil }), []any{2, 0, 1}, []any{0, 0, 0}, nil},
		{"flatmap fails alone", record.FlatMap(func(n int) ([]int, error) {
			if n < 0 {
				return []int{1, 2}, errBroken
			}
			return []int{n}, nil
		}), []any{1, -1, "x", 2}, []any{1, 2}, map[int]string{1: "broken", 2: "payload is a string, want int"}},
		{"nothing", record.Map(strconv.Atoi), nil, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			given := of(test.in...)
			before := payloads(given)
			out, err := test.proc.Process(t.Context(), given)
			assert.Equal(t, test.out, payloads(out))
			assert.Equal(t, before, payloads(given), "what is given is read-only")
			if test.failed == nil {
				require.NoError(t, err)
				return
			}
			p := record.AsPartial(err)
			require.NotNil(t, p)
			require.NoError(t, p.Check(len(given)))
			texts := make(map[int]string)
			for i, err := range p.Failed {
				texts[i] = err.Error()
			}
			assert.Equal(t, test.failed, texts)
		})
	}
}

func TestProcessorsKeepTheRest(t *testing.T) {
	given := []record.Record{record.New(3, attr("k", "v")).WithID("id")}
	record.Stamp(given, &record.Origin{Inlet: "in"})
	for name, proc := range map[string]record.Processor{
		"each":   record.Each(func(_ context.Context, r record.Record) (record.Record, error) { return r, nil }),
		"map":    record.Map(func(n int) (string, error) { return "x", nil }),
		"filter": record.Filter(func(int) bool { return true }),
	} {
		out, err := proc.Process(t.Context(), given)
		require.NoError(t, err, name)
		require.Len(t, out, 1)
		assert.Equal(t, given[0], out[0].With(3), name)
	}
}

func TestFlatMapExtendsIDs(t *testing.T) {
	split := record.FlatMap(func(s string) ([]string, error) { return []string{s + "a", s + "b"}, nil })
	given := []record.Record{record.New("x", attr("k", "v")).WithID("f@10"), record.New("y")}
	record.Stamp(given, &record.Origin{Inlet: "in"})
	out, err := split.Process(t.Context(), given)
	require.NoError(t, err)
	var ids []string
	for _, r := range out {
		ids = append(ids, r.ID())
		assert.Equal(t, "in", r.Inlet())
	}
	assert.Equal(t, []string{"f@10/0", "f@10/1", "", ""}, ids, "the link invents no IDs")
	assert.Equal(t, "xb {k=v}", out[1].String())

	out, err = split.Process(t.Context(), out)
	require.NoError(t, err)
	assert.Equal(t, "f@10/1/0", out[2].ID())
}

func TestEndedContextFailsAll(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	proc := record.Each(func(ctx context.Context, r record.Record) (record.Record, error) {
		if calls++; calls == 2 {
			cancel()
			return r, fmt.Errorf("looking up: %w", ctx.Err())
		}
		return r, nil
	})
	out, err := proc.Process(ctx, of(1, 2, 3))
	require.ErrorIs(t, err, context.Canceled)
	assert.Nil(t, record.AsPartial(err))
	assert.Nil(t, out)
	assert.Equal(t, 2, calls, "the others are not tried")

	// A cause that only looks like it fails alone.
	proc = record.Each(func(context.Context, record.Record) (record.Record, error) { return record.Record{}, context.Canceled })
	_, err = proc.Process(t.Context(), of(1))
	assert.NotNil(t, record.AsPartial(err))
}

func TestNilFunctions(t *testing.T) {
	for want, node := range map[string]any{
		"each: the function is nil, want one":           record.Each(nil),
		"map(int): the function is nil, want one":       record.Map[int, string](nil),
		"filter(string): the function is nil, want one": record.Filter[string](nil),
		"flatmap([]int): the function is nil, want one": record.FlatMap[[]int, int](nil),
		"by(float64): the function is nil, want one":    record.By[float64, int](nil),
		"record.Chunk: n is 0, want at least 1":         record.Chunk(0),
		"record.Chunk: n is -3, want at least 1":        record.Chunk(-3),
	} {
		assert.EqualError(t, node.(validator).Validate(), want)
		switch node := node.(type) {
		case record.Processor:
			out, err := node.Process(t.Context(), of(1))
			assert.EqualError(t, err, want)
			assert.Nil(t, out)
		case record.Grouper:
			out, err := node.Group(t.Context(), [][]record.Record{of(1)})
			assert.EqualError(t, err, want)
			assert.Nil(t, out)
		}
	}
}

func TestNames(t *testing.T) {
	for want, node := range map[string]any{
		"each":                       record.Each(func(_ context.Context, r record.Record) (record.Record, error) { return r, nil }),
		"map(string)":                record.Map(strconv.Atoi),
		"filter(int)":                record.Filter(func(int) bool { return true }),
		"flatmap(record_test.named)": record.FlatMap(func(named) ([]int, error) { return nil, nil }),
		"by(interface {})":           record.By(func(v any) any { return v }),
		"chunk(7)":                   record.Chunk(7),
	} {
		assert.Equal(t, want, node.(stringer).String())
		assert.NoError(t, node.(validator).Validate())
	}
}

type named struct{}

func TestFuncs(t *testing.T) {
	in := of(1, 2)
	p := record.ProcessorFunc(func(_ context.Context, rs []record.Record) ([]record.Record, error) { return rs[1:], errBroken })
	out, err := p.Process(t.Context(), in)
	assert.Equal(t, in[1:], out)
	assert.Equal(t, errBroken, err)
	g := record.GrouperFunc(func(_ context.Context, bs [][]record.Record) ([][]record.Record, error) { return bs[:1], errBroken })
	batches, err := g.Group(t.Context(), [][]record.Record{in, in})
	assert.Equal(t, [][]record.Record{in}, batches)
	assert.Equal(t, errBroken, err)
}
