package fileinlet_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet/fileinlet"
	"github.com/databay-go/databay/record"
)

func TestCSV(t *testing.T) {
	t.Parallel()
	type row = map[string]string
	asSlice := func(_, row []string) (any, error) { return row, nil }
	for name, test := range map[string]struct {
		csv  fileinlet.CSV
		text string
		want []any
	}{
		"header":         {fileinlet.CSV{}, "a,b\n1,2\n3,\n", list(row{"a": "1", "b": "2"}, row{"a": "3", "b": ""})},
		"only a header":  {fileinlet.CSV{}, "a,b\n", list()},
		"unfinished":     {fileinlet.CSV{}, "a,b\n1,2", list()},
		"within quotes":  {fileinlet.CSV{}, "a\n\"1\n2\r\n3\"\"\n\"\n\"4\n", list(row{"a": "1\n2\n3\"\n"})},
		"mark":           {fileinlet.CSV{}, "\uFEFF\"a\",b\r\n1,2\r\n", list(row{"a": "1", "b": "2"})},
		"empty lines":    {fileinlet.CSV{}, "\n\r\na\n\n1\n\n\n2\n", list(row{"a": "1"}, row{"a": "2"})},
		"columns":        {fileinlet.CSV{Columns: []string{"x", "y"}}, "1,2\n", list(row{"x": "1", "y": "2"})},
		"comma":          {fileinlet.CSV{Comma: '→'}, "a→b\n1,2→\"→\"\n", list(row{"a": "1,2", "b": "→"})},
		"comment":        {fileinlet.CSV{Comment: '#'}, "#x\"\na,b\n#1,\"2\n1,#\n\"#\",2\n", list(row{"a": "1", "b": "#"}, row{"a": "#", "b": "2"})},
		"lazy":           {fileinlet.CSV{Lazy: true}, "a,b\n1\"1,\"2\"x\ny\"\n", list(row{"a": `1"1`, "b": "2\"x\ny"})},
		"decoder":        {fileinlet.CSV{Decode: asSlice}, "a,b\n1,2\n", list([]string{"1", "2"})},
		"left out":       {fileinlet.CSV{Decode: func(_, _ []string) (any, error) { return nil, nil }}, "a,b\n1,2\n", list()},
		"other encoding": {fileinlet.CSV{Decode: asSlice}, "a,b\n\xff,\x00\n", list([]string{"\xff", "\x00"})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := file(t, test.text)
			opts := fileinlet.Options{CSV: &test.csv, MaxRecords: 1}
			in := started(t, path, &opts)
			got := pull(t, in)
			for range 3 {
				in = resumed(t, path, &opts, in.Position())
				got = append(got, pull(t, in)...)
			}
			assert.Equal(t, test.want, got)
		})
	}
}

// Every file has a header of its own.
func TestHeaders(t *testing.T) {
	t.Parallel()
	type row = map[string]string
	path := file(t, "a,")
	opts := &fileinlet.Options{CSV: &fileinlet.CSV{}}
	in := started(t, path, opts)
	assert.Empty(t, pull(t, in))
	appendTo(t, path, "b\n1,2\n")
	assert.Equal(t, list(row{"a": "1", "b": "2"}), pull(t, in))
	appendTo(t, path, "3,4")
	position := in.Position()
	rename(t, path, path+".1")
	write(t, path, "c\n5\n")
	assert.Equal(t, list(row{"a": "3", "b": "4"}, row{"c": "5"}), pull(t, in))
	assert.Equal(t, list(row{"a": "3", "b": "4"}, row{"c": "5"}), pull(t, resumed(t, path, opts, position)))

	// A position of other options does not take a row for a header.
	in = fileinlet.New(path+".1", &fileinlet.Options{CSV: &fileinlet.CSV{}, MaxLine: 2})
	require.NoError(t, in.Start(t.Context()))
	defer func() { require.NoError(t, in.Shutdown(t.Context())) }()
	require.ErrorContains(t, in.Seek(t.Context(), position), "the header")
}

type base struct {
	ID  int
	Low *float32 `csv:"low"`
}

type level int

func (l *level) UnmarshalText(b []byte) error {
	*l = level(len(b))
	return nil
}

