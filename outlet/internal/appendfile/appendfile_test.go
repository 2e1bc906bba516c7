package appendfile_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/outlet/internal/appendfile"
	"github.com/databay-go/databay/record"
)

func load(from io.ReaderAt, _ string, size int64) (string, error) {
	text := make([]byte, size)
	_, err := from.ReadAt(text, 0)
	return string(text), err
}

func TestKeepAndCut(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	set := appendfile.NewSet("test", 0, true, load)
	f, err := set.At(path, false)
	require.NoError(t, err)
	assert.Equal(t, "old", f.State)
	require.NoError(t, f.Write([]byte(" cut")))
	assert.EqualValues(t, 3, f.Size())
	assert.EqualValues(t, 7, f.Length())
	cause := errors.New("cause")
	require.Equal(t, cause, f.Cut(cause))
	require.NoError(t, f.Write([]byte(" kept")))
	f.Keep("known")
	require.Equal(t, cause, f.Cut(cause), "nothing is to be cut")
	same, err := set.At(path, false)
	require.NoError(t, err)
	assert.Same(t, f, same)
	assert.Equal(t, "known", same.State)
	require.NoError(t, set.Close())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "old kept", string(text))
}

func TestShorten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	set := appendfile.NewSet("test", 0, false, load)
	f, err := set.At(path, false)
	require.NoError(t, err)
	require.NoError(t, f.Shorten(2))
	assert.Equal(t, "o", f.State)
	assert.EqualValues(t, 1, f.Size())
	require.NoError(t, f.SyncAll())
	require.NoError(t, f.Write([]byte("ne")))
	f.Keep("one")
	require.NoError(t, f.Shorten(3))
	assert.Empty(t, f.State)
	assert.Zero(t, f.Size())
	f.Break()
	require.ErrorIs(t, f.Shorten(0), os.ErrClosed)
	require.ErrorIs(t, f.SyncAll(), os.ErrClosed)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Empty(t, text)
}

// What goes wrong in syncing without a push is told once.
func TestTrouble(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	set := appendfile.NewSet("test", 0, true, load)
	f, err := set.At(filepath.Join(folder, "file"), false)
	require.NoError(t, err)
	require.NoError(t, f.Write([]byte("a")))
	f.Keep("")
	set.Sync()
	require.NoError(t, f.Trouble())
	require.NoError(t, f.Write([]byte("b")))
	f.Keep("")
	f.Break()
	set.Sync()
	require.ErrorIs(t, f.Trouble(), os.ErrClosed)
	require.NoError(t, f.Trouble())
	set.Sync()
	set.Forget(f.Path())
	require.ErrorContains(t, set.Close(), "test: closing "+f.Path())
}

// A file is on the disk by name with its first content, and what Force says is heard.
func TestForce(t *testing.T) {
	t.Parallel()
	set := appendfile.NewSet("test", 0, false, load)
	f, err := set.At(filepath.Join(t.TempDir(), "file"), false)
	require.NoError(t, err)
	require.NoError(t, f.Write([]byte("a")))
	require.NoError(t, f.Force())
	f.Keep("a")
	require.NoError(t, f.Write([]byte("b")))
	f.Break()
	require.ErrorIs(t, f.Force(), os.ErrClosed)
	if runtime.GOOS != "windows" {
		require.ErrorIs(t, appendfile.SyncFolder(filepath.Join(t.TempDir(), "nowhere")), fs.ErrNotExist)
	}
}

func TestRepeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		stop := appendfile.Repeat(time.Second, func() { calls++ })
		time.Sleep(3500 * time.Millisecond)
		stop()
		time.Sleep(time.Hour)
		assert.Equal(t, 3, calls)
	})
}

// Check looks for the folder that is there, and makes none.
func TestCheck(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	set := appendfile.NewSet("test", 0, false, load)
	require.NoError(t, set.Check(filepath.Join(folder, "a", "b", "file"), false))
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Empty(t, entries)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "a"), nil, 0o600))
	require.Error(t, set.Check(filepath.Join(folder, "a", "b", "file"), false), "a file is no folder")
}

func TestEach(t *testing.T) {
	t.Parallel()
	key := record.NewKey[string]("test.file")
	var failures record.Failures
	parts := appendfile.Parts{Key: key, Default: "./a/../default"}
	all := parts.Of([]record.Record{
		record.New(0), record.New(1, key.Of("x")), record.New(2, key.Of("")), record.New(3), record.New(4, key.Of("./x")), record.New(5, key.Of("y")),
	}, &failures)
	assert.Equal(t, []appendfile.Part{{Path: "default", Indices: []int{0, 3}}, {Path: "x", Indices: []int{1, 4}}, {Path: "y", Indices: []int{5}}}, all)
	ctx, cancel := context.WithCancel(t.Context())
	bad := errors.New("bad")
	appendfile.Each(ctx, all, &failures, func(p appendfile.Part) (int, error) {
		if p.Path == "x" {
			cancel()
			return 1, bad
		}
		return len(p.Indices), nil
	})
	p := record.AsPartial(failures.Err())
	assert.Equal(t, []int{2, 4, 5}, p.Indices())
	require.ErrorIs(t, p.Failed[4], bad)
	require.ErrorIs(t, p.Failed[5], context.Canceled)
}
