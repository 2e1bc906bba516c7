package main

import (
	"bytes"
	"context"
	"fmt"
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
		ctx, cancel := context.WithTimeout(t.Context(), 5500*time.Millisecond)
		defer cancel()
		var out bytes.Buffer
		require.NoError(t, run(ctx, &out))
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		for n := range 6 { // the fast outlet waits for nothing
			assert.Contains(t, out.String(), fmt.Sprintf("%4.1f s fast gets %d\n", float64(n), n+1))
			assert.Contains(t, out.String(), fmt.Sprintf("%4.1f s slow has got %d\n", float64(2*(n+1)), n+1))
		}
		assert.Contains(t, lines[len(lines)-1], "balanced")
	})
}
