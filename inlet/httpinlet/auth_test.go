package httpinlet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet/httpinlet"
)

// doorkeeper answers with the Authorization of the request, and a 401 if it is not the
// one that is right.
func doorkeeper(right *atomic.Value) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		got := r.Header.Get("Authorization")
		if got != right.Load() {
			w.WriteHeader(http.StatusUnauthorized)
		}
		fmt.Fprintf(w, "%q", got)
	}
}

func TestAuth(t *testing.T) {
	t.Parallel()
	for want, opts := range map[string]*httpinlet.Options{
		"Basic YWRhOnAgdw==": {User: "ada", Password: "p w"},
		"Basic OnB3":         {Password: "pw"},
		"Bearer t0ken":       {Bearer: "t0ken"},
		"Bearer fresh":       {Token: func(context.Context) (string, error) { return "fresh", nil }},
		"Own":                {Headers: http.Header{"Authorization": {"Own"}}},
		"":                   nil,
	} {
		right := new(atomic.Value)
		right.Store(want)
		got, err := pull(t.Context(), started(t, serve(t, doorkeeper(right)), opts))
		require.NoError(t, err)
		assert.Equal(t, []any{want}, got)
	}
}

// A token is kept until it is refused, and then another one is tried, once.
func TestToken(t *testing.T) {
	t.Parallel()
	right := new(atomic.Value)
	right.Store("Bearer token-1")
	var requests, tokens atomic.Int64
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		doorkeeper(right)(w, r)
	})
	in := started(t, address, &httpinlet.Options{Token: func(context.Context) (string, error) {
		n := tokens.Add(1)
		if n == 5 {
			return "", errors.New("the door is closed")
		}
		return fmt.Sprint("token-", n), nil
	}})
	step := func(wantRequests, wantTokens int64, want string) {
		t.Helper()
		_, err := pull(t.Context(), in)
		if want == "" {
			require.NoError(t, err)
		} else {
			require.EqualError(t, err, want)
		}
		assert.Equal(t, wantRequests, requests.Swap(0), "requests")
		assert.Equal(t, wantTokens, tokens.Load(), "tokens so far")
	}
	step(1, 1, "")
	step(1, 1, "")
	right.Store("Bearer token-2")
	step(2, 2, "")
	step(1, 2, "")
	right.Store("none")
	step(2, 3, `status 401 Unauthorized: "\"Bearer ***\""`)
	step(1, 4+1, "httpinlet: no token: the door is closed")
	right.Store("Bearer token-6")
	step(1, 6, "")
	require.NoError(t, in.Shutdown(t.Context()))
	require.NoError(t, in.Start(t.Context()))
	right.Store("Bearer token-7")
	step(1, 7, "")
}

// The source is called once for all pulls that need a token at the same time.
func TestTokenOfConcurrentPulls(t *testing.T) {
	t.Parallel()
	right := new(atomic.Value)
	right.Store("Bearer token-1")
	var tokens, inside atomic.Int64
	in := started(t, serve(t, doorkeeper(right)), &httpinlet.Options{Token: func(context.Context) (string, error) {
		assert.EqualValues(t, 1, inside.Add(1), "side by side")
		defer inside.Add(-1)
		return fmt.Sprint("token-", tokens.Add(1)), nil
	}})
	for range 2 {
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				_, err := pull(t.Context(), in)
				assert.NoError(t, err)
			})
		}
		group.Wait()
	}
	assert.EqualValues(t, 1, tokens.Load())
}

// A source of tokens that hangs, or panics, holds nobody up whose context ends.
func TestTokenThatHangs(t *testing.T) {
	t.Parallel()
	called := make(chan struct{}, 1)
	in := started(t, serve(t, answer(200, "1")), &httpinlet.Options{Timeout: -1, Token: func(ctx context.Context) (string, error) {
		called <- struct{}{}
		<-ctx.Done()
		return "", ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			_, err := pull(ctx, in)
			assert.ErrorIs(t, err, context.Canceled)
		})
	}
	<-called
	cancel()
	group.Wait()

	n := 0
	in = started(t, serve(t, answer(200, "1")), &httpinlet.Options{Token: func(context.Context) (string, error) {
		if n++; n == 1 {
			panic("broken")
		}
		return "fine", nil
	}})
	assert.Panics(t, func() { _, _ = pull(t.Context(), in) })
	got, err := pull(t.Context(), in)
	require.NoError(t, err)
	assert.Equal(t, []any{1.0}, got)
}

func TestMethodAndBody(t *testing.T) {
	t.Parallel()
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%q", strings.Join([]string{r.Method, r.Header.Get("Content-Type"), string(body)}, "|"))
	})
	for want, opts := range map[string]*httpinlet.Options{
		"GET||":                      nil,
		"DELETE||":                   {Method: "DELETE"},
		"POST||":                     {Method: "POST"},
		`POST|application/json|{}`:   {Body: `{}`},
		`QUERY|application/json|[1]`: {Method: "QUERY", Body: `[1]`},
		`PUT|text/plain|a=b`:         {Method: "PUT", Body: "a=b", Headers: http.Header{"content-type": {"text/plain"}}},
	} {
		in := started(t, address, opts)
		for range 2 {
			got, err := pull(t.Context(), in)
			require.NoError(t, err)
			assert.Equal(t, []any{want}, got)
		}
	}
}

// A body may be redirected, but neither dropped nor sent to another host.
func TestRedirectedBody(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	other := serve(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/307":
			http.Redirect(w, r, "/here", http.StatusTemporaryRedirect)
		case "/302":
			http.Redirect(w, r, "/here", http.StatusFound)
		case "/far":
			http.Redirect(w, r, other, http.StatusPermanentRedirect)
		default:
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%q", r.Method+string(body))
		}
	})
	opts := &httpinlet.Options{Body: "query"}
	got, err := pull(t.Context(), started(t, address+"/307", opts))
	require.NoError(t, err)
	assert.Equal(t, []any{"POSTquery"}, got)
	_, err = pull(t.Context(), started(t, address+"/302", opts))
	require.ErrorContains(t, err, "status 302 Found")
	_, err = pull(t.Context(), started(t, address+"/far", opts))
	require.ErrorContains(t, err, "status 308 Permanent Redirect")
	assert.Zero(t, elsewhere.Load())

	_, err = pull(t.Context(), started(t, address+"/307", &httpinlet.Options{NoRedirects: true}))
	require.ErrorContains(t, err, "status 307 Temporary Redirect")

	// The body of a redirect has the URL that it leads to.
	_, err = pull(t.Context(), started(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/?a=b&sig=c0nfidential%2Fvalue", http.StatusFound)
	}), &httpinlet.Options{NoRedirects: true}))
	require.ErrorContains(t, err, "status 302 Found")
	assert.NotContains(t, err.Error(), "c0nfidential")
	_, err = pull(t.Context(), started(t, "http://h/302", &httpinlet.Options{Body: "query", Client: client(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/302" {
			http.Redirect(w, r, "/here", http.StatusFound)
		}
	})}))
	require.ErrorContains(t, err, "the request was redirected, and became a GET", "also where a client of one's own follows")
}
