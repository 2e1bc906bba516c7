package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		return string(text)
	}
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), folder, false, false, &out))
	assert.Equal(t, "pulled 10 filtered 0 held 0 pending 0 delivered 8 dead letters 2 dropped 0 balanced\n", out.String())
	assert.Equal(t, 8, strings.Count(read("orders.jsonl"), "\n"))
	assert.Equal(t, 2, strings.Count(read("dead.jsonl"), "\n"))
	assert.Contains(t, read("dead.jsonl"), `order 3 has no customer`)

	out.Reset()
	require.NoError(t, run(t.Context(), folder, true, true, &out))
	assert.Equal(t, "pulled 0 replayed 2 filtered 0 held 0 pending 0 delivered 2 dropped 0 balanced\n", out.String())
	assert.Contains(t, read("orders.jsonl"), "{\"id\":3,\"customer\":\"\"}\n{\"id\":7,\"customer\":\"\"}\n")
	assert.NoFileExists(t, filepath.Join(folder, "dead.jsonl"))
}

// What is refused again is a letter again.
func TestRunReplayTooEarly(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), folder, false, false, &out))
	require.NoError(t, run(t.Context(), folder, false, true, &out))
	assert.Contains(t, out.String(), "dead letters 2 dropped 0 balanced\n")
}
