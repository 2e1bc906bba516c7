package inlet_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/record"
)

var errBroken = errors.New("broken")

func attr(key string, value any) record.Attr { return record.Attr{Key: key, Value: value} }

func pull(t *testing.T, in inlet.Inlet) ([]record.Record, error) {
	t.Helper()
	return in.Pull(t.Context(), record.Update{})
}

func payloads(rs []record.Record) (ps []any) {
	for _, r := range rs {
		ps = append(ps, r.Payload)
	}
	return ps
}

func values[T any](vs []T, err error) func(context.Context) ([]T, error) {
	return func(context.Context) ([]T, error) { return vs, err }
}

func value[T any](v T, err error) func(context.Context) (T, error) {
	return func(context.Context) (T, error) { return v, err }
}

func TestAdapters(t *testing.T) {
	labelled := record.New("x", attr("k", "v")).WithID("id")
	for _, test := range []struct {
		name  string
		in    inlet.Inlet
		pulls [][]record.Record
		err   error
	}{
		{"of", inlet.Of(values([]int{1, 2}, nil)), [][]record.Record{{record.New(1), record.New(2)}, {record.New(1), record.New(2)}}, nil},
		{"of nothing", inlet.Of(values[int](nil, nil)), [][]record.Record{nil}, nil},
		{"of an empty slice", inlet.Of(values([]int{}, nil)), [][]record.Record{nil}, nil},
		{"of nil", inlet.Of(values([]any{nil}, nil)), [][]record.Record{{record.New(nil)}}, nil},
		{"of slices", inlet.Of(values([][]int{{1, 2}}, nil)), [][]record.Record{{record.New([]int{1, 2})}}, nil},
		{"of records", inlet.Of(values([]record.Record{labelled}, nil)), [][]record.Record{{labelled}}, nil},
		{"of records and others", inlet.Of(values([]any{labelled, 1}, nil)), [][]record.Record{{labelled, record.New(1)}}, nil},
		{"of fails", inlet.Of(values[int](nil, errBroken)), [][]record.Record{nil}, errBroken},
		{"of fails with values", inlet.Of(values([]int{1}, errBroken)), [][]record.Record{{record.New(1)}}, errBroken},
		{"each", inlet.Each(value("x", nil)), [][]record.Record{{record.New("x")}, {record.New("x")}}, nil},
		{"each nil", inlet.Each(value[any](nil, nil)), [][]record.Record{{record.New(nil)}}, nil},
		{"each slice", inlet.Each(value([]int{1, 2}, nil)), [][]record.Record{{record.New([]int{1, 2})}}, nil},
		{"each record", inlet.Each(value(labelled, nil)), [][]record.Record{{labelled}}, nil},
		{"each fails", inlet.Each(value("x", errBroken)), [][]record.Record{nil}, errBroken},
		{"values", inlet.Values(1, 2), [][]record.Record{{record.New(1), record.New(2)}, nil, nil}, nil},
		{"no values", inlet.Values[int](), [][]record.Record{nil, nil}, nil},
		{"record values", inlet.Values(labelled), [][]record.Record{{labelled}, nil}, nil},
		{"null", inlet.Null(), [][]record.Record{nil, nil}, nil},
		{"random int", inlet.RandomInt(7, 7), [][]record.Record{{record.New(7)}, {record.New(7)}}, nil},
		{"func", inlet.Func(func(context.Context, record.Update) ([]record.Record, error) {
			return []record.Record{labelled}, errBroken
		}), [][]record.Record{{labelled}}, errBroken},
		{"named", inlet.Named("x", inlet.Values(1)), [][]record.Record{{record.New(1)}, nil}, nil},
		{"with metadata", inlet.WithMetadata(inlet.Of(values([]any{1, labelled}, nil)), attr("k", "global")),
			[][]record.Record{{record.New(1, attr("k", "global")), labelled}}, nil},
		{"with metadata, local wins", inlet.WithMetadata(inlet.Values(labelled), attr("k", "global"), attr("l", "global")),
			[][]record.Record{{labelled.WithMetadata(attr("l", "global"))}, nil}, nil},
		{"with metadata, failing", inlet.WithMetadata(inlet.Of(values([]int{1}, errBroken)), attr("k", "v")),
			[][]record.Record{{record.New(1, attr("k", "v"))}}, errBroken},
		{"with no metadata", inlet.WithMetadata(inlet.Values(labelled)), [][]record.Record{{labelled}}, nil},
		{"metadata over metadata", inlet.WithMetadata(inlet.WithMetadata(inlet.Values(1), attr("a", "in"), attr("b", "in")), attr("b", "out"), attr("c", "out")),
			[][]record.Record{{record.New(1, attr("a", "in"), attr("b", "in"), attr("c", "out"))}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			for i, want := range test.pulls {
				got, err := pull(t, test.in)
				assert.Equal(t, test.err, err)
				require.Equal(t, payloads(want), payloads(got), "pull %d", i)
				for i := range want {
					// Of attributes the order says nothing here.
					assert.ElementsMatch(t, attrs(want[i]), attrs(got[i]))
					assert.Equal(t, want[i].ID(), got[i].ID())
				}
			}
		})
	}
}

