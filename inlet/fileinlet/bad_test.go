package fileinlet_test

import (
	"context"
	"encoding/csv"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet/fileinlet"
	"github.com/databay-go/databay/record"
)

// By default a bad line stops the inlet before it, after a restart too.
func TestBadLineStays(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 50)
	for name, test := range map[string]struct {
		opts   fileinlet.Options
		text   string
		before []any
		want   string
		cause  error
		bad    fileinlet.LineError
	}{
		"JSON": {
			fileinlet.Options{Decode: fileinlet.JSON[any]}, "1\n\n{\"a\":\n2\n", list(1.0),
			`line 3 at offset 3: unexpected end of JSON input: "{\"a\":"`, nil,
			fileinlet.LineError{Line: 3, Offset: 3, Text: `{"a":`},
		},
		"another type": {
			fileinlet.Options{Decode: fileinlet.JSON[int]}, "\"" + strings.Repeat("ä", 60) + "\"\r\n", nil,
			`: "\"` + strings.Repeat("ä", 49) + `\xc3"…`, nil,
			fileinlet.LineError{Line: 1, Text: "\"" + strings.Repeat("ä", 60) + "\""},
		},
		"long": {
			fileinlet.Options{MaxLine: 10}, "0123456789\r\n" + long + "\nb\n", nil,
			"line 1 at offset 0: the line is too long: the line has more than 10 bytes, the MaxLine: \"0123456789\"", fileinlet.ErrTooLong,
			fileinlet.LineError{Line: 1, Text: "0123456789"},
		},
		"long and unfinished": {
			fileinlet.Options{MaxLine: 10}, "a\n" + long, list("a"),
			"line 2 at offset 2", fileinlet.ErrTooLong,
			fileinlet.LineError{Line: 2, Offset: 2, Text: long[:10]},
		},
		"fields": {
			fileinlet.Options{CSV: &fileinlet.CSV{Columns: []string{"a", "b"}}}, "1,2\n\n1,2,3\n", list(map[string]string{"a": "1", "b": "2"}),
			"line 3 at offset 5: wrong number of fields: the row has 3, the columns are 2", csv.ErrFieldCount,
			fileinlet.LineError{Line: 3, Offset: 5, Text: "1,2,3"},
		},
		"bare quote": {
			fileinlet.Options{CSV: &fileinlet.CSV{}}, "a,b\n1,2\"\n3,4\n", nil,
			"line 2 at offset 4: column 4: bare \" in non-quoted-field: \"1,2\\\"\"", csv.ErrBareQuote,
			fileinlet.LineError{Line: 2, Offset: 4, Text: `1,2"`},
		},
		"quote in quotes": {
			fileinlet.Options{CSV: &fileinlet.CSV{}}, "a,b\n\"1\n1\"1,2\n3,4\n", nil,
			"extraneous", csv.ErrQuote,
			fileinlet.LineError{Line: 2, Offset: 4, Text: "\"1\n1\"1,2"},
		},
		"long row": {
			fileinlet.Options{CSV: &fileinlet.CSV{}, MaxLine: 10}, "a,b\n\"1\n" + long + "\n", nil,
			"the row has more than 10 bytes", fileinlet.ErrTooLong,
			fileinlet.LineError{Line: 2, Offset: 4, Text: "\"1"},
		},
		"row decoder": {
			fileinlet.Options{CSV: &fileinlet.CSV{Decode: func([]string, []string) (any, error) { return nil, errStop }}}, "a,b\n1,2\n", nil,
			`line 2 at offset 4: enough: "1,2"`, errStop,
			fileinlet.LineError{Line: 2, Offset: 4, Text: "1,2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := file(t, test.text)
			in := started(t, path, &test.opts)
			for n := range 4 {
				got, err := pullErr(t, in)
				want := list(test.before...)
				if n > 0 {
					want = list()
				}
				assert.Equal(t, want, got)
				require.ErrorContains(t, err, test.want)
				require.ErrorContains(t, err, "; the inlet stays there, unless Options.OnBad decides otherwise")
				if test.cause != nil {
					require.ErrorIs(t, err, test.cause)
				}
				bad, ok := errors.AsType[*fileinlet.LineError](err)
				require.True(t, ok)
				assert.Equal(t, path, bad.Path)
				assert.Equal(t, test.bad.Line, bad.Line)
				assert.Equal(t, test.bad.Offset, bad.Offset)
				assert.Equal(t, test.bad.Text, bad.Text)
				if n == 2 {
					in = resumed(t, path, &test.opts, in.Position())
				}
			}
		})
	}
}

