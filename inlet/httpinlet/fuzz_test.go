package httpinlet_test

import (
	"encoding/json"
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
