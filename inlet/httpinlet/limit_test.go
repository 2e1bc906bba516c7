package httpinlet_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet/httpinlet"
)

// Inlets share a limit, and every request counts: pages and repetitions too.
func TestLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var at []time.Duration
		began := time.Now()
		h := func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(began))
			switch {
			case len(at) == 1:
				w.WriteHeader(http.StatusServiceUnavailable)
			case r.URL.Query().Get("page") == "3":
				_, _ = w.Write([]byte("[]"))
			default:
				_, _ = w.Write([]byte("[1]"))
			}
		}
		limit := httpinlet.Every(10 * time.Second)
		var group sync.WaitGroup
		for range 2 {
			in := httpinlet.New("http://h", &httpinlet.Options{Client: client(h), Limit: limit, Next: httpinlet.PageNumber("page")})
			start(t, in)
			group.Go(func() {
				got, err := pull(t.Context(), in)
				assert.NoError(t, err)
				assert.Len(t, got, 2)
			})
		}
		group.Wait()
		require.Len(t, at, 7)
		for i, d := range at {
			assert.Equal(t, time.Duration(i)*10*time.Second, d)
		}
	})
}

func TestLimitEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limit := httpinlet.Every(time.Hour)
		require.NoError(t, limit.Wait(t.Context()))
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errors.New("enough"))
		defer cancel()
		began := time.Now()
		var group sync.WaitGroup
		for range 3 { // one waits for the time, the others for that one
			group.Go(func() {
				assert.EqualError(t, limit.Wait(ctx), "context deadline exceeded: enough")
			})
		}
		group.Wait()
		assert.Equal(t, time.Minute, time.Since(began))
		require.NoError(t, limit.Wait(t.Context()))
		assert.Equal(t, time.Hour, time.Since(began), "who gives up uses nothing up")
		require.NoError(t, httpinlet.Every(0).Wait(t.Context()))
	})
}

// A limit that cannot be kept is an error of the pull, and nothing is asked.
type never struct{}

func (never) Wait(context.Context) error { return errors.New("would exceed the deadline") }

func TestLimiterFails(t *testing.T) {
	t.Parallel()
	in := httpinlet.New("http://h", &httpinlet.Options{Limit: never{}, Client: client(func(http.ResponseWriter, *http.Request) { t.Error("asked") })})
	start(t, in)
	_, err := pull(t.Context(), in)
	require.EqualError(t, err, "would exceed the deadline")
}
