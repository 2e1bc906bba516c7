package fileoutlet_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"

	"github.com/databay-go/databay/outlet/fileoutlet"
	"github.com/databay-go/databay/record"
)

var update = flag.Bool("update", false, "write the golden files anew")

type (
	level   int
	panicky struct{}
	trade   struct {
		Symbol string  `json:"symbol"`
		Price  float64 `json:"price"`
		Secret string  `json:"-"`
	}
)

func (l level) String() string               { return "level " + string(rune('0'+l)) }
func (panicky) MarshalJSON() ([]byte, error) { panic("no JSON") }
func (panicky) MarshalText() ([]byte, error) { panic("no text") }
func kinds() []any {
	at := time.Date(2024, 2, 29, 12, 30, 0, 500, time.FixedZone("", 3600))
	return []any{
		"text", "", "two\nlines", "<a href=\"x\">&</a>", "ä€𝄞\u2028", []byte("raw"), 1, -2.5, 1e6, true, nil, at, 90 * time.Second, level(3),
		[]any{1.0, "x", nil}, map[string]any{"b": 1, "a": []int{2}}, trade{"ACME", 12.5, "no"}, &trade{Symbol: "INIT"}, errors.New("an error"),
		json.RawMessage("{\n \"a\": [1,\n2]\n}"), json.Number("1.50"), map[int]string{2: "b", 1: "a"}, struct{}{},
	}
}

// The golden files show how every kind of payload is written.
func TestGolden(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		opts *fileoutlet.Options
	}{
		{"text.log", nil},
		{"lines.jsonl", &fileoutlet.Options{Encode: fileoutlet.JSON}},
		{"crlf.log", &fileoutlet.Options{CRLF: true}},
		{"utf16le.txt", &fileoutlet.Options{Encoding: unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), CRLF: true}},
		{"utf8bom.txt", &fileoutlet.Options{Encoding: unicode.UTF8BOM}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file := path(t)
			push(t, started(t, file, test.opts), records(kinds()...)...)
			golden := filepath.Join("testdata", test.name)
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				write(t, golden, read(t, file))
			}
			assert.Equal(t, read(t, golden), read(t, file))
		})
	}
}

// A record that cannot be encoded fails alone and for good.
func TestRecordsThatFail(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		opts   fileoutlet.Options
		record record.Record
		want   string
	}{
		{"NaN", fileoutlet.Options{Encode: fileoutlet.JSON}, record.New(math.NaN()), "unsupported value: NaN"},
		{"function", fileoutlet.Options{Encode: fileoutlet.JSON}, record.New(kinds), "unsupported type: func() []interface {}"},
		{"panic", fileoutlet.Options{Encode: fileoutlet.JSON}, record.New(panicky{}), "encoding the record panicked: no JSON"},
		{"user's error", fileoutlet.Options{Encode: func(buf []byte, r record.Record) ([]byte, error) {
			if r.Payload == "bad" {
				return append(buf, "half"...), errors.New("not this one")
			}
			return fileoutlet.Text(buf, r)
		}}, record.New("bad"), "not this one"},
		{"character", fileoutlet.Options{Encoding: charmap.ISO8859_1}, record.New("price: 5 €"), `the character '€' (U+20AC) is not in the encoding ISO 8859-1`},
		{"no UTF-8", fileoutlet.Options{Encoding: charmap.ISO8859_1}, record.New("a\xff"), `the text "a\xff" is not UTF-8`},
		{"no path", fileoutlet.Options{}, record.New("x", fileoutlet.File.Of("")), `metadata fileoutlet.file is ""`},
		{"path of another type", fileoutlet.Options{}, record.New("x", record.Attr{Key: "fileoutlet.file", Value: 5}), `metadata fileoutlet.file is 5, want the path of a file`},
		{"encoding of another type", fileoutlet.Options{}, record.New("x", record.Attr{Key: "fileoutlet.encoding", Value: "utf-16"}), "metadata fileoutlet.encoding is a string, want an encoding of golang.org/x/text"},
		{"encoding that is none", fileoutlet.Options{}, record.New("x", fileoutlet.Encoding.Of(encoding.Replacement)), "metadata fileoutlet.encoding: "},
		{"another encoding", fileoutlet.Options{}, record.New("x", fileoutlet.Encoding.Of(charmap.CodePage437)), "metadata fileoutlet.encoding is IBM Code Page 437, want that of the records before, UTF-8: a file has one encoding"},
		{"truncate of another type", fileoutlet.Options{}, record.New("x", record.Attr{Key: "fileoutlet.truncate", Value: "w"}), "metadata fileoutlet.truncate is a string, want true or false"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, replace := range []bool{false, true} {
				file := path(t)
				opts := test.opts
				opts.Replace = replace
				o := started(t, file, &opts)
				causes := failed(t, o, record.New("1"), test.record, record.New("2"))
				require.Len(t, causes, 1)
				require.ErrorContains(t, causes[1], test.want)
				assert.True(t, record.IsPermanent(causes[1]))
				assert.Equal(t, "12", strings.NewReplacer("\n", "", `"`, "").Replace(read(t, file)))
				if replace && test.name == "another encoding" {
					continue // alone it has its own
				}
				was := read(t, file)
				causes = failed(t, o, test.record)
				require.Len(t, causes, 1)
				assert.Equal(t, was, read(t, file), "nothing is written, or replaced by nothing")
			}
		})
	}
}

