//go:build unix

package fileinlet_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet/fileinlet"
	"github.com/databay-go/databay/record"
)

// A pipe does not hang.
func TestPipe(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(folder(t), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	for _, whole := range []bool{false, true} {
		require.ErrorContains(t, fileinlet.New(pipe, &fileinlet.Options{Whole: whole}).Start(t.Context()), "is a device, pipe or socket, want a regular file")
	}
}

// asNobody is set in the process that runs as a user without rights.
const asNobody = "FILEINLET_TEST_AS_NOBODY"

// Root may read everything, so this is tested in a process of another user.
func TestFilesOfOthers(t *testing.T) {
	if folder := os.Getenv(asNobody); folder != "" {
		nobody(t, folder)
		return
	}
	dir, err := os.MkdirTemp("", "fileinlet")
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = os.Chmod(filepath.Join(dir, "blind"), 0o700)
		require.NoError(t, os.RemoveAll(dir))
	})
	require.NoError(t, os.Chmod(dir, 0o755))
	for name, mode := range map[string]os.FileMode{"open": 0o777, "blind": 0o311, "closed": 0o600} {
		sub := filepath.Join(dir, name)
		require.NoError(t, os.Mkdir(sub, 0o700))
		write(t, filepath.Join(sub, "secret.log"), "secret\n")
		require.NoError(t, os.Chmod(filepath.Join(sub, "secret.log"), 0o200))
		write(t, filepath.Join(sub, "public.log"), "a\n")
		require.NoError(t, os.Chmod(filepath.Join(sub, "public.log"), 0o644))
		require.NoError(t, os.Chmod(sub, mode))
	}
	if os.Geteuid() != 0 {
		nobody(t, dir)
		return
	}
	program := filepath.Join(dir, "test")
	self, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(program, self, 0o755)) //nolint:gosec // it is to be run by another user
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestFilesOfOthers$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), asNobody+"="+dir, "TMPDIR="+filepath.Join(dir, "open"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Contains(t, string(output), "--- PASS: TestFilesOfOthers", "the test ran there")
}

func nobody(t *testing.T, dir string) {
	t.Helper()
	require.NotZero(t, os.Geteuid())
	at := func(folder, name string) string { return filepath.Join(dir, folder, name) }
	for _, opts := range []fileinlet.Options{{}, {Wait: true}, {Whole: true}} {
		for _, path := range []string{at("open", "secret.log"), at("blind", "secret.log"), at("closed", "public.log"), at("closed", "none.log")} {
			in := fileinlet.New(path, &opts)
			err := in.Start(t.Context())
			require.ErrorIs(t, err, os.ErrPermission)
			require.ErrorIs(t, in.Check(t.Context()), os.ErrPermission)
			require.ErrorContains(t, err, path)
		}
	}

	// A folder that cannot be listed may have a file that can be read, and resumed.
	path := at("blind", "public.log")
	in := started(t, path, &fileinlet.Options{FromEnd: true})
	assert.Empty(t, pull(t, in))
	assert.Equal(t, list("a"), pull(t, started(t, path, nil)))
	assert.Empty(t, pull(t, resumed(t, path, nil, in.Position())))

	// A new file that cannot be read is an error, which changes nothing, and no reason
	// to leave what can be.
	path = at("open", "app.log")
	write(t, path, "a\nb")
	in = started(t, path, nil)
	assert.Equal(t, list("a"), pull(t, in))
	rename(t, path, path+".1")
	write(t, path, "c\n")
	require.NoError(t, os.Chmod(path, 0o200))
	records, err := in.Pull(t.Context(), record.Update{})
	require.ErrorIs(t, err, os.ErrPermission)
	assert.Equal(t, list("b"), payloads(records))
	position := in.Position()
	_, err = pullErr(t, in)
	require.ErrorIs(t, err, os.ErrPermission)
	assert.Equal(t, position, in.Position())

	// An old file that cannot be read is an error of Seek: its rest is not left out.
	require.NoError(t, os.Chmod(path+".1", 0o200))
	require.NoError(t, os.Chmod(path, 0o600))
	other := started(t, path, nil)
	require.ErrorIs(t, other.Seek(t.Context(), position), os.ErrPermission)
	assert.Equal(t, list("c"), pull(t, in))
}
