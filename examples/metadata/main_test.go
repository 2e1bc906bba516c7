package main

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond)
		defer cancel()
		var out bytes.Buffer
		require.NoError(t, run(ctx, &out))
		require.Regexp(t, `^should_print\.0 \d+ from loud\nshould_print\.1 \d+ from loud\nshould_print\.2 \d+ from loud\n$`, out.String())
	})
}