// encodings are those that are tested.
func encodings() []encoding.Encoding {
	return []encoding.Encoding{
		charmap.ISO8859_1, charmap.Windows1252, charmap.CodePage437, japanese.ShiftJIS, japanese.EUCJP, japanese.ISO2022JP, simplifiedchinese.GB18030, simplifiedchinese.HZGB2312,
		unicode.UTF8, unicode.UTF8BOM, unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), unicode.UTF16(unicode.LittleEndian, unicode.UseBOM),
		unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM), utf32.UTF32(utf32.LittleEndian, utf32.UseBOM), encoding.Nop,
	}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	for _, e := range encodings() {
		text := []string{"first", "日本", "", "a日b"}
		if _, err := e.NewEncoder().String(text[1]); err != nil {
			text = []string{"first", "Grün", "", "ü"}
		}
		for _, crlf := range []bool{false, true} {
			file := path(t)
			opts := &fileoutlet.Options{Encoding: e, CRLF: crlf}
			for range 2 { // the second one goes on after the first
				push(t, started(t, file, opts), records(text[0], text[1])...)
				push(t, started(t, file, opts), records(text[2], text[3])...)
			}
			got, err := e.NewDecoder().String(read(t, file))
			require.NoError(t, err)
			end := "\n"
			if crlf {
				end = "\r\n"
			}
			want := strings.Repeat(strings.Join(text, end)+end, 2)
			assert.Equal(t, want, strings.TrimPrefix(got, "\uFEFF"), "%v", e)
		}
	}
}

// What was there before is ended before a line is added.
func TestUnfinishedLine(t *testing.T) {
	t.Parallel()
	little := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	tests := []struct {
		name, existing, want string
		opts                 *fileoutlet.Options
	}{
		{"empty", "", "new\n", nil},
		{"finished", "old\n", "old\nnew\n", nil},
		{"unfinished", "ol", "ol\nnew\n", nil},
		{"CRLF", "ol", "ol\r\nnew\r\n", &fileoutlet.Options{CRLF: true}},
		{"\\n and CRLF", "old\n", "old\nnew\r\n", &fileoutlet.Options{CRLF: true}},
		{"wide", "a\x00\n\x00", "a\x00\n\x00n\x00e\x00w\x00\n\x00", &fileoutlet.Options{Encoding: little}},
		{"wide unfinished", "a\x00", "a\x00\n\x00n\x00e\x00w\x00\n\x00", &fileoutlet.Options{Encoding: little}},
		{"half a character", "a\x00\n", "a\x00\n\x00\n\x00n\x00e\x00w\x00\n\x00", &fileoutlet.Options{Encoding: little}},
		{"line end out of step", "a\n\x00", "a\n\x00\x00\n\x00n\x00e\x00w\x00\n\x00", &fileoutlet.Options{Encoding: little}},
		{"mark only", "\uFEFF", "\uFEFF\nnew\n", &fileoutlet.Options{Encoding: unicode.UTF8BOM}},
		{"truncated", "old", "new\n", &fileoutlet.Options{Truncate: true}},
		{"replaced", "old", "new\n", &fileoutlet.Options{Replace: true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file := path(t)
			write(t, file, test.existing)
			push(t, started(t, file, test.opts), records("new")...)
			assert.Equal(t, test.want, read(t, file))
		})
	}
}

