package fileoutlet_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/databay-go/databay/outlet/fileoutlet"
	"github.com/databay-go/databay/record"
)

func TestFileOfARecord(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	in := func(name string) string { return filepath.Join(folder, name) }
	o := started(t, in("default.log"), nil)
	push(t, o,
		record.New(1),
		record.New(2, fileoutlet.File.Of(in("deep/er/b.log"))),
		record.New(3, fileoutlet.File.Of(in("./x/../default.log"))),
		record.New(4, fileoutlet.File.Of(in("deep/er/b.log"))),
		record.New(5, record.Attr{Key: "other.key", Value: 6}),
		record.New("ü", fileoutlet.File.Of(in("latin.log")), fileoutlet.Encoding.Of(charmap.ISO8859_1)),
		record.New("ü"),
	)
	assert.Equal(t, "1\n3\n5\nü\n", read(t, in("default.log")))
	assert.Equal(t, "2\n4\n", read(t, in("deep/er/b.log")))
	assert.Equal(t, "\xfc\n", read(t, in("latin.log")))
}

// The first record says in which encoding a file is written, as long as it is open.
func TestOneEncodingAFile(t *testing.T) {
	t.Parallel()
	file := path(t)
	wide := fileoutlet.Encoding.Of(unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM))
	o := started(t, file, nil)
	push(t, o, record.New("a", wide), record.New("b", fileoutlet.Encoding.Of(unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM))))
	causes := failed(t, o, record.New("c"), record.New("d", wide))
	require.Len(t, causes, 2)
	require.ErrorContains(t, causes[0], "is UTF-8, but "+file+" is written in UTF-16LE (Ignore BOM)")
	require.ErrorContains(t, causes[1], "want that of the records before")
	push(t, o, record.New("e", wide))
	assert.Equal(t, "a\x00\n\x00b\x00\n\x00e\x00\n\x00", read(t, file))
}

func TestTruncate(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	one, two, link := filepath.Join(folder, "one.log"), filepath.Join(folder, "two.log"), filepath.Join(folder, "link.log")
	for _, file := range []string{one, two} {
		write(t, file, "old\n")
	}
	require.NoError(t, os.Symlink(two, link))
	for _, most := range []int{1, 0} {
		o := fileoutlet.New(one, &fileoutlet.Options{Truncate: true, MaxOpen: most})
		for round := range 2 {
			before := read(t, one)
			require.NoError(t, o.Start(t.Context()))
			assert.Equal(t, before, read(t, one), "the first record empties it, not the start")
			for i := range 3 {
				push(t, o, record.New(i), record.New(i, fileoutlet.File.Of(two)), record.New(-i-1, fileoutlet.File.Of(link)))
			}
			require.NoError(t, o.Shutdown(t.Context()))
			assert.Equal(t, "0\n1\n2\n", read(t, one), round)
			assert.Equal(t, "0\n-1\n1\n-2\n2\n-3\n", read(t, two), "once, by whatever name")
		}
	}
}

// A record may have its file emptied, once after a start.
func TestTruncateOfARecord(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	log, fresh := filepath.Join(folder, "log"), filepath.Join(folder, "fresh")
	write(t, log, "old\n")
	write(t, fresh, "old\n")
	yes, no := fileoutlet.Truncate.Of(true), fileoutlet.Truncate.Of(false)
	for range 2 {
		o := started(t, log, nil)
		push(t, o, record.New(1, no), record.New(1, yes, fileoutlet.File.Of(fresh)))
		push(t, o, record.New(2), record.New(2, yes, fileoutlet.File.Of(fresh)), record.New(3, fileoutlet.File.Of(fresh)))
		require.NoError(t, o.Shutdown(t.Context()))
	}
	assert.Equal(t, "old\n1\n2\n1\n2\n", read(t, log))
	assert.Equal(t, "1\n2\n3\n", read(t, fresh))

	o := started(t, log, nil)
	push(t, o, record.New("kept open"))
	push(t, o, record.New("first", yes), record.New("second"))
	assert.Equal(t, "first\nsecond\n", read(t, log), "also while it is open")

	o = started(t, log, &fileoutlet.Options{Truncate: true})
	push(t, o, record.New("not", no))
	assert.Equal(t, "first\nsecond\nnot\n", read(t, log), "a record wins over the outlet")
	push(t, o, record.New("anew"))
	assert.Equal(t, "anew\n", read(t, log))
}

