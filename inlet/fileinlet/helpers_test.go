package fileinlet_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding"

	"github.com/databay-go/databay/inlet/fileinlet"
	"github.com/databay-go/databay/record"
)

func folder(t testing.TB) string { return t.TempDir() }

func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(folder(t), "app.log")
	write(t, path, text)
	return path
}

// write makes or truncates a file.
func write(t testing.TB, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// appendTo appends to a file, or makes it.
func appendTo(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func rename(t testing.TB, from, to string) {
	t.Helper()
	require.NoError(t, os.Rename(from, to))
}

func remove(t testing.TB, path string) {
	t.Helper()
	require.NoError(t, os.Remove(path))
}

// copytruncate does what logrotate does with this option.
func copytruncate(t testing.TB, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	require.NoError(t, err)
	write(t, to, string(text))
	require.NoError(t, os.Truncate(from, 0))
}

// started returns an inlet that is started, and stopped when the test ends.
func started(t testing.TB, path string, opts *fileinlet.Options) *fileinlet.Inlet {
	t.Helper()
	in := fileinlet.New(path, opts)
	require.NoError(t, in.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, in.Shutdown(context.Background())) })
	return in
}

// resumed returns the same, set to a position.
func resumed(t testing.TB, path string, opts *fileinlet.Options, position []byte) *fileinlet.Inlet {
	t.Helper()
	in := started(t, path, opts)
	require.NoError(t, in.Seek(t.Context(), position))
	return in
}

// pull pulls once, without an error, and returns the payloads.
func pull(t testing.TB, in *fileinlet.Inlet) []any {
	t.Helper()
	records, err := in.Pull(t.Context(), record.Update{})
	require.NoError(t, err)
	return payloads(records)
}

// pullErr pulls once, with an error.
func pullErr(t testing.TB, in *fileinlet.Inlet) ([]any, error) {
	t.Helper()
	records, err := in.Pull(t.Context(), record.Update{})
	require.Error(t, err)
	return payloads(records), err
}

func payloads(records []record.Record) []any {
	all := []any{}
	for _, r := range records {
		all = append(all, r.Payload)
	}
	return all
}

func list(payloads ...any) []any { return append([]any{}, payloads...) }

// numbered returns the lines "from" to "to", excluded.
func numbered(from, to int) (text string, all []any) {
	var b strings.Builder
	for i := from; i < to; i++ {
		line := fmt.Sprintf("line %d", i)
		b.WriteString(line + "\n")
		all = append(all, line)
	}
	return b.String(), all
}

func encoded(t testing.TB, e encoding.Encoding, text string) string {
	t.Helper()
	b, err := e.NewEncoder().String(text)
	require.NoError(t, err)
	return b
}
