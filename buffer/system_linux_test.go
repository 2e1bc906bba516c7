package buffer_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
	"github.com/databay-go/databay/spool/boltspool"
)

// On a full disk a buffer takes nothing more than the memory may hold, and releases what
// it has; when there is room again, it goes on.
func TestFullDisk(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("size=%d", 1<<20)); err != nil {
		t.Skipf("SKIPPED, full disks are NOT tested: mounting a tmpfs needs root with CAP_SYS_ADMIN: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(folder, 0)) })
	s := boltspool.New(filepath.Join(folder, "held.spool"), spool.JSON[string](), nil)
	require.NoError(t, s.Start(t.Context()))
	defer func() { require.NoError(t, s.Shutdown(t.Context())) }()
	texts := func(from, to int) (all []record.Record) {
		for i := from; i < to; i++ {
			all = append(all, record.New(fmt.Sprint(i, strings.Repeat("x", 1000))))
		}
		return all
	}
	b := overflowing(s, 10, buffer.Options{Count: 1000})
	process(t, b, texts(0, 10)...)
	filler := filepath.Join(folder, "filler")
	require.Error(t, os.WriteFile(filler, make([]byte, 1<<20), 0o600), "it is full")
	for range 3 {
		assert.ErrorIs(t, failing(t, b, texts(10, 310)), syscall.ENOSPC)
		assert.Equal(t, record.Holding{Records: 10}, b.Holding())
	}
	assert.Nil(t, process(t, b, texts(10, 19)...), "there is room in memory")
	b.Flush()
	assert.Equal(t, payloads(texts(0, 310)), process(t, b, texts(19, 310)...))
	require.NoError(t, os.Remove(filler))
	require.NoError(t, b.Settled(t.Context(), b.Holding().Released))
	process(t, b, texts(310, 610)...)
	assert.Equal(t, record.Holding{Records: 300, Released: 10}, b.Holding())
}

// asNobody is set in the process that runs as a user without rights.
const asNobody = "BUFFER_TEST_AS_NOBODY"

// The file of another user is an error of the spool's Start, that names it. Root may
// write everywhere, so this is tested in a process of another user.
func TestSpoolsOfOthers(t *testing.T) {
	if folder := os.Getenv(asNobody); folder != "" {
		require.NotZero(t, os.Geteuid())
		for _, name := range []string{"theirs.spool", "new.spool"} {
			file := filepath.Join(folder, name)
			s := boltspool.New(file, spool.JSON[int](), nil)
			err := s.Start(t.Context())
			require.ErrorContains(t, err, file)
			require.ErrorContains(t, err, "permission denied")
			b := overflowing(s, 1, buffer.Options{Count: 2})
			require.Error(t, failing(t, b, records(1, 1)), "nor can it be used")
			assert.Zero(t, b.Holding())
			b = overflowing(s, 2, buffer.Options{Count: 2})
			assert.Nil(t, process(t, b, records(1, 1)...))
			assert.Equal(t, ints(1, 2), process(t, b, records(2, 2)...), "what is held in memory needs no file")
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, missing permissions are NOT tested: to become another user needs root")
	}
	folder, err := os.MkdirTemp("", "buffer")
	require.NoError(t, err)
	defer func() { require.NoError(t, os.RemoveAll(folder)) }()
	require.NoError(t, os.Chmod(folder, 0o755))
	boltSpool(t, filepath.Join(folder, "theirs.spool"), nil)
	program := filepath.Join(folder, "test")
	self, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(program, self, 0o755))
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestSpoolsOfOthers$", "-test.v")
	cmd.Env = append(os.Environ(), asNobody+"="+folder)
	cmd.Dir = folder
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Contains(t, string(output), "--- PASS: TestSpoolsOfOthers", "the test ran there")
}
