package fileinlet_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"

	"github.com/databay-go/databay/inlet/fileinlet"
	"github.com/databay-go/databay/record"
)

// Lines end where they should, whatever bytes their characters have, and however
// the file grows.
func TestEncodings(t *testing.T) {
	t.Parallel()
	utf16 := func(e unicode.Endianness, p unicode.BOMPolicy) encoding.Encoding { return unicode.UTF16(e, p) }
	// Ċ and ऊ are 010A and 090A, ਀ is 0A00, \u0a0a both; 𐨊 has surrogates.
	wide := []string{"Ċऊ", "\u0a0a਀\u0a0a", "𐨊ü", "", "x\ry", "日本"}
	for name, test := range map[string]struct {
		writer encoding.Encoding
		reader encoding.Encoding
		lines  []string
	}{
		"Latin-1":           {charmap.ISO8859_1, charmap.ISO8859_1, []string{"äöü", "", "é"}},
		"Windows-1252":      {charmap.Windows1252, charmap.Windows1252, []string{"€", "„“"}},
		"EBCDIC":            {charmap.CodePage037, charmap.CodePage037, []string{"abc", "Ü"}},
		"Shift JIS":         {japanese.ShiftJIS, japanese.ShiftJIS, []string{"日本", "ソ表", "x"}},
		"ISO-2022-JP":       {japanese.ISO2022JP, japanese.ISO2022JP, []string{"日本", "abc"}},
		"GB 18030":          {simplifiedchinese.GB18030, simplifiedchinese.GB18030, wide},
		"UTF-8 with mark":   {unicode.UTF8BOM, unicode.UTF8BOM, wide},
		"UTF-8":             {unicode.UTF8, unicode.UTF8, wide},
		"UTF-16LE":          {utf16(unicode.LittleEndian, unicode.IgnoreBOM), utf16(unicode.LittleEndian, unicode.IgnoreBOM), wide},
		"UTF-16BE":          {utf16(unicode.BigEndian, unicode.IgnoreBOM), utf16(unicode.BigEndian, unicode.IgnoreBOM), wide},
		"mark LE":           {utf16(unicode.LittleEndian, unicode.UseBOM), utf16(unicode.BigEndian, unicode.UseBOM), wide},
		"mark BE":           {utf16(unicode.BigEndian, unicode.UseBOM), utf16(unicode.LittleEndian, unicode.UseBOM), wide},
		"mark expected":     {utf16(unicode.BigEndian, unicode.UseBOM), utf16(unicode.LittleEndian, unicode.ExpectBOM), wide},
		"mark is missing":   {utf16(unicode.BigEndian, unicode.IgnoreBOM), utf16(unicode.BigEndian, unicode.UseBOM), wide},
		"mark is not asked": {utf16(unicode.BigEndian, unicode.UseBOM), utf16(unicode.BigEndian, unicode.IgnoreBOM), wide},
		"UTF-32":            {utf32.UTF32(utf32.LittleEndian, utf32.UseBOM), utf32.UTF32(utf32.BigEndian, utf32.ExpectBOM), wide},
		"UTF-32BE":          {utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), wide},
	} {
		for _, rows := range []bool{false, true} {
			t.Run(fmt.Sprint(name, rows), func(t *testing.T) {
				t.Parallel()
				opts := fileinlet.Options{Encoding: test.reader}
				text, want := "", list()
				for i, line := range test.lines {
					text += line + "\r\n"
					want = append(want, line)
					if i == 1 && rows {
						text, want = text[:len(text)-2], want[:0]
						break
					}
				}
				if rows {
					opts.CSV = &fileinlet.CSV{Columns: []string{"a", "b"}, Decode: func(_, row []string) (any, error) { return strings.Join(row, "|"), nil }}
					text = "\"" + strings.ReplaceAll(text, "\r\n", "\n") + "\"," + test.lines[0] + "\n1,2\n"
					want = list(strings.ReplaceAll(text[1:strings.LastIndex(text, "\",")], "\"", "")+"|"+test.lines[0], "1|2")
				}
				bytes := encoded(t, test.writer, text)
				path := file(t, "")
				in := started(t, path, &opts)
				got := list()
				for i := range len(bytes) {
					appendTo(t, path, bytes[i:i+1])
					if i%3 == 0 {
						in = resumed(t, path, &opts, in.Position())
					}
					got = append(got, pull(t, in)...)
				}
				assert.Equal(t, want, got)
				assert.Equal(t, want, pull(t, started(t, path, &opts)))
			})
		}
	}
}

