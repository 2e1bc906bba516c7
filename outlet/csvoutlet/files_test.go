package csvoutlet_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/outlet/csvoutlet"
	"github.com/databay-go/databay/record"
)

func TestFileOfARecord(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	in := func(name string) string { return filepath.Join(folder, name) }
	o := started(t, in("default.csv"), nil)
	causes := failed(t, o,
		record.New(row{"a": 1}),
		record.New(row{"b": 2}, csvoutlet.File.Of(in("deep/er/b.csv"))),
		record.New(row{"a": 3}, csvoutlet.File.Of(in("./x/../default.csv"))),
		record.New(row{"c": 4}, csvoutlet.File.Of(in("deep/er/b.csv"))),
		record.New(row{"a": 5}, csvoutlet.File.Of("")),
		record.New(row{"a": 6}, record.Attr{Key: "csvoutlet.file", Value: 6}),
		record.New(row{"a": 7}, record.Attr{Key: "other.key", Value: 6}),
	)
	assert.Equal(t, "a\n1\n3\n7\n", read(t, in("default.csv")))
	assert.Equal(t, "b\n2\n", read(t, in("deep/er/b.csv")))
	require.Len(t, causes, 3)
	require.ErrorContains(t, causes[3], `column "c"`)
	require.ErrorContains(t, causes[4], `metadata csvoutlet.file is ""`)
	require.ErrorContains(t, causes[5], `metadata csvoutlet.file is 6`)
}

func TestTruncate(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	one, two, link := filepath.Join(folder, "one.csv"), filepath.Join(folder, "two.csv"), filepath.Join(folder, "link.csv")
	for _, file := range []string{one, two} {
		write(t, file, "old\n1\n")
	}
	require.NoError(t, os.Symlink(two, link))
	o := csvoutlet.New(one, &csvoutlet.Options{Truncate: true, MaxOpen: 1})
	for round := range 2 {
		require.NoError(t, o.Start(t.Context()))
		if round == 0 {
			assert.Equal(t, "old\n1\n", read(t, one), "the first record empties it, not the start")
		}
		for i := range 3 {
			push(t, o, record.New(row{"n": i}), record.New(row{"m": i}, csvoutlet.File.Of(two)), record.New(row{"m": -i}, csvoutlet.File.Of(link)))
		}
		require.NoError(t, o.Shutdown(t.Context()))
		assert.Equal(t, "n\n0\n1\n2\n", read(t, one))
		assert.Equal(t, "m\n0\n0\n1\n-1\n2\n-2\n", read(t, two), "once, by whatever name")
	}
}

// A record may have its file emptied, once after a start.
func TestTruncateOfARecord(t *testing.T) {
	t.Parallel()
	file := path(t)
	yes, no := csvoutlet.Truncate.Of(true), csvoutlet.Truncate.Of(false)
	for range 2 {
		o := started(t, file, nil)
		push(t, o, record.New(row{"a": 1}))
		push(t, o, record.New(row{"b": 2}), record.New(row{"b": 3}, yes))
		push(t, o, record.New(row{"b": 4}, yes))
		require.NoError(t, o.Shutdown(t.Context()))
		assert.Equal(t, "b\n2\n3\n4\n", read(t, file), "also while it is open")
		write(t, file, "a\n0\n")
	}
	o := started(t, file, &csvoutlet.Options{Truncate: true})
	push(t, o, record.New(row{"a": 1}, no))
	assert.Equal(t, "a\n0\n1\n", read(t, file), "a record wins over the outlet")
	wrong := record.NewKey[string]("csvoutlet.truncate")
	causes := failed(t, o, record.New(row{"c": 2}, wrong.Of("yes")), record.New(row{"b": 2}))
	require.Len(t, causes, 1)
	require.EqualError(t, causes[0], "metadata csvoutlet.truncate is a string, want true or false")
	assert.True(t, record.IsPermanent(causes[0]))
	assert.Equal(t, "b\n2\n", read(t, file))
}

func TestOneFileByTwoNames(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file, link := filepath.Join(folder, "file.csv"), filepath.Join(folder, "link.csv")
	o := started(t, file, nil)
	push(t, o, record.New(row{"a": 1}))
	require.NoError(t, os.Link(file, link))
	push(t, o, record.New(row{"a": 2}, csvoutlet.File.Of(link)), record.New(row{"a": 3}), record.New(row{"a": 4}, csvoutlet.File.Of(link)))
	assert.ElementsMatch(t, [][]string{{"a"}, {"1"}, {"2"}, {"3"}, {"4"}}, rows(t, file))
}

func TestMaxOpen(t *testing.T) {
	t.Parallel()
	for _, most := range []int{1, 2, 0, -1} {
		folder := t.TempDir()
		o := started(t, filepath.Join(folder, "x.csv"), &csvoutlet.Options{MaxOpen: most})
		for i := range 6 {
			var rs []record.Record
			for f := range 70 {
				rs = append(rs, record.New(row{"n": i}, csvoutlet.File.Of(filepath.Join(folder, fmt.Sprintf("%d.csv", f)))))
			}
			push(t, o, rs...)
			if fds, err := filepath.Glob("/proc/self/fd/*"); err == nil && most > 0 {
				open := 0
				for _, fd := range fds {
					if to, _ := os.Readlink(fd); filepath.Dir(to) == folder {
						open++
					}
				}
				assert.LessOrEqual(t, open, most)
			}
		}
		for f := range 70 {
			assert.Equal(t, "n\n0\n1\n2\n3\n4\n5\n", read(t, filepath.Join(folder, fmt.Sprintf("%d.csv", f))))
		}
	}
}

// What others do to the files between two pushes is noticed.
func TestFilesChangeBetweenPushes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(t *testing.T, file string)
		want   string
		fails  string
	}{
		{"removed", func(t *testing.T, file string) { require.NoError(t, os.Remove(file)) }, "b\n2\n", ""},
		{"folder removed", func(t *testing.T, file string) { require.NoError(t, os.RemoveAll(filepath.Dir(file))) }, "b\n2\n", ""},
		{"renamed, as by log rotation", func(t *testing.T, file string) { require.NoError(t, os.Rename(file, file+".1")) }, "b\n2\n", ""},
		{"replaced", func(t *testing.T, file string) {
			write(t, file+".new", "b,c\n")
			require.NoError(t, os.Rename(file+".new", file))
		}, "b,c\n2,\n", ""},
		{"emptied", func(t *testing.T, file string) { require.NoError(t, os.Truncate(file, 0)) }, "b\n2\n", ""},
		{"appended to", func(t *testing.T, file string) { write(t, file, "a,b\n1,\n5,6") }, "a,b\n1,\n5,6\n,2\n", ""},
		{"made unreadable", func(t *testing.T, file string) { write(t, file, "a,a\n1,1\n") }, "a,a\n1,1\n", `column "a" is there twice`},
		{"replaced by a folder", func(t *testing.T, file string) {
			require.NoError(t, os.Remove(file))
			require.NoError(t, os.Mkdir(file, 0o755))
		}, "", "is a folder, want a regular file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "folder", "out.csv")
			o := started(t, file, nil)
			push(t, o, record.New(row{"a": 1}))
			test.change(t, file)
			if test.fails == "" {
				push(t, o, record.New(row{"b": 2}))
			} else {
				for range 2 { // the second push must not take the file for a new one
					causes := failed(t, o, record.New(row{"b": 2}))
					require.ErrorContains(t, causes[0], test.fails)
					assert.False(t, record.IsPermanent(causes[0]), "it may be mended")
				}
			}
			if test.want != "" {
				assert.Equal(t, test.want, read(t, file))
			}
		})
	}
}
