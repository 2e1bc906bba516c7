package outlet_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

var errBroken = errors.New("broken")

func of(payloads ...any) (rs []record.Record) {
	for _, p := range payloads {
		rs = append(rs, record.New(p))
	}
	return rs
}

func partial(failed map[int]error) error { return &record.Partial{Failed: failed} }

func TestOf(t *testing.T) {
	const wrongType = "payload is a string, want int"
	all := map[int]string{0: "broken", 1: wrongType, 2: "broken", 3: wrongType}
	for _, test := range []struct {
		name   string
		in     []any
		answer error
		values []int // that f is called with; nil: it is not
		err    error // exactly
		failed map[int]string
	}{
		{"all", []any{1, 2}, nil, []int{1, 2}, nil, nil},
		{"none", nil, nil, nil, nil, nil},
		{"an error", []any{1, 2}, errBroken, []int{1, 2}, errBroken, nil},
		{"a partial", []any{1, 2}, partial(map[int]error{1: errBroken}), []int{1, 2}, partial(map[int]error{1: errBroken}), nil},
		{"a partial that is wrong", []any{1, 2}, partial(nil), []int{1, 2}, partial(nil), nil},
		{"another type", []any{1, "x", 2, "y"}, nil, []int{1, 2}, nil, map[int]string{1: wrongType, 3: wrongType}},
		{"only another type", []any{"x", "y"}, nil, nil, nil, map[int]string{0: wrongType, 1: wrongType}},
		{"nil", []any{nil, 1}, nil, []int{1}, nil, map[int]string{0: "payload is a <nil>, want int"}},
		{"another type and an error", []any{1, "x", 2, "y"}, errBroken, []int{1, 2}, nil, all},
		{"another type and a partial", []any{1, "x", 2, "y"}, fmt.Errorf("insert: %w", partial(map[int]error{1: errBroken})), []int{1, 2}, nil,
			map[int]string{1: wrongType, 2: "broken", 3: wrongType}},
		{"another type first and a partial", []any{"x", 1, 2}, partial(map[int]error{0: errBroken}), []int{1, 2}, nil,
			map[int]string{0: wrongType, 1: "broken"}},
		{"another type and an empty partial", []any{"x", 1}, partial(nil), []int{1}, nil,
			map[int]string{0: wrongType, 1: "a Partial without an index, want those of the failed records: 0 failed"}},
		{"another type and a partial out of range", []any{"x", 1}, partial(map[int]error{1: errBroken}), []int{1}, nil,
			map[int]string{0: wrongType, 1: "a Partial with the index 1, want 0 to 0: 1 failed: record 1: broken"}},
		{"another type and a partial of nothing", []any{"x", 1, 2}, partial(map[int]error{1: nil}), []int{1, 2}, nil,
			map[int]string{0: wrongType, 1: "a Partial with a nil error at the index 1: 1 failed: record 1: <nil>", 2: "a Partial with a nil error at the index 1: 1 failed: record 1: <nil>"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var values []int
			out := outlet.Of(func(_ context.Context, v []int) error {
				values = v
				return test.answer
			})
			err := out.Push(t.Context(), of(test.in...), record.Update{})
			assert.Equal(t, test.values, values)
			checkFailed(t, err, test.failed, test.err, len(test.in))
		})
	}
}

func checkFailed(t *testing.T, err error, failed map[int]string, exactly error, n int) {
	t.Helper()
	if failed == nil {
		assert.Equal(t, exactly, err)
		return
	}
	p := record.AsPartial(err)
	require.NotNil(t, p, "%v", err)
	require.NoError(t, p.Check(n))
	texts := make(map[int]string)
	for i, err := range p.Failed {
		texts[i] = err.Error()
	}
	assert.Equal(t, failed, texts)
}

func TestOfKeepsMarks(t *testing.T) {
	out := outlet.Of(func(context.Context, []int) error { return record.RetryAfter(time.Minute, errBroken) })
	p := record.AsPartial(out.Push(t.Context(), of("x", 1), record.Update{}))
	require.NotNil(t, p)
	assert.True(t, record.IsPermanent(p.Failed[0]))
	assert.False(t, record.IsPermanent(p.Failed[1]))
	var after *record.RetryAfterError
	require.ErrorAs(t, p.Failed[1], &after)
	assert.Equal(t, time.Minute, after.After)
}

