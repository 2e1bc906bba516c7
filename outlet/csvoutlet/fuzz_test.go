package csvoutlet_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/databay-go/databay/outlet/csvoutlet"
)

// What is written is read back equal by encoding/csv, but for \r\n inside of a
// value, which that reader makes \n of; also after the file was opened anew.
func FuzzRoundTrip(f *testing.F) {
	f.Add("a", "b", "1", "2", "3", "4", ",", false)
	f.Add("a", "", "", "", "", "", ";", true)
	f.Add(`"`, ",", "\n", "\r", "\r\n", ` "x", y`, ",", true)
	f.Add("\uFEFFa", "b\n", "\\.", "\x00", "\xff", "\u2028", "‖", false)
	f.Add(" ", "\t", "\t", " ", "'", "=1+1", "\t", false)
	f.Fuzz(func(t *testing.T, c1, c2, v1, v2, v3, v4, comma string, crlf bool) {
		names := []string{c1, c2}
		if c1 == c2 || strings.Contains(c1+c2, "\r\n") {
			return // the header could not be read back
		}
		separator, _ := firstRune(comma)
		opts := &csvoutlet.Options{Comma: separator, CRLF: crlf}
		file := filepath.Join(t.TempDir(), "out.csv")
		o := csvoutlet.New(file, opts)
		if o.Validate() != nil {
			return
		}
		want := [][]string{{v1, v2}, {v3, v4}}
		for _, values := range want {
			if err := o.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := o.Push(t.Context(), records(row{c1: values[0], c2: values[1]}), emptyUpdate); err != nil {
				t.Fatal(err)
			}
			if err := o.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := csv.NewReader(strings.NewReader(string(text)))
		if separator != 0 {
			lines.Comma = separator
		}
		got, err := lines.ReadAll()
		if err != nil {
			t.Fatalf("%v in %q", err, text)
		}
		if c1 > c2 { // keys are sorted
			names[0], names[1] = c2, c1
			for _, values := range want {
				values[0], values[1] = values[1], values[0]
			}
		}
		want = append([][]string{names}, want...)
		for _, line := range want {
			for i := range line {
				line[i] = strings.ReplaceAll(line[i], "\r\n", "\n")
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %q, want %q, of %q", got, want, text)
		}
	})
}

// Whatever is in an existing file, a row is added after it or the file is left
// alone.
func FuzzExistingFile(f *testing.F) {
	for _, seed := range []string{"", "a\n", "a", "a,b\n1,\"x", "\n", "a,a\n", "\"", "a\r\n1\r", "\uFEFFa\n", "\"a\"\"\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, existing string) {
		file := filepath.Join(t.TempDir(), "out.csv")
		if err := os.WriteFile(file, []byte(existing), 0o600); err != nil {
			t.Fatal(err)
		}
		o := csvoutlet.New(file, &csvoutlet.Options{OtherColumns: csvoutlet.Ignore})
		err := o.Start(t.Context())
		if err == nil {
			if err := o.Push(t.Context(), records(row{"a": "new"}), emptyUpdate); err != nil {
				t.Fatal(err)
			}
			if err := o.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		text, readErr := os.ReadFile(file)
		if readErr != nil {
			t.Fatal(readErr)
		}
		if !strings.HasPrefix(string(text), existing) {
			t.Errorf("%q has become %q", existing, text)
		}
		if err != nil && string(text) != existing {
			t.Errorf("%q has become %q in spite of %v", existing, text, err)
		}
		if err == nil && !strings.HasSuffix(string(text), "\n") {
			t.Errorf("%q has become %q, with an unfinished line", existing, text)
		}
	})
}

func firstRune(s string) (rune, bool) {
	for _, r := range s {
		return r, true
	}
	return 0, false
}
