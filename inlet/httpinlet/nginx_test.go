package httpinlet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet/httpinlet"
	"github.com/databay-go/databay/internal/testserver"
	"github.com/databay-go/databay/record"
)

// nginx serves files, and what a backend in Go answers, in all the ways that a pull
// meets. It returns its URL and the folder of the files.
func nginx(t *testing.T) (address, folder string) {
	t.Helper()
	testserver.Require(t, "httpinlet against nginx")
	backend := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cut": // nginx passes the length on, and then has less
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `[1,2`)
		case "/chunks":
			for i := range 3 {
				_, _ = fmt.Fprintf(w, "%d\n", i)
				w.(http.Flusher).Flush()
			}
		case "/echo":
			body, _ := io.ReadAll(r.Body)
			_, _ = fmt.Fprintf(w, "[%q,%q,%q]", r.Method, r.Header.Get("Authorization"), body)
		case "/abort":
			panic(http.ErrAbortHandler)
		}
	})
	folder = t.TempDir()
	require.NoError(t, os.Chmod(folder, 0o755))
	put := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644))
	}
	put("doc.json", `[{"n":1},{"n":2}]`)
	put("broken.json", `[{"n":1},`)
	put("empty.json", "")
	put("huge.json", `["`+strings.Repeat("x", 11<<20)+`"]`)
	put("bomb.json", `["`+strings.Repeat(" ", 11<<20)+`"]`)
	put("1.json", "[1,2]")
	put("2.json", "[3]")
	put("users", "ada:{PLAIN}secret\n")
	addr := testserver.Nginx(t, "httpinlet against nginx", strings.NewReplacer("BACKEND", backend, "ROOT", folder).Replace(`
		types { application/json json; }
		limit_req_zone $server_port zone=busy:1m rate=1r/m;
		limit_req_zone $server_port zone=soon:1m rate=30r/m;
		server {
			listen LISTEN;
			root ROOT;
			location /zipped/ { gzip on; gzip_types *; gzip_min_length 1; alias ROOT/; }
			location = /moved { return 302 /doc.json; }
			location = /loop { return 302 /loop; }
			location = /slow { limit_rate 1; limit_rate_after 1; alias ROOT/huge.json; }
			location = /busy { limit_req zone=busy; limit_req_status 429; add_header Retry-After 60 always; alias ROOT/doc.json; }
			location = /soon { limit_req zone=soon; limit_req_status 503; add_header Retry-After 2 always; alias ROOT/doc.json; }
			location = /gone { proxy_pass http://127.0.0.1:1; }
			location = /first { add_header Link '</1.json>; rel="first", </second>; rel="next"'; alias ROOT/1.json; }
			location = /second { alias ROOT/2.json; }
			location = /private { auth_basic "x"; auth_basic_user_file ROOT/users; alias ROOT/doc.json; }
			location /go/ { proxy_pass BACKEND/; proxy_buffering off; proxy_set_header Host $host; }
		}
	`))
	return "http://" + addr, folder
}