func attrs(r record.Record) (list []record.Attr) {
	for k, v := range r.Metadata.All() {
		list = append(list, attr(k, v))
	}
	return list
}

func TestContextReachesTheFunction(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "x")
	look := func(ctx context.Context) (any, error) { return ctx.Value(key{}), nil }
	for _, in := range []inlet.Inlet{
		inlet.Each(look),
		inlet.Named("x", inlet.Each(look)),
		inlet.WithMetadata(inlet.Each(look)),
		inlet.Of(func(ctx context.Context) ([]any, error) { v, err := look(ctx); return []any{v}, err }),
		inlet.Since("x", func(ctx context.Context, _ int) ([]any, int, error) { v, err := look(ctx); return []any{v}, 0, err }),
	} {
		got, err := in.Pull(ctx, record.Update{})
		require.NoError(t, err)
		assert.Equal(t, []any{"x"}, payloads(got))
	}
}

func TestUpdateReachesTheInlet(t *testing.T) {
	var got record.Update
	in := inlet.WithMetadata(inlet.Named("x", inlet.Func(func(_ context.Context, u record.Update) ([]record.Record, error) {
		got = u
		return nil, nil
	})))
	u := record.Update{Link: "l", Number: 7}
	_, err := in.Pull(t.Context(), u)
	require.NoError(t, err)
	assert.Equal(t, u, got)
}

func TestValuesAreCopied(t *testing.T) {
	ints := []int{1, 2}
	rs := []record.Record{record.New(1)}
	a, b := inlet.Values(ints...), inlet.Values(rs...)
	ints[0], rs[0] = 7, record.New(7)
	got, _ := pull(t, a)
	assert.Equal(t, []any{1, 2}, payloads(got))
	got, _ = pull(t, b)
	assert.Equal(t, []any{1}, payloads(got))
	got[0].Payload = 8
	assert.Equal(t, 7, rs[0].Payload)
}

func TestRandomInt(t *testing.T) {
	for _, test := range []struct{ min, max int }{
		{0, 100}, {-3, 3}, {5, 5}, {math.MinInt, math.MaxInt}, {math.MinInt, math.MinInt}, {math.MaxInt - 1, math.MaxInt}, {math.MinInt, 0},
	} {
		in := inlet.RandomInt(test.min, test.max)
		require.NoError(t, in.(inlet.Validator).Validate())
		seen := make(map[int]bool)
		for range 2000 {
			got, err := pull(t, in)
			require.NoError(t, err)
			require.Len(t, got, 1)
			n := got[0].Payload.(int)
			require.True(t, test.min <= n && n <= test.max, "%d", n)
			seen[n] = true
		}
		if width := uint64(test.max) - uint64(test.min) + 1; 0 < width && width <= 101 {
			assert.Len(t, seen, int(width), "both ends and all between")
		} else {
			assert.Greater(t, len(seen), 1990)
		}
	}
}

