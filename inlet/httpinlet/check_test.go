package httpinlet_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/httpinlet"
)

// What a HEAD is answered says whether the inlet reaches what it is there for.
func TestCheck(t *testing.T) {
	t.Parallel()
	post := &httpinlet.Options{Method: http.MethodPost}
	for _, test := range []struct {
		status int
		opts   *httpinlet.Options
		want   string
	}{
		{200, nil, ""},
		{204, nil, ""},
		{405, nil, ""}, // it knows no HEAD
		{501, nil, ""},
		{429, nil, ""},
		{404, nil, "status 404 Not Found"},
		{410, nil, "status 410 Gone"},
		{404, post, ""},
		{401, post, "status 401 Unauthorized"},
		{403, nil, "status 403 Forbidden"},
		{407, nil, "status 407 Proxy Authentication Required"},
		{500, post, "status 500 Internal Server Error"},
		{503, nil, "status 503 Service Unavailable"},
	} {
		var methods []string
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			methods = append(methods, r.Method)
			w.WriteHeader(test.status)
		})
		for _, in := range []*httpinlet.Inlet{httpinlet.New(url, test.opts), started(t, url, test.opts)} {
			err := in.Check(t.Context())
			if test.want == "" {
				require.NoError(t, err, test.status)
			} else {
				require.EqualError(t, err, test.want)
				var status *httpinlet.StatusError
				require.ErrorAs(t, err, &status)
				assert.Equal(t, test.status, status.Code)
			}
		}
		assert.Equal(t, []string{http.MethodHead, http.MethodHead}, methods, "asked once each")
	}
}

// The answer to a HEAD has the headers of a document, and no body: nothing is missing if it
// is one that is stored compressed.
func TestCheckOfStoredGzip(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Length", "1234")
		w.WriteHeader(status)
	})
	in := started(t, url, nil)
	require.NoError(t, in.Check(t.Context()))
	status = http.StatusForbidden
	require.EqualError(t, in.Check(t.Context()), "status 403 Forbidden")
}

// All inlets of the package can be asked, with all that lets them in.
func TestCheckShowsWhatLetsIn(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer sesame" || r.URL.Query().Get("key") != "of-the-query" {
			w.WriteHeader(http.StatusForbidden)
		}
		asked.Add(1)
	})
	let := &httpinlet.Options{
		Token:  func(context.Context) (string, error) { return "sesame", nil },
		Params: map[string][]string{"key": {"of-the-query"}},
	}
	for _, in := range []inlet.Inlet{
		httpinlet.New(url, let),
		httpinlet.NewConditional(url, let),
		httpinlet.NewFeed(url, "after", httpinlet.Field("next"), let),
	} {
		c, ok := inlet.As[inlet.Checker](in)
		require.True(t, ok)
		require.NoError(t, c.Check(t.Context()))
	}
	assert.EqualValues(t, 3, asked.Load())
	require.EqualError(t, httpinlet.New(url, nil).Check(t.Context()), "status 403 Forbidden")
}

func TestCheckReachesNothing(t *testing.T) {
	t.Parallel()
	secure := httptest.NewTLSServer(answer(http.StatusOK, "[]"))
	defer secure.Close()
	require.ErrorContains(t, httpinlet.New(secure.URL, nil).Check(t.Context()), "certificate")
	require.NoError(t, httpinlet.New(secure.URL, &httpinlet.Options{CACert: certificate(t, secure)}).Check(t.Context()))

	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	err := httpinlet.New(gone.URL+"?key=of-the-query", &httpinlet.Options{Bearer: "sesame-sesame"}).Check(t.Context())
	require.ErrorContains(t, err, "connection refused")
	assert.NotContains(t, err.Error(), "of-the-query")
	assert.NotContains(t, err.Error(), "sesame")

	require.ErrorContains(t, httpinlet.New("", &httpinlet.Options{Method: "get"}).Check(t.Context()), "URL is empty")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	limited := &httpinlet.Options{Limit: httpinlet.Every(1)}
	require.ErrorIs(t, httpinlet.New(secure.URL, limited).Check(ctx), context.Canceled)
}
