package httpoutlet_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/internal/testserver"
	"github.com/databay-go/databay/outlet/httpoutlet"
	"github.com/databay-go/databay/record"
)

// nginx takes requests for a backend in Go that keeps what arrives.
func nginx(t *testing.T) (address string, backend *target) {
	t.Helper()
	testserver.Require(t, "httpoutlet against nginx")
	backend = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/abort" {
			panic(http.ErrAbortHandler)
		}
	})
	addr := testserver.Nginx(t, "httpoutlet against nginx", strings.NewReplacer("BACKEND", backend.URL).Replace(`
		limit_req_zone $server_port zone=busy:1m rate=1r/m;
		server {
			listen LISTEN;
			client_max_body_size 1k;
			location / { proxy_pass BACKEND; }
			location = /busy { limit_req zone=busy; limit_req_status 429; add_header Retry-After 60 always; proxy_pass BACKEND; }
			location = /gone { proxy_pass http://127.0.0.1:1; }
			location = /302 { return 302 /there; }
			location = /308 { return 308 /there; }
			location = /maintenance { add_header Retry-After 7 always; return 503; }
			location = /static { root /; limit_except GET { deny all; } }
		}
	`))
	return "http://" + addr, backend
}

func TestNginx(t *testing.T) {
	t.Parallel()
	address, backend := nginx(t)
	tests := map[string]struct {
		opts      httpoutlet.Options
		bodies    []string // that the backend has got
		err       string
		permanent bool
		after     time.Duration
	}{
		"/array":       {bodies: []string{`["a","b"]`}},
		"/lines":       {opts: httpoutlet.Options{Body: httpoutlet.Lines}, bodies: []string{"\"a\"\n\"b\"\n"}},
		"/single":      {opts: httpoutlet.Options{Body: httpoutlet.Single, Method: "PUT"}, bodies: []string{`"a"`, `"b"`}},
		"/gzip":        {opts: httpoutlet.Options{Gzip: true}, bodies: []string{`["a","b"]`}},
		"/308":         {bodies: []string{`["a","b"]`}},
		"/302":         {err: "status 302", permanent: true},
		"/static":      {err: "status 403", permanent: true},
		"/gone":        {err: "status 502"},
		"/abort":       {err: "status 502", bodies: []string{`["a","b"]`}},
		"/maintenance": {err: "status 503", after: 7 * time.Second},
	}
	for path, test := range tests {
		t.Run(path, func(t *testing.T) {
			causes := push(t, started(t, address+path, &test.opts), records("a", "b")...)
			if test.err == "" {
				assert.Empty(t, causes)
			} else {
				require.Len(t, causes, 2)
				require.ErrorContains(t, causes[1], test.err)
				assert.Equal(t, test.permanent, record.IsPermanent(causes[1]))
				retry, ok := errors.AsType[*record.RetryAfterError](causes[1])
				assert.True(t, ok == (test.after > 0) && (!ok || retry.After == test.after))
			}
			backend.mu.Lock()
			defer backend.mu.Unlock()
			var bodies []string
			for _, r := range backend.got {
				bodies = append(bodies, r.Body)
			}
			backend.got = nil
			assert.Equal(t, test.bodies, bodies)
		})
	}
}

// What nginx does not want is refused: a body that is too large for good, however large
// it is, and a request too many for the time being.
func TestNginxRefuses(t *testing.T) {
	t.Parallel()
	address, backend := nginx(t)
	for _, size := range []int{2 << 10, 8 << 20} {
		causes := push(t, started(t, address+"/x", nil), records(strings.Repeat("x", size))...)
		require.ErrorContains(t, causes[0], "status 413")
		assert.True(t, record.IsPermanent(causes[0]))
	}
	assert.Empty(t, backend.requests())

	o := started(t, address+"/busy", nil)
	assert.Empty(t, push(t, o, records(1)...))
	causes := push(t, o, records(2)...)
	require.ErrorContains(t, causes[0], "status 429")
	retry, ok := errors.AsType[*record.RetryAfterError](causes[0])
	require.True(t, ok)
	assert.Equal(t, time.Minute, retry.After)
	assert.Equal(t, []string{"[1]"}, backend.bodies())
}

func TestNginxTLS(t *testing.T) {
	t.Parallel()
	ca, cert, key := testserver.Certificate(t)
	backend := serve(t, nil)
	addr := testserver.Nginx(t, "httpoutlet against nginx over TLS", strings.NewReplacer("CERT", cert, "KEY", key, "BACKEND", backend.URL).Replace(`
		server {
			listen LISTEN ssl;
			ssl_certificate CERT;
			ssl_certificate_key KEY;
			location / { proxy_pass BACKEND; }
		}
	`))
	assert.Empty(t, push(t, started(t, "https://"+addr, &httpoutlet.Options{CACert: ca}), records(1)...))
	assert.Equal(t, []string{"[1]"}, backend.bodies())
	other, _, _ := testserver.Certificate(t)
	causes := push(t, started(t, "https://"+addr, &httpoutlet.Options{CACert: other}), records(1)...)
	require.ErrorContains(t, causes[0], "certificate")
	assert.Len(t, backend.requests(), 1)
}
