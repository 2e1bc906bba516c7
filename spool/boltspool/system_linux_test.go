package boltspool_test

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
	"github.com/databay-go/databay/spool/boltspool"
)

// small mounts a file system with room for a MiB.
func small(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("size=%d", 1<<20)); err != nil {
		t.Skipf("SKIPPED, full disks and read-only ones are NOT tested: mounting a tmpfs needs root with CAP_SYS_ADMIN: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(folder, 0)) })
	return folder
}

// On a full disk an Append fails as a whole, and what was there can be read and
// removed; when there is room again, it succeeds.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	folder := small(t)
	s := boltspool.New(filepath.Join(folder, "texts.spool"), spool.JSON[string](), nil)
	require.NoError(t, s.Start(t.Context()))
	defer func() { require.NoError(t, s.Shutdown(t.Context())) }()
	texts := func(n int) (all []record.Record) {
		for i := range n {
			all = append(all, record.New(fmt.Sprint(i)+strings.Repeat("x", 1000)))
		}
		return all
	}
	require.NoError(t, s.Append(t.Context(), texts(10)))
	before := s.Stats()
	filler := filepath.Join(folder, "filler")
	require.Error(t, os.WriteFile(filler, make([]byte, 1<<20), 0o600), "it is full")
	for range 3 {
		err := s.Append(t.Context(), texts(300))
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.Nil(t, record.AsPartial(err))
		assert.Equal(t, before, s.Stats())
		entries, err := s.Read(t.Context(), 0, math.MaxInt)
		require.NoError(t, err)
		assert.Len(t, entries, 10)
	}
	require.NoError(t, os.Remove(filler))
	require.NoError(t, s.Append(t.Context(), texts(300)))
	require.NoError(t, s.Remove(t.Context(), []int64{1, 2, 3}))
	assert.Equal(t, 307, s.Stats().Records)
}

// A file on a read-only mount is an error that names it. It is not taken for damaged, and
// its records are there when it may be written again.
func TestReadOnlyMount(t *testing.T) {
	t.Parallel()
	folder := small(t)
	file := filepath.Join(folder, "records.spool")
	s := boltspool.New(file, spool.JSON[row](), nil)
	require.NoError(t, s.Start(t.Context()))
	require.NoError(t, s.Append(t.Context(), samples(0, 3)))
	require.NoError(t, s.Shutdown(t.Context()))
	remount := func(mode string) {
		out, err := exec.CommandContext(t.Context(), "mount", "-o", "remount,"+mode, folder).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	remount("ro")
	err := s.Start(t.Context())
	require.ErrorIs(t, err, syscall.EROFS)
	require.ErrorContains(t, err, file)
	remount("rw")
	require.NoError(t, s.Start(t.Context()))
	entries, err := s.Read(t.Context(), 0, 10)
	require.NoError(t, err)
	assert.Len(t, entries, 3)
	require.NoError(t, s.Shutdown(t.Context()))
	files, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, files, 1, "nothing was put aside")
}
