package httpoutlet_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/outlet/httpoutlet"
)

// What a HEAD is answered says whether the outlet reaches its server and is let in.
func TestCheck(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		200: "",
		404: "", // of what is there for POST alone
		405: "",
		501: "",
		401: "status 401 Unauthorized",
		403: "status 403 Forbidden",
		502: "status 502 Bad Gateway",
	} {
		server := serve(t, answer(status, ""))
		opts := &httpoutlet.Options{Bearer: "sesame"}
		for _, o := range []*httpoutlet.Outlet{httpoutlet.New(server.URL, opts), started(t, server.URL, opts)} {
			err := o.Check(t.Context())
			if want == "" {
				require.NoError(t, err, status)
				continue
			}
			require.EqualError(t, err, want)
			var refused *httpoutlet.StatusError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, status, refused.Code)
		}
		for _, r := range server.requests() {
			assert.Equal(t, http.MethodHead, r.Method)
			assert.Empty(t, r.Body)
			assert.Equal(t, "Bearer sesame", r.Header.Get("Authorization"))
		}
		assert.Len(t, server.requests(), 2)
	}
	gone := serve(t, nil)
	gone.Close()
	require.ErrorContains(t, httpoutlet.New(gone.URL, nil).Check(t.Context()), "connection refused")
	require.ErrorContains(t, httpoutlet.New("", nil).Check(t.Context()), "URL is empty")
}
