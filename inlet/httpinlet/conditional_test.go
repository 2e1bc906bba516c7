package httpinlet_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/httpinlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/state"
	"github.com/databay-go/databay/testkit"
)

// document has a version, which the server knows by the headers that are asked for.
type document struct {
	version            int
	etag, lastModified bool
	asked              []string // the conditions of the requests
}

func (d *document) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.asked = append(d.asked, r.Header.Get("If-None-Match")+"|"+r.Header.Get("If-Modified-Since"))
	etag := fmt.Sprintf(`W/"v%d"`, d.version)
	modified := time.Date(2026, 1, d.version, 0, 0, 0, 0, time.UTC).Format(http.TimeFormat)
	if d.etag && r.Header.Get("If-None-Match") == etag || d.lastModified && r.Header.Get("If-Modified-Since") == modified {
		// Not every server repeats the headers here.
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if d.etag {
		w.Header().Set("ETag", etag)
	}
	if d.lastModified {
		w.Header().Set("Last-Modified", modified)
	}
	fmt.Fprint(w, d.version)
}

func conditional(t *testing.T, url string, opts *httpinlet.Options) resumable {
	t.Helper()
	in, ok := httpinlet.NewConditional(url, once(opts)).(resumable)
	require.True(t, ok)
	start(t, in)
	return in
}

func TestConditional(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]*document{
		"ETag": {etag: true}, "Last-Modified": {lastModified: true}, "both": {etag: true, lastModified: true}, "neither": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d.version = 1
			address := serve(t, d.ServeHTTP)
			in := conditional(t, address, nil)
			require.NoError(t, in.Seek(t.Context(), nil))
			assert.Nil(t, in.Position())
			step := func(in resumable, news bool) {
				t.Helper()
				got, err := pull(t.Context(), in)
				require.NoError(t, err)
				if news || !d.etag && !d.lastModified {
					assert.Equal(t, []any{float64(d.version)}, got)
				} else {
					assert.Empty(t, got)
				}
			}
			step(in, true)
			step(in, false)
			step(in, false)
			d.version = 2
			step(in, true)
			position := in.Position()
			d.version = 3
			step(in, true)
			step(in, false)

			again := conditional(t, address, nil)
			require.NoError(t, again.Seek(t.Context(), position))
			assert.Equal(t, string(position), string(again.Position()))
			step(again, true)
			step(again, false)
			require.NoError(t, again.Seek(t.Context(), nil))
			step(again, true)
		})
	}
}

// What cannot be decoded has not been seen.
func TestConditionalThatFails(t *testing.T) {
	t.Parallel()
	body, status := "broken", http.StatusOK
	var condition string
	in := conditional(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		condition = r.Header.Get("If-None-Match")
		w.Header().Set("ETag", `"`+body+`"`)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}), nil)
	_, err := pull(t.Context(), in)
	require.ErrorContains(t, err, "cannot decode")
	assert.Nil(t, in.Position())
	status = http.StatusServiceUnavailable
	_, err = pull(t.Context(), in)
	require.ErrorContains(t, err, "status 503")
	assert.Nil(t, in.Position())
	body, status = "1", http.StatusOK
	got, err := pull(t.Context(), in)
	require.NoError(t, err)
	assert.Equal(t, []any{1.0}, got)
	assert.Empty(t, condition)

	for _, garbage := range []string{"", "x", "{}", `{"etag":"x"}`, `{"document":1}`, `[]`} {
		require.ErrorContains(t, in.Seek(t.Context(), []byte(garbage)), "has no version of a document", garbage)
	}
}

// A position is one of a document: of another one it says nothing.
func TestConditionalOfAnotherDocument(t *testing.T) {
	t.Parallel()
	d := &document{version: 1, lastModified: true}
	address := serve(t, d.ServeHTTP)
	market := func(name string) *httpinlet.Options { return &httpinlet.Options{Params: url.Values{"market": {name}}} }
	in := conditional(t, address, market("c0nfidential"))
	_, err := pull(t.Context(), in)
	require.NoError(t, err)
	assert.NotContains(t, string(in.Position()), "c0nfidential")

	same := conditional(t, address, market("c0nfidential"))
	require.NoError(t, same.Seek(t.Context(), in.Position()))
	got, err := pull(t.Context(), same)
	require.NoError(t, err)
	assert.Empty(t, got)
	other := conditional(t, address, market("another"))
	require.NoError(t, other.Seek(t.Context(), in.Position()))
	assert.Nil(t, other.Position())
	got, err = pull(t.Context(), other)
	require.NoError(t, err)
	assert.Len(t, got, 1)
}

// A document that was pulled and not delivered is asked for again after a restart.
func TestConditionalOverRestarts(t *testing.T) {
	t.Parallel()
	d := &document{version: 1, etag: true}
	address := serve(t, d.ServeHTTP)
	store := new(state.Memory)
	run := func(sink *testkit.Sink, fault testkit.Fault) error {
		l, err := link.New(link.Config{
			Name: "document", Inlets: []inlet.Inlet{httpinlet.NewConditional(address, nil)}, Outlets: outlets(sink, fault), State: store,
		})
		require.NoError(t, err)
		_, err = l.Once(t.Context())
		return err
	}
	var sink testkit.Sink
	require.Error(t, run(&sink, testkit.Fail(errors.New("down"))))
	require.NoError(t, run(&sink, nil))
	require.NoError(t, run(&sink, nil))
	d.version = 2
	require.NoError(t, run(&sink, nil))
	assert.Equal(t, []any{1.0, 2.0}, sink.Payloads())
	assert.Equal(t, []string{"|", "|", `W/"v1"|`, `W/"v1"|`}, d.asked)
}

func outlets(sink *testkit.Sink, fault testkit.Fault) []outlet.Outlet {
	return []outlet.Outlet{&testkit.FaultyOutlet{Outlet: sink, OnPush: fault}}
}

// A plain inlet has no position: it may be in two links, and commits nothing.
func TestPlainInletHasNoPosition(t *testing.T) {
	t.Parallel()
	_, ok := inlet.As[inlet.Positioner](httpinlet.New("http://h", nil))
	assert.False(t, ok)
}
