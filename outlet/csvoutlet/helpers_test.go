package csvoutlet_test

import (
	"context"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/outlet/csvoutlet"
	"github.com/databay-go/databay/record"
)

type row = map[string]any

var emptyUpdate record.Update

// records returns a record for every payload.
func records(payloads ...any) []record.Record {
	var rs []record.Record
	for _, p := range payloads {
		rs = append(rs, record.New(p))
	}
	return rs
}

// started returns an outlet that is started, and stopped when the test ends.
func started(t testing.TB, path string, opts *csvoutlet.Options) *csvoutlet.Outlet {
	t.Helper()
	o := csvoutlet.New(path, opts)
	require.NoError(t, o.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, o.Shutdown(context.Background())) })
	return o
}

// push pushes records, all of which must be accepted.
func push(t testing.TB, o *csvoutlet.Outlet, rs ...record.Record) {
	t.Helper()
	require.NoError(t, o.Push(t.Context(), rs, record.Update{}))
}

// failed pushes records and returns the causes of those not accepted, by index.
func failed(t testing.TB, o *csvoutlet.Outlet, rs ...record.Record) map[int]error {
	t.Helper()
	err := o.Push(t.Context(), rs, record.Update{})
	partial, ok := errors.AsType[*record.Partial](err)
	require.True(t, ok, "the error is a Partial: %v", err)
	return partial.Failed
}

func path(t testing.TB) string { return filepath.Join(t.TempDir(), "out.csv") }

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// rows returns the lines of a file as encoding/csv reads them, header included.
func rows(t testing.TB, path string) [][]string {
	t.Helper()
	lines, err := csv.NewReader(strings.NewReader(read(t, path))).ReadAll()
	require.NoError(t, err)
	return lines
}

// existing returns the same, and nothing of a file that is not there yet.
func existing(t testing.TB, path string) [][]string {
	t.Helper()
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return rows(t, path)
}
