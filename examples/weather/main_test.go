package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var calls atomic.Int32
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "Bangkok", r.URL.Query().Get("q"))
		assert.Equal(t, "the-secret-key", r.URL.Query().Get("appid"))
		switch calls.Add(1) {
		case 2: // a failure of one pull does not end the program
			w.WriteHeader(http.StatusNotFound)
		case 4:
			stop()
			fallthrough
		default:
			_, _ = fmt.Fprint(w, `{"weather":[{"id":500,"main":"Rain","description":"light rain"}],"main":{"temp":300.1}}`)
		}
	}))
	defer service.Close()

	var out bytes.Buffer
	require.NoError(t, run(ctx, []string{"-url", service.URL, "-every", "20ms"}, "the-secret-key", &out))
	assert.Contains(t, out.String(), "bangkok_weather.0 light rain\nbangkok_weather.2 light rain\n")
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, run(t.Context(), nil, "", nil), "OPEN_WEATHER_MAP_API_KEY")
	err := run(t.Context(), []string{"-url", "nowhere", "-every", "-1s"}, "the-secret-key", nil)
	require.ErrorContains(t, err, "nowhere")
	require.ErrorContains(t, err, "-1s")
	require.NotContains(t, err.Error(), "the-secret-key")
}
