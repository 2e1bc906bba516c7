package httpinlet_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

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

// started returns an inlet that is started, and stopped when the test ends.
func started(t *testing.T, url string, opts *httpinlet.Options) *httpinlet.Inlet {
	t.Helper()
	in := httpinlet.New(url, opts)
	require.NoError(t, in.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, in.Shutdown(context.Background())) })
	return in
}

func pull(ctx context.Context, in *httpinlet.Inlet) ([]any, error) {
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