func TestEach(t *testing.T) {
	const wrongType = "payload is a string, want int"
	for _, test := range []struct {
		name   string
		in     []any
		ends   int // the context ends with this value; 0: it does not
		values []int
		failed map[int]string
	}{
		{"all", []any{1, 2, 3}, 0, []int{1, 2, 3}, nil},
		{"none", nil, 0, nil, nil},
		{"some fail", []any{1, -2, 3, -4}, 0, []int{1, -2, 3, -4}, map[int]string{1: "broken", 3: "broken"}},
		{"another type", []any{"x", 1, "y"}, 0, []int{1}, map[int]string{0: wrongType, 2: wrongType}},
		{"the context ends", []any{1, 2, 3, 4}, 2, []int{1, 2}, map[int]string{2: "out of time", 3: "out of time"}},
		{"the context ends before another type", []any{1, 2, "x"}, 1, []int{1}, map[int]string{1: "out of time", 2: wrongType}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var values []int
			out := outlet.Each(func(_ context.Context, v int) error {
				values = append(values, v)
				if v == test.ends {
					cancel(errors.New("out of time"))
				}
				if v < 0 {
					return errBroken
				}
				return nil
			})
			err := out.Push(ctx, of(test.in...), record.Update{})
			assert.Equal(t, test.values, values)
			checkFailed(t, err, test.failed, nil, len(test.in))
		})
	}
}

func TestInterfacesAsTypes(t *testing.T) {
	var got []any
	each := outlet.Each(func(_ context.Context, v any) error { got = append(got, v); return nil })
	require.NoError(t, each.Push(t.Context(), of(1, nil, "x"), record.Update{}))
	assert.Equal(t, []any{1, nil, "x"}, got)
	all := outlet.Of(func(_ context.Context, v []any) error { got = v; return nil })
	require.NoError(t, all.Push(t.Context(), of(nil, 2), record.Update{}))
	assert.Equal(t, []any{nil, 2}, got)
}

func TestFuncsGetEverything(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "x")
	var gotCtx any
	var got []record.Record
	var gotUpdate record.Update
	f := outlet.Func(func(ctx context.Context, rs []record.Record, u record.Update) error {
		gotCtx, got, gotUpdate = ctx.Value(key{}), rs, u
		return errBroken
	})
	rs, u := of(1), record.Update{Link: "l", Number: 7}
	for _, out := range []outlet.Outlet{f, outlet.Named("x", f), outlet.ReadOnly(f), outlet.ReadOnly(outlet.Named("x", f))} {
		gotCtx, got = nil, nil
		assert.Equal(t, errBroken, out.Push(ctx, rs, u))
		assert.Equal(t, "x", gotCtx)
		assert.Equal(t, rs, got)
		assert.Equal(t, u, gotUpdate)
	}
	for _, out := range []outlet.Outlet{
		outlet.Of(func(ctx context.Context, _ []int) error { gotCtx = ctx.Value(key{}); return nil }),
		outlet.Each(func(ctx context.Context, _ int) error { gotCtx = ctx.Value(key{}); return nil }),
	} {
		gotCtx = nil
		require.NoError(t, out.Push(ctx, rs, u))
		assert.Equal(t, "x", gotCtx)
	}
}

func TestDiscard(t *testing.T) {
	out := outlet.Discard()
	require.NoError(t, out.Push(t.Context(), of(1, 2), record.Update{}))
	require.NoError(t, out.Push(t.Context(), nil, record.Update{}))
	assert.True(t, out.(outlet.Reader).ReadOnly())
	assert.Equal(t, "discard", outlet.Name(out))
}

