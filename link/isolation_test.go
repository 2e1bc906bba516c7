package link_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

type invoice struct {
	Net   float64
	Lines []line
	Tags  map[string]*string
}

type line struct{ Price float64 }

// vandal changes everything that can be changed in what it is given, notes what it
// has found, and refuses the first offers.
type vandal struct {
	name   string
	refuse int
	offers int
	found  []string
}

func (v *vandal) String() string { return v.name }

func (v *vandal) Push(_ context.Context, records []record.Record, _ record.Update) error {
	v.offers++
	for i, r := range records {
		v.found = append(v.found, fmt.Sprintf("%s %+v", v.name, show(r.Payload)))
		switch p := r.Payload.(type) {
		case map[string]any:
			p["eur"] = p["eur"].(float64) * 1.19
			p["list"].([]any)[0] = v.name
			delete(p, "gone")
		case []int:
			p[0] *= 2
		case *invoice:
			p.Net *= 1.19
			p.Lines[0].Price = -1
			*p.Tags["a"] = v.name
			p.Tags["b"] = nil
		case invoice:
			p.Lines[0].Price = -1
			*p.Tags["a"] = v.name
		case []byte:
			p[0] = 'x'
		}
		records[i] = record.New(v.name)
	}
	slices.Reverse(records)
	if v.offers <= v.refuse {
		return errDown
	}
	return nil
}

func show(p any) string {
	if i, ok := p.(*invoice); ok {
		p = *i
	}
	if i, ok := p.(invoice); ok {
		return fmt.Sprintf("%v %v %v", i.Net, i.Lines, *i.Tags["a"])
	}
	return fmt.Sprint(p)
}

func vandalised() map[string]any {
	tag := func() map[string]*string { s := "tag"; return map[string]*string{"a": &s} }
	return map[string]any{
		"map":     map[string]any{"eur": 100.0, "list": []any{"first"}, "gone": true},
		"slice":   []int{1, 2},
		"pointer": &invoice{Net: 100, Lines: []line{{1}}, Tags: tag()},
		"struct":  invoice{Net: 100, Lines: []line{{1}}, Tags: tag()},
		"bytes":   []byte("abc"),
	}
}

// No outlet sees what another one does, nor what it did itself to an offer that it
// refused.
func TestOutletsAreIsolated(t *testing.T) {
	for name := range vandalised() {
		payload := vandalised()[name]
		t.Run(name, func(t *testing.T) {
			a, b := &vandal{name: "a", refuse: 2}, &vandal{name: "b"}
			reader := &taker{name: "reader"}
			l := started(t, link.Config{Inlets: inlets(feeding("in", list(payload))), Outlets: outlets(a, outlet.ReadOnly(reader), b)})
			want := show(payload)
			for range 2 {
				_, err := transfer(t, l)
				require.ErrorIs(t, err, errDown)
			}
			transferred(t, l)
			assert.Equal(t, []string{"a " + want, "a " + want, "a " + want}, a.found)
			assert.Equal(t, []string{"b " + want}, b.found)
			require.Len(t, reader.accepted(), 1)
			assert.Equal(t, want, show(reader.accepted()[0]))
			assert.Equal(t, want, show(payload), "the lane keeps what it was given")
		})
	}
}

// An outlet that changes what it is given and refuses it is offered the original
// again: 119 arrive, not 168.52.
func TestRetryAfterAChange(t *testing.T) {
	var sink []float64
	offers := 0
	l := started(t, link.Config{
		Inlets: inlets(feeding("in", list(map[string]any{"eur": 100.0}))),
		Outlets: outlets(outlet.Of(func(_ context.Context, all []map[string]any) error {
			for _, m := range all {
				m["eur"] = m["eur"].(float64) * 1.19
			}
			if offers++; offers < 3 {
				return errDown
			}
			for _, m := range all {
				sink = append(sink, m["eur"].(float64))
			}
			return nil
		})),
	})
	transfer(t, l)
	transfer(t, l)
	transferred(t, l)
	assert.Equal(t, []float64{119}, sink)
}

// Which outlets get the payload that the inlet returned.
func TestIsolationModes(t *testing.T) {
	type plain struct {
		A int
		B [2]string
	}
	tests := map[string]struct {
		mode     link.Isolation
		outlet   func(*taker) outlet.Outlet
		original bool
	}{
		"undeclared":                    {link.Isolate, func(o *taker) outlet.Outlet { return o }, false},
		"read-only":                     {link.Isolate, func(o *taker) outlet.Outlet { return outlet.ReadOnly(o) }, true},
		"read-only, named":              {link.Isolate, func(o *taker) outlet.Outlet { return outlet.Named("n", outlet.ReadOnly(o)) }, true},
		"read-only in a decorator":      {link.Isolate, func(o *taker) outlet.Outlet { return wrapped{outlet.ReadOnly(o)} }, false},
		"CopyAlways":                    {link.CopyAlways, func(o *taker) outlet.Outlet { return o }, false},
		"CopyAlways and read-only":      {link.CopyAlways, func(o *taker) outlet.Outlet { return outlet.ReadOnly(o) }, false},
		"SharePayloads":                 {link.SharePayloads, func(o *taker) outlet.Outlet { return o }, true},
		"SharePayloads and read-only":   {link.SharePayloads, func(o *taker) outlet.Outlet { return outlet.ReadOnly(o) }, true},
		"says that it is not read-only": {link.Isolate, func(o *taker) outlet.Outlet { return denying{o} }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			n := 1
			fixed := &n // a pointer
			a, b := &taker{name: "a"}, &taker{name: "b"}
			meta := record.NewMetadata(record.Attr{Key: "k", Value: "v"})
			in := &feed{name: "in", script: func(context.Context, int) ([]record.Record, error) {
				return []record.Record{
					record.Record{Payload: fixed, Metadata: meta}.WithID("id"),
					{Payload: plain{1, [2]string{"x", "y"}}},
				}, nil
			}}
			l := started(t, link.Config{Inlets: inlets(in), Isolation: tt.mode, Lanes: []link.Lane{{Outlet: tt.outlet(a), Name: "a"}, {Outlet: tt.outlet(b), Name: "b"}}})
			transferred(t, l)
			for _, o := range []*taker{a, b} {
				got := o.all()[0].records
				require.Len(t, got, 2)
				assert.Equal(t, fixed, got[0].Payload, "the values are equal")
				assert.Equal(t, tt.original, fixed == got[0].Payload.(*int))
				assert.Equal(t, "id", got[0].ID())
				assert.Equal(t, meta, got[0].Metadata)
				assert.Equal(t, "in", got[0].Inlet())
				assert.Equal(t, plain{1, [2]string{"x", "y"}}, got[1].Payload)
			}
			if !tt.original {
				assert.NotSame(t, a.all()[0].records[0].Payload, b.all()[0].records[0].Payload)
			}
		})
	}
}

