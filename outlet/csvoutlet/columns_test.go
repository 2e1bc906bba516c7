package csvoutlet_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/outlet/csvoutlet"
	"github.com/databay-go/databay/record"
)

func TestColumns(t *testing.T) {
	t.Parallel()
	type point struct{ Y, X int }
	ignore := csvoutlet.Ignore
	tests := []struct {
		name     string
		existing string
		opts     *csvoutlet.Options
		payloads []any
		want     string
		failed   map[int]string
	}{
		{"of the first record", "", nil, []any{row{"b": 1, "a": 2}, row{"a": 3, "c": 4}, row{"b": 5}}, "a,b\n2,1\n,5\n",
			map[int]string{1: `column "c": not in the file, whose columns are "a", "b"`}},
		{"of a struct", "", nil, []any{point{1, 2}, row{"X": 3}}, "Y,X\n1,2\n,3\n", nil},
		{"given", "", &csvoutlet.Options{Columns: []string{"b", "a"}}, []any{row{"a": 1}, point{}}, "b,a\n,1\n", map[int]string{1: `column "Y", "X": not in`}},
		{"of the file", "b,a\n1,2\n", nil, []any{row{"a": 3, "b": 4}, row{"c": 5}}, "b,a\n1,2\n4,3\n", map[int]string{1: `column "c"`}},
		{"of the file, given in another order", "b,a\n", &csvoutlet.Options{Columns: []string{"a", "b"}}, []any{[]string{"3", "4"}}, "b,a\n4,3\n", nil},
		{"more in the file than given", "a,x,b\n", &csvoutlet.Options{Columns: []string{"a", "b"}}, []any{row{"a": 1, "b": 2}, row{"x": 3}}, "a,x,b\n1,,2\n",
			map[int]string{1: `column "x"`}},
		{"ignore", "", &csvoutlet.Options{OtherColumns: ignore}, []any{row{"a": 1}, row{"a": 2, "c": 3}, row{"c": 4}}, "a\n1\n2\n\"\"\n", nil},
		{"ignore, given and not in the file", "a\n", &csvoutlet.Options{OtherColumns: ignore, Columns: []string{"a", "b"}}, []any{[]string{"1", "2"}}, "a\n1\n", nil},
		{"many columns", "a,b,c,d,e,f,g,h,i,j,k,l\n", nil, []any{struct{ Z int }{1}}, "a,b,c,d,e,f,g,h,i,j,k,l\n", map[int]string{0: `"i", "j" and 2 more; want OtherColumns`}},
		{"list with others", "a\n", &csvoutlet.Options{Columns: []string{"a", "b"}, OtherColumns: ignore}, []any{[]string{"1", "2"}}, "a\n1\n", nil},
		{"many others", "", nil, []any{row{"a": 1}, row{"b": 1, "c": 1, "d": 1, "e": 1, "f": 1}}, "a\n1\n", map[int]string{1: `column "b", "c", "d" and 2 more: not in`}},
		{"byte order mark", "\uFEFFa,b\n", nil, []any{row{"a": 1, "b": 2}}, "\uFEFFa,b\n1,2\n", nil},
		{"quoted header", "\"a,\n\",b\n", nil, []any{row{"a,\n": 1}}, "\"a,\n\",b\n1,\n", nil},
		{"the first record fails", "", nil, []any{5, row{"bad": panicky{}}, row{"a": 1}}, "a\n1\n", map[int]string{0: "payload is a int", 1: `column "bad": a method`}},
		{"all fail", "", &csvoutlet.Options{Columns: []string{"a"}}, []any{5}, "", map[int]string{0: "payload is a int"}},
		{"no columns", "", nil, []any{row{}, map[string]string{}}, "", map[int]string{0: "no columns", 1: "no columns"}},
		{"unfinished header", "a,b", nil, []any{row{"a": 1}}, "a,b\n1,\n", nil},
		{"unfinished row", "a,b\n1,2", nil, []any{row{"a": 1}}, "a,b\n1,2\n1,\n", nil},
		{"unfinished row and CRLF", "a,b\r\n1,2", &csvoutlet.Options{CRLF: true}, []any{row{"a": 1}}, "a,b\r\n1,2\r\n1,\r\n", nil},
		{"unfinished quotes", "a,b\n1,\"x\"\"\ny", nil, []any{row{"a": 1}}, "a,b\n1,\"x\"\"\ny\"\n1,\n", nil},
		{"unfinished row, all fail", "a\n1", nil, []any{5}, "a\n1", map[int]string{0: "payload"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file := path(t)
			if test.existing != "" {
				write(t, file, test.existing)
			}
			o := started(t, file, test.opts)
			if test.failed == nil {
				push(t, o, records(test.payloads...)...)
			} else {
				causes := failed(t, o, records(test.payloads...)...)
				assert.Len(t, causes, len(test.failed))
				for i, want := range test.failed {
					assert.ErrorContains(t, causes[i], want)
					assert.True(t, record.IsPermanent(causes[i]), "%v", causes[i])
				}
			}
			assert.Equal(t, test.want, read(t, file))
		})
	}
}

func TestPayloadsThatAreNoRows(t *testing.T) {
	t.Parallel()
	type twice struct {
		A int `csv:"x"`
		B int `csv:"x"`
	}
	tests := map[string]any{
		`two fields for the column "X"`:                       unsettled{},
		"payload is a <nil>":                                  nil,
		"payload is a string, want a map":                     "a,b",
		"payload is a map[int]int":                            map[int]int{1: 2},
		"payload is a []string, which needs Options.Columns":  []string{"a"},
		"payload is a nil *csvoutlet_test.trade":              (*trade)(nil),
		"payload is a time.Time, which has no exported field": at,
		"two fields for the column \"x\"":                     twice{},
		"a method of csvoutlet_test.panicky panicked":         row{"a": panicky{}},
		"column \"a\": json: unsupported type: chan int":      row{"a": make(chan int)},
	}
	for want, payload := range tests {
		file := path(t)
		causes := failed(t, started(t, file, nil), records(payload)...)
		require.ErrorContains(t, causes[0], want)
		assert.True(t, record.IsPermanent(causes[0]))
		assert.Empty(t, read(t, file))
	}
	causes := failed(t, started(t, path(t), &csvoutlet.Options{Columns: []string{"a"}}), records([]string{"1", "2"})...)
	require.ErrorContains(t, causes[0], "2 values for the 1 columns")
}