func TestBadInput(t *testing.T) {
	var noOutlet outlet.Outlet
	var noFunc outlet.Func
	var noPointer *outlet.Printer
	for _, test := range []struct {
		name string
		out  outlet.Outlet
		want string
	}{
		{"of nil", outlet.Of[int](nil), "outlet.Of: the function is nil, want one that takes values"},
		{"each nil", outlet.Each[int](nil), "outlet.Each: the function is nil, want one that takes a value"},
		{"named nothing", outlet.Named("", outlet.Discard()), "outlet.Named: the name is empty, want one that no other outlet of its link has"},
		{"named nil", outlet.Named("x", noOutlet), `outlet.Named "x": the outlet is nil, want an outlet`},
		{"named nil func", outlet.Named("x", noFunc), `outlet.Named "x": the outlet is nil, want an outlet`},
		{"named nil pointer", outlet.Named("x", noPointer), `outlet.Named "x": the outlet is nil, want an outlet`},
		{"named nothing nil", outlet.Named("", nil), "outlet.Named: the name is empty, want one that no other outlet of its link has\noutlet.Named \"\": the outlet is nil, want an outlet"},
		{"nil read-only", outlet.ReadOnly(nil), "outlet.ReadOnly: the outlet is nil, want an outlet"},
		{"a mistake inside", outlet.ReadOnly(outlet.Named("", outlet.Of[int](nil))), "outlet.Named: the name is empty, want one that no other outlet of its link has\noutlet.Of: the function is nil, want one that takes values"},
	} {
		t.Run(test.name, func(t *testing.T) {
			assert.EqualError(t, test.out.(outlet.Validator).Validate(), test.want)
		})
	}
	for _, out := range []outlet.Outlet{outlet.Of[int](nil), outlet.Each[int](nil)} {
		err := out.Push(t.Context(), of(1), record.Update{})
		assert.Equal(t, out.(outlet.Validator).Validate(), err, "an unusable outlet accepts nothing")
		assert.Nil(t, record.AsPartial(err))
	}
	for _, out := range []outlet.Outlet{
		outlet.Of(func(context.Context, []int) error { return nil }), outlet.Each(func(context.Context, int) error { return nil }),
		outlet.Named("x", outlet.Discard()), outlet.ReadOnly(outlet.Discard()), outlet.ReadOnly(new(machine)),
	} {
		assert.NoError(t, out.(outlet.Validator).Validate())
	}
}

func TestNames(t *testing.T) {
	for want, out := range map[string]outlet.Outlet{
		"of(int)":               outlet.Of(func(context.Context, []int) error { return nil }),
		"each(*outlet.Printer)": outlet.Each(func(context.Context, *outlet.Printer) error { return nil }),
		"discard":               outlet.Discard(),
		"print":                 outlet.Print(nil),
		"x":                     outlet.Named("x", outlet.Discard()),
		"outer":                 outlet.Named("outer", outlet.ReadOnly(outlet.Named("inner", outlet.Discard()))),
		"inner":                 outlet.ReadOnly(outlet.Named("inner", outlet.Discard())),
		"outlet.Func":           outlet.Func(nil),
		"*outlet.reader":        outlet.ReadOnly(outlet.Func(nil)),
		"<nil>":                 nil,
	} {
		assert.Equal(t, want, outlet.Name(out))
	}
}

// A node that is given twice must be recognised.
func TestOutletsCanBeCompared(t *testing.T) {
	for name, fresh := range map[string]func() outlet.Outlet{
		"of":        func() outlet.Outlet { return outlet.Of[int](nil) },
		"each":      func() outlet.Outlet { return outlet.Each[int](nil) },
		"discard":   func() outlet.Outlet { return outlet.Discard() },
		"print":     func() outlet.Outlet { return outlet.Print(nil) },
		"named":     func() outlet.Outlet { return outlet.Named("x", outlet.Func(nil)) },
		"read-only": func() outlet.Outlet { return outlet.ReadOnly(outlet.Func(nil)) },
	} {
		a, b := fresh(), fresh()
		require.True(t, reflect.ValueOf(a).Comparable(), name)
		assert.True(t, a == a && a != b, name)
	}
}

// machine has every capability, and claims about data.
type machine struct {
	calls    []string
	readOnly bool
	store    any
}

func (m *machine) call(name string) { m.calls = append(m.calls, name) }

func (m *machine) Push(context.Context, []record.Record, record.Update) error {
	m.call("Push")
	return nil
}
func (m *machine) Start(context.Context) error    { m.call("Start"); return nil }
func (m *machine) Shutdown(context.Context) error { m.call("Shutdown"); return nil }
func (m *machine) Validate() error                { m.call("Validate"); return nil }
func (m *machine) Check(context.Context) error    { m.call("Check"); return nil }
func (m *machine) String() string                 { return "machine" }
func (m *machine) ReadOnly() bool                 { return m.readOnly }
func (m *machine) Store() any                     { return m.store }