type quote struct {
	base
	Symbol string    `csv:"symbol,omitempty"`
	Price  float64   `csv:"price"`
	At     time.Time `csv:"at"`
	Took   time.Duration
	Up     bool
	Count  *uint8
	Level  level
	Deep   *level
	Raw    []byte
	Any    any
	Tags   []string
	Out    string `csv:"-"`
}

func TestStruct(t *testing.T) {
	t.Parallel()
	text := "symbol,price,at,Took,Up,Count,Level,Deep,Raw,Any,Tags,Out,hidden,ID,low,other\n" +
		"ACME,1e3,2024-01-31T12:00:00Z,1m,true,255,abc,abcd,raw,any,\"[\"\"a\"\"]\",out,hidden,7,0.5,other\n" +
		",,,,,,,,,,,,,,,\n"
	in := started(t, file(t, text), &fileinlet.Options{CSV: &fileinlet.CSV{Decode: fileinlet.Struct[quote]()}})
	low, count, deep := float32(0.5), uint8(255), level(4)
	assert.Equal(t, list(quote{
		base: base{7, &low}, Symbol: "ACME", Price: 1000, At: time.Date(2024, 1, 31, 12, 0, 0, 0, time.UTC), Took: time.Minute,
		Up: true, Count: &count, Level: 3, Deep: &deep, Raw: []byte("raw"), Any: "any", Tags: []string{"a"},
	}, quote{}), pull(t, in))

	for row, want := range map[string][2]string{
		"wrong number":   {"Count", "256"},
		"value out":      {"price", "x"},
		"invalid dur":    {"Took", "1"},
		"cannot parse":   {"at", "now"},
		"invalid syntax": {"Up", "maybe"},
		"invalid char":   {"Tags", "a"},
	} {
		_ = row
		_, err := fileinlet.Struct[quote]()([]string{want[0]}, []string{want[1]})
		require.ErrorContains(t, err, `column "`+want[0]+`": "`+want[1]+`" is no `)
	}
	_, err := fileinlet.Struct[int]()(nil, nil)
	require.EqualError(t, err, "fileinlet.Struct[int]: want a struct")

	// The same decoder serves files with other columns.
	d := fileinlet.Struct[struct{ A, B int8 }]()
	for range 2 {
		v, err := d([]string{"A", "B"}, []string{"1", "2"})
		require.NoError(t, err)
		assert.Equal(t, struct{ A, B int8 }{1, 2}, v)
		v, err = d([]string{"B"}, []string{"-128"})
		require.NoError(t, err)
		assert.Equal(t, struct{ A, B int8 }{0, math.MinInt8}, v)
	}
}

// Of fields with the same name the outer one counts, and an embedded pointer is made.
func TestStructEmbedded(t *testing.T) {
	t.Parallel()
	type Inner struct{ Name, Other string }
	type Outer struct {
		*Inner
		time.Time
		Label string `csv:"Name"`
	}
	v, err := fileinlet.Struct[Outer]()([]string{"Name", "Other", "Time"}, []string{"n", "o", "2024-01-31T12:00:00Z"})
	require.NoError(t, err)
	assert.Equal(t, Outer{Inner: &Inner{Other: "o"}, Label: "n", Time: time.Date(2024, 1, 31, 12, 0, 0, 0, time.UTC)}, v)
	v, err = fileinlet.Struct[Outer]()([]string{"Other"}, []string{""})
	require.NoError(t, err)
	assert.Nil(t, v.(Outer).Inner)
}

func TestJSON(t *testing.T) {
	t.Parallel()
	type todo struct{ Title string }
	path := file(t, "{\"Title\":\"a\"}\r\n\nnull\n  {\"Title\":\"b\"}  \n")
	assert.Equal(t, list(todo{"a"}, todo{"b"}), pull(t, started(t, path, &fileinlet.Options{Decode: fileinlet.JSON[todo]})))
	assert.Equal(t, list(&todo{"a"}, &todo{"b"}), pull(t, started(t, path, &fileinlet.Options{Decode: fileinlet.JSON[*todo]})))
	records, err := started(t, path, &fileinlet.Options{Decode: fileinlet.JSON[any]}).Pull(t.Context(), record.Update{})
	require.NoError(t, err)
	assert.Equal(t, list(map[string]any{"Title": "a"}, map[string]any{"Title": "b"}), payloads(records))
	assert.Equal(t, int64(4), fileinlet.Line.Or(records[1], 0))
}
