package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/testkit"
)

func TestRandomInts(t *testing.T) {
	t.Parallel()
	testkit.TestInlet(t, func(*testing.T) inlet.Inlet { return RandomInts{Low: 1, High: 6} }, nil)
}

func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 16*time.Second)
		defer cancel()
		var out bytes.Buffer
		require.NoError(t, run(ctx, &out))
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		require.Len(t, lines, 4, "at 0, 5, 10 and 15 seconds")
		for i, prefix := range []string{"random_ints.0 ", "random_ints.1 ", "random_ints.2 ", "random_ints.3 "} {
			require.Regexp(t, "^"+prefix+`\d{1,3}$`, lines[i])
		}
	})
}
