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
		ctx, cancel := context.WithTimeout(t.Context(), 13100*time.Millisecond)
		defer cancel()
		var out bytes.Buffer
		require.NoError(t, run(ctx, &out))
		require.Regexp(t, `^10 readings: (\d+ ?){10}\n4 readings: (\d+ ?){4}\npulled 14 filtered 0 held 0 pending 0 delivered 14 dropped 0 balanced\n$`, out.String())
	})
}
