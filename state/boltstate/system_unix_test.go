//go:build unix

package boltstate_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/state"
	"github.com/databay-go/databay/state/boltstate"
	"github.com/databay-go/databay/testkit"
)

// role is set in the children of this program that a test starts: a name and a file.
const role = "BOLTSTATE_TEST_ROLE"

// child returns a command that runs one test of this program in a role.
func child(t *testing.T, program, test, name, file string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), role+"="+name+":"+file)
	return cmd
}

// as returns the file of a child in the role of the given name, or "".
func as(name string) string {
	file, _ := strings.CutPrefix(os.Getenv(role), name+":")
	if file == os.Getenv(role) {
		return ""
	}
	return file
}

// What a Put of a killed process has acknowledged is there, at its revision.
func TestKilled(t *testing.T) {
	if file := as("writer"); file != "" {
		writeForEver(t, file)
		return
	}
	t.Parallel()
	file := path(t)
	kills, acknowledged := 25, int64(0)
	for range kills {
		cmd := child(t, os.Args[0], "TestKilled", "writer", file)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		last := make(map[string]int64)
		lines := bufio.NewScanner(out)
		after := 1 + rand.IntN(120)
		for n := 0; lines.Scan(); {
			key, rev, ok := strings.Cut(lines.Text(), " ")
			if number, err := strconv.ParseInt(rev, 10, 64); ok && err == nil && strings.HasPrefix(key, "key") {
				last[key] = number
				acknowledged++
				if n++; n == after {
					require.NoError(t, cmd.Process.Kill())
				}
			}
		}
		require.Error(t, cmd.Wait())
		require.NotEmpty(t, last)

		s, err := boltstate.Open(file, nil)
		require.NoError(t, err)
		for key, rev := range last {
			value, found, err := s.Get(t.Context(), key)
			require.NoError(t, err)
			require.GreaterOrEqual(t, found, rev, "%s was acknowledged", key)
			require.LessOrEqual(t, found, rev+1, "%s was not written twice", key)
			require.Equal(t, content(key, found), string(value))
		}
		require.NoError(t, s.Close())
	}
	t.Logf("%d kills, %d Puts acknowledged, none missing", kills, acknowledged)
}

func content(key string, rev int64) string {
	return strings.Repeat(fmt.Sprint(key, " ", rev, "\n"), int(rev%300))
}

// writeForEver tells what is written.
func writeForEver(t *testing.T, file string) {
	s := open(t, file)
	for i := range 3 {
		go func() {
			key := fmt.Sprint("key", i)
			_, rev, err := s.Get(t.Context(), key)
			for err == nil {
				if rev, err = s.Put(t.Context(), key, []byte(content(key, rev+1)), rev); err == nil {
					_, err = fmt.Println(key, rev)
				}
			}
			panic(err)
		}()
	}
	select {}
}

// Another process is told which file is held.
func TestHeldByAnotherProcess(t *testing.T) {
	if file := as("second"); file != "" {
		_, err := boltstate.Open(file, &boltstate.Options{LockTimeout: 100 * time.Millisecond})
		require.ErrorContains(t, err, file)
		require.ErrorContains(t, err, "held by another process")
		require.ErrorContains(t, err, "LockTimeout 100ms")
		return
	}
	t.Parallel()
	file := path(t)
	open(t, file)
	out, err := child(t, os.Args[0], "TestHeldByAnotherProcess", "second", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// Root may write everywhere, so this is tested in a process of another user.
func TestNoPermission(t *testing.T) {
	if file := as("nobody"); file != "" {
		_, err := boltstate.Open(file, nil)
		require.ErrorIs(t, err, os.ErrPermission)
		require.ErrorContains(t, err, file)
		_, err = boltstate.Open(filepath.Join(filepath.Dir(file), "new"), nil)
		require.ErrorIs(t, err, os.ErrPermission)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, missing permissions are NOT tested: to become another user needs root")
	}
	t.Parallel()
	folder, err := os.MkdirTemp("", "boltstate")
	require.NoError(t, err)
	defer func() { require.NoError(t, os.RemoveAll(folder)) }()
	file := filepath.Join(folder, "state.db")
	s, err := boltstate.Open(file, nil)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, os.Chmod(file, 0o444))
	require.NoError(t, os.Chmod(folder, 0o555))
	program := filepath.Join(folder, "program")
	binary, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(program, binary, 0o755))
	cmd := child(t, program, "TestNoPermission", "nobody", file)
	cmd.Dir = folder
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// small mounts a file system with room for size bytes.
func small(t *testing.T, size int) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED, full disks are NOT tested: a small file system is made on Linux only")
	}
	folder := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", size), "tmpfs", folder).CombinedOutput()
	if err != nil {
		t.Skipf("SKIPPED, full disks are NOT tested: mounting a tmpfs needs root with CAP_SYS_ADMIN: %v: %s", err, out)
	}
	t.Cleanup(func() {
		out, err := exec.CommandContext(context.Background(), "umount", folder).CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
	return folder
}

// A Put on a full disk fails, and the store goes on; what is small still fits.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	testkit.TestStore(t, func(t *testing.T) state.Store { return open(t, path(t)) }, &testkit.StoreOptions{
		MaxKey: boltstate.MaxKey,
		Failing: func(t *testing.T) (store state.Store, fail, mend func()) {
			folder := small(t, 8<<20)
			s, filler := open(t, filepath.Join(folder, "state.db")), filepath.Join(folder, "filler")
			fail = func() {
				require.Error(t, os.WriteFile(filler, make([]byte, 8<<20), 0o600), "it is full")
				var rev int64
				for range 3 {
					_, err := s.Put(t.Context(), "large", make([]byte, 1<<20), rev)
					require.ErrorIs(t, err, syscall.ENOSPC)
				}
			}
			return s, fail, func() { require.NoError(t, os.Remove(filler)) }
		},
	})
}

