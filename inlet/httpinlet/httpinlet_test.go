package httpinlet_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-resty/resty/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet/httpinlet"
	"github.com/databay-go/databay/record"
)

type quote struct {
	Symbol string  `json:"symbol"`
	Price  float64 `json:"price"`
}

func TestPull(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		decode httpinlet.Decoder
		status int
		body   string
		want   []any
	}{
		{"array", nil, 200, `[{"a":1},"x",2.5,true]`, []any{map[string]any{"a": 1.0}, "x", 2.5, true}},
		{"object", nil, 200, `{"a":[1]}`, []any{map[string]any{"a": []any{1.0}}}},
		{"nested array", nil, 200, `[[1,2],[]]`, []any{[]any{1.0, 2.0}, []any{}}},
		{"number", nil, 200, ` 42 `, []any{42.0}},
		{"string", nil, 200, `"null"`, []any{"null"}},
		{"empty array", nil, 200, `[]`, nil},
		{"null", nil, 200, "\n null\t", nil},
		{"null in an array keeps its place", nil, 200, `[null,1]`, []any{nil, 1.0}},
		{"empty", nil, 200, ``, nil},
		{"white space", nil, 200, " \r\n", nil},
		{"no content", nil, 204, ``, nil},
		{"created", nil, 201, `1`, []any{1.0}},
		{"byte order mark", nil, 200, "\uFEFF[1]", []any{1.0}},
		{"typed array", httpinlet.JSON[quote], 200, `[{"symbol":"A","price":1.5},{}]`, []any{quote{"A", 1.5}, quote{}}},
		{"typed object", httpinlet.JSON[quote], 200, `{"symbol":"A","more":1}`, []any{quote{Symbol: "A"}}},
		{"typed null", httpinlet.JSON[quote], 200, `null`, nil},
		{"typed pointers", httpinlet.JSON[*quote], 200, `[{"symbol":"A"}]`, []any{&quote{Symbol: "A"}}},
		{"lists", httpinlet.JSON[[]int], 200, `[[1,2],[3]]`, []any{[]int{1, 2}, []int{3}}},
		{"lines", httpinlet.JSONLines[quote], 200, "{\"symbol\":\"A\"}\r\n\n null\n{\"price\":1}", []any{quote{Symbol: "A"}, quote{}, quote{Price: 1}}},
		{"no lines", httpinlet.JSONLines[quote], 200, "\n", nil},
		{"field", httpinlet.JSONField[quote]("a.b"), 200, `{"a":{"b":[{"symbol":"A"},{}]}}`, []any{quote{Symbol: "A"}, quote{}}},
		{"field that is no array", httpinlet.JSONField[any]("a"), 200, `{"a":{"b":1}}`, []any{map[string]any{"b": 1.0}}},
		{"no field", httpinlet.JSONField[any]("a.b"), 200, `{"b":1}`, nil},
		{"field that is null", httpinlet.JSONField[any]("a"), 200, `{"a":null}`, nil},
		{"text", httpinlet.Text, 200, "a\nb\n", []any{"a\nb\n"}},
		{"empty text", httpinlet.Text, 200, "", nil},
		{"text of a null", httpinlet.Text, 200, "null", []any{"null"}},
		{"user's decoder", func(body []byte) ([]record.Record, error) {
			return []record.Record{record.New(len(body)).WithID("one")}, nil
		}, 200, "abc", []any{3}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			in := started(t, serve(t, answer(test.status, test.body)), &httpinlet.Options{Decode: test.decode})
			got, err := pull(t.Context(), in)
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func TestWithID(t *testing.T) {
	t.Parallel()
	decode := httpinlet.WithID(httpinlet.JSON[quote], func(q quote) string { return q.Symbol })
	in := started(t, serve(t, answer(200, `[{"symbol":"A"},{"price":1}]`)), &httpinlet.Options{Decode: decode})
	records, err := in.Pull(t.Context(), record.Update{})
	require.NoError(t, err)
	require.Len(t, records, 2)
	assert.Equal(t, "A", records[0].ID())
	assert.Empty(t, records[1].ID())

	in = started(t, serve(t, answer(200, `["A"]`)), &httpinlet.Options{Decode: httpinlet.WithID(httpinlet.JSON[any], func(q quote) string { return q.Symbol })})
	got, err := pull(t.Context(), in)
	require.ErrorContains(t, err, "record 0: payload is a string, want httpinlet_test.quote")
	assert.Empty(t, got)
	_, err = httpinlet.WithID(httpinlet.JSON[quote], func(q quote) string { return q.Symbol })([]byte("x"))
	require.Error(t, err)
}

func TestRequest(t *testing.T) {
	t.Parallel()
	var got *http.Request
	opts := &httpinlet.Options{
		Params:  url.Values{"b": {"2", "ä &"}, "c": nil},
		Headers: http.Header{"x-one": {"1"}, "X-Two": {"2", "3"}, "Host": {"example.org"}},
	}
	in := started(t, serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r })+"/path?a=1", opts)
	opts.Params.Set("b", "changed later")
	opts.Headers["X-Two"][0] = "changed later"

	_, err := pull(t.Context(), in)
	require.NoError(t, err)
	assert.Equal(t, http.MethodGet, got.Method)
	assert.Equal(t, "/path", got.URL.Path)
	assert.Equal(t, url.Values{"a": {"1"}, "b": {"2", "ä &"}}, got.URL.Query())
	assert.Equal(t, []string{"1"}, got.Header.Values("X-One"))
	assert.Equal(t, []string{"2", "3"}, got.Header.Values("X-Two"))
	assert.Equal(t, "example.org", got.Host)
}

