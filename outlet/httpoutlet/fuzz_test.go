package httpoutlet_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/go-resty/resty/v2"

	"github.com/databay-go/databay/outlet/httpoutlet"
	"github.com/databay-go/databay/record"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Whatever the status and its Retry-After are, the answer is a definite one, and no
// pause is negative.
func FuzzStatus(f *testing.F) {
	for _, header := range []string{"", "5", "-1", "1e9", "99999999999999999999", "Fri, 31 Dec 1999 23:59:59 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "soon", " 7 "} {
		f.Add(503, header, "body")
	}
	f.Add(200, "5", "")
	f.Add(404, "", "\xff\x00")
	f.Fuzz(func(t *testing.T, code int, header, body string) {
		if code < 200 || code > 999 || code >= 300 && code < 400 {
			return
		}
		client := resty.NewWithClient(&http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: code, Header: http.Header{"Retry-After": {header}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		})})
		o := httpoutlet.New("http://h", &httpoutlet.Options{Client: client})
		if err := o.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := o.Push(t.Context(), records(1, 2), record.Update{})
		if code < 300 {
			if err != nil {
				t.Errorf("status %d is refused: %v", code, err)
			}
			return
		}
		p := record.AsPartial(err)
		if p == nil || p.Check(2) != nil || len(p.Failed) != 2 {
			t.Fatalf("status %d is answered with %v", code, err)
		}
		transient := code >= 500 || code == 408 || code == 425 || code == 429
		if record.IsPermanent(err) == transient {
			t.Errorf("status %d: %v", code, err)
		}
		if retry, ok := errors.AsType[*record.RetryAfterError](err); ok && (!transient || retry.After <= 0) {
			t.Errorf("status %d, Retry-After %q: pause of %v", code, header, retry.After)
		}
	})
}

// What is sent is what a reader of JSON or of JSON lines gets, record for record.
func FuzzBody(f *testing.F) {
	f.Add("a", "b\n", 1.5)
	f.Add("\u2028", "\xff<>&", 1e300)
	f.Fuzz(func(t *testing.T, a, b string, n float64) {
		want := []any{map[string]any{strings.ToValidUTF8(a, "\uFFFD"): n}, strings.ToValidUTF8(b, "\uFFFD"), nil, n}
		for _, kind := range []httpoutlet.Body{httpoutlet.Array, httpoutlet.Lines} {
			var body string
			client := resty.NewWithClient(&http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				text, err := io.ReadAll(r.Body)
				body = string(text)
				return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, err
			})})
			o := httpoutlet.New("http://h", &httpoutlet.Options{Body: kind, Client: client})
			if err := o.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			err := o.Push(t.Context(), records(want...), record.Update{})
			if err != nil {
				t.Fatal(err)
			}
			if kind == httpoutlet.Lines {
				body = "[" + strings.ReplaceAll(strings.TrimSuffix(body, "\n"), "\n", ",") + "]"
			}
			var got []any
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("%v in %q", err, body)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
}