func TestLargePush(t *testing.T) {
	t.Parallel()
	for _, replace := range []bool{false, true} {
		file := path(t)
		var rs []record.Record
		for i := range 50_000 {
			rs = append(rs, record.New(map[string]any{"n": i, "text": "some text"}))
		}
		rs = append(rs, record.New(strings.Repeat("x", 3<<20)))
		push(t, started(t, file, &fileoutlet.Options{Encode: fileoutlet.JSON, Replace: replace}), rs...)
		all := lines(t, file)
		require.Len(t, all, 50_001)
		assert.Equal(t, `{"n":49999,"text":"some text"}`, all[49_999])
		assert.Len(t, all[50_000], 3<<20+2)
	}
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	for _, replace := range []bool{false, true} {
		file := filepath.Join(t.TempDir(), "new", "folder", "out.log")
		o := fileoutlet.New(file, &fileoutlet.Options{Replace: replace})
		rs := records("a")
		require.ErrorContains(t, o.Push(t.Context(), rs, record.Update{}), "not started")
		require.NoError(t, o.Shutdown(t.Context()), "before a start")
		require.NoError(t, o.Start(t.Context()))
		assert.Empty(t, names(t, filepath.Dir(file)), "the folder is made, but no file before the first record")
		require.ErrorContains(t, o.Start(t.Context()), "already started")
		push(t, o)
		push(t, o, rs...)
		assert.Equal(t, "a\n", read(t, file), "the file has all before Shutdown")
		require.NoError(t, o.Shutdown(t.Context()))
		require.NoError(t, o.Shutdown(t.Context()), "twice")
		require.ErrorContains(t, o.Push(t.Context(), rs, record.Update{}), "not started")
		require.NoError(t, o.Start(t.Context()))
		push(t, o, rs...)
		require.NoError(t, o.Shutdown(t.Context()))
		assert.Equal(t, map[bool]string{false: "a\na\n", true: "a\n"}[replace], read(t, file))
		assert.True(t, o.ReadOnly())
		assert.Equal(t, "fileoutlet("+file+")", o.String())
	}
}

func TestContextThatHasEnded(t *testing.T) {
	t.Parallel()
	file := path(t)
	o := started(t, file, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, o.Push(ctx, records("a"), record.Update{}), context.Canceled)
	assert.NoFileExists(t, file)
}

// An encoder may return memory of its own, a payload's too: it is not written to.
func TestEncoderReturnsThePayload(t *testing.T) {
	t.Parallel()
	file := path(t)
	own := func(_ []byte, r record.Record) ([]byte, error) { return r.Payload.([]byte), nil }
	for _, opts := range []*fileoutlet.Options{{Encode: own}, {Encode: own, CRLF: true, Encoding: charmap.ISO8859_1, Truncate: true}} {
		first, second := make([]byte, 3, 100), make([]byte, 2, 100)
		copy(first, "abc")
		copy(second, "de")
		push(t, started(t, file, opts), records(first, second, first)...)
		assert.Equal(t, "abc\nde\nabc\n", strings.ReplaceAll(read(t, file), "\r", ""))
		assert.Equal(t, "abc\x00\x00", string(first[:5]))
		assert.Equal(t, "de\x00\x00\x00", string(second[:5]))
	}
}

// A goroutine that ends inside of an encoder leaves the file as it was.
func TestEncoderEndsTheGoroutine(t *testing.T) {
	t.Parallel()
	file := path(t)
	ends := false
	o := started(t, file, &fileoutlet.Options{Encode: func(buf []byte, r record.Record) ([]byte, error) {
		if ends && r.Payload == "end" {
			runtime.Goexit()
		}
		return fileoutlet.Text(buf, r)
	}})
	push(t, o, records("before")...)
	ends = true
	rs := records(strings.Repeat("x", 1<<20), "end")
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = o.Push(context.Background(), rs, record.Update{})
	}()
	<-done
	assert.Equal(t, "before\n", read(t, file))
	ends = false
	push(t, o, records("after")...)
	assert.Equal(t, "before\nafter\n", read(t, file))
}