func TestBadInput(t *testing.T) {
	var noInlet inlet.Inlet
	var noFunc inlet.Func
	var noPointer *machine
	for _, test := range []struct {
		name string
		in   inlet.Inlet
		want string
	}{
		{"of nil", inlet.Of[int](nil), "inlet.Of: the function is nil, want one that returns values"},
		{"each nil", inlet.Each[int](nil), "inlet.Each: the function is nil, want one that returns a value"},
		{"random int", inlet.RandomInt(1, 0), "inlet.RandomInt: high is 0, want at least low, 1"},
		{"since without name", inlet.Since("", func(context.Context, int) ([]int, int, error) { return nil, 0, nil }), "inlet.Since: the name is empty, want one that no other inlet of its link has"},
		{"since nil", inlet.Since[int, int]("x", nil), `inlet.Since "x": the function is nil, want one that returns what comes after a cursor`},
		{"since without both", inlet.Since[int, int]("", nil), "inlet.Since: the name is empty, want one that no other inlet of its link has\ninlet.Since \"\": the function is nil, want one that returns what comes after a cursor"},
		{"named nothing", inlet.Named("", inlet.Null()), "inlet.Named: the name is empty, want one that no other inlet of its link has"},
		{"named nil", inlet.Named("x", noInlet), `inlet.Named "x": the inlet is nil, want an inlet`},
		{"named nil func", inlet.Named("x", noFunc), `inlet.Named "x": the inlet is nil, want an inlet`},
		{"named nil pointer", inlet.Named("x", noPointer), `inlet.Named "x": the inlet is nil, want an inlet`},
		{"named nothing nil", inlet.Named("", nil), "inlet.Named: the name is empty, want one that no other inlet of its link has\ninlet.Named \"\": the inlet is nil, want an inlet"},
		{"metadata of nil", inlet.WithMetadata(nil), "inlet.WithMetadata: the inlet is nil, want an inlet"},
		{"a mistake inside", inlet.WithMetadata(inlet.Named("", inlet.RandomInt(1, 0))),
			"inlet.Named: the name is empty, want one that no other inlet of its link has\ninlet.RandomInt: high is 0, want at least low, 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			assert.EqualError(t, test.in.(inlet.Validator).Validate(), test.want)
		})
	}
	for _, in := range []inlet.Inlet{inlet.Of[int](nil), inlet.Each[int](nil), inlet.RandomInt(1, 0), inlet.Since[int, int]("x", nil)} {
		got, err := pull(t, in)
		assert.Equal(t, in.(inlet.Validator).Validate(), err, "an unusable inlet yields nothing")
		assert.Nil(t, got)
	}
	for _, in := range []inlet.Inlet{
		inlet.Null(), inlet.Values(1), inlet.RandomInt(0, 0), inlet.Of(values([]int{1}, nil)), inlet.Each(value(1, nil)),
		inlet.Named("x", inlet.Null()), inlet.WithMetadata(new(machine)), inlet.Named("x", plain{}),
	} {
		assert.NoError(t, in.(inlet.Validator).Validate())
	}
}

func TestNames(t *testing.T) {
	for want, in := range map[string]inlet.Inlet{
		"of(int)":              inlet.Of(values([]int{1}, nil)),
		"each(record.Record)":  inlet.Each(value(record.Record{}, nil)),
		"values(string)":       inlet.Values("x"),
		"null":                 inlet.Null(),
		"random-int(0 to 100)": inlet.RandomInt(0, 100),
		"orders":               inlet.Since("orders", func(context.Context, int) ([]int, int, error) { return nil, 0, nil }),
		"x":                    inlet.Named("x", inlet.Null()),
		"outer":                inlet.Named("outer", inlet.WithMetadata(inlet.Named("inner", inlet.Null()))),
		"inner":                inlet.WithMetadata(inlet.Named("inner", inlet.Null())),
		"inlet.Func":           inlet.Func(nil),
		"inlet_test.plain":     plain{},
		"*inlet.described":     inlet.WithMetadata(plain{}),
		"<nil>":                nil,
	} {
		assert.Equal(t, want, inlet.Name(in))
	}
}

// A node that is given twice must be recognised.
func TestInletsCanBeCompared(t *testing.T) {
	for name, fresh := range map[string]func() inlet.Inlet{
		"of":       func() inlet.Inlet { return inlet.Of(values([]int{1}, nil)) },
		"each":     func() inlet.Inlet { return inlet.Each(value(1, nil)) },
		"values":   func() inlet.Inlet { return inlet.Values(1) },
		"null":     func() inlet.Inlet { return inlet.Null() },
		"random":   func() inlet.Inlet { return inlet.RandomInt(0, 1) },
		"since":    func() inlet.Inlet { return inlet.Since[int, int]("x", nil) },
		"named":    func() inlet.Inlet { return inlet.Named("x", inlet.Func(nil)) },
		"metadata": func() inlet.Inlet { return inlet.WithMetadata(plain{}) },
	} {
		a, b := fresh(), fresh()
		require.True(t, reflect.ValueOf(a).Comparable(), name)
		assert.True(t, a == a && a != b, name)
	}
}

