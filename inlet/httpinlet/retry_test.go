package httpinlet_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet/httpinlet"
	"github.com/databay-go/databay/record"
)

// failing answers with the statuses, one after another, the last one for ever, and
// notes when it was asked.
func failing(at *[]time.Duration, retryAfter string, statuses ...int) http.HandlerFunc {
	var began time.Time
	return func(w http.ResponseWriter, _ *http.Request) {
		if began.IsZero() {
			began = time.Now()
		}
		n := min(len(*at), len(statuses)-1)
		*at = append(*at, time.Since(began))
		w.Header().Set("Retry-After", retryAfter)
		w.WriteHeader(statuses[n])
		_, _ = w.Write([]byte("[1]"))
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	const unit = time.Second
	tests := []struct {
		name     string
		retry    httpinlet.Retry
		method   string
		after    string // Retry-After
		statuses []int
		tries    int
		want     string // "": it succeeds
		least    time.Duration
		most     time.Duration // until the last try
	}{
		{"by default", httpinlet.Retry{}, "GET", "", []int{503, 500, 200}, 3, "", 750 * time.Millisecond, 1500 * time.Millisecond},
		{"three times at most", httpinlet.Retry{}, "GET", "", []int{503}, 3, `tried 3 times: status 503 Service Unavailable: "[1]"`, 0, 2 * unit},
		{"once", httpinlet.Retry{Tries: 1}, "GET", "", []int{503}, 1, `status 503 Service Unavailable: "[1]"`, 0, 0},
		{"never what does not pass", httpinlet.Retry{}, "GET", "", []int{404}, 1, `status 404 Not Found: "[1]"`, 0, 0},
		{"nor what does not pass any more", httpinlet.Retry{}, "GET", "", []int{503, 403}, 2, `status 403 Forbidden: "[1]"`, 0, unit},
		{"every passing status", httpinlet.Retry{Tries: -1, Within: -1}, "GET", "", []int{408, 425, 429, 500, 502, 503, 504, 200}, 8, "", 0, 64 * unit},
		{"other methods not", httpinlet.Retry{}, "POST", "", []int{503}, 1, `status 503 Service Unavailable: "[1]"`, 0, 0},
		{"other methods if asked for", httpinlet.Retry{AnyMethod: true}, "POST", "", []int{503, 200}, 2, "", unit / 4, unit / 2},
		{"PUT", httpinlet.Retry{}, "PUT", "", []int{503, 200}, 2, "", unit / 4, unit / 2},
		{"waits double", httpinlet.Retry{Wait: unit, Tries: 5}, "GET", "", []int{500, 500, 500, 500, 200}, 5, "", 15 * unit / 2, 15 * unit},
		{"up to a minute", httpinlet.Retry{Wait: 50 * unit, Tries: 4, Within: -1}, "GET", "", []int{500, 500, 500, 200}, 4, "", 85 * unit, 170 * unit},
		{"Retry-After is obeyed", httpinlet.Retry{}, "GET", "7", []int{429, 503, 200}, 3, "", 14 * unit, 14 * unit},
		{"a long Retry-After ends it", httpinlet.Retry{}, "GET", "31", []int{429}, 1, `status 429 Too Many Requests: "[1]" (retry after 31s)`, 0, 0},
		{"within", httpinlet.Retry{Within: 10 * unit, Wait: unit, Tries: -1}, "GET", "4", []int{503}, 3, `tried 3 times: status 503 Service Unavailable: "[1]" (retry after 4s)`, 8 * unit, 10 * unit},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var at []time.Duration
				in := httpinlet.New("http://h", &httpinlet.Options{
					Method: test.method, Retry: test.retry, Client: client(failing(&at, test.after, test.statuses...)),
				})
				start(t, in)
				got, err := pull(t.Context(), in)
				if test.want == "" {
					require.NoError(t, err)
					assert.Equal(t, []any{1.0}, got)
				} else {
					require.EqualError(t, err, test.want)
					_, ok := errors.AsType[*httpinlet.StatusError](err)
					assert.True(t, ok)
					retry, ok := errors.AsType[*record.RetryAfterError](err)
					seconds, _ := strconv.Atoi(test.after)
					assert.True(t, ok == (seconds > 0) && (!ok || retry.After == time.Duration(seconds)*unit))
				}
				require.Len(t, at, test.tries)
				last := at[len(at)-1]
				assert.True(t, last >= test.least && last <= test.most, "the last try came after %v, want %v to %v", last, test.least, test.most)
			})
		})
	}
}

// The waits of two inlets differ: they do not come back together.
func TestRetryAtRandom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		seen := make(map[time.Duration]bool)
		for range 20 {
			var at []time.Duration
			in := httpinlet.New("http://h", &httpinlet.Options{Client: client(failing(&at, "", 500, 200))})
			start(t, in)
			_, err := pull(t.Context(), in)
			require.NoError(t, err)
			seen[at[1]] = true
		}
		assert.Greater(t, len(seen), 10)
	})
}

func TestRetryEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		in := httpinlet.New("http://h", &httpinlet.Options{Retry: httpinlet.Retry{Wait: time.Hour, Within: -1}, Client: client(failing(&at, "", 500))})
		start(t, in)
		ctx, cancel := context.WithCancelCause(t.Context())
		because := errors.New("the link stops")
		time.AfterFunc(time.Minute, func() { cancel(because) })
		began := time.Now()
		_, err := pull(ctx, in)
		require.EqualError(t, err, `context canceled: the link stops; before that: status 500 Internal Server Error: "[1]"`)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, because)
		assert.Equal(t, time.Minute, time.Since(began))
		assert.Len(t, at, 1)
	})
}

// What happens on the wire is repeated too; what the inlet itself refuses is not.
func TestRetryWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		bad   http.HandlerFunc
		opts  httpinlet.Options
		tries int
	}{
		{"hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, httpinlet.Options{}, 2},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("[1"))
		}, httpinlet.Options{}, 2},
		{"slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, httpinlet.Options{Timeout: 100 * time.Millisecond}, 100}, // the machine may be slow too
		{"too large", answer(200, "[1,2,3,4,5]"), httpinlet.Options{MaxBody: 5}, 1},
		{"no JSON", answer(200, "<html>"), httpinlet.Options{}, 1},
		{"redirect loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) }, httpinlet.Options{}, 1},
		{"no token", answer(200, "[2]"), httpinlet.Options{Token: func() func(context.Context) (string, error) {
			n := 0
			return func(context.Context) (string, error) {
				if n++; n == 1 {
					return "", errors.New("not now")
				}
				return "token", nil
			}
		}()}, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n := 0
			test.opts.Retry = httpinlet.Retry{Wait: time.Millisecond, Tries: max(test.tries, 2)}
			in := started(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/" {
					n++
				}
				if n == 1 {
					test.bad(w, r)
					return
				}
				_, _ = w.Write([]byte("[2]"))
			}), &test.opts)
			got, err := pull(t.Context(), in)
			if test.tries == 1 {
				require.Error(t, err)
				assert.Equal(t, 1, n)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, []any{2.0}, got)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		in := httpinlet.New("http://h", nil)
		began := time.Now()
		_, err := pull(t.Context(), in)
		require.EqualError(t, err, "httpinlet: not started")
		assert.Zero(t, time.Since(began), "not repeated")
	})
}
