package stdininlet_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/databay-go/databay/inlet/stdininlet"
)

// No line is lost or cut, whatever is in them and however they come.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{"", "\n", "a", "a\n", "a\r\nb", "\r\r\n\n", "\uFEFFa\n\uFEFF", "\x00\xff\n"} {
		f.Add([]byte(seed), 5)
	}
	f.Fuzz(func(t *testing.T, text []byte, most int) {
		if most < 1 || most > 100 {
			return
		}
		var want []any
		rest := bytes.TrimPrefix(text, []byte("\uFEFF"))
		for line := range strings.SplitAfterSeq(string(rest), "\n") {
			if line != "" || len(rest) == 0 && len(text) > 0 {
				want = append(want, strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"))
			}
		}
		in := started(t, &stdininlet.Options{Reader: iotest.OneByteReader(bytes.NewReader(text)), Decode: stdininlet.Text, MaxRecords: most})
		got, errs := all(t, in)
		if len(errs) > 0 || len(got) != len(want) {
			t.Fatalf("got %q and %q, want %q", got, errs, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("line %d is %q, want %q", i+1, got[i], want[i])
			}
		}
	})
}

// Of any text, JSON makes as many records and errors as there are lines that are not
// empty, at most, and does not panic.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{"1\n2", "{\"a\":1}\n[\n", "null\n\n \n", "\"\xff\"\n1e999"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		in := started(t, &stdininlet.Options{Reader: bytes.NewReader(text), MaxLine: 50})
		got, errs := all(t, in)
		if lines := bytes.Count(text, []byte{'\n'}) + 1; len(got)+len(errs) > lines {
			t.Errorf("%d records and %d errors of %d lines", len(got), len(errs), lines)
		}
	})
}
