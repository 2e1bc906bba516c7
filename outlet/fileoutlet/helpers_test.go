package fileoutlet_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/outlet/fileoutlet"
	"github.com/databay-go/databay/record"
)

// records returns a record for every payload.
func records(payloads ...any) []record.Record {
	var rs []record.Record
	for _, p := range payloads {
		rs = append(rs, record.New(p))
	}
	return rs
}

// started returns an outlet that is started, and stopped when the test ends.
func started(t testing.TB, path string, opts *fileoutlet.Options) *fileoutlet.Outlet {
	t.Helper()
	o := fileoutlet.New(path, opts)
	require.NoError(t, o.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, o.Shutdown(context.Background())) })
	return o
}

// push pushes records, all of which must be accepted.
func push(t testing.TB, o *fileoutlet.Outlet, rs ...record.Record) {
	t.Helper()
	require.NoError(t, o.Push(t.Context(), rs, record.Update{}))
}

// failed pushes records and returns the causes of those not accepted, by index.
func failed(t testing.TB, o *fileoutlet.Outlet, rs ...record.Record) map[int]error {
	t.Helper()
	err := o.Push(t.Context(), rs, record.Update{})
	partial, ok := errors.AsType[*record.Partial](err)
	require.True(t, ok, "the error is a Partial: %v", err)
	return partial.Failed
}

func path(t testing.TB) string { return filepath.Join(t.TempDir(), "out.log") }

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

// names returns what is in a folder.
func names(t testing.TB, folder string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// lines returns the lines of a file, none of one that is not there yet.
func lines(t testing.TB, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	if len(text) == 0 {
		return nil
	}
	require.True(t, strings.HasSuffix(string(text), "\n"), "the last line is finished")
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}
