package record_test

import (
	"encoding/json"
	"math/big"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/record"
)

type (
	point struct {
		X, Y int
		name string
	}
	stamps [2]time.Time
	names  map[string][]string
	inner  struct{ Tags []string }
	outer  struct {
		inner // its exported fields are outer's
		ID    int
		when  time.Time
	}
	tree struct {
		Value int
		Kids  []*tree
		Up    *tree
	}
	mixed struct {
		Plain point
		List  []point
		Map   names
		Any   any
		Ptr   *point
		Array [2][]int
		Func  func() int
		Raw   json.RawMessage
		Nil   []int
		NoMap map[string]int
		NoPtr *point
		NoAny any
	}
	hidden struct{ list []int }
	embeds struct{ hidden }
)

func fortyTwo() int { return 42 }

func newMixed() mixed {
	return mixed{
		Plain: point{1, 2, "p"}, List: []point{{3, 4, "q"}}, Map: names{"a": {"b", "c"}},
		Any: map[string]any{"k": []any{1, "x", nil}}, Ptr: &point{5, 6, "r"}, Array: [2][]int{{1}, {2}},
		Func: fortyTwo, Raw: json.RawMessage(`{}`),
	}
}

// change changes everything that can be reached from v in place.
func change(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && v.Elem().CanSet() {
			e := v.Elem()
			if e.Kind() == reflect.Struct {
				change(e)
			}
			e.SetZero()
		}
	case reflect.Interface:
		change(v.Elem())
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			change(v.Index(i))
			if v.Index(i).CanSet() {
				v.Index(i).SetZero()
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			change(it.Key())
			change(it.Value())
		}
		if v.Len() > 0 {
			v.Clear()
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() || f.Anonymous {
				change(v.Field(i))
			}
		}
	}
}

// Every copy equals the original, and changing the copy leaves the original as
// another original, made the same way.
func TestCopies(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		name  string
		fresh func() any
	}{
		{"nil", func() any { return nil }},
		{"int", func() any { return 7 }},
		{"uintptr", func() any { return uintptr(7) }},
		{"string", func() any { return "x" }},
		{"time", func() any { return now }},
		{"duration", func() any { return time.Second }},
		{"complex", func() any { return 1i }},
		{"named string", func() any { return json.Number("7") }},
		{"plain struct", func() any { return point{1, 2, "p"} }},
		{"plain array", func() any { return stamps{now, now} }},
		{"bytes", func() any { return []byte("abc") }},
		{"raw JSON", func() any { return json.RawMessage(`{"a":1}`) }},
		{"no bytes", func() any { return []byte{} }},
		{"nil bytes", func() any { return []byte(nil) }},
		{"map", func() any { return map[string]any{"a": 1, "b": []any{1, map[string]any{"c": []byte("x")}}, "d": nil} }},
		{"empty map", func() any { return map[string]any{} }},
		{"nil map", func() any { return map[string]any(nil) }},
		{"list", func() any { return []any{1, []any{2, nil}, map[string]any{}} }},
		{"empty list", func() any { return []any{} }},
		{"nil list", func() any { return []any(nil) }},
		{"map of strings", func() any { return map[string]string{"a": "b"} }},
		{"nil map of strings", func() any { return map[string]string(nil) }},
		{"named map", func() any { return names{"a": {"b"}, "c": nil} }},
		{"nil named map", func() any { return names(nil) }},
		{"map of nil interfaces", func() any { return map[int]error{1: nil} }},
		{"map with pointers in its keys", func() any { return map[[1]any]int{{1}: 1} }},
		{"slice of structs", func() any { return []point{{1, 2, "p"}} }},
		{"slice of slices", func() any { return [][]int{{1}, nil, {}} }},
		{"pointer", func() any { return &point{1, 2, "p"} }},
		{"pointer to pointer", func() any { p := &point{1, 2, "p"}; return &p }},
		{"nil pointer", func() any { return (*point)(nil) }},
		{"array of slices", func() any { return [2][]int{{1}, {2}} }},
		{"struct", func() any { m := newMixed(); m.Func = nil; return m }},
		{"pointer to struct", func() any { m := newMixed(); m.Func = nil; return &m }},
		{"struct in a map", func() any { m := newMixed(); m.Func = nil; return map[string]any{"a": m, "b": &m} }},
		{"embedded struct", func() any { return outer{inner{[]string{"a"}}, 1, now} }},
		{"URL", func() any { u, _ := url.Parse("https://me:secret@example.com/a?b#c"); return u }},
		{"tree", func() any { return &tree{1, []*tree{{2, nil, nil}, {3, []*tree{{}}, nil}}, nil} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			var c record.Copier
			for range 2 { // the second time it knows the types
				original := test.fresh()
				got, err := c.Payload(original)
				require.NoError(t, err)
				require.Equal(t, test.fresh(), got)
				require.IsType(t, original, got)
				change(reflect.ValueOf(got))
				require.Equal(t, test.fresh(), original)
			}
		})
	}
}

