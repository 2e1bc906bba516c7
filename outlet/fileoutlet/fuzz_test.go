package fileoutlet_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"

	"github.com/databay-go/databay/outlet/fileoutlet"
	"github.com/databay-go/databay/record"
)

// What is written as JSON lines is read back, line for line, in whatever encoding and
// however it is rotated.
func FuzzJSONLines(f *testing.F) {
	f.Add("a", "b\n", 1.5, true, int64(0))
	f.Add("\u2028\r\n", "<&>\x00", -1e300, false, int64(10))
	f.Add("\xff", "\U0001D11E", 0.0, true, int64(1))
	f.Fuzz(func(t *testing.T, a, b string, n float64, wide bool, size int64) {
		valid := func(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
		want := []any{map[string]any{valid(a): n}, valid(b), nil, []any{n, valid(a + b)}}
		file := filepath.Join(t.TempDir(), "out.jsonl")
		opts := &fileoutlet.Options{Encode: fileoutlet.JSON, Rotate: fileoutlet.Rotate{Size: max(size, 0)}}
		if wide {
			opts.Encoding = unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
		}
		o := fileoutlet.New(file, opts)
		for _, rs := range [][]record.Record{records(want[:2]...), records(want[2:]...)} {
			if err := o.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := o.Push(t.Context(), rs, record.Update{}); err != nil {
				t.Fatal(err)
			}
			if err := o.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		var got []any
		for _, name := range rotated(t, file) {
			text := read(t, name)
			if wide {
				var err error
				if text, err = opts.Encoding.NewDecoder().String(text); err != nil {
					t.Fatal(err)
				}
			}
			for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
				var v any
				if err := json.Unmarshal([]byte(line), &v); err != nil {
					t.Fatalf("%v in %q", err, line)
				}
				got = append(got, v)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// Lines that are written one by one, in two runs, are the text that the encoding makes of
// them all at once; a line that it cannot write fails, and leaves nothing.
func FuzzEncodings(f *testing.F) {
	all := encodings()
	for i := range all {
		f.Add("a", "日本", "ü\u2028", uint8(i))
	}
	f.Add("\uFEFF", "\x00", "\x1b$B~{", uint8(5))
	f.Fuzz(func(t *testing.T, a, b, c string, which uint8) {
		e := all[int(which)%len(all)]
		file := filepath.Join(t.TempDir(), "out.log")
		var text strings.Builder
		for _, line := range []string{a, b, c} {
			o := fileoutlet.New(file, &fileoutlet.Options{Encoding: e})
			if err := o.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, wrong := e.NewEncoder().String(line)
			err := o.Push(t.Context(), records(line), record.Update{})
			if refused := wrong != nil || !utf8.ValidString(line); refused != (err != nil) {
				t.Errorf("%v: %q: %v, and of the encoding: %v", e, line, err, wrong)
			}
			if err == nil {
				text.WriteString(line + "\n")
			}
			if err := o.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		var got string
		if text.Len() > 0 {
			got = read(t, file)
		}
		want, err := e.NewEncoder().String(text.String())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := decoded(t, e, got), decoded(t, e, want); got != want {
			t.Errorf("%v: %q in the file, want %q", e, got, want)
		}
	})
}

// decoded returns a text without the byte order mark that begins it.
func decoded(t *testing.T, e encoding.Encoding, text string) string {
	text, err := e.NewDecoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(text, "\uFEFF")
}

// Whatever is in an existing file stays, and a line is added after it.
func FuzzExistingFile(f *testing.F) {
	for _, seed := range []string{"", "a\n", "a", "\n", "a\x00\n", "a\x00\n\x00", "\xff\xfea", "\r"} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, existing string, wide bool) {
		file := filepath.Join(t.TempDir(), "out.log")
		if err := os.WriteFile(file, []byte(existing), 0o600); err != nil {
			t.Fatal(err)
		}
		opts, end := &fileoutlet.Options{}, "new\n"
		if wide {
			opts.Encoding, end = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "n\x00e\x00w\x00\n\x00"
		}
		push(t, started(t, file, opts), records("new")...)
		text := read(t, file)
		if !strings.HasPrefix(text, existing) || !strings.HasSuffix(text, end) {
			t.Errorf("%q has become %q", existing, text)
		}
		if wide && len(text)%2 != 0 {
			t.Errorf("%q has become %q, out of step", existing, text)
		}
		if before := strings.TrimSuffix(text, end); before != "" && !strings.HasSuffix(before, strings.TrimPrefix(end, strings.TrimSuffix(end, map[bool]string{false: "\n", true: "\n\x00"}[wide]))) {
			t.Errorf("%q has become %q: the line before is not ended", existing, text)
		}
	})
}

// Whatever is in the file, its finished lines stay, and records that they have are not
// written again.
func FuzzIdempotent(f *testing.F) {
	f.Add("a\tpa\nb\tp", uint8(2), int64(0))
	f.Add("\n\t\n\xff\tx\r\n", uint8(0), int64(5))
	f.Add("c\n", uint8(1), int64(1))
	f.Fuzz(func(t *testing.T, before string, window uint8, size int64) {
		file := filepath.Join(t.TempDir(), "out.log")
		write(t, file, before)
		kept := before[:strings.LastIndexByte(before, '\n')+1]
		known := strings.Split(kept, "\n")
		known = known[:len(known)-1]
		if most := int(window); most > 0 && len(known) > most {
			known = known[len(known)-most:]
		}
		var want strings.Builder
		want.WriteString(kept)
		for _, id := range []string{"a", "b", "c"} {
			if !slices.ContainsFunc(known, func(line string) bool { return strings.HasPrefix(line, id+"\t") }) {
				want.WriteString(id + "\tp" + id + "\n")
			}
			// Those written now are known too, and take the place of others.
			known = append(known, id+"\t")
			if most := int(window); most > 0 && len(known) > most {
				return // which of them are known is another matter
			}
		}
		o := fileoutlet.New(file, &fileoutlet.Options{Idempotent: true, Window: int(window), Rotate: fileoutlet.Rotate{Size: max(size, 0)}})
		for range 2 {
			if err := o.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := o.Push(t.Context(), identified("a", "b", "c"), record.Update{}); err != nil {
				t.Fatal(err)
			}
			if err := o.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		var got strings.Builder
		for _, name := range rotated(t, file) {
			got.WriteString(read(t, name))
		}
		if got.String() != want.String() {
			t.Errorf("%q, then a, b and c: %q, want %q", before, got.String(), want.String())
		}
	})
}
