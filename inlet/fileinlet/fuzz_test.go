package fileinlet_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/unicode"

	"github.com/databay-go/databay/inlet/fileinlet"
	"github.com/databay-go/databay/record"
)

// grow writes a text in parts, and calls step after each.
func grow(t *testing.T, path, text string, parts []byte, step func()) {
	t.Helper()
	for _, n := range append(parts, 255) {
		size := min(int(n), len(text))
		if n == 255 {
			size = len(text)
		}
		appendTo(t, path, text[:size])
		text = text[size:]
		step()
	}
}

// Any bytes, written in any parts, with restarts between, are cut into the same
// lines as in one piece.
func FuzzLines(f *testing.F) {
	f.Add("a\nb\r\n\nc", []byte{1, 1, 1}, uint8(0), uint8(0))
	f.Add("\uFEFFa\n\x00\xff\n", []byte{2, 0, 3}, uint8(1), uint8(3))
	f.Add("long line\nshort\nanother long line", []byte{3, 9}, uint8(2), uint8(6))
	f.Add("a\x00\n\x00\n\n\n\x00\x0a\x0a\x00\x00", []byte{3, 1}, uint8(4), uint8(0))
	f.Fuzz(func(t *testing.T, text string, parts []byte, mode, maxLine uint8) {
		if len(text) > 1000 || len(parts) > 50 {
			return
		}
		var opts fileinlet.Options
		bad := 0
		if maxLine > 0 {
			opts.MaxLine = int(maxLine)
			opts.OnBad = func(_ context.Context, e *fileinlet.LineError) (any, error) {
				require.ErrorIs(t, e, fileinlet.ErrTooLong)
				bad++
				return nil, nil
			}
		}
		if mode&1 != 0 {
			opts.MaxRecords = 1
		}
		var want []string
		lines := strings.SplitAfter(text, "\n")
		if mode&4 != 0 {
			opts.Encoding = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
			lines = splitUTF16(text)
		}
		long := 0
		for _, line := range lines {
			end, known := "\n", line
			if mode&4 != 0 {
				end = "\x00\n"
				known = decoded(t, line)
			}
			size := len(strings.TrimSuffix(line, end))
			finished := strings.HasSuffix(line, end)
			switch {
			case maxLine > 0 && size > int(maxLine):
				long++
			case finished:
				want = append(want, strings.TrimSuffix(strings.TrimSuffix(known, "\n"), "\r"))
			}
		}
		if mode&4 == 0 && len(want) > 0 && !(maxLine > 0 && len(strings.TrimSuffix(lines[0], "\n")) > int(maxLine)) {
			want[0] = strings.TrimPrefix(want[0], "\uFEFF")
		}

		path := file(t, "")
		in := started(t, path, &opts)
		var got []string
		ids := make(map[string]bool)
		step := func() {
			for {
				records, err := in.Pull(t.Context(), record.Update{})
				require.NoError(t, err)
				for _, r := range records {
					got = append(got, r.Payload.(string))
					require.False(t, ids[r.ID()])
					ids[r.ID()] = true
				}
				if mode&2 != 0 {
					in = resumed(t, path, &opts, in.Position())
				}
				if len(records) == 0 {
					return
				}
			}
		}
		grow(t, path, text, parts, step)
		require.Equal(t, want, got)
		if mode&4 == 0 {
			require.Equal(t, long, bad)
		}
	})
}

func splitUTF16(text string) (lines []string) {
	from := 0
	for i := 0; i+1 < len(text); i += 2 {
		if text[i:i+2] == "\x00\n" {
			lines = append(lines, text[from:i+2])
			from = i + 2
		}
	}
	return append(lines, text[from:])
}

func decoded(t *testing.T, line string) string {
	t.Helper()
	text, err := unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder().String(line)
	require.NoError(t, err)
	return text
}

// What encoding/csv writes is read as it was, however the file grows.
func FuzzCSVRoundTrip(f *testing.F) {
	f.Add("a|b|c|d", []byte{1, 2, 3}, uint8(2), uint8(0))
	f.Add("a\"\n|,|\r\r|#\n\n\"|", []byte{9, 1}, uint8(3), uint8(3))
	f.Add("||||", []byte{}, uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, text string, parts []byte, width, mode uint8) {
		if len(text) > 500 || len(parts) > 30 || width == 0 || width > 10 {
			return
		}
		comma := ','
		if mode&4 != 0 {
			comma = '→'
		}
		var b strings.Builder
		w := csv.NewWriter(&b)
		w.UseCRLF, w.Comma = mode&1 != 0, comma
		columns := make([]string, width)
		for i := range columns {
			columns[i] = fmt.Sprint("column", i)
		}
		require.NoError(t, w.Write(columns))
		fields := strings.Split(strings.ReplaceAll(text, "\r", ""), "|")
		var want []any
		for len(fields) >= int(width) {
			row := fields[:width:width]
			fields = fields[width:]
			if width == 1 && row[0] == "" {
				continue // the writer makes an empty line of it, which is no row
			}
			require.NoError(t, w.Write(row))
			want = append(want, row)
		}
		w.Flush()
		opts := fileinlet.Options{CSV: &fileinlet.CSV{Comma: comma, Decode: func(c, row []string) (any, error) {
			require.Equal(t, columns, c)
			return row, nil
		}}}
		path := file(t, "")
		in := started(t, path, &opts)
		var got []any
		grow(t, path, b.String(), parts, func() {
			got = append(got, pull(t, in)...)
			if mode&2 != 0 {
				in = resumed(t, path, &opts, in.Position())
			}
		})
		require.Equal(t, want, got)
	})
}