func TestEncodingMistakes(t *testing.T) {
	t.Parallel()
	expect := unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM)
	for _, whole := range []bool{false, true} {
		_, err := pullErr(t, started(t, file(t, "a\x00\n\x00"), &fileinlet.Options{Encoding: expect, Whole: whole}))
		require.ErrorContains(t, err, "the file does not begin with the byte order mark that its Encoding asks for")
	}
	// What is not of the encoding is replaced, and what is odd at the end stays.
	in := started(t, file(t, "\x00\xd8a\x00\n\x00b"), &fileinlet.Options{Encoding: unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)})
	assert.Equal(t, list("\uFFFDa"), pull(t, in))

	in = started(t, file(t, zipped(t, "a\x00\n\x00b")), &fileinlet.Options{Gzip: true, Encoding: unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)})
	assert.Equal(t, list("a", "\uFFFD"), pull(t, in))
	assert.Empty(t, pull(t, in))

	long := encoded(t, charmap.ISO8859_1, strings.Repeat("ä", 100)) + "\nb\n"
	in = started(t, file(t, long), &fileinlet.Options{Encoding: charmap.ISO8859_1, MaxLine: 10})
	_, err := pullErr(t, in)
	require.ErrorContains(t, err, strings.Repeat("ä", 10))
}

func TestGzip(t *testing.T) {
	t.Parallel()
	text, want := numbered(0, 30_000)
	text, want = text+"end", append(want, "end")
	path := filepath.Join(folder(t), "app.log.GZ")
	write(t, path, zipped(t, text))
	assert.Equal(t, want, pull(t, started(t, path, nil)))

	opts := &fileinlet.Options{MaxRecords: 10_000}
	in := started(t, path, opts)
	var got []any
	for range 5 {
		records, err := in.Pull(t.Context(), record.Update{})
		require.NoError(t, err)
		for _, r := range records {
			offset := fileinlet.Offset.Or(r, -1)
			assert.True(t, strings.HasPrefix(text[offset:], r.Payload.(string)), "offsets are those of the content")
		}
		got = append(got, payloads(records)...)
		in = resumed(t, path, opts, in.Position())
	}
	assert.Equal(t, want, got)

	// More members may follow, and another file may take its place.
	appendTo(t, path, zipped(t, "more\nrest"))
	assert.Equal(t, list("more", "rest"), pull(t, in))
	assert.Empty(t, pull(t, in))
	position := in.Position()
	rename(t, path, path+".old")
	write(t, path, zipped(t, "other\n"))
	assert.Equal(t, list("other"), pull(t, in))
	assert.Equal(t, list("other"), pull(t, resumed(t, path, opts, position)))
	write(t, path, zipped(t, "in its place\n"))
	assert.Equal(t, list("in its place"), pull(t, in))
	write(t, path, "")
	assert.Empty(t, pull(t, in))
	write(t, path, zipped(t, "again\n"))
	assert.Equal(t, list("again"), pull(t, in))
}

// What there is of a file that is cut off is read, and the rest when it is there.
func TestBrokenGzip(t *testing.T) {
	t.Parallel()
	text, want := numbered(0, 50_000)
	whole := zipped(t, text)
	path := file(t, "")
	opts := &fileinlet.Options{Gzip: true}
	in := started(t, path, opts)
	assert.Empty(t, pull(t, in))
	var got []any
	for _, n := range []int{5, 100, 50_000, len(whole) - 2} {
		write(t, path, whole[:n])
		for range 2 {
			more, err := pullErr(t, in)
			require.ErrorContains(t, err, "compressed content after offset ")
			require.ErrorContains(t, err, "unexpected EOF")
			got = append(got, more...)
		}
		in = resumed(t, path, opts, in.Position())
	}
	require.NoError(t, os.WriteFile(path, []byte(whole), 0o600))
	assert.Equal(t, want, append(got, pull(t, in)...))
	assert.Empty(t, pull(t, in))

	for _, text := range []string{"no gzip at all\n", whole[:100] + "x" + whole[101:]} {
		_, err := pullErr(t, started(t, file(t, text), opts))
		require.ErrorContains(t, err, "compressed content after offset ")
		_, err = pullErr(t, started(t, file(t, text), &fileinlet.Options{Gzip: true, Whole: true}))
		require.Error(t, err)
	}
}
