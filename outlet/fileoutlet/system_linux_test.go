package fileoutlet_test

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

	"github.com/databay-go/databay/outlet/fileoutlet"
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
	for _, replace := range []bool{false, true} {
		folder := small(t, 1<<20)
		full, other := filepath.Join(folder, "full.log"), path(t)
		o := fileoutlet.New(full, &fileoutlet.Options{Encode: fileoutlet.JSON, Replace: replace})
		require.NoError(t, o.Start(t.Context()))
		defer func() { require.NoError(t, o.Shutdown(context.Background())) }()
		push(t, o, records("before")...)

		filler := filepath.Join(folder, "filler")
		require.NoError(t, os.WriteFile(filler, make([]byte, 400<<10), 0o600))
		rs := records(func() {})
		for range 20_000 { // some chunks fit, the rest does not
			rs = append(rs, record.New(strings.Repeat("x", 50)))
		}
		rs = append(rs, record.New("elsewhere", fileoutlet.File.Of(other)))
		for range 2 {
			causes := failed(t, o, rs...)
			assert.Len(t, causes, 20_001)
			assert.True(t, record.IsPermanent(causes[0]), "this one's own mistake: %v", causes[0])
			for _, i := range []int{1, 20_000} {
				require.ErrorIs(t, causes[i], syscall.ENOSPC)
				assert.False(t, record.IsPermanent(causes[i]))
			}
			require.NoError(t, causes[20_001])
			assert.Equal(t, "\"before\"\n", read(t, full), "nothing of the push is left")
			assert.Equal(t, []string{"filler", "full.log"}, names(t, folder))
		}
		require.NoError(t, os.Remove(filler))
		push(t, o, rs[1:9_001]...)
		assert.Len(t, lines(t, full), map[bool]int{false: 9_001, true: 9_000}[replace])
	}
}

// Where a push is spread over several files, those before the disk is full are kept.
func TestFullDiskAndRotation(t *testing.T) {
	folder := small(t, 256<<10)
	file := filepath.Join(folder, "out.log")
	o := started(t, file, &fileoutlet.Options{Rotate: fileoutlet.Rotate{Size: 50_000}, Sync: fileoutlet.SyncPush})
	var rs []record.Record
	for i := range 10_000 {
		rs = append(rs, record.New(fmt.Sprintf("%049d", i)))
	}
	causes := failed(t, o, rs...)
	var got []string
	for _, f := range rotated(t, file) {
		got = append(got, lines(t, f)...)
	}
	require.NotEmpty(t, got)
	for i, r := range rs {
		require.Equal(t, i >= len(got), causes[i] != nil, i)
		if i < len(got) {
			require.Equal(t, r.Payload, got[i])
		}
	}
	require.ErrorIs(t, causes[9_999], syscall.ENOSPC)
	for _, f := range rotated(t, file) {
		require.NoError(t, os.Remove(f))
	}
	push(t, o, rs[len(got):len(got)+100]...)
	assert.Len(t, lines(t, file), 100)
	require.NoError(t, o.Shutdown(t.Context()))
}

// What a full disk has refused is not taken for written.
func TestFullDiskAndIdempotent(t *testing.T) {
	folder := small(t, 1<<20)
	file, filler := filepath.Join(folder, "out.log"), filepath.Join(folder, "filler")
	o := started(t, file, &fileoutlet.Options{Idempotent: true, Rotate: fileoutlet.Rotate{Size: 500_000}})
	require.NoError(t, os.WriteFile(filler, make([]byte, 400<<10), 0o600))
	var rs []record.Record
	for i := range 10_000 {
		rs = append(rs, record.New(strings.Repeat("x", 73)).WithID(fmt.Sprintf("%05d", i)))
	}
	for range 2 {
		causes := failed(t, o, rs...)
		require.ErrorIs(t, causes[9_999], syscall.ENOSPC)
		require.NoError(t, causes[0])
	}
	require.NoError(t, os.Remove(filler))
	push(t, o, rs...)
	n := 0
	for _, f := range rotated(t, file) {
		for _, line := range lines(t, f) {
			require.Equal(t, fmt.Sprintf("%05d", n), line[:5])
			n++
		}
	}
	assert.Equal(t, 10_000, n)
	require.NoError(t, o.Shutdown(t.Context()))
}

// A part of a push that cannot be taken back at once is taken back before anything
// else is written.
func TestFullDiskAndNoWayBack(t *testing.T) {
	folder := small(t, 1<<20)
	file := filepath.Join(folder, "out.log")
	chattr := func(flag string) {
		if output, err := exec.CommandContext(t.Context(), "chattr", flag, file).CombinedOutput(); err != nil {
			t.Skipf("SKIPPED, writes that cannot be taken back are NOT tested: chattr %s: %v: %s", flag, err, output)
		}
	}
	o := started(t, file, nil)
	push(t, o, records("before")...)
	var rs []record.Record
	for range 30_000 {
		rs = append(rs, record.New(strings.Repeat("x", 50)))
	}
	chattr("+a") // it can be appended to and not be cut
	causes := failed(t, o, rs...)
	assert.Len(t, causes, 30_000)
	require.ErrorContains(t, causes[0], "could not be taken back yet")
	require.ErrorContains(t, failed(t, o, records("again")...)[0], "cannot undo an unfinished write")
	chattr("-a")
	push(t, o, records("after")...)
	assert.Equal(t, "before\nafter\n", read(t, file))
	require.NoError(t, o.Shutdown(t.Context()))
}

