package fileinlet_test

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet/fileinlet"
	"github.com/databay-go/databay/record"
)

// One pull of 10,000 lines of 96 bytes; "by hand" is what the least of code over
// bufio costs, without positions, IDs and metadata.
func BenchmarkPull(b *testing.B) {
	const n = 10_000
	line := `{"symbol":"ACME","price":12.5,"text":"` + strings.Repeat("x", 56) + `"}` + "\n"
	type quote struct {
		Symbol string  `json:"symbol"`
		Price  float64 `json:"price"`
		Text   string  `json:"text"`
	}
	lines := file(b, strings.Repeat(line, n))
	rows := file(b, "symbol,price,text\n"+strings.Repeat("ACME,12.5,"+strings.Repeat("x", 85)+"\n", n))
	for name, test := range map[string]struct {
		path string
		opts fileinlet.Options
	}{
		"lines": {lines, fileinlet.Options{}},
		"JSON":  {lines, fileinlet.Options{Decode: fileinlet.JSON[quote]}},
		"CSV":   {rows, fileinlet.Options{CSV: &fileinlet.CSV{}}},
		"structs of CSV": {rows, fileinlet.Options{CSV: &fileinlet.CSV{Decode: fileinlet.Struct[struct {
			Symbol string  `csv:"symbol"`
			Price  float64 `csv:"price"`
			Text   string  `csv:"text"`
		}]()}}},
	} {
		b.Run(name, func(b *testing.B) {
			in := started(b, test.path, &test.opts)
			b.SetBytes(int64(n * len(line)))
			b.ReportAllocs()
			for b.Loop() {
				if err := in.Seek(b.Context(), nil); err != nil {
					b.Fatal(err)
				}
				if records, err := in.Pull(b.Context(), record.Update{}); err != nil || len(records) != n {
					b.Fatal(len(records), err)
				}
			}
		})
	}
	for name, add := range map[string]func(line []byte) (any, error){
		"lines by hand": func(line []byte) (any, error) { return string(line), nil },
		"JSON by hand": func(line []byte) (any, error) {
			var q quote
			err := json.Unmarshal(line, &q)
			return q, err
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(n * len(line)))
			b.ReportAllocs()
			for b.Loop() {
				f, err := os.Open(lines)
				require.NoError(b, err)
				var records []record.Record
				for s := bufio.NewScanner(f); s.Scan(); {
					v, err := add(s.Bytes())
					if err != nil {
						b.Fatal(err)
					}
					records = append(records, record.New(v))
				}
				require.Len(b, records, n)
				require.NoError(b, f.Close())
			}
		})
	}
}

// One pull of one line that was appended, and one that finds nothing.
func BenchmarkFollow(b *testing.B) {
	path := file(b, "")
	in := started(b, path, nil)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(b, err)
	defer f.Close()
	b.Run("line", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := f.WriteString("a line of a log\n"); err != nil {
				b.Fatal(err)
			}
			if records, err := in.Pull(b.Context(), record.Update{}); len(records) != 1 {
				b.Fatal(records, err)
			}
		}
	})
	b.Run("nothing", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := in.Pull(b.Context(), record.Update{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