// OnBad passes over bad lines, and over nothing else.
func TestBadLineIsPassedOver(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300_000)
	rows := func(payload ...string) (all []any) {
		for _, p := range payload {
			all = append(all, map[string]string{"a": p, "b": "1"})
		}
		return all
	}
	for name, test := range map[string]struct {
		opts fileinlet.Options
		text string
		want []any
		bad  []int64 // lines
	}{
		"JSON":       {fileinlet.Options{Decode: fileinlet.JSON[any]}, "1\n{\n{\n2\n", list(1.0, 2.0), []int64{2, 3}},
		"long":       {fileinlet.Options{MaxLine: 10}, "a\n" + long + "\nb\n" + long + "\n\nc\n", list("a", "b", "", "c"), []int64{2, 4}},
		"exact":      {fileinlet.Options{MaxLine: 2}, "ab\nabc\nabcd\nab\n", list("ab", "ab"), []int64{2, 3}},
		"fields":     {fileinlet.Options{CSV: &fileinlet.CSV{}}, "a,b\n1,1\n2\n3,1,1\n4,1\n", rows("1", "4"), []int64{3, 4}},
		"quotes":     {fileinlet.Options{CSV: &fileinlet.CSV{}}, "a,b\n1,1\nx\"y,1\n\"2\n2\"3,1\n\"4\"\"\n\",1\n", rows("1", "4\"\n"), []int64{3, 4}},
		"endless":    {fileinlet.Options{CSV: &fileinlet.CSV{}, MaxLine: 20}, "a,b\n\"1,1\n2,1\n3,1\n4,1\n5,1\n6,1\n", rows("2", "3", "4", "5", "6"), []int64{2}},
		"long field": {fileinlet.Options{CSV: &fileinlet.CSV{}, MaxLine: 20}, "a,b\n\"" + long + "\n\",1\n4,1\n5,1\n6,1\n7,1\n8,1\n", rows("4", "5", "6", "7", "8"), []int64{2, 3}},
	} {
		for mode := range 3 { // at once, one by one, restarted
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var bad []int64
				opts := test.opts
				opts.OnBad = func(_ context.Context, e *fileinlet.LineError) (any, error) {
					bad = append(bad, e.Line)
					return nil, nil
				}
				if mode > 0 {
					opts.MaxRecords = 1
				}
				path := file(t, test.text)
				in := started(t, path, &opts)
				var got []any
				for {
					more := pull(t, in)
					if got = append(got, more...); len(more) == 0 {
						break
					}
					if mode == 2 {
						in = resumed(t, path, &opts, in.Position())
					}
				}
				assert.Equal(t, test.want, got)
				assert.Equal(t, test.bad, bad)
			})
		}
	}
}

// A line that is too long is passed over while it still grows, also over restarts.
func TestLongLineGrows(t *testing.T) {
	t.Parallel()
	path := file(t, "a\n")
	calls := 0
	opts := &fileinlet.Options{MaxLine: 1000, OnBad: func(_ context.Context, e *fileinlet.LineError) (any, error) {
		calls++
		return "instead of " + e.Text[:3], nil
	}}
	in := started(t, path, opts)
	want := list("a")
	var got []any
	for range 10 {
		got = append(got, pull(t, in)...)
		appendTo(t, path, strings.Repeat("x", 700))
		in = resumed(t, path, opts, in.Position())
	}
	appendTo(t, path, "\nb\n")
	records, err := in.Pull(t.Context(), record.Update{})
	require.NoError(t, err)
	assert.Equal(t, append(want, "instead of xxx", "b"), append(got, payloads(records)...))
	assert.Equal(t, int64(3), fileinlet.Line.Or(records[0], 0))
	assert.Equal(t, 1, calls)
}

func TestOnBadFails(t *testing.T) {
	t.Parallel()
	answer := errStop
	in := started(t, file(t, "1\nx\n2\n"), &fileinlet.Options{Decode: fileinlet.JSON[int], OnBad: func(_ context.Context, e *fileinlet.LineError) (any, error) {
		return nil, answer
	}})
	got, err := pullErr(t, in)
	assert.Equal(t, list(1), got)
	require.EqualError(t, err, "enough; the inlet stays there")
	require.ErrorIs(t, err, errStop)
	answer = nil
	assert.Equal(t, list(2), pull(t, in))
}

// A header that cannot be read is not passed over: nothing can be read without it.
func TestBadHeader(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a,b,a\n1,2,3\n":               `the header: PATH: line 1 at offset 0: "a" is the name of columns 1 and 3, want names that differ: "a,b,a"`,
		"\na\"\n1\n":                   `the header: PATH: line 2 at offset 1: column 2: bare " in non-quoted-field`,
		strings.Repeat("x", 50) + "\n": "the header: PATH: line 1 at offset 0: the line is too long",
	} {
		path := file(t, text)
		in := started(t, path, &fileinlet.Options{CSV: &fileinlet.CSV{}, MaxLine: 40, OnBad: func(context.Context, *fileinlet.LineError) (any, error) {
			return nil, nil
		}})
		for range 2 {
			got, err := pullErr(t, in)
			assert.Empty(t, got)
			require.ErrorContains(t, err, strings.ReplaceAll(want, "PATH", path))
		}
	}
}
