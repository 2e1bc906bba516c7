package csvoutlet_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/outlet/csvoutlet"
	"github.com/databay-go/databay/record"
)

var update = flag.Bool("update", false, "write the golden files anew")

type (
	level   int
	grade   string
	panicky struct{}
	base    struct {
		ID   int `csv:"id"`
		Note string
	}
	Audit struct {
		By string
		At time.Time
	}
	trade struct {
		base
		*Audit
		Symbol string  `csv:"symbol"`
		Price  float64 `csv:"price,omitempty"`
		Secret string  `csv:"-"`
		Tags   []string
		Size   *int
		hidden int
		Note   string // over the one of base
	}
)

type (
	kinds struct {
		Bool    bool
		Int     int16
		Uint    uint8
		Float   float32
		Named   grade
		Level   level
		Any     any
		Time    time.Time
		Big     big.Int
		Bytes   []byte
		Pointer **int
	}
	hiddenPart struct{ Seen, Also int }
	Loop       struct {
		*Loop
		N int
	}
	left   struct{ X, Y int }
	right  struct{ X, Z int }
	pieces struct {
		hiddenPart
		*Loop
		netip.Addr              // a text of its own
		left       `csv:"left"` // not exported, and named: no column
		Right      right        `csv:"right"`
	}
	// The outer X settles which one of the inner ones is meant.
	settled struct {
		left
		right
		X string
	}
	unsettled struct {
		left
		right
	}
)

func (l level) String() string  { return fmt.Sprintf("level %d", int(l)) }
func (panicky) String() string  { panic("no text") }
func (t trade) withHidden() any { t.hidden = 1; return t }

var at = time.Date(2024, 2, 29, 12, 30, 0, 500, time.FixedZone("", 3600))

// The golden files show how every kind of payload and value is written.
func TestGolden(t *testing.T) {
	t.Parallel()
	seven := 7
	tests := []struct {
		name     string
		opts     *csvoutlet.Options
		payloads []any
	}{
		{"maps", nil, []any{
			row{"b": 1, "a": "x"}, row{"a": "only"}, row{}, map[string]string{"a": "s", "b": "t"}, map[grade]int{"a": 5}, row{"a": nil, "b": nil},
		}},
		{"structs", nil, []any{
			trade{base: base{ID: 1, Note: "inner"}, Audit: &Audit{"ada", at}, Symbol: "A", Price: 1.5, Secret: "no", Tags: []string{"x", "y"}, Size: &seven, Note: "outer"},
			&trade{Symbol: "no audit"},
			trade{Symbol: "hidden"}.withHidden(),
			row{"symbol": "from a map", "id": 4},
		}},
		{"kinds", nil, []any{
			kinds{true, -16, 8, 0.5, "A", 2, []int{1}, at, *big.NewInt(12), []byte("raw"), &[]*int{&seven}[0]}, kinds{}, &kinds{},
		}},
		{"embedded", nil, []any{
			pieces{hiddenPart{1, 2}, &Loop{nil, 3}, netip.MustParseAddr("::1"), left{4, 5}, right{6, 7}}, &pieces{},
		}},
		{"settled", nil, []any{settled{left{1, 2}, right{3, 4}, "x"}}},
		{"lists", &csvoutlet.Options{Columns: []string{"b", "a"}}, []any{[]string{"1", "2"}, row{"a": "map"}}},
		{"values", &csvoutlet.Options{Columns: []string{"what", "value"}}, []any{
			row{"what": "nil", "value": nil}, row{"what": "empty", "value": ""}, row{"what": "bool", "value": true},
			row{"what": "int", "value": -5}, row{"what": "int8", "value": int8(-8)}, row{"what": "int64", "value": int64(math.MinInt64)},
			row{"what": "uint64", "value": uint64(math.MaxUint64)}, row{"what": "million", "value": 1e6}, row{"what": "float", "value": 0.1},
			row{"what": "float32", "value": float32(0.1)}, row{"what": "big", "value": 1e21}, row{"what": "small", "value": 1e-7},
			row{"what": "NaN", "value": math.NaN()}, row{"what": "infinity", "value": math.Inf(-1)},
			row{"what": "time", "value": at}, row{"what": "time pointer", "value": &at}, row{"what": "duration", "value": 90 * time.Second},
			row{"what": "stringer", "value": level(3)}, row{"what": "named string", "value": grade("A")}, row{"what": "text marshaler", "value": netip.MustParseAddr("::1")},
			row{"what": "big int", "value": *big.NewInt(12)}, row{"what": "big int pointer", "value": big.NewInt(13)},
			row{"what": "bytes", "value": []byte("raw")}, row{"what": "raw JSON", "value": json.RawMessage(`{"a":1}`)}, row{"what": "number", "value": json.Number("1.50")},
			row{"what": "list", "value": []any{1, "x"}}, row{"what": "map", "value": map[string]int{"a": 1}}, row{"what": "struct", "value": struct{ A int }{1}},
			row{"what": "nil pointer", "value": (*int)(nil)}, row{"what": "nil map", "value": map[string]int(nil)}, row{"what": "nil stringer", "value": (*big.Int)(nil)},
			row{"what": "int pointer", "value": &seven}, row{"what": "error", "value": []any{}},
		}},
		{"quotes", &csvoutlet.Options{Columns: []string{"what", "value"}}, []any{
			row{"what": "comma", "value": "a,b"}, row{"what": "quote", "value": `say "hi"`}, row{"what": "line end", "value": "a\nb"}, row{"what": "CRLF", "value": "a\r\nb"},
			row{"what": "return", "value": "a\rb"}, row{"what": "space", "value": " a"}, row{"what": "end of data", "value": `\.`}, row{"what": "semicolon", "value": "a;b"},
			row{"what": "beyond ASCII", "value": "ä€𝄞"}, row{"what": "byte order mark", "value": "\uFEFFa"}, row{"what": "only a quote", "value": `"`},
		}},
		{"crlf", &csvoutlet.Options{CRLF: true}, []any{row{"a": "x\ny", "b": 1}, row{"a": "z"}}},
		{"semicolon", &csvoutlet.Options{Comma: ';'}, []any{row{"a;": "x;y", "b": "1,5"}}},
		{"wide_comma", &csvoutlet.Options{Comma: '‖'}, []any{row{"a": "x‖y", "b": at}}},
		{"odd_comma", &csvoutlet.Options{Comma: '1'}, []any{row{"a": 212, "b": "3"}}},
		{"one_column", nil, []any{row{"a": "x"}, row{"a": ""}, row{"a": nil}, row{}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file := path(t)
			push(t, started(t, file, test.opts), records(test.payloads...)...)
			golden := filepath.Join("testdata", test.name+".csv")
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				write(t, golden, read(t, file))
			}
			assert.Equal(t, read(t, golden), read(t, file))
		})
	}
}