// editor is a decorator that makes no claim: it changes what it hands on.
type editor struct{ outlet.Outlet }

func (e editor) Unwrap() outlet.Outlet { return e.Outlet }

func found[T any](out outlet.Outlet) bool {
	_, ok := outlet.As[T](out)
	return ok
}

func TestDecoratorsAreLookedThrough(t *testing.T) {
	for name, decorate := range map[string]func(outlet.Outlet) outlet.Outlet{
		"not decorated": func(out outlet.Outlet) outlet.Outlet { return out },
		"named":         func(out outlet.Outlet) outlet.Outlet { return outlet.Named("x", out) },
		"read-only":     outlet.ReadOnly,
		"a user's":      func(out outlet.Outlet) outlet.Outlet { return editor{out} },
		"three":         func(out outlet.Outlet) outlet.Outlet { return editor{outlet.ReadOnly(outlet.Named("x", out))} },
	} {
		t.Run(name, func(t *testing.T) {
			m := new(machine)
			out := decorate(m)
			s, ok := outlet.As[outlet.Starter](out)
			require.True(t, ok)
			require.NoError(t, s.Start(t.Context()))
			d, ok := outlet.As[outlet.Shutdowner](out)
			require.True(t, ok)
			require.NoError(t, d.Shutdown(t.Context()))
			v, ok := outlet.As[outlet.Validator](out)
			require.True(t, ok)
			require.NoError(t, v.Validate())
			c, ok := outlet.As[outlet.Checker](out)
			require.True(t, ok)
			require.NoError(t, c.Check(t.Context()))
			assert.Equal(t, []string{"Start", "Shutdown", "Validate", "Check"}, m.calls)
			self, ok := outlet.As[*machine](out)
			assert.True(t, ok)
			assert.Same(t, m, self)
			assert.False(t, found[outlet.Starter](decorate(outlet.Func(nil))))
			assert.False(t, found[outlet.Shutdowner](decorate(outlet.Func(nil))))
			assert.False(t, found[outlet.Checker](decorate(outlet.Func(nil))))
		})
	}
	assert.False(t, found[fmt.Stringer](nil))
	assert.False(t, found[outlet.Starter](outlet.Named("x", nil)))
}

// What claims there are about data is asked of the outlet itself, as links ask it.
func TestClaimsAboutData(t *testing.T) {
	store := new(int)
	yes, no := &machine{readOnly: true, store: store}, &machine{}
	var noStore any
	for _, test := range []struct {
		name     string
		out      outlet.Outlet
		readOnly bool
		store    any
	}{
		{"claims", yes, true, store},
		{"claims nothing", no, false, nil},
		{"named", outlet.Named("x", yes), true, store},
		{"named that claims nothing", outlet.Named("x", no), false, noStore},
		{"named without a claim", outlet.Named("x", outlet.Func(nil)), false, nil},
		{"declared", outlet.ReadOnly(no), true, nil},
		{"declared without a claim", outlet.ReadOnly(outlet.Func(nil)), true, nil},
		{"declared and atomic", outlet.ReadOnly(yes), true, store},
		{"named and declared", outlet.Named("x", outlet.ReadOnly(yes)), true, store},
		{"declared and named", outlet.ReadOnly(outlet.Named("x", no)), true, nil},
		{"edited", editor{yes}, false, nil},
		{"named, edited", outlet.Named("x", editor{yes}), false, nil},
		{"edited, named", editor{outlet.Named("x", yes)}, false, nil},
		{"edited and declared", outlet.ReadOnly(editor{yes}), true, nil},
		{"named nil", outlet.Named("x", nil), false, nil},
		{"of", outlet.Of(func(context.Context, []int) error { return nil }), false, nil},
		{"each", outlet.Each(func(context.Context, int) error { return nil }), false, nil},
		{"print", outlet.Print(nil), true, nil},
		{"discard", outlet.Discard(), true, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, ok := test.out.(outlet.Reader)
			assert.Equal(t, test.readOnly, ok && r.ReadOnly())
			var store any
			if a, ok := test.out.(outlet.Atomic); ok {
				store = a.Store()
			}
			assert.Equal(t, test.store, store)
		})
	}
}
