package httpclient_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/internal/httpclient"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "0": 0, "-5": 0, "soon": 0, "1.5": 0, "99999999999": 365 * 24 * time.Hour, "99999999999999999999": 0,
		"Fri, 31 Dec 1999 23:59:59 GMT": 0,
	} {
		assert.Equal(t, want, httpclient.RetryAfter(http.Header{"Retry-After": {header}}), header)
	}
	in := time.Now().Add(time.Hour).UTC()
	for _, format := range []string{http.TimeFormat, time.RFC850, time.ANSIC} {
		header := in.Format(format)
		assert.InDelta(t, time.Hour, httpclient.RetryAfter(http.Header{"Retry-After": {header}}), float64(5*time.Second), header)
	}
}

// A pause is never negative, and never longer than a year but for a date.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "7", "-1", "1e9", "9223372036854775808", "Sunday, 06-Nov-94 08:49:37 GMT"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if d := httpclient.RetryAfter(http.Header{"Retry-After": {header}}); d < 0 {
			t.Errorf("%q: %v", header, d)
		}
	})
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("password pass%2Fword bearer-token short"))
	}))
	defer server.Close()
	c := httpclient.New("test", server.URL+"/a?b=password", httpclient.Options{
		Params: url.Values{"x": {"pass/word", "short"}}, Auth: httpclient.Auth{Bearer: "bearer-token"},
	})
	require.Empty(t, c.Validate())
	require.NoError(t, c.Start())
	defer c.Shutdown()
	answer, err := c.Do(t.Context(), httpclient.Request{Method: http.MethodPost, Body: []byte("x")})
	require.NoError(t, err)
	assert.Equal(t, "*** *** *** short", answer.Excerpt(answer.Body))
	cause := errors.New("no bearer-token")
	require.EqualError(t, answer.Clean(cause), "no ***")
	require.ErrorIs(t, answer.Clean(cause), cause)
	assert.Equal(t, server.URL+"/a", c.Name)
}

func TestResolve(t *testing.T) {
	t.Parallel()
	c := httpclient.New("test", "https://me:secret@Example.com/a/b?c=d#e", httpclient.Options{Params: url.Values{"f": {"g"}}})
	assert.Equal(t, "https://Example.com/a/b?c=d&f=g#e", c.URL().String())
	for ref, want := range map[string]string{
		"": "https://Example.com/a/b?c=d&f=g", "?x": "https://Example.com/a/b?x", "z": "https://Example.com/a/z", "/z#f": "https://Example.com/z",
		"https://other@example.com/": "https://example.com/", "//EXAMPLE.com/y": "https://EXAMPLE.com/y",
		"http://example.com/": "", "https://example.org/": "", "https://example.com:444/": "", "ftp://example.com/": "", "x:y": "", "%zz": "", "\n": "", "https://": "",
	} {
		got, err := c.Resolve(&httpclient.Answer{URL: c.URL()}, ref)
		if want == "" {
			require.Error(t, err, ref)
			continue
		}
		require.NoError(t, err, ref)
		assert.Equal(t, want, got.String(), ref)
	}
	plain := httpclient.New("test", "http://h/", httpclient.Options{})
	got, err := plain.Resolve(&httpclient.Answer{URL: plain.URL()}, "https://h/")
	require.NoError(t, err, "to https is no loss")
	assert.Equal(t, "https://h/", got.String())
}

func TestBodyValues(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]string{
		"": nil, "text": nil, `{"a":["x",{"b":"y"}],"c":1}`: {"x", "y"}, `"z"`: {"z"}, "a=1&b=%2F&b=c": {"1", "/", "c"}, "%zz&a=b": {"b"},
	} {
		got := httpclient.BodyValues(body)
		assert.Equal(t, body, got[0], "the body itself")
		assert.Subset(t, got[1:], want, body)
	}
}

func TestHasHeader(t *testing.T) {
	t.Parallel()
	h := http.Header{"x-KEY": {"v"}}
	assert.True(t, httpclient.HasHeader(h, "X-Key"))
	assert.False(t, httpclient.HasHeader(h, "X-Other"))
}
