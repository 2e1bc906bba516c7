package httpinlet_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/databay-go/databay/inlet/httpinlet"
)

// Whatever is JSON is decoded, with as many records as an array has elements;
// whatever is not is an error. Nothing panics.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		``, ` `, `null`, `[]`, `[null]`, `[1,2,3]`, `{"a":[1,{"b":null}]}`, `"x"`, `1e400`, `[1,`, `{"a":1}{"b":2}`, "\uFEFF[1]", "[\"\xff\"]", `nul`, `[[[[]]]]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		records, err := httpinlet.JSON[any](append([]byte(nil), body...))
		var list []json.RawMessage
		switch {
		case json.Unmarshal(body, &list) == nil && err == nil: // an array, or null
			if len(records) != len(list) {
				t.Errorf("%d records of %d elements of %q", len(records), len(list), body)
			}
		case json.Valid(body) && err == nil:
			if len(records) != 1 {
				t.Errorf("%d records of %q, want 1", len(records), body)
			}
		case err != nil && len(records) > 0:
			t.Errorf("%d records of %q together with the error %v", len(records), body, err)
		}
		typed, err := httpinlet.JSON[struct{ A, B int }](append([]byte(nil), body...))
		if err == nil && len(typed) != len(records) {
			t.Errorf("%d typed and %d untyped records of %q", len(typed), len(records), body)
		}
	})
}

// Lines are records, one for each that is not blank, in their order; a line that is no
// JSON is an error.
func FuzzJSONLines(f *testing.F) {
	for _, seed := range []string{"", "1\n2", "{}\r\n\n[1]\n", "null\n", "1 2\n", "\uFEFF1", "\"a\\n\"\n", "{\n}", "\u2028\n1", "0\f\n0", "0\n\f"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		records, err := httpinlet.JSONLines[json.RawMessage](bytes.Clone(body))
		var want []string
		valid := true
		for line := range strings.SplitSeq(strings.TrimPrefix(string(body), "\uFEFF"), "\n") {
			if line = strings.Trim(line, " \t\r\n"); line != "" {
				valid = valid && json.Valid([]byte(line))
				want = append(want, line)
			}
		}
		if valid != (err == nil) {
			t.Fatalf("error %v of %q", err, body)
		}
		if err != nil {
			if len(records) > 0 {
				t.Errorf("%d records of %q together with the error %v", len(records), body, err)
			}
			return
		}
		if len(records) != len(want) {
			t.Fatalf("%d records of %q, want %d", len(records), body, len(want))
		}
		for i, r := range records {
			if got := string(r.Payload.(json.RawMessage)); got != want[i] {
				t.Errorf("record %d of %q is %q, want %q", i, body, got, want[i])
			}
		}
	})
}

// What is in a field is decoded as if it were the body.
func FuzzJSONField(f *testing.F) {
	for _, seed := range []string{"", "null", "[1,null]", "{}", `{"a":1}`, `"x"`, "[", "1,", "}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		body := append(append([]byte(`{"x":[],"a":{"b":`), value...), "}}"...)
		records, err := httpinlet.JSONField[any]("a.b")(bytes.Clone(body))
		if !json.Valid(value) {
			if err == nil && !json.Valid(body) {
				t.Errorf("no error of %q", body)
			}
			return
		}
		want, wrong := httpinlet.JSON[any](bytes.Clone(value))
		if (err == nil) != (wrong == nil) || len(records) != len(want) {
			t.Errorf("%q: %d records and %v, want %d and %v", body, len(records), err, len(want), wrong)
		}
	})
}

// Any Link header is read without a panic, and a link that is there is found behind
// any title.
func FuzzLinkHeader(f *testing.F) {
	for _, seed := range []string{"", `<a>; rel="next"`, `<`, `<a>;`, `<a>; x="\`, `<a>; rel==next,,<b>`, ";;;", `<a>; rel=next; anchor`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		found := func(header string) string {
			got, err := httpinlet.LinkHeader(httpinlet.Page{Header: http.Header{"Link": {header}}})
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := found(text); !strings.Contains(text, got) {
			t.Errorf("%q is not in %q", got, text)
		}
		title := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)
		if got := found(`<x>; rel=prev; title="` + title + `", <the-next>; title="` + title + `"; rel="next"`); got != "the-next" {
			t.Errorf("found %q behind the title %q", got, text)
		}
	})
}
