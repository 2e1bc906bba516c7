package fileoutlet_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"

	"github.com/databay-go/databay/outlet/fileoutlet"
	"github.com/databay-go/databay/record"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	type options = fileoutlet.Options
	tests := []struct {
		name string
		path string
		opts *options
		want []string // nil: valid
	}{
		{"nil options", "a.log", nil, nil},
		{"everything", "a.log", &options{
			Encode: fileoutlet.JSON, Encoding: charmap.ISO8859_1, CRLF: true, Truncate: true, MaxOpen: -1,
			Rotate: fileoutlet.Rotate{Size: 1, Every: time.Second, Keep: 1}, Sync: fileoutlet.SyncInterval, SyncEvery: time.Minute,
		}, nil},
		{"replace", "a.log", &options{Replace: true, Sync: fileoutlet.SyncPush, CRLF: true}, nil},
		{"empty path", "", nil, []string{"path is empty, want that of a file"}},
		{"encoding without text", "a.log", &options{Encoding: encoding.Replacement}, []string{"Encoding: ", "want an encoding of text"}},
		{"replace and truncate", "a.log", &options{Replace: true, Truncate: true}, []string{"Truncate is true, want false together with Replace"}},
		{"replace and rotate", "a.log", &options{Replace: true, Rotate: fileoutlet.Rotate{Size: 5}}, []string{"Rotate is {Size:5 Every:0s Keep:0}, want none together with Replace"}},
		{"replace and interval", "a.log", &options{Replace: true, Sync: fileoutlet.SyncInterval}, []string{"Sync is interval, want SyncNever or SyncPush together with Replace"}},
		{"negative size", "a.log", &options{Rotate: fileoutlet.Rotate{Size: -1}}, []string{"Rotate.Size is -1, want more than 0 bytes"}},
		{"negative age", "a.log", &options{Rotate: fileoutlet.Rotate{Every: -time.Second}}, []string{"Rotate.Every is -1s, want more than 0"}},
		{"negative number kept", "a.log", &options{Rotate: fileoutlet.Rotate{Size: 1, Keep: -1}}, []string{"Rotate.Keep is -1, want more than 0 files"}},
		{"kept without rotation", "a.log", &options{Rotate: fileoutlet.Rotate{Keep: 3}}, []string{"Rotate.Keep is 3, want 0 without Rotate.Size and Rotate.Every"}},
		{"unknown sync", "a.log", &options{Sync: 7}, []string{"Sync is 7, want SyncNever, SyncPush or SyncInterval"}},
		{"interval without sync", "a.log", &options{SyncEvery: time.Second}, []string{"SyncEvery is 1s, want 0 unless Sync is SyncInterval"}},
		{"negative interval", "a.log", &options{Sync: fileoutlet.SyncInterval, SyncEvery: -1}, []string{"SyncEvery is -1ns, want more than 0"}},
		{"negative bound", "a.log", &options{MaxOpen: -2}, []string{"MaxOpen is -2, want more than 0"}},
		{"idempotent", "a.log", &options{Idempotent: true, IDOf: fileoutlet.IDInJSON, Window: 5, CRLF: true, Rotate: fileoutlet.Rotate{Size: 5}}, nil},
		{"idempotent and truncate", "a.log", &options{Idempotent: true, Truncate: true}, []string{"Idempotent is true, want false together with Truncate or Replace"}},
		{"idempotent and replace", "a.log", &options{Idempotent: true, Replace: true}, []string{"Idempotent is true, want false together with Truncate or Replace"}},
		{"idempotent and encoded", "a.log", &options{Idempotent: true, Encoding: charmap.ISO8859_1}, []string{"Encoding is ISO 8859-1, want nil together with Idempotent"}},
		{"negative window", "a.log", &options{Idempotent: true, Window: -1}, []string{"Window is -1, want more than 0 records"}},
		{"window alone", "a.log", &options{Window: 5, IDOf: fileoutlet.IDInJSON}, []string{"Window is 5, want 0 unless Idempotent is true", "IDOf is set, want nil unless Idempotent is true"}},
		{"all at once", "", &options{
			Encoding: encoding.Replacement, Replace: true, Truncate: true, Rotate: fileoutlet.Rotate{Size: -1, Every: -1, Keep: -1}, Sync: 9, MaxOpen: -9,
		}, []string{"path", "Encoding", "Truncate", "Rotate is", "Rotate.Size", "Rotate.Every", "Rotate.Keep", "Sync", "MaxOpen"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := fileoutlet.New(test.path, test.opts)
			err := o.Validate()
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
			require.Error(t, o.Start(t.Context()), "what is not valid does not start")
		})
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, path, want string }{
		{"a folder", "", "is a folder, want a regular file"},
		{"a file as folder", "out.log/deeper.log", "not a directory"},
		{"name that is too long", strings.Repeat("x", 300), "too long"},
		{"name with a zero", "a\x00b", "invalid"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, opts := range []*fileoutlet.Options{nil, {Replace: true}, {Truncate: true}, {Rotate: fileoutlet.Rotate{Size: 1}}} {
				folder := t.TempDir()
				write(t, filepath.Join(folder, "out.log"), "old\n")
				o := fileoutlet.New(filepath.Join(folder, test.path), opts)
				if test.name == "name that is too long" {
					// Nothing tells before a file of that name is made.
					if o.Start(t.Context()) == nil {
						causes := failed(t, o, records("a")...)
						require.ErrorContains(t, causes[0], test.want)
					}
				} else {
					require.ErrorContains(t, o.Check(t.Context()), test.want)
					require.ErrorContains(t, o.Start(t.Context()), test.want)
					require.ErrorContains(t, o.Push(t.Context(), records("a"), record.Update{}), "not started")
				}
				assert.Equal(t, "old\n", read(t, filepath.Join(folder, "out.log")), "the file is left alone")
				assert.Equal(t, []string{"out.log"}, names(t, folder), "no probe is left")
			}
		})
	}
}