func TestNginx(t *testing.T) {
	t.Parallel()
	address, _ := nginx(t)
	doc := []any{map[string]any{"n": 1.0}, map[string]any{"n": 2.0}}
	tests := map[string]struct {
		opts httpinlet.Options
		want []any
		err  string
	}{
		"/doc.json":         {want: doc},
		"/empty.json":       {},
		"/zipped/doc.json":  {want: doc},
		"/moved":            {want: doc},
		"/moved?no":         {opts: httpinlet.Options{NoRedirects: true}, err: "status 302 Found"},
		"/loop":             {err: "redirected more than 10 times"},
		"/none.json":        {err: "status 404 Not Found"},
		"/broken.json":      {err: "cannot decode the body: unexpected end of JSON input"},
		"/huge.json":        {err: "the body has more than 10485760 bytes, the MaxBody"},
		"/zipped/bomb.json": {err: "the body has more than 10485760 bytes, the MaxBody"},
		"/slow":             {opts: httpinlet.Options{Timeout: 300 * time.Millisecond}, err: "no complete answer within 300ms, the Timeout"},
		"/gone":             {err: "status 502 Bad Gateway"},
		"/go/abort":         {err: "status 502 Bad Gateway"},
		"/go/cut":           {err: "the answer ends too early"},
		"/go/chunks":        {opts: httpinlet.Options{Decode: httpinlet.JSONLines[int]}, want: []any{0, 1, 2}},
		"/go/echo":          {opts: httpinlet.Options{Body: "query", Bearer: "t0ken"}, want: []any{"POST", "Bearer t0ken", "query"}},
		"/first":            {opts: httpinlet.Options{Next: httpinlet.LinkHeader}, want: []any{1.0, 2.0, 3.0}},
		"/private":          {opts: httpinlet.Options{User: "ada", Password: "secret"}, want: doc},
		"/private?wrong":    {opts: httpinlet.Options{User: "ada", Password: "wr0ng-secret"}, err: "status 401 Unauthorized"},
	}
	for path, test := range tests {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			got, err := pull(t.Context(), started(t, address+path, &test.opts))
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				assert.NotContains(t, err.Error(), "wr0ng-secret")
				assert.Empty(t, got)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

// nginx says 304 for a file that is the same, also where it has compressed it.
func TestNginxConditional(t *testing.T) {
	t.Parallel()
	address, folder := nginx(t)
	for _, path := range []string{"/doc.json", "/zipped/doc.json"} {
		in := conditional(t, address+path, nil)
		for i, n := range []int{2, 0, 0} {
			got, err := pull(t.Context(), in)
			require.NoError(t, err)
			assert.Len(t, got, n, "pull %d of %s", i, path)
		}
		again := conditional(t, address+path, nil)
		require.NoError(t, again.Seek(t.Context(), in.Position()))
		got, err := pull(t.Context(), again)
		require.NoError(t, err)
		assert.Empty(t, got)
		require.NoError(t, os.WriteFile(filepath.Join(folder, "doc.json"), []byte(`[{"n":1},{"n":2},"more"]`), 0o644))
		got, err = pull(t.Context(), again)
		require.NoError(t, err)
		assert.Len(t, got, 3)
		require.NoError(t, os.WriteFile(filepath.Join(folder, "doc.json"), []byte(`[1,2]`), 0o644))
	}
}

func TestNginxLimits(t *testing.T) {
	t.Parallel()
	address, _ := nginx(t)
	in := started(t, address+"/busy", nil)
	_, err := pull(t.Context(), in)
	require.NoError(t, err)
	_, err = pull(t.Context(), in)
	require.ErrorContains(t, err, "status 429 Too Many Requests")
	retry, ok := errors.AsType[*record.RetryAfterError](err)
	require.True(t, ok)
	assert.Equal(t, time.Minute, retry.After)

	in = started(t, address+"/soon", &httpinlet.Options{Retry: httpinlet.Retry{Tries: 10, Wait: time.Millisecond}})
	for range 2 { // the second one is told to come back
		got, err := pull(t.Context(), in)
		require.NoError(t, err)
		assert.Len(t, got, 2)
	}
}

func TestNginxTLS(t *testing.T) {
	t.Parallel()
	ca, cert, key := testserver.Certificate(t)
	addr := testserver.Nginx(t, "httpinlet against nginx over TLS", strings.NewReplacer("CERT", cert, "KEY", key).Replace(`
		server {
			listen LISTEN ssl http2;
			ssl_certificate CERT;
			ssl_certificate_key KEY;
			location / { return 200 '["private"]'; }
		}
	`))
	got, err := pull(t.Context(), started(t, "https://"+addr, &httpinlet.Options{CACert: ca}))
	require.NoError(t, err)
	assert.Equal(t, []any{"private"}, got)

	other, _, _ := testserver.Certificate(t)
	for name, opts := range map[string]*httpinlet.Options{"the system's": nil, "another": {CACert: other}} {
		_, err = pull(t.Context(), started(t, "https://"+addr, opts))
		require.ErrorContains(t, err, "certificate", name)
	}
	_, err = pull(t.Context(), started(t, "http://"+addr, nil))
	require.ErrorContains(t, err, "status 400", "http where https is spoken")
}

// A pull that waits for nginx ends with its context.
func TestNginxEndsWithTheContext(t *testing.T) {
	t.Parallel()
	address, _ := nginx(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := pull(ctx, started(t, address+"/slow", &httpinlet.Options{Timeout: -1}))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestNginxCheck(t *testing.T) {
	t.Parallel()
	address, _ := nginx(t)
	for path, want := range map[string]string{
		"/doc.json":  "",
		"/moved":     "",
		"/go/echo":   "",
		"/none.json": "status 404 Not Found",
		"/gone":      "status 502 Bad Gateway",
		"/private":   "status 401 Unauthorized",
	} {
		err := httpinlet.New(address+path, nil).Check(t.Context())
		if want == "" {
			require.NoError(t, err, path)
		} else {
			require.EqualError(t, err, want, path)
		}
	}
	require.NoError(t, httpinlet.New(address+"/private", &httpinlet.Options{User: "ada", Password: "secret"}).Check(t.Context()))
}