func TestUserinfoIsBasicAuth(t *testing.T) {
	t.Parallel()
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, ok := r.BasicAuth()
		if !ok || user != "ada" || password != "p w" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	_, err := pull(t.Context(), started(t, strings.Replace(address, "//", "//ada:p%20w@", 1), nil))
	require.NoError(t, err)
}

// Servers redirect to absolute URLs, in which there is no user.
func TestUserinfoStaysOnItsHost(t *testing.T) {
	t.Parallel()
	seen := make(map[string]string)
	note := func(w http.ResponseWriter, r *http.Request) {
		_, seen[r.URL.Path], _ = r.BasicAuth()
	}
	other := serve(t, note)
	mux := http.NewServeMux()
	var address string
	mux.HandleFunc("/near", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, address+"/here", http.StatusFound) })
	mux.HandleFunc("/far", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other+"/there", http.StatusFound) })
	mux.HandleFunc("/here", note)
	address = serve(t, mux.ServeHTTP)
	for _, path := range []string{"/near", "/far"} {
		_, err := pull(t.Context(), started(t, strings.Replace(address, "//", "//ada:confidential@", 1)+path, nil))
		require.NoError(t, err)
	}
	assert.Equal(t, map[string]string{"/here": "confidential", "/there": ""}, seen)
}

func TestCompressedAnswer(t *testing.T) {
	t.Parallel()
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Contains(t, r.Header.Get("Accept-Encoding"), "gzip")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, `["`+strings.Repeat("a", 5000)+`"]`)
		_ = z.Close()
	})
	got, err := pull(t.Context(), started(t, address, nil))
	require.NoError(t, err)
	assert.Equal(t, []any{strings.Repeat("a", 5000)}, got)

	_, err = pull(t.Context(), started(t, address, &httpinlet.Options{MaxBody: 4000}))
	require.ErrorContains(t, err, "more than 4000 bytes", "the limit counts what has been decompressed")
}

func TestConnectionIsKept(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	address, accepted := counting(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `["`+strings.Repeat("x", 10_000)+`"]`)
	})
	in := started(t, address, nil)
	for range 20 {
		_, err := pull(t.Context(), in)
		require.NoError(t, err)
	}
	status = http.StatusNotFound
	_, err := pull(t.Context(), in)
	require.Error(t, err)
	status = http.StatusOK
	_, err = pull(t.Context(), in)
	require.NoError(t, err)
	assert.EqualValues(t, 1, accepted.Load(), "connections for 22 pulls")
}

func TestServerThatClosesIdleConnections(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(answer(200, "[1]"))
	defer server.Close()
	in := started(t, server.URL, nil)
	for range 3 {
		got, err := pull(t.Context(), in)
		require.NoError(t, err)
		require.Equal(t, []any{1.0}, got)
		server.CloseClientConnections()
	}
}

func TestLifecycle(t *testing.T) {
	address, accepted := counting(t, answer(200, "1"))
	in := httpinlet.New(address, nil)

	_, err := pull(t.Context(), in)
	require.ErrorContains(t, err, "not started")
	require.NoError(t, in.Shutdown(t.Context()), "before a start")
	for round := range 3 {
		require.NoError(t, in.Start(t.Context()))
		require.ErrorContains(t, in.Start(t.Context()), "already started")
		_, err = pull(t.Context(), in)
		require.NoError(t, err)
		require.NoError(t, in.Shutdown(t.Context()))
		require.NoError(t, in.Shutdown(t.Context()), "twice")
		_, err = pull(t.Context(), in)
		require.ErrorContains(t, err, "not started")
		assert.EqualValues(t, round+1, accepted.Load())
	}
	require.Eventually(t, func() bool {
		var stacks bytes.Buffer
		require.NoError(t, pprof.Lookup("goroutine").WriteTo(&stacks, 2))
		return !strings.Contains(stacks.String(), "persistConn")
	}, 5*time.Second, 5*time.Millisecond, "no goroutine of a connection is left after Shutdown")
}