// Check says what Start would, and leaves nothing behind.
func TestCheck(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	o := fileoutlet.New(filepath.Join(folder, "new", "folder", "out.log"), &fileoutlet.Options{Truncate: true})
	require.NoError(t, o.Check(t.Context()))
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Empty(t, entries)
	require.NoError(t, o.Start(t.Context()))
	push(t, o, records("a")...)
	before := read(t, filepath.Join(folder, "new", "folder", "out.log"))
	require.NoError(t, o.Check(t.Context()), "beside other calls")
	assert.Equal(t, before, read(t, filepath.Join(folder, "new", "folder", "out.log")))
	require.NoError(t, o.Shutdown(t.Context()))
	require.ErrorContains(t, fileoutlet.New("", nil).Check(t.Context()), "path is empty")
}

func TestRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	push(t, started(t, "out.log", nil), records("a")...)
	push(t, started(t, "new.log", &fileoutlet.Options{Replace: true}), records("a")...)
	assert.Equal(t, "a\n", read(t, "out.log"))
	assert.Equal(t, []string{"new.log", "out.log"}, names(t, "."), "the probe is gone")
}

func TestSymbolicLinks(t *testing.T) {
	t.Parallel()
	for _, opts := range []*fileoutlet.Options{{Truncate: true}, {Replace: true}} {
		folder := t.TempDir()
		link, target := filepath.Join(folder, "link.log"), filepath.Join(folder, "deep", "target.log")
		require.NoError(t, os.Mkdir(filepath.Dir(target), 0o755))
		write(t, target, "old\n")
		require.NoError(t, os.Chmod(target, 0o640))
		require.NoError(t, os.Symlink(target, link))
		push(t, started(t, link, opts), records("a")...)
		assert.Equal(t, "a\n", read(t, target))
		info, err := os.Lstat(link)
		require.NoError(t, err)
		assert.Equal(t, os.ModeSymlink, info.Mode().Type(), "the link stays")
		info, err = os.Stat(target)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o640), info.Mode(), "and so do the permissions")
		assert.Equal(t, []string{"target.log"}, names(t, filepath.Dir(target)))
	}
}

func TestSyncString(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "never push interval Sync(9)", fmt.Sprint(fileoutlet.SyncNever, " ", fileoutlet.SyncPush, " ", fileoutlet.SyncInterval, " ", fileoutlet.Sync(9)))
}