// Any bytes as CSV: no panic, every byte is in a row or in a bad one, and what is read
// is what encoding/csv reads, as far as that does not fail.
func FuzzCSV(f *testing.F) {
	f.Add("a,b\n1,2\n\"3\",\"4\n5\"\n", []byte{5}, uint8(0))
	f.Add("a\n\"x\"y\n\"\n#\n", []byte{1, 1}, uint8(1))
	f.Add("\"\"\"\n\",\r\n\"a\"\r\n", []byte{}, uint8(7))
	f.Fuzz(func(t *testing.T, text string, parts []byte, mode uint8) {
		if len(text) > 500 || len(parts) > 30 {
			return
		}
		r := csv.NewReader(strings.NewReader(text + "\nend,end\n")) // which shows an open quote
		r.FieldsPerRecord = -1
		var comment rune
		if mode&1 != 0 {
			comment = '#'
		}
		r.Comment, r.LazyQuotes = comment, mode&2 != 0
		var want [][]string
		for {
			row, err := r.Read()
			if err != nil {
				break
			}
			want = append(want, row)
		}
		end := []string{"end", "end"}
		if len(want) == 0 || !slices.Equal(want[len(want)-1], end) || strings.HasPrefix(text, "\uFEFF") {
			want = nil // it ends in the middle
		}
		var got [][]string
		var bad int
		columns := []string{"a", "b"}
		opts := fileinlet.Options{
			CSV: &fileinlet.CSV{Comment: comment, Lazy: mode&2 != 0, Columns: columns},
			OnBad: func(_ context.Context, e *fileinlet.LineError) (any, error) {
				bad++
				return nil, nil
			},
		}
		opts.CSV.Decode = func(_, row []string) (any, error) { return row, nil }
		path := file(t, "")
		in := started(t, path, &opts)
		read := func() {
			for _, row := range pull(t, in) {
				got = append(got, row.([]string))
			}
			if mode&4 != 0 {
				in = resumed(t, path, &opts, in.Position())
			}
		}
		grow(t, path, text, parts, read)
		rename(t, path, path+".1") // so that what is unfinished is read
		write(t, path, "end,end\n")
		read()
		require.NotEmpty(t, got)
		require.Equal(t, end, got[len(got)-1])
		if want == nil {
			return
		}
		var fits [][]string
		for _, row := range want {
			if len(row) == len(columns) {
				fits = append(fits, row)
			}
		}
		require.Equal(t, fits, got)
		require.Equal(t, len(want)-len(fits), bad)
	})
}

// Any bytes as JSON lines: each line is a record, none, or bad, as encoding/json says.
func FuzzJSON(f *testing.F) {
	f.Add("{\"a\":1}\n[2]\n\n null\nx\n\"\xff\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1000 {
			return
		}
		var want []any
		bad := 0
		for line := range strings.Lines(strings.TrimPrefix(text, "\uFEFF")) {
			if !strings.HasSuffix(line, "\n") {
				break
			}
			line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
			var v any
			err := json.Unmarshal([]byte(line), &v)
			switch {
			case strings.Trim(line, " \t\r\n") == "":
			case err != nil:
				bad++
			case v != nil:
				want = append(want, v)
			}
		}
		in := started(t, file(t, text), &fileinlet.Options{Decode: fileinlet.JSON[any], OnBad: func(_ context.Context, e *fileinlet.LineError) (any, error) {
			require.NotEmpty(t, e.Error())
			bad--
			return nil, nil
		}})
		got := pull(t, in)
		require.Equal(t, append([]any{}, want...), got)
		require.Zero(t, bad)
	})
}

// No position makes a Seek or a Pull panic, or read what is not there.
func FuzzPosition(f *testing.F) {
	f.Add([]byte(`{"lines":{"generation":0,"offset":2,"line":1}}`))
	f.Add([]byte(`{"lines":{"generation":3,"inode":"1","id":"x","offset":0,"line":9,"inside":true,"modified":-5}}`))
	f.Add([]byte(`{"whole":{}}`))
	f.Fuzz(func(t *testing.T, position []byte) {
		in := started(t, file(t, "a\nb\n"), nil)
		if in.Seek(t.Context(), position) != nil {
			return
		}
		require.Subset(t, []any{"a", "b"}, pull(t, in))
	})
}