func TestConcurrentPulls(t *testing.T) {
	t.Parallel()
	in := started(t, serve(t, answer(200, "[1,2]")), &httpinlet.Options{Params: url.Values{"a": {"1"}}, Headers: http.Header{"B": {"2"}}})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 10 {
				got, err := pull(t.Context(), in)
				assert.NoError(t, err)
				assert.Len(t, got, 2)
			}
		})
	}
	group.Wait()
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	var seen http.Header
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header
		_, _ = io.WriteString(w, `"there"`)
	})
	mux := http.NewServeMux()
	mux.HandleFunc("/here", func(_ http.ResponseWriter, r *http.Request) { seen = r.Header })
	mux.HandleFunc("/near", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/here", http.StatusFound) })
	mux.HandleFunc("/far", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other, http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	address := serve(t, mux.ServeHTTP)
	opts := &httpinlet.Options{
		Headers: http.Header{"X-Api-Key": {"confidential"}, "Authorization": {"Bearer confidential"}},
		Params:  url.Values{"token": {"confidential"}},
	}

	_, err := pull(t.Context(), started(t, address+"/near", opts))
	require.NoError(t, err)
	assert.Equal(t, "confidential", seen.Get("X-Api-Key"), "on the same host")

	got, err := pull(t.Context(), started(t, address+"/far", opts))
	require.NoError(t, err)
	assert.Equal(t, []any{"there"}, got)
	for name, values := range seen {
		assert.NotContains(t, strings.Join(values, " "), "confidential", "header %s for another host", name)
	}

	_, err = pull(t.Context(), started(t, address+"/loop", opts))
	require.ErrorContains(t, err, "redirected more than 10 times")
	assert.NotContains(t, err.Error(), "confidential")
}

func TestPrivateCA(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(answer(200, `"private"`))
	t.Cleanup(server.Close)
	server.Config.ErrorLog = nil
	file := certificate(t, server)
	in := httpinlet.New(server.URL, &httpinlet.Options{CACert: file})
	require.NoError(t, in.Validate())
	require.NoError(t, in.Start(t.Context()))
	defer func() { require.NoError(t, in.Shutdown(context.Background())) }()
	got, err := pull(t.Context(), in)
	require.NoError(t, err)
	assert.Equal(t, []any{"private"}, got)

	_, err = pull(t.Context(), started(t, server.URL, nil))
	require.ErrorContains(t, err, "certificate")

	require.NoError(t, in.Shutdown(t.Context()))
	require.NoError(t, os.Remove(file))
	require.ErrorContains(t, in.Start(t.Context()), "CACert", "the file is read at every start")
}

func TestOwnClient(t *testing.T) {
	t.Parallel()
	var header string
	address, accepted := counting(t, func(w http.ResponseWriter, r *http.Request) {
		header = r.Header.Get("X-Client")
		_, _ = io.WriteString(w, "[1]")
	})
	hooked := 0
	client := resty.New().SetHeader("X-Client", "mine")
	client.OnAfterResponse(func(*resty.Client, *resty.Response) error { hooked++; return nil })
	defer client.GetClient().CloseIdleConnections()

	in := httpinlet.New(address, &httpinlet.Options{Client: client, MaxBody: 3})
	for range 2 {
		require.NoError(t, in.Start(t.Context()))
		got, err := pull(t.Context(), in)
		require.NoError(t, err)
		assert.Equal(t, []any{1.0}, got)
		require.NoError(t, in.Shutdown(t.Context()))
	}
	assert.Equal(t, "mine", header)
	assert.Equal(t, 2, hooked)
	assert.EqualValues(t, 1, accepted.Load(), "Shutdown leaves the user's connections alone")
}

func TestNothingOnStandardError(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	stderr := os.Stderr
	os.Stderr = w
	defer func() { os.Stderr = stderr }()

	address := serve(t, answer(500, "no"))
	for _, u := range []string{address, strings.Replace(address, "//", "//ada:password@", 1), "http://127.0.0.1:1/"} {
		_, err := pull(t.Context(), started(t, u, &httpinlet.Options{Headers: http.Header{"Authorization": {"Basic x"}}}))
		require.Error(t, err)
	}
	require.NoError(t, w.Close())
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Empty(t, string(text))
}
