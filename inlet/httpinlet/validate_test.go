package httpinlet_test

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-resty/resty/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/httpinlet"
)

func token(context.Context) (string, error) { return "secret", nil }

func TestValidate(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}))
	broken := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))
	tests := []struct {
		name string
		url  string
		opts *httpinlet.Options
		want []string // nil: valid
	}{
		{"valid", "https://example.com/a?b=c#d", nil, nil},
		{"valid IPv6", "http://[::1]:8080", &httpinlet.Options{}, nil},
		{"upper case scheme", "HTTPS://example.com", nil, nil},
		{"none for everything", "http://h", &httpinlet.Options{Timeout: -1, MaxBody: -1}, nil},
		{"everything", "http://h", &httpinlet.Options{
			Method: "QUERY", Body: "x", Token: token, Next: httpinlet.LinkHeader, MaxPages: -1, Limit: httpinlet.Every(1),
			Retry: httpinlet.Retry{Tries: -1, Within: -1, Wait: 1, AnyMethod: true}, NoRedirects: true,
		}, nil},
		{"lower case", "http://h", &httpinlet.Options{Method: "get"}, []string{`Method is "get", want GET, POST`}},
		{"no answer", "http://h", &httpinlet.Options{Method: "HEAD"}, []string{`Method is "HEAD", want GET, POST`}},
		{"no method", "http://h", &httpinlet.Options{Method: "GET /"}, []string{`Method is "GET /"`}},
		{"GET with a body", "http://h", &httpinlet.Options{Method: "GET", Body: "secret"}, []string{`Method is "GET", which has no Body; want POST`}},
		{"two ways in", "http://h", &httpinlet.Options{User: "me", Bearer: "secret"}, []string{"User and Bearer are given, want one of them"}},
		{"a way in and the URL", "http://me:secret@h", &httpinlet.Options{Token: token}, []string{"Token and the user of the URL are given"}},
		{"bearer of two lines", "http://h", &httpinlet.Options{Bearer: "secret\n"}, []string{"Bearer has a control character"}},
		{"pages", "http://h", &httpinlet.Options{MaxPages: -2}, []string{"MaxPages is -2, want more than 0"}},
		{"retry", "http://h", &httpinlet.Options{Retry: httpinlet.Retry{Tries: -2, Within: -2, Wait: -1}}, []string{"Retry.Tries is -2, want", "Retry.Within is -2ns, want", "Retry.Wait is -1ns, want"}},
		{"policies of two", "http://h", &httpinlet.Options{NoRedirects: true, Client: resty.New()}, []string{"NoRedirects is set, want it not together with Client"}},
		{"empty URL", "", nil, []string{"URL is empty"}},
		{"relative URL", "/todos", nil, []string{`URL "/todos" is relative`, "want one that begins with http:// or https://"}},
		{"no scheme", "example.com/todos", nil, []string{`URL "example.com/todos" is relative`}},
		{"host and port only", "localhost:8080/x", nil, []string{`scheme "localhost", want http or https`}},
		{"other scheme", "ftp://example.com", nil, []string{`URL "ftp://example.com" has the scheme "ftp", want http or https`}},
		{"no host", "http:///path", nil, []string{"has no host"}},
		{"port without host", "http://:80/path", nil, []string{"has no host"}},
		{"bad port", "http://example.com:http/", nil, []string{`URL "http://example.com:http/" cannot be read`, "invalid port"}},
		{"bad escape", "http://example.com/%zz?token=secret", nil, []string{`URL "http://example.com/%zz" cannot be read`, `"%zz"`}},
		{"control character", "http://example.com/\n", nil, []string{"cannot be read"}},
		{"password that is cut off", "http://user:p#secret@example.com", nil, []string{"cannot be read", "@"}},
		{"bad password", "http://user:sec ret@example.com", nil, []string{"cannot be read"}},
		{"negative timeout", "http://h", &httpinlet.Options{Timeout: -time.Second}, []string{"Timeout is -1s, want more than 0"}},
		{"negative limit", "http://h", &httpinlet.Options{MaxBody: -2}, []string{"MaxBody is -2, want more than 0"}},
		{"header with a space", "http://h", &httpinlet.Options{Headers: http.Header{"X Key": {"secret"}}}, []string{`Headers: "X Key" is not the name of a header`}},
		{"header without a name", "http://h", &httpinlet.Options{Headers: http.Header{"": {"secret"}}}, []string{`Headers: "" is not`}},
		{"header beyond ASCII", "http://h", &httpinlet.Options{Headers: http.Header{"Schlüssel": {"secret"}}}, []string{"is not the name"}},
		{"header value of two lines", "http://h", &httpinlet.Options{Headers: http.Header{"X-Key": {"secret\r\nX: 1"}}}, []string{`the value of "X-Key"`}},
		{"missing CA file", "https://h", &httpinlet.Options{CACert: filepath.Join(folder, "none.pem")}, []string{"CACert", "none.pem", "want a readable PEM file"}},
		{"CA is a folder", "https://h", &httpinlet.Options{CACert: folder}, []string{"CACert", "want a readable PEM file"}},
		{"CA file without PEM", "https://h", &httpinlet.Options{CACert: file("text.pem", "hello")}, []string{"CACert", "text.pem", "has no certificate"}},
		{"CA file with a key", "https://h", &httpinlet.Options{CACert: file("key.pem", key)}, []string{"has no certificate"}},
		{"CA file with a broken certificate", "https://h", &httpinlet.Options{CACert: file("broken.pem", broken)}, []string{"certificate 1 of", "broken.pem"}},
		{"CA and client", "https://h", &httpinlet.Options{CACert: folder, Client: resty.New()}, []string{"want none together with Client"}},
		{"all at once", "ftp://user:secret@h?token=secret", &httpinlet.Options{
			Method: "?", MaxPages: -5, Retry: httpinlet.Retry{Tries: -5}, Timeout: -5, MaxBody: -5, CACert: "/none", Headers: http.Header{"a b": {"secret"}, "c d": {"secret"}},
			Params: url.Values{"token": {"secret"}},
		}, []string{"ftp://h", "Timeout", "MaxBody", "Method", "MaxPages", "Retry.Tries", "CACert", `"a b"`, `"c d"`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			in := httpinlet.New(test.url, test.opts)
			err := in.Validate()
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
			for line := range strings.SplitSeq(err.Error(), "\n") {
				assert.True(t, strings.HasPrefix(line, "httpinlet: "), line)
			}
			assert.NotContains(t, err.Error()+in.String(), "secret")
			assert.NotContains(t, err.Error()+in.String(), "sec ret")
			require.Error(t, in.Start(t.Context()), "what is not valid does not start")
		})
	}
}

