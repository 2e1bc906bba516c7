package record_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/record"
)

func TestRecord(t *testing.T) {
	o := &record.Origin{Inlet: "quotes"}
	rs := []record.Record{record.New(7, attr("a", 1)).WithID("id")}
	assert.Empty(t, rs[0].Inlet())
	assert.Nil(t, rs[0].Origin())
	record.Stamp(rs, o)
	r := rs[0]
	assert.Equal(t, "quotes", r.Inlet())
	assert.Same(t, o, r.Origin())

	changed := r.With("seven").WithMetadata(attr("b", 2))
	assert.Equal(t, "seven {a=1 b=2}", changed.String())
	assert.Equal(t, "id", changed.ID())
	assert.Equal(t, "quotes", changed.Inlet())
	assert.Equal(t, "7 {a=1}", r.String(), "the record itself stays")
	assert.Equal(t, "other", r.WithID("other").ID())
	assert.Equal(t, "id", r.ID())
}

func TestRecordString(t *testing.T) {
	for want, r := range map[string]record.Record{
		"<nil>":       {},
		"7":           record.New(7),
		"text":        record.New("text"),
		"[1 2]":       record.New([]int{1, 2}),
		"1s {k=v}":    record.New(time.Second, attr("k", "v")),
		"7 {k=<nil>}": record.New(7, attr("k", nil)),
	} {
		assert.Equal(t, want, r.String())
		assert.Equal(t, want, fmt.Sprint(r))
	}
}

func TestStampOfNothing(t *testing.T) {
	record.Stamp(nil, &record.Origin{})
	rs := []record.Record{record.New(1)}
	record.Stamp(rs, nil)
	assert.Empty(t, rs[0].Inlet())
}

func as[T any](r record.Record) (any, error) {
	v, err := record.As[T](r)
	return v, err
}

func TestAs(t *testing.T) {
	text := strings.NewReader("x")
	for _, test := range []struct {
		name string
		as   func(record.Record) (any, error)
		in   any
		out  any
		err  string
	}{
		{"same type", as[int], 7, 7, ""},
		{"zero value", as[string], "", "", ""},
		{"interface", as[io.Reader], text, text, ""},
		{"any", as[any], 7, 7, ""},
		{"nil as any", as[any], nil, nil, ""},
		{"nil as an interface", as[io.Reader], nil, nil, ""},
		{"slice", as[[]int], []int{1}, []int{1}, ""},
		{"another type", as[int], "7", 0, "payload is a string, want int"},
		{"another named type", as[time.Duration], int64(7), time.Duration(0), "payload is a int64, want time.Duration"},
		{"not that interface", as[io.Writer], 7, nil, "payload is a int, want io.Writer"},
		{"nil", as[int], nil, 0, "payload is a <nil>, want int"},
		{"nil as a pointer", as[*int], nil, (*int)(nil), "payload is a <nil>, want *int"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.as(record.New(test.in))
			assert.Equal(t, test.out, got)
			if test.err == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, test.err)
			assert.True(t, record.IsPermanent(err))
		})
	}
}

func TestUpdateString(t *testing.T) {
	for want, u := range map[string]record.Update{
		"0":              {},
		"7":              {Link: "a", Number: 7},
		"tag.16":         {Tags: []string{"tag"}, Number: 16},
		"tag.tag.16":     {Tags: []string{"tag", "tag"}, Number: 16},
		"a.b.9000000000": {Tags: []string{"a", "b"}, Number: 9e9},
	} {
		assert.Equal(t, want, u.String())
	}
}

func TestReasonString(t *testing.T) {
	for want, r := range map[string]record.Reason{
		"scheduled": record.Scheduled, "immediate": record.Immediate, "forced": record.Forced, "flush": record.Flush,
		"Reason(200)": record.Reason(200),
	} {
		assert.Equal(t, want, r.String())
	}
	assert.Zero(t, record.Scheduled)
}

func TestBatchKey(t *testing.T) {
	ids := func(ids ...string) (rs []record.Record) {
		for i, id := range ids {
			rs = append(rs, record.New(i).WithID(id))
		}
		return rs
	}
	keys := make(map[string]string)
	for _, batch := range [][]string{
		{"a"}, {"b"}, {"ab"}, {"a", "b"}, {"b", "a"}, {"a", "a"}, {"a", "b", "c"}, {"ab", "c"}, {"a", "bc"},
		{"a\x00b"}, {"\x00\x00\x00\x00\x00\x00\x00\x01a"}, {strings.Repeat("x", 1000)},
	} {
		key, ok := record.BatchKey(ids(batch...))
		require.True(t, ok)
		assert.Len(t, key, 32)
		other, taken := keys[key]
		assert.False(t, taken, "%q and %q have one key", batch, other)
		keys[key] = fmt.Sprint(batch)
		again, _ := record.BatchKey(ids(batch...))
		assert.Equal(t, key, again)
	}
	one, _ := record.BatchKey(ids("a"))
	changed, _ := record.BatchKey([]record.Record{record.New("x", attr("k", "v")).WithID("a")})
	assert.Equal(t, one, changed, "it is about IDs only")

	for _, batch := range [][]record.Record{nil, {}, ids(""), ids("a", "", "c")} {
		key, ok := record.BatchKey(batch)
		assert.False(t, ok)
		assert.Empty(t, key)
	}
}

// The key is what the documentation says: keys are kept by others.
func TestBatchKeyIsStable(t *testing.T) {
	key, ok := record.BatchKey([]record.Record{record.New(1).WithID("orders/0/17"), record.New(2).WithID("orders/0/18")})
	require.True(t, ok)
	assert.Equal(t, "f7790be349f36c7eb1bbea4aa2132e00", key)
}

var errBroken = errors.New("broken")
