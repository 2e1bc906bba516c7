package csvoutlet_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/outlet/csvoutlet"
	"github.com/databay-go/databay/record"
)

// small mounts a file system with room for size bytes.
func small(t *testing.T, size int) string {
	t.Helper()
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("SKIPPED, full disks are NOT tested: mounting a tmpfs needs root with CAP_SYS_ADMIN: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(folder, 0)) })
	return folder
}

// On a full disk a push changes nothing, fails for the records of that disk only, and
// succeeds when there is room again.
func TestFullDisk(t *testing.T) {
	folder := small(t, 1<<20)
	full, other := filepath.Join(folder, "full.csv"), path(t)
	o := csvoutlet.New(full, &csvoutlet.Options{Sync: csvoutlet.SyncPush})
	require.NoError(t, o.Start(t.Context()))
	defer func() { require.NoError(t, o.Shutdown(context.Background())) }()
	push(t, o, records(row{"a": "before"})...)

	filler := filepath.Join(folder, "filler")
	require.NoError(t, os.WriteFile(filler, make([]byte, 400<<10), 0o600))
	rs := records(5)
	for range 20_000 { // some chunks fit, the rest does not
		rs = append(rs, record.New(row{"a": strings.Repeat("x", 50)}))
	}
	rs = append(rs, record.New(row{"b": "elsewhere"}, csvoutlet.File.Of(other)))
	for range 2 {
		causes := failed(t, o, rs...)
		assert.Len(t, causes, 20_001)
		assert.True(t, record.IsPermanent(causes[0]), "this one's own mistake: %v", causes[0])
		for _, i := range []int{1, 20_000} {
			require.ErrorIs(t, causes[i], syscall.ENOSPC)
			assert.False(t, record.IsPermanent(causes[i]))
		}
		require.NoError(t, causes[20_001])
		assert.Equal(t, "a\nbefore\n", read(t, full), "nothing of the push is left")
	}
	assert.Equal(t, "b\nelsewhere\nelsewhere\n", read(t, other))

	require.NoError(t, os.Remove(filler))
	push(t, o, rs[1:10_001]...)
	assert.Len(t, rows(t, full), 10_002)
}

// A new file that does not fit is left empty, and gets its header later.
func TestFullDiskAndNewFile(t *testing.T) {
	folder := small(t, 64<<10)
	filler := filepath.Join(folder, "filler")
	_ = os.WriteFile(filler, make([]byte, 128<<10), 0o600) // until it is full
	file := filepath.Join(folder, "new.csv")
	o := started(t, file, nil)
	causes := failed(t, o, records(row{"a": 1})...)
	require.ErrorIs(t, causes[0], syscall.ENOSPC)
	assert.Empty(t, read(t, file))
	require.NoError(t, os.Remove(filler))
	push(t, o, records(row{"b": 1})...)
	assert.Equal(t, "b\n1\n", read(t, file))
	require.NoError(t, o.Shutdown(t.Context()))
}

// A part of a push that cannot be taken back at once is taken back before anything
// else is written.
func TestFullDiskAndNoWayBack(t *testing.T) {
	folder := small(t, 1<<20)
	chattr := func(file, flag string) {
		if output, err := exec.CommandContext(t.Context(), "chattr", flag, file).CombinedOutput(); err != nil {
			t.Skipf("SKIPPED, writes that cannot be taken back are NOT tested: chattr %s: %v: %s", flag, err, output)
		}
	}
	file, other := filepath.Join(folder, "out.csv"), filepath.Join(folder, "other.csv")
	o := started(t, file, &csvoutlet.Options{MaxOpen: 1})
	push(t, o, records(row{"a": "before"})...)
	var rs []record.Record
	for range 30_000 {
		rs = append(rs, record.New(row{"a": strings.Repeat("x", 50)}))
	}
	for round := range 2 {
		chattr(file, "+a") // it can be appended to and not be cut
		causes := failed(t, o, rs...)
		assert.Len(t, causes, 30_000)
		require.ErrorIs(t, causes[0], syscall.ENOSPC)
		require.ErrorContains(t, causes[0], "could not be taken back yet")
		causes = failed(t, o, records(row{"a": "again"})...)
		require.ErrorContains(t, causes[0], "cannot undo an unfinished write")

		chattr(file, "-a")
		if round == 0 {
			push(t, o, record.New(row{"a": "after"}))
			assert.Equal(t, "a\nbefore\nafter\n", read(t, file))
			continue
		}
		push(t, o, record.New(row{"b": 1}, csvoutlet.File.Of(other))) // which closes the file
		assert.Equal(t, "a\nbefore\nafter\n", read(t, file))
	}
	require.NoError(t, o.Shutdown(t.Context()))
}

// asNobody is set in the process that runs as a user without rights.
const asNobody = "CSVOUTLET_TEST_AS_NOBODY"

// Root may write everywhere, so this is tested in a process of another user.
func TestFilesOfOthers(t *testing.T) {
	if folder := os.Getenv(asNobody); folder != "" {
		nobody(t, folder)
		return
	}
	if os.Geteuid() != 0 {
		folder := t.TempDir()
		prepare(t, folder)
		t.Cleanup(func() { _ = os.Chmod(filepath.Join(folder, "closed"), 0o700) })
		nobody(t, folder)
		return
	}
	folder, err := os.MkdirTemp("", "csvoutlet")
	require.NoError(t, err)
	defer func() { require.NoError(t, os.RemoveAll(folder)) }()
	require.NoError(t, os.Chmod(folder, 0o755))
	prepare(t, folder)
	program := filepath.Join(folder, "test")
	self, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(program, self, 0o755)) //nolint:gosec // it is to be run by another user

	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestFilesOfOthers$", "-test.v")
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), asNobody+"="+folder, "TMPDIR="+filepath.Join(folder, "open"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Contains(t, string(output), "--- PASS: TestFilesOfOthers", "the test ran there")
}

