package main

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func output(t *testing.T, args ...string) string {
	t.Helper()
	var w bytes.Buffer
	require.NoError(t, run(t.Context(), args, &w))
	return w.String()
}

func TestRun(t *testing.T) {
	t.Parallel()
	source, target := filepath.Join(t.TempDir(), "a?b%20 c.db"), filepath.Join(t.TempDir(), "target.db")
	output(t, "-fill", "1200", source)
	output(t, "-once", source, target)
	assert.Equal(t, "orders 1200 copied 1200 missing 0 twice 0\n", output(t, "-compare", source, target))
	output(t, "-fill", "3", source)
	assert.Equal(t, "orders 1203 copied 1200 missing 3 twice 0\n", output(t, "-compare", source, target))

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ran := make(chan error, 1)
	go func() { ran <- run(ctx, []string{source, target}, nil) }()
	for output(t, "-compare", source, target) != "orders 1203 copied 1203 missing 0 twice 0\n" {
		time.Sleep(time.Millisecond)
	}
	cancel()
	require.NoError(t, <-ran)
	assert.Equal(t, "orders 1203 copied 1203 missing 0 twice 0\n", output(t, "-compare", source, target))

	assert.ErrorContains(t, run(t.Context(), nil, nil), "want the names of a source")
	assert.ErrorContains(t, run(t.Context(), []string{source}, nil), "want the names of a source")
}

// The program is killed again and again while it copies.
func TestKill(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	program, source, target := filepath.Join(folder, "sqlcopy"), filepath.Join(folder, "source.db"), filepath.Join(folder, "target.db")
	text, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", text)
	output(t, "-fill", "100000", source)
	output(t, "-once", filepath.Join(folder, "empty.db"), target) // makes it
	db, err := open(target)
	require.NoError(t, err)
	defer db.Close()
	copied := func() (n int) {
		t.Helper()
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM orders").Scan(&n))
		return n
	}
	kills := 0
	for ; kills < 20 && copied() < 100000; kills++ {
		before := copied()
		cmd := exec.CommandContext(t.Context(), program, source, target)
		require.NoError(t, cmd.Start())
		for copied() == before {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(30 * time.Millisecond))))
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait(), "it was running")
	}
	t.Logf("%d orders were copied between %d kills", copied(), kills)
	assert.Greater(t, kills, 1)
	output(t, "-once", source, target)
	assert.Equal(t, "orders 100000 copied 100000 missing 0 twice 0\n", output(t, "-compare", source, target))
}