func TestValidateResumable(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		in   inlet.Inlet
		want []string
	}{
		"feed":             {httpinlet.NewFeed("http://h", "after", httpinlet.Field("next"), nil), nil},
		"conditional":      {httpinlet.NewConditional("http://h", nil), nil},
		"empty feed":       {httpinlet.NewFeed("", "", nil, nil), []string{"URL is empty", "param of NewFeed is empty", "find of NewFeed is nil"}},
		"feed of pages":    {httpinlet.NewFeed("http://h", "p", httpinlet.LinkHeader, &httpinlet.Options{Next: httpinlet.LinkHeader, MaxPages: -7}), []string{"Next is given", "MaxPages is -7"}},
		"conditional POST": {httpinlet.NewConditional("http://h", &httpinlet.Options{Body: "secret"}), []string{`Method is "POST", want GET`}},
		"conditional of pages, and more": {httpinlet.NewConditional("h", &httpinlet.Options{Next: httpinlet.LinkHeader, Headers: http.Header{
			"if-none-match": {"secret"}, "If-Modified-Since": {"secret"},
		}}), []string{`URL "h" is relative`, "Next is given", "Headers has If-None-Match", "Headers has If-Modified-Since"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, ok := inlet.As[inlet.Validator](test.in)
			require.True(t, ok)
			err := v.Validate()
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			for _, want := range test.want {
				require.ErrorContains(t, err, want)
			}
			assert.NotContains(t, err.Error(), "secret")
			s, ok := inlet.As[inlet.Starter](test.in)
			require.True(t, ok)
			require.Error(t, s.Start(t.Context()), "what is not valid does not start")
		})
	}
}

// A function cannot be asked before it is called: its constructor's mistakes are the
// failure of every pull.
func TestFunctionsOfMistakes(t *testing.T) {
	t.Parallel()
	url := serve(t, answer(http.StatusOK, `{"items":[1]}`))
	for name, test := range map[string]struct {
		opts httpinlet.Options
		want []string
	}{
		"PageNumber": {httpinlet.Options{Next: httpinlet.PageNumber("")}, []string{"httpinlet.PageNumber: param is empty, want"}},
		"Cursor":     {httpinlet.Options{Next: httpinlet.Cursor("", nil)}, []string{"httpinlet.Cursor: param is empty, want", "httpinlet.Cursor: find is nil, want"}},
		"Field":      {httpinlet.Options{Next: httpinlet.Field("")}, []string{"httpinlet.Field: path is empty, want"}},
		"JSONField":  {httpinlet.Options{Decode: httpinlet.JSONField[int]("")}, []string{"httpinlet.JSONField: path is empty, want"}},
		"WithID":     {httpinlet.Options{Decode: httpinlet.WithID[int](nil, nil)}, []string{"httpinlet.WithID: decode is nil, want", "httpinlet.WithID: id is nil, want"}},
	} {
		_, err := pull(t.Context(), started(t, url, &test.opts))
		for _, want := range test.want {
			require.ErrorContains(t, err, want, name)
		}
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://example.com/a/b":               "httpinlet(https://example.com/a/b)",
		"https://me:secret@example.com/a?b=c#d": "httpinlet(https://example.com/a)",
		"http://example.com:8080":               "httpinlet(http://example.com:8080)",
		"http://example.com/a%2Fb":              "httpinlet(http://example.com/a%2Fb)",
		"example.com?token=secret":              "httpinlet(example.com)",
		"https://me:se#cret@example.com/a?b=c":  "httpinlet(…@…)",
		"://":                                   "httpinlet(://)",
		"":                                      "httpinlet()",
		"https://example.com/login?as=me@work.com": "httpinlet(https://example.com/login)",
	} {
		assert.Equal(t, want, httpinlet.New(raw, nil).String())
	}
}