func TestCopyOfFunctions(t *testing.T) {
	var c record.Copier
	got, err := c.Payload(newMixed())
	require.NoError(t, err)
	assert.Equal(t, 42, got.(mixed).Func())
	got, err = c.Payload(fortyTwo)
	require.NoError(t, err)
	assert.Equal(t, 42, got.(func() int)())
}

func TestCopyKeepsTheShape(t *testing.T) {
	var c record.Copier
	root := &tree{Value: 1}
	kid := &tree{Value: 2, Up: root}
	root.Kids = []*tree{kid, kid}
	root.Up = root
	got, err := c.Payload(root)
	require.NoError(t, err)
	cp := got.(*tree)
	assert.NotSame(t, root, cp)
	assert.Same(t, cp, cp.Up)
	assert.Same(t, cp.Kids[0], cp.Kids[1])
	assert.Same(t, cp, cp.Kids[0].Up)
	assert.Equal(t, 2, cp.Kids[0].Value)

	type keyed map[*point]*point
	p := &point{X: 1}
	got, err = c.Payload(keyed{p: p})
	require.NoError(t, err)
	for k, v := range got.(keyed) {
		assert.Same(t, k, v)
		assert.NotSame(t, p, k)
		assert.Equal(t, *p, *k)
	}

	loop := []any{nil}
	type node struct{ List []any }
	n := node{loop}
	loop[0] = loop
	got, err = c.Payload(n)
	require.NoError(t, err)
	list := got.(node).List
	again := list[0].([]any)
	assert.Same(t, &list[0], &again[0])
	assert.NotSame(t, &loop[0], &list[0])
}

func TestCopyOfTheEndless(t *testing.T) {
	object := map[string]any{}
	object["self"] = object
	list := []any{nil}
	list[0] = list
	long := &tree{}
	for range 20_000 {
		long = &tree{Up: long}
	}
	var c record.Copier
	for name, v := range map[string]any{"object": object, "list": list, "both": map[string]any{"l": list}, "chain": long} {
		_, err := c.Payload(v)
		assert.ErrorContains(t, err, "it contains itself, or is nested more than 10000 deep", name)
		assert.True(t, record.IsPermanent(err))
	}
	short := &tree{}
	for range 4_000 {
		short = &tree{Up: short}
	}
	_, err := c.Payload(short)
	require.NoError(t, err, "an error leaves nothing behind")
}

type account struct {
	Owner   string
	history []string
}

func (a *account) Clone() any { return &account{a.Owner, append([]string(nil), a.history...)} }

type money struct{ amount *big.Int }

func (m money) Clone() any { return money{new(big.Int).Set(m.amount)} }

type (
	liar    struct{ list []int }
	nothing struct{ list []int }
	panicky struct{ list []int }
	heir    struct { // inherits a Clone that returns something else
		money
		ID int
	}
)

func (liar) Clone() any     { return "another" }
func (nothing) Clone() any  { return nil }
func (*panicky) Clone() any { panic("clone") }

func TestCloner(t *testing.T) {
	var c record.Copier
	a := &account{"me", []string{"x"}}
	m := money{big.NewInt(7)}
	type ledger struct {
		Account *account
		Money   money
		Prices  map[string]money
		Any     any
		None    *account
	}
	for _, test := range []struct {
		name string
		in   any
	}{
		{"pointer", a},
		{"value", m},
		{"pointer to a value", &m},
		{"in a struct", ledger{a, m, map[string]money{"a": m}, a, nil}},
		{"in a pointer", &ledger{a, m, map[string]money{"a": m}, &m, nil}},
		{"in a map", map[string]any{"a": a, "m": m}},
		{"in a list", []any{a, []money{m}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := c.Payload(test.in)
			require.NoError(t, err)
			assert.Equal(t, test.in, got)
		})
	}
	got, err := c.Payload(a)
	require.NoError(t, err)
	got.(*account).history[0] = "changed"
	assert.Equal(t, []string{"x"}, a.history)

	got, err = c.Payload(&m)
	require.NoError(t, err)
	got.(*money).amount.SetInt64(8)
	assert.Equal(t, int64(7), m.amount.Int64())

	got, err = c.Payload([]*account{a, a})
	require.NoError(t, err)
	pair := got.([]*account)
	assert.Same(t, pair[0], pair[1])

	got, err = c.Payload((*account)(nil))
	require.NoError(t, err)
	assert.Equal(t, (*account)(nil), got, "nil is not asked")

	assert.PanicsWithValue(t, "clone", func() { _, _ = c.Payload([]any{&panicky{[]int{1}}}) })
	_, err = c.Payload(a)
	require.NoError(t, err)
}

