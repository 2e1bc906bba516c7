package main

import (
	"bytes"
	"context"
	"log"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		var out bytes.Buffer
		require.NoError(t, run(ctx, log.New(&out, "", 0)))
		assert.Equal(t, 6, strings.Count(out.String(), " produced "), "%s", &out)
		assert.Equal(t, 6, strings.Count(out.String(), " consumed "), "%s", &out)
		assert.Contains(t, out.String(), "async.0 done after 1s\n")
		assert.Contains(t, out.String(), "async.1 done after 1s\n")
	})
}