func TestLargePush(t *testing.T) {
	t.Parallel()
	file := path(t)
	var rs []record.Record
	for i := range 50_000 {
		rs = append(rs, record.New(row{"n": i, "text": "some text, in quotes"}))
	}
	push(t, started(t, file, nil), rs...)
	lines := rows(t, file)
	require.Len(t, lines, 50_001)
	assert.Equal(t, []string{"49999", "some text, in quotes"}, lines[50_000])
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "new", "folder", "out.csv")
	o := csvoutlet.New(file, nil)
	rs := records(row{"a": 1})
	require.ErrorContains(t, o.Push(t.Context(), rs, record.Update{}), "not started")
	require.NoError(t, o.Shutdown(t.Context()), "before a start")
	require.NoError(t, o.Start(t.Context()))
	entries, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err, "the folder is made")
	assert.Empty(t, entries, "no file before the first record")
	require.ErrorContains(t, o.Start(t.Context()), "already started")
	push(t, o)
	push(t, o, rs...)
	assert.Equal(t, "a\n1\n", read(t, file), "the file has all before Shutdown")
	require.NoError(t, o.Shutdown(t.Context()))
	require.NoError(t, o.Shutdown(t.Context()), "twice")
	require.ErrorContains(t, o.Push(t.Context(), rs, record.Update{}), "not started")
	require.NoError(t, o.Start(t.Context()))
	push(t, o, rs...)
	require.NoError(t, o.Shutdown(t.Context()))
	assert.Equal(t, "a\n1\n1\n", read(t, file))
	assert.True(t, o.ReadOnly())
	assert.Equal(t, "csvoutlet("+file+")", o.String())
}

func TestContextThatHasEnded(t *testing.T) {
	t.Parallel()
	file := path(t)
	o := started(t, file, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, o.Push(ctx, records(row{"a": 1}), record.Update{}), context.Canceled)
	assert.NoFileExists(t, file)
}

// The outlet says that it only reads.
func TestPayloadsAreNotChanged(t *testing.T) {
	t.Parallel()
	payload := row{"a": 1, "b": []any{"x"}}
	push(t, started(t, path(t), nil), records(payload)...)
	assert.Equal(t, row{"a": 1, "b": []any{"x"}}, payload)
}
