package httpoutlet_test

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/outlet/httpoutlet"
	"github.com/databay-go/databay/record"
)

type row = map[string]any

// request is one that a server has got.
type request struct {
	Method, URL, Body string
	Header            http.Header
}

// target is a server that keeps what it gets.
type target struct {
	*httptest.Server
	mu  sync.Mutex
	got []request
}

// serve keeps every request, and then answers it with h or, if that is nil, a 200.
func serve(t testing.TB, h http.HandlerFunc) *target {
	t.Helper()
	s := new(target)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var from io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(r.Body)
			if !assert.NoError(t, err) {
				return
			}
			from = z
		}
		body, _ := io.ReadAll(from)
		s.mu.Lock()
		s.got = append(s.got, request{r.Method, r.URL.String(), string(body), r.Header})
		s.mu.Unlock()
		if h != nil {
			h(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *target) requests() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.got...)
}

func (s *target) bodies() (all []string) {
	for _, r := range s.requests() {
		all = append(all, r.Body)
	}
	return all
}

// answer returns a handler that answers with status and body.
func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func records(payloads ...any) []record.Record {
	var rs []record.Record
	for _, p := range payloads {
		rs = append(rs, record.New(p))
	}
	return rs
}

// started returns an outlet that is started, and stopped when the test ends.
func started(t testing.TB, url string, opts *httpoutlet.Options) *httpoutlet.Outlet {
	t.Helper()
	o := httpoutlet.New(url, opts)
	require.NoError(t, o.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, o.Shutdown(context.Background())) })
	return o
}

// push pushes records and returns the causes of those not accepted, by index.
func push(t testing.TB, o *httpoutlet.Outlet, rs ...record.Record) map[int]error {
	t.Helper()
	err := o.Push(t.Context(), rs, record.Update{})
	if err == nil {
		return nil
	}
	partial, ok := errors.AsType[*record.Partial](err)
	require.True(t, ok, "the error is a Partial: %v", err)
	return partial.Failed
}
