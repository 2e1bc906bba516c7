package httpinlet_test

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/go-resty/resty/v2"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/httpinlet"
	"github.com/databay-go/databay/record"
)

// serve answers every request with h and returns the address of the server.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// answer returns a handler that answers with status and body.
func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// started returns an inlet that is started, and stopped when the test ends. It makes a
// failing request once, if the options say nothing else.
func started(t *testing.T, url string, opts *httpinlet.Options) *httpinlet.Inlet {
	t.Helper()
	in := httpinlet.New(url, once(opts))
	start(t, in)
	return in
}

// once returns the options with one try, if they say nothing else.
func once(opts *httpinlet.Options) *httpinlet.Options {
	var c httpinlet.Options
	if opts != nil {
		c = *opts
	}
	if c.Retry == (httpinlet.Retry{}) {
		c.Retry.Tries = 1
	}
	return &c
}

// start starts an inlet, and stops it when the test ends.
func start(t *testing.T, in inlet.Inlet) {
	t.Helper()
	starter, ok := inlet.As[inlet.Starter](in)
	require.True(t, ok)
	require.NoError(t, starter.Start(t.Context()))
	t.Cleanup(func() {
		closer, ok := inlet.As[inlet.Shutdowner](in)
		require.True(t, ok)
		require.NoError(t, closer.Shutdown(context.Background()))
	})
}

func pull(ctx context.Context, in inlet.Inlet) ([]any, error) {
	records, err := in.Pull(ctx, record.Update{})
	var payloads []any
	for _, r := range records {
		payloads = append(payloads, r.Payload)
	}
	return payloads, err
}

// connections counts what a server accepts.
type connections struct {
	net.Listener
	accepted atomic.Int64
}

func (c *connections) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.accepted.Add(1)
	}
	return conn, err
}

// counting serves h like serve and counts the connections.
func counting(t *testing.T, h http.HandlerFunc) (string, *atomic.Int64) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	c := &connections{Listener: server.Listener}
	server.Listener = c
	server.Start()
	t.Cleanup(server.Close)
	return server.URL, &c.accepted
}

// wire answers requests without a network, for bubbles of virtual time.
type wire http.HandlerFunc

func (h wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	answer := w.Result()
	answer.Request = r
	return answer, nil
}

// client returns a client that h answers.
func client(h http.HandlerFunc) *resty.Client { return resty.New().SetTransport(wire(h)) }

// certificate returns a PEM file with the certificate of a server.
func certificate(t *testing.T, server *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(file, text, 0o600))
	return file
}