// child returns a command that runs one test of this program again, with a variable
// set.
func child(t *testing.T, program, test, variable, value string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), variable+"="+value)
	return cmd
}

// asNobody is set in the process that runs as a user without rights.
const asNobody = "FILEOUTLET_TEST_AS_NOBODY"

// Root may write everywhere, so this is tested in a process of another user.
func TestFilesOfOthers(t *testing.T) {
	if folder := os.Getenv(asNobody); folder != "" {
		nobody(t, folder)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, missing permissions are NOT tested: to become another user needs root")
	}
	folder, err := os.MkdirTemp("", "fileoutlet")
	require.NoError(t, err)
	defer func() { require.NoError(t, os.RemoveAll(folder)) }()
	require.NoError(t, os.Chmod(folder, 0o755))
	for name, mode := range map[string]os.FileMode{"closed": 0o555, "open": 0o777} {
		dir := filepath.Join(folder, name)
		require.NoError(t, os.Mkdir(dir, 0o755))
		for file, mode := range map[string]os.FileMode{"readonly.log": 0o444, "both.log": 0o666} {
			write(t, filepath.Join(dir, file), "a\n")
			require.NoError(t, os.Chmod(filepath.Join(dir, file), mode))
		}
		require.NoError(t, os.Chmod(dir, mode))
	}
	program := filepath.Join(folder, "test")
	self, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(program, self, 0o755))
	cmd := child(t, program, "TestFilesOfOthers", asNobody, folder)
	cmd.Dir = folder
	cmd.Env = append(cmd.Env, "TMPDIR="+filepath.Join(folder, "open"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Contains(t, string(output), "--- PASS: TestFilesOfOthers", "the test ran there")
}

func nobody(t *testing.T, folder string) {
	t.Helper()
	in := func(name string) string { return filepath.Join(folder, name) }
	require.NotZero(t, os.Geteuid())
	rotate := &fileoutlet.Options{Rotate: fileoutlet.Rotate{Size: 1}}
	for _, test := range []struct {
		name, want string
		opts       *fileoutlet.Options
	}{
		{"closed/new.log", "cannot make files in " + in("closed"), nil},
		{"closed/new/file.log", "mkdir " + in("closed/new") + ": permission denied", nil},
		{"closed/readonly.log", "permission denied", nil},
		{"open/readonly.log", "permission denied", &fileoutlet.Options{Truncate: true}},
		{"closed/both.log", "cannot make files in " + in("closed"), rotate},
		{"closed/both.log", "cannot make files in " + in("closed"), &fileoutlet.Options{Replace: true}},
	} {
		o := fileoutlet.New(in(test.name), test.opts)
		err := o.Start(t.Context())
		require.ErrorContains(t, err, test.want)
		require.ErrorIs(t, err, os.ErrPermission)
		require.ErrorIs(t, o.Check(t.Context()), os.ErrPermission)
	}
	// A file may be written although its folder may not.
	o := started(t, in("closed/both.log"), nil)
	causes := failed(t, o,
		record.New(1),
		record.New(2, fileoutlet.File.Of(in("open/readonly.log"))),
		record.New(3, fileoutlet.File.Of(in("closed/new/file.log"))),
		record.New(4, fileoutlet.File.Of(in("open/new/file.log"))),
	)
	require.Len(t, causes, 2)
	for i := 1; i <= 2; i++ {
		require.ErrorIs(t, causes[i], os.ErrPermission)
		assert.False(t, record.IsPermanent(causes[i]))
	}
	assert.Equal(t, "a\n1\n", read(t, in("closed/both.log")))
	assert.Equal(t, "4\n", read(t, in("open/new/file.log")))

	// A rotation or a replacement that is not possible loses nothing.
	o = started(t, in("open/both.log"), rotate)
	causes = failed(t, o, record.New("b"), record.New("c", fileoutlet.File.Of(in("closed/both.log"))))
	require.Len(t, causes, 1)
	require.ErrorContains(t, causes[1], "cannot rotate "+in("closed/both.log"))
	o = started(t, in("open/both.log"), &fileoutlet.Options{Replace: true})
	causes = failed(t, o, record.New("d"), record.New("e", fileoutlet.File.Of(in("closed/both.log"))))
	require.Len(t, causes, 1)
	require.ErrorIs(t, causes[1], os.ErrPermission)
	assert.Equal(t, "a\n1\n", read(t, in("closed/both.log")))
	assert.Equal(t, "d\n", read(t, in("open/both.log")))
}

// Device files are refused, and a pipe does not hang.
func TestOnlyRegularFiles(t *testing.T) {
	t.Parallel()
	pipe := path(t)
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	for _, file := range []string{"/dev/null", "/dev/full", pipe} {
		for _, replace := range []bool{false, true} {
			require.ErrorContains(t, fileoutlet.New(file, &fileoutlet.Options{Replace: replace}).Start(t.Context()), "is a device or pipe, want a regular file")
		}
	}
}
