package csvoutlet_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/outlet/csvoutlet"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		path string
		opts *csvoutlet.Options
		want []string // nil: valid
	}{
		{"nil options", "a.csv", nil, nil},
		{"everything", "a.csv", &csvoutlet.Options{Columns: []string{"a", "b"}, OtherColumns: csvoutlet.Ignore, Truncate: true, CRLF: true, Comma: '\t', Sync: csvoutlet.SyncInterval, SyncEvery: time.Minute, MaxOpen: -1}, nil},
		{"no columns", "a.csv", &csvoutlet.Options{Columns: []string{}}, nil},
		{"empty path", "", nil, []string{"path is empty"}},
		{"empty column", "a.csv", &csvoutlet.Options{Columns: []string{"a", ""}}, []string{"Columns[1] is empty"}},
		{"column twice", "a.csv", &csvoutlet.Options{Columns: []string{"a", "b", "a"}}, []string{`Columns[2] is "a" for a second time`}},
		{"unknown policy", "a.csv", &csvoutlet.Options{OtherColumns: 7}, []string{"OtherColumns is 7, want Refuse or Ignore"}},
		{"quote as comma", "a.csv", &csvoutlet.Options{Comma: '"'}, []string{`Comma is '"'`}},
		{"line end as comma", "a.csv", &csvoutlet.Options{Comma: '\n'}, []string{`Comma is '\n'`}},
		{"no character as comma", "a.csv", &csvoutlet.Options{Comma: -1}, []string{"Comma is"}},
		{"unknown sync", "a.csv", &csvoutlet.Options{Sync: 7}, []string{"Sync is 7, want SyncNever, SyncPush or SyncInterval"}},
		{"interval without sync", "a.csv", &csvoutlet.Options{SyncEvery: time.Second}, []string{"SyncEvery is 1s, want 0 unless Sync is SyncInterval"}},
		{"negative interval", "a.csv", &csvoutlet.Options{Sync: csvoutlet.SyncInterval, SyncEvery: -1}, []string{"SyncEvery is -1ns, want more than 0"}},
		{"negative bound", "a.csv", &csvoutlet.Options{MaxOpen: -2}, []string{"MaxOpen is -2, want more than 0"}},
		{"all at once", "", &csvoutlet.Options{Columns: []string{""}, OtherColumns: 3, Comma: '\r', Sync: 9, MaxOpen: -9}, []string{"path", "Columns[0]", "OtherColumns", "Comma", "Sync", "MaxOpen"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := csvoutlet.New(test.path, test.opts)
			err := o.Validate()
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			assert.Len(t, strings.Split(err.Error(), "\n"), len(test.want))
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
			require.Error(t, o.Start(t.Context()), "what is not valid does not start")
		})
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	columns := &csvoutlet.Options{Columns: []string{"a", "b"}}
	tests := []struct {
		name     string
		existing string
		path     string // in the folder
		opts     *csvoutlet.Options
		want     string
	}{
		{"a folder", "", "", nil, "is a folder, want a regular file"},
		{"a file as folder", "a\n", "out.csv/deeper.csv", nil, "not a directory"},
		{"a file as folder's folder", "a\n", "out.csv/folder/deeper.csv", nil, "not a directory"},
		{"name that is too long", "", strings.Repeat("x", 300), nil, "too long"},
		{"name with a zero", "", "a\x00b", nil, "invalid"},
		{"other columns than given", "a,c\n", "out.csv", columns, `out.csv: has the columns "a", "c", without "b" of Options.Columns`},
		{"another comma", "a;b\n", "out.csv", columns, `has the columns "a;b", without "a", "b"`},
		{"column twice", "a,b,a\n", "out.csv", nil, `out.csv: header: the column "a" is there twice`},
		{"broken quotes", "a,\"b\n", "out.csv", nil, "out.csv: header:"},
		{"empty lines", "\n\n", "out.csv", nil, "only empty lines"},
		{"no CSV", strings.Repeat("x", 2<<20), "out.csv", nil, "more than 1048576 bytes; is this a CSV file?"},
		{"no CSV, in lines", "\n" + strings.Repeat("x", 2<<20) + "\na,b\n", "out.csv", nil, "more than 1048576 bytes; is this a CSV file?"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			if test.existing != "" {
				write(t, filepath.Join(folder, "out.csv"), test.existing)
			}
			o := csvoutlet.New(filepath.Join(folder, test.path), test.opts)
			require.ErrorContains(t, o.Check(t.Context()), test.want)
			err := o.Start(t.Context())
			require.ErrorContains(t, err, test.want)
			assert.Less(t, len(err.Error()), 1000)
			require.ErrorContains(t, o.Push(t.Context(), records(row{"a": 1}), emptyUpdate), "not started")
			if test.existing != "" {
				assert.Equal(t, test.existing, read(t, filepath.Join(folder, "out.csv")), "the file is left alone")
			}
		})
	}
}

// With Truncate it does not matter what was there.
func TestStartWithTruncateLooksAtNothing(t *testing.T) {
	t.Parallel()
	file := path(t)
	write(t, file, "a,a\n")
	push(t, started(t, file, &csvoutlet.Options{Truncate: true}), records(row{"b": 1})...)
	assert.Equal(t, "b\n1\n", read(t, file))
}

// Check says what Start would, and leaves nothing behind.
func TestCheck(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	o := csvoutlet.New(filepath.Join(folder, "new", "folder", "out.csv"), &csvoutlet.Options{Truncate: true})
	require.NoError(t, o.Check(t.Context()))
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Empty(t, entries)
	require.NoError(t, o.Start(t.Context()))
	push(t, o, records(row{"a": 1})...)
	before := read(t, filepath.Join(folder, "new", "folder", "out.csv"))
	require.NoError(t, o.Check(t.Context()), "beside other calls")
	assert.Equal(t, before, read(t, filepath.Join(folder, "new", "folder", "out.csv")))
	require.NoError(t, o.Shutdown(t.Context()))
	require.ErrorContains(t, csvoutlet.New("", nil).Check(t.Context()), "path is empty")
}

func TestRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	push(t, started(t, "out.csv", nil), records(row{"a": 1})...)
	assert.Equal(t, "a\n1\n", read(t, "out.csv"))
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	assert.Len(t, entries, 1, "the probe is gone")
}

func TestSymbolicLinkToNothing(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	link := filepath.Join(folder, "link.csv")
	require.NoError(t, os.Symlink(filepath.Join(folder, "target.csv"), link))
	push(t, started(t, link, &csvoutlet.Options{Truncate: true}), records(row{"a": 1})...)
	assert.Equal(t, "a\n1\n", read(t, filepath.Join(folder, "target.csv")))
}

func TestStrings(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "never push interval Sync(9)", fmt.Sprint(csvoutlet.SyncNever, " ", csvoutlet.SyncPush, " ", csvoutlet.SyncInterval, " ", csvoutlet.Sync(9)))
	assert.Equal(t, "refuse ignore OtherColumns(9)", fmt.Sprint(csvoutlet.Refuse, " ", csvoutlet.Ignore, " ", csvoutlet.OtherColumns(9)))
}