// Others in the same transaction do not fail because of one that is too large.
func TestFullDiskForOne(t *testing.T) {
	t.Parallel()
	folder := small(t, 1<<20)
	s := open(t, filepath.Join(folder, "state.db"))
	large := make(chan error)
	go func() {
		_, err := s.Put(t.Context(), "large", make([]byte, 2<<20), 0)
		large <- err
	}()
	for i := range 50 {
		_, err := s.Put(t.Context(), fmt.Sprint("small ", i), []byte("fits"), 0)
		require.NoError(t, err)
	}
	require.ErrorIs(t, <-large, syscall.ENOSPC)
	for i := range 50 {
		_, rev, err := s.Get(t.Context(), fmt.Sprint("small ", i))
		require.NoError(t, err)
		require.Equal(t, int64(1), rev)
	}
}

// A file on a read-only mount is an error that names it, and nothing of it is lost.
func TestReadOnlyMount(t *testing.T) {
	t.Parallel()
	folder := small(t, 1<<20)
	file := filepath.Join(folder, "state.db")
	s, err := boltstate.Open(file, nil)
	require.NoError(t, err)
	_, err = s.Put(t.Context(), "link/a", []byte("1"), 0)
	require.NoError(t, err)
	require.NoError(t, s.Close())

	remount(t, folder, "ro")
	for _, file := range []string{file, filepath.Join(folder, "new.db")} {
		_, err = boltstate.Open(file, nil)
		require.ErrorIs(t, err, syscall.EROFS)
		require.ErrorContains(t, err, file)
	}
	remount(t, folder, "rw")
	value, rev, err := open(t, file).Get(t.Context(), "link/a")
	require.NoError(t, err)
	assert.Equal(t, "1", string(value))
	assert.EqualValues(t, 1, rev)
}

func remount(t *testing.T, folder, mode string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "mount", "-o", "remount,"+mode, folder).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// A file damaged anywhere is an error or goes on, and never a panic, and is not held
// by what could not open it.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	good := path(t)
	s := open(t, good)
	for i := range 200 {
		_, err := s.Put(t.Context(), fmt.Sprint("link/", i), make([]byte, i*20), 0)
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
	whole, err := os.ReadFile(good)
	require.NoError(t, err)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	refused, noticed := 0, 0
	const files = 150
	for n := range files {
		damaged := append([]byte(nil), whole...)
		switch n % 3 {
		case 0:
			damaged = damaged[:random.IntN(len(damaged))]
		case 1:
			for range 1 + random.IntN(20) {
				damaged[random.IntN(len(damaged))] = byte(random.Uint32())
			}
		case 2: // headers of pages, but those of the first two, which have checksums
			page := 2 + random.IntN(len(damaged)/4096-2)
			at := page*4096 + random.IntN(60)
			binary.LittleEndian.PutUint16(damaged[at:], uint16(random.Uint32()))
		}
		file := path(t)
		require.NoError(t, os.WriteFile(file, damaged, 0o600))
		done := make(chan bool)
		go func() {
			defer close(done)
			s, err := boltstate.Open(file, nil)
			if err != nil {
				assert.ErrorContains(t, err, file)
				if len(damaged) > 0 {
					refused++
				}
				again, err := boltstate.Open(file, &boltstate.Options{LockTimeout: time.Millisecond})
				if assert.Error(t, err) {
					assert.NotContains(t, err.Error(), "held by")
				} else {
					assert.NoError(t, again.Close())
				}
				return
			}
			for i := range 200 {
				key := fmt.Sprint("link/", i)
				value, rev, err := s.Get(t.Context(), key)
				if err != nil || rev == 0 {
					noticed++
				} else {
					assert.Len(t, value, i*20)
					if i%50 == 0 {
						_, _ = s.Put(t.Context(), key, value[len(value)/2:], rev) // it may fail
					}
				}
			}
			assert.NoError(t, s.Close())
		}()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatalf("it hangs, seed %d, file %d", seed, n)
		}
	}
	t.Logf("seed %d: of %d damaged files %d were refused; %d keys could not be read in the others", seed, files, refused, noticed)
	assert.Positive(t, refused)
}