func TestCannotCopy(t *testing.T) {
	for _, test := range []struct {
		name string
		in   any
		want string
	}{
		{"channel", make(chan int), "payload of type chan int cannot be copied: it holds a chan int"},
		{"nested channel", map[string]any{"a": []any{make(chan int)}}, "payload of type map[string]interface {} cannot be copied: it holds a chan int"},
		{"channel in a map", map[string]chan int{"a": make(chan int)}, "it holds a chan int"},
		{"channel as a key", map[chan int]int{make(chan int): 1}, "it holds a chan int"},
		{"channel in an array", [1]any{make(chan int)}, "it holds a chan int"},
		{"channel in a field", struct{ C chan int }{make(chan int)}, "it holds a chan int"},
		{"channel behind a pointer", &struct{ C chan int }{make(chan int)}, "it holds a chan int"},
		{"unexported field", hidden{[]int{1}}, "record_test.hidden has the unexported field list of type []int"},
		{"unexported field of an embedded struct", embeds{hidden{[]int{1}}}, "record_test.hidden has the unexported field list of type []int"},
		{"unexported field in a slice", []hidden{{[]int{1}}}, "record_test.hidden has the unexported field list of type []int"},
		{"unexported embedded pointer", struct{ *point }{&point{}}, "has the unexported field point of type *record_test.point"},
		{"big number", big.NewInt(7), "big.Int has the unexported field abs of type big.nat"},
		{"clone of another type", liar{[]int{1}}, "Clone of record_test.liar returned a string"},
		{"clone of another type in a list", []liar{{[]int{1}}}, "Clone of record_test.liar returned a string"},
		{"clone of an embedded type", heir{}, "Clone of record_test.heir returned a record_test.money"},
		{"no clone", nothing{[]int{1}}, "Clone of record_test.nothing returned nil"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if h, ok := test.in.(heir); ok {
				h.money = money{big.NewInt(1)}
				test.in = h
			}
			var c record.Copier
			got, err := c.Payload(test.in)
			require.ErrorContains(t, err, test.want)
			assert.ErrorContains(t, err, "; give it a Clone() any method, declare the outlet with outlet.ReadOnly, or share payloads")
			assert.Equal(t, 1, strings.Count(err.Error(), "cannot be copied"))
			assert.True(t, record.IsPermanent(err))
			assert.Nil(t, got)
		})
	}
}

func TestCopyRecords(t *testing.T) {
	var c record.Copier
	src := of(1, make(chan int), map[string]any{"a": 1}, hidden{[]int{1}})
	src[2] = src[2].WithID("id").WithMetadata(attr("k", "v"))
	before := of("before")
	got, err := c.Records(before, src)
	assert.Equal(t, []record.Record{before[0], src[0], src[2]}, got, "metadata and ID stay")
	p := record.AsPartial(err)
	require.NotNil(t, p)
	assert.Equal(t, []int{1, 3}, p.Indices(), "of the records given")
	got[2].Payload.(map[string]any)["a"] = 2
	assert.Equal(t, 1, src[2].Payload.(map[string]any)["a"])

	got, err = c.Records(nil, nil)
	assert.NoError(t, err)
	assert.Empty(t, got)
}

// What JSON yields is copied deeply.
func FuzzCopier(f *testing.F) {
	f.Add(`{"a":[1,{"b":null}],"c":"x"}`)
	f.Add(`[[],{},[[[]]],true]`)
	f.Add(`null`)
	var c record.Copier
	f.Fuzz(func(t *testing.T, text string) {
		var v, again any
		if json.Unmarshal([]byte(text), &v) != nil || json.Unmarshal([]byte(text), &again) != nil {
			t.Skip()
		}
		got, err := c.Payload(v)
		require.NoError(t, err)
		require.Equal(t, again, got)
		change(reflect.ValueOf(&got))
		require.Equal(t, again, v)
		type wrapped struct{ V []any } // by reflection
		got, err = c.Payload(wrapped{[]any{v}})
		require.NoError(t, err)
		require.Equal(t, wrapped{[]any{again}}, got)
		change(reflect.ValueOf(&got))
		require.Equal(t, again, v)
	})
}

// What was copied before is not taken for a copy of the next payload.
func TestCopierForgets(t *testing.T) {
	t.Parallel()
	var c record.Copier
	payload := []*int{new(int)}
	first, err := c.Payload(payload)
	require.NoError(t, err)
	second, err := c.Payload(payload)
	require.NoError(t, err)
	assert.NotSame(t, first.([]*int)[0], second.([]*int)[0])
	assert.NotSame(t, payload[0], second.([]*int)[0])
}