type denying struct{ *taker }

func (denying) ReadOnly() bool { return false }

// Every offer has a copy of its own.
func TestEveryOfferIsCopied(t *testing.T) {
	out := &taker{name: "out", script: failing(1, errDown)}
	n := 1
	l := started(t, link.Config{Inlets: inlets(feeding("in", list(&n))), Outlets: outlets(out)})
	transfer(t, l)
	transferred(t, l)
	require.Len(t, out.all(), 2)
	assert.NotSame(t, out.all()[0].records[0].Payload, out.all()[1].records[0].Payload)
}

// A payload that cannot be copied fails alone and for good; the others are offered,
// and the answer about them is theirs.
func TestPayloadThatCannotBeCopied(t *testing.T) {
	pipe := make(chan int)
	partial := func(failed map[int]error) error { return &record.Partial{Failed: failed} }
	tests := map[string]struct {
		answer error
		kept   []any
	}{
		"the others are accepted":      {nil, list(pipe, pipe)},
		"one of them is not":           {partial(map[int]error{1: errDown}), list(pipe, 2, pipe)},
		"none of them is":              {errDown, list(1, pipe, 2, pipe, 3)},
		"a Partial out of range":       {partial(map[int]error{3: errDown}), list(1, pipe, 2, pipe, 3)},
		"an empty Partial":             {partial(nil), list(1, pipe, 2, pipe, 3)},
		"a Partial with a nil error":   {partial(map[int]error{0: nil}), list(1, pipe, 2, pipe, 3)},
		"a Partial joined with others": {errors.Join(partial(map[int]error{1: errDown}), errDown), list(1, pipe, 2, pipe, 3)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			out := &taker{name: "out", script: failing(1, tt.answer)}
			reader := &taker{name: "reader"}
			l := started(t, link.Config{
				Inlets: inlets(feeding("in", list(1, pipe, 2, pipe, 3))), Outlets: outlets(out, outlet.ReadOnly(reader)),
			})
			r, err := transfer(t, l)
			e := failure(t, err)
			assert.True(t, e.Kept)
			assert.Equal(t, len(tt.kept), e.Records)
			if tt.answer == nil || len(tt.kept) == 3 {
				assert.True(t, record.IsPermanent(e))
				assert.ErrorContains(t, e, "chan int")
			}
			assert.Equal(t, int64(len(tt.kept)), r.Lanes[0].Pending)
			assert.Equal(t, list(1, 2, 3), out.got()[0])

			transfer(t, l)
			var again []any // without those that cannot be copied
			for _, p := range tt.kept {
				if p != any(pipe) {
					again = append(again, p)
				}
			}
			if again == nil {
				assert.Len(t, out.got(), 1, "an offer of nothing is none")
			} else {
				assert.Equal(t, lists(list(1, 2, 3), again), out.got())
			}
			assert.Equal(t, int64(2), l.Account().Lanes[0].Pending)
			assert.Equal(t, list(1, pipe, 2, pipe, 3), reader.accepted())
		})
	}
}

type touchy struct{ _ []int }

func (touchy) Clone() any { panic("do not touch") }

func TestCloneThatPanics(t *testing.T) {
	out := &taker{name: "out"}
	l := started(t, link.Config{Inlets: inlets(feeding("in", list(1, touchy{}))), Outlets: outlets(out)})
	for range 2 {
		_, err := transfer(t, l)
		_, ok := errors.AsType[*link.PanicError](err)
		assert.True(t, ok, "%v", err)
		assert.Equal(t, 2, failure(t, err).Records)
	}
	assert.Empty(t, out.got())
}

// Processors of one lane do not show in another.
func TestLaneProcessorsAreIsolated(t *testing.T) {
	double := record.Map(func(m map[string]int) (map[string]int, error) { return map[string]int{"n": 2 * m["n"]}, nil })
	a, b := &taker{name: "a"}, &taker{name: "b"}
	l := started(t, link.Config{
		Inlets: inlets(feeding("in", list(map[string]int{"n": 1}))),
		Lanes:  []link.Lane{{Outlet: a, Processors: []record.Processor{double}}, {Outlet: b}},
	})
	transferred(t, l)
	assert.Equal(t, list(map[string]int{"n": 2}), a.accepted())
	assert.Equal(t, list(map[string]int{"n": 1}), b.accepted())
}