func prepare(t *testing.T, folder string) {
	t.Helper()
	for name, mode := range map[string]os.FileMode{"closed": 0o555, "open": 0o777} {
		dir := filepath.Join(folder, name)
		require.NoError(t, os.Mkdir(dir, 0o755))
		for file, mode := range map[string]os.FileMode{"readonly.csv": 0o444, "writeonly.csv": 0o222, "both.csv": 0o666} {
			write(t, filepath.Join(dir, file), "a\n")
			require.NoError(t, os.Chmod(filepath.Join(dir, file), mode))
		}
		require.NoError(t, os.Chmod(dir, mode))
	}
}

func nobody(t *testing.T, folder string) {
	t.Helper()
	in := func(name string) string { return filepath.Join(folder, name) }
	require.NotZero(t, os.Geteuid())
	for name, want := range map[string]string{
		"closed/new.csv":      "cannot make files in " + in("closed"),
		"closed/new/file.csv": "mkdir " + in("closed/new") + ": permission denied",
		"closed/readonly.csv": "open " + in("closed/readonly.csv") + ": permission denied",
		"open/readonly.csv":   "open " + in("open/readonly.csv") + ": permission denied",
		"open/writeonly.csv":  "open " + in("open/writeonly.csv") + ": permission denied", // its header cannot be read
	} {
		for _, truncate := range []bool{false, true} {
			o := csvoutlet.New(in(name), &csvoutlet.Options{Truncate: truncate})
			err := o.Start(t.Context())
			require.ErrorContains(t, err, want)
			require.ErrorIs(t, err, os.ErrPermission)
			require.ErrorIs(t, o.Check(t.Context()), os.ErrPermission)
		}
	}

	// A file may be written although its folder may not.
	o := started(t, in("closed/both.csv"), nil)
	causes := failed(t, o,
		record.New(row{"a": 1}),
		record.New(row{"a": 2}, csvoutlet.File.Of(in("open/readonly.csv"))),
		record.New(row{"a": 3}, csvoutlet.File.Of(in("closed/new/file.csv"))),
		record.New(row{"a": 4}, csvoutlet.File.Of(in("open/new/file.csv"))),
	)
	require.Len(t, causes, 2)
	for i := 1; i <= 2; i++ {
		require.ErrorIs(t, causes[i], os.ErrPermission)
		assert.False(t, record.IsPermanent(causes[i]))
	}
	assert.Equal(t, "a\n1\n", read(t, in("closed/both.csv")))
	assert.Equal(t, "a\n4\n", read(t, in("open/new/file.csv")))
}

// Device files are refused, and a pipe does not hang.
func TestOnlyRegularFiles(t *testing.T) {
	t.Parallel()
	pipe := path(t)
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	for _, file := range []string{"/dev/null", "/dev/full", pipe} {
		require.ErrorContains(t, csvoutlet.New(file, nil).Start(t.Context()), "is a device or pipe, want a regular file")
	}
}
