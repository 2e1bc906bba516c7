package boltspool_test

import (
	"fmt"
	"math"
	"os"
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

// On a full disk an Append fails as a whole, and what was there can be read and
// removed; when there is room again, it succeeds.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("size=%d", 1<<20)); err != nil {
		t.Skipf("SKIPPED, full disks are NOT tested: mounting a tmpfs needs root with CAP_SYS_ADMIN: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(folder, 0)) })
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