func TestOneFileByTwoNames(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file, link := filepath.Join(folder, "file.log"), filepath.Join(folder, "link.log")
	o := started(t, file, nil)
	push(t, o, record.New(1))
	require.NoError(t, os.Link(file, link))
	push(t, o, record.New(2, fileoutlet.File.Of(link)), record.New(3), record.New(4, fileoutlet.File.Of(link)))
	assert.ElementsMatch(t, []string{"1", "2", "3", "4"}, lines(t, file))
}

func TestMaxOpen(t *testing.T) {
	t.Parallel()
	for _, most := range []int{1, 2, 0, -1} {
		folder := t.TempDir()
		o := started(t, filepath.Join(folder, "x.log"), &fileoutlet.Options{MaxOpen: most})
		for i := range 3 {
			var rs []record.Record
			for f := range 70 {
				rs = append(rs, record.New(i, fileoutlet.File.Of(filepath.Join(folder, fmt.Sprintf("%d.log", f)))))
			}
			push(t, o, rs...)
			if fds, err := filepath.Glob("/proc/self/fd/*"); err == nil {
				open := 0
				for _, fd := range fds {
					if to, _ := os.Readlink(fd); filepath.Dir(to) == folder {
						open++
					}
				}
				assert.LessOrEqual(t, open, map[int]int{1: 1, 2: 2, 0: 64, -1: 70}[most])
			}
		}
		for f := range 70 {
			assert.Equal(t, "0\n1\n2\n", read(t, filepath.Join(folder, fmt.Sprintf("%d.log", f))))
		}
	}
}

// What others do to the files between two pushes is noticed.
func TestFilesChangeBetweenPushes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		change   func(t *testing.T, file string)
		appended string
		replaced string
		fails    string
	}{
		{"removed", func(t *testing.T, file string) { require.NoError(t, os.Remove(file)) }, "2\n", "2\n", ""},
		{"folder removed", func(t *testing.T, file string) { require.NoError(t, os.RemoveAll(filepath.Dir(file))) }, "2\n", "2\n", ""},
		{"renamed, as by log rotation", func(t *testing.T, file string) { require.NoError(t, os.Rename(file, file+".1")) }, "2\n", "2\n", ""},
		{"replaced", func(t *testing.T, file string) {
			write(t, file+".new", "b\n")
			require.NoError(t, os.Rename(file+".new", file))
		}, "b\n2\n", "2\n", ""},
		{"emptied", func(t *testing.T, file string) { require.NoError(t, os.Truncate(file, 0)) }, "2\n", "2\n", ""},
		{"appended to", func(t *testing.T, file string) { write(t, file, "1\nunfinished") }, "1\nunfinished\n2\n", "2\n", ""},
		{"replaced by a folder", func(t *testing.T, file string) {
			require.NoError(t, os.Remove(file))
			require.NoError(t, os.Mkdir(file, 0o755))
		}, "", "", "is a folder, want a regular file"},
		{"replaced by a file as folder", func(t *testing.T, file string) {
			require.NoError(t, os.RemoveAll(filepath.Dir(file)))
			write(t, filepath.Dir(file), "")
		}, "", "", "not a directory"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, replace := range []bool{false, true} {
				file := filepath.Join(t.TempDir(), "folder", "out.log")
				o := started(t, file, &fileoutlet.Options{Replace: replace})
				push(t, o, record.New(1))
				test.change(t, file)
				if test.fails != "" {
					causes := failed(t, o, record.New(2))
					require.ErrorContains(t, causes[0], test.fails)
					assert.False(t, record.IsPermanent(causes[0]), "it may be mended")
					continue
				}
				push(t, o, record.New(2))
				assert.Equal(t, map[bool]string{false: test.appended, true: test.replaced}[replace], read(t, file))
			}
		})
	}
}