type plain struct{}

func (plain) Pull(context.Context, record.Update) ([]record.Record, error) { return nil, nil }

// machine has every capability, and a claim about data.
type machine struct{ calls []string }

func (m *machine) call(name string) { m.calls = append(m.calls, name) }

func (m *machine) Pull(context.Context, record.Update) ([]record.Record, error) {
	m.call("Pull")
	return []record.Record{record.New(1)}, nil
}
func (m *machine) Start(context.Context) error          { m.call("Start"); return nil }
func (m *machine) Shutdown(context.Context) error       { m.call("Shutdown"); return nil }
func (m *machine) Validate() error                      { m.call("Validate"); return nil }
func (m *machine) String() string                       { return "machine" }
func (m *machine) Position() []byte                     { m.call("Position"); return nil }
func (m *machine) Seek(context.Context, []byte) error   { m.call("Seek"); return nil }
func (m *machine) Commit(context.Context, []byte) error { m.call("Commit"); return nil }
func (m *machine) Check(context.Context) error          { m.call("Check"); return nil }

type startOnly struct{ plain }

func (*startOnly) Start(context.Context) error { return nil }

func found[T any](in inlet.Inlet) bool {
	_, ok := inlet.As[T](in)
	return ok
}

func TestDecoratorsAreLookedThrough(t *testing.T) {
	for _, test := range []struct {
		name     string
		decorate func(inlet.Inlet) inlet.Inlet
	}{
		{"not decorated", func(in inlet.Inlet) inlet.Inlet { return in }},
		{"named", func(in inlet.Inlet) inlet.Inlet { return inlet.Named("x", in) }},
		{"with metadata", func(in inlet.Inlet) inlet.Inlet { return inlet.WithMetadata(in, attr("k", "v")) }},
		{"both", func(in inlet.Inlet) inlet.Inlet { return inlet.WithMetadata(inlet.Named("x", in)) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := new(machine)
			in := test.decorate(m)
			s, ok := inlet.As[inlet.Starter](in)
			require.True(t, ok)
			require.NoError(t, s.Start(t.Context()))
			d, ok := inlet.As[inlet.Shutdowner](in)
			require.True(t, ok)
			require.NoError(t, d.Shutdown(t.Context()))
			v, ok := inlet.As[inlet.Validator](in)
			require.True(t, ok)
			require.NoError(t, v.Validate())
			p, ok := inlet.As[inlet.Positioner](in)
			require.True(t, ok)
			p.Position()
			k, ok := inlet.As[inlet.Seeker](in)
			require.True(t, ok)
			require.NoError(t, k.Seek(t.Context(), nil))
			c, ok := inlet.As[inlet.Committer](in)
			require.True(t, ok)
			require.NoError(t, c.Commit(t.Context(), nil))
			r, ok := inlet.As[inlet.Checker](in)
			require.True(t, ok)
			require.NoError(t, r.Check(t.Context()))
			assert.Equal(t, []string{"Start", "Shutdown", "Validate", "Position", "Seek", "Commit", "Check"}, m.calls)
			self, ok := inlet.As[*machine](in)
			assert.True(t, ok)
			assert.Same(t, m, self)

			// What is not there is not found.
			for _, none := range []inlet.Inlet{plain{}, &startOnly{}} {
				in := test.decorate(none)
				assert.Equal(t, none != inlet.Inlet(plain{}), found[inlet.Starter](in))
				assert.False(t, found[inlet.Shutdowner](in))
				assert.False(t, found[inlet.Positioner](in))
				assert.False(t, found[inlet.Seeker](in))
				assert.False(t, found[inlet.Committer](in))
				assert.False(t, found[inlet.Checker](in))
			}
		})
	}
	assert.False(t, found[fmt.Stringer](inlet.WithMetadata(plain{})))
	assert.False(t, found[fmt.Stringer](nil))
	assert.False(t, found[inlet.Starter](inlet.Named("x", nil)))
}
