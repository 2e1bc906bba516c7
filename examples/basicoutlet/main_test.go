package main

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

func TestLines(t *testing.T) {
	t.Parallel()
	testkit.TestOutlet(t, func(*testing.T) (outlet.Outlet, func() []record.Record) {
		var out bytes.Buffer
		return &Lines{w: &out}, func() (written []record.Record) {
			for line := range strings.Lines(out.String()) {
				written = append(written, record.New(strings.Fields(line)[1]))
			}
			return written
		}
	}, func(i int) record.Record { return record.New(strconv.Itoa(i)) }, nil)
}

func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		var out bytes.Buffer
		require.NoError(t, run(ctx, &out))
		require.Regexp(t, `^print_outlet\.0 \d+\nprint_outlet\.1 \d+\nprint_outlet\.2 \d+\n$`, out.String())
	})
}
