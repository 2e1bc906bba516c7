package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

func TestFiles(t *testing.T) {
	t.Parallel()
	testkit.TestOutlet(t, func(t *testing.T) (outlet.Outlet, func() []record.Record) {
		file := filepath.Join(t.TempDir(), "new", "out.txt")
		return Files{Default: file}, func() (written []record.Record) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			for line := range strings.Lines(string(text)) {
				written = append(written, record.New(strings.TrimSpace(line)))
			}
			return written
		}
	}, func(i int) record.Record { return record.New(strconv.Itoa(i)) }, nil)
	require.ErrorContains(t, Files{}.Validate(), "Default")
}

// A record whose file cannot be written fails alone.
func TestFilesPartial(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "a.txt")
	err := Files{Default: file}.Push(t.Context(), []record.Record{
		record.New(1), record.New(2, Path.Of(folder)), record.New(3),
	}, record.Update{})
	partial := record.AsPartial(err)
	require.NotNil(t, partial)
	require.Equal(t, []int{1}, partial.Indices())
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "1\n3\n", string(text))
}

func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		require.NoError(t, run(ctx, folder))
		text, err := os.ReadFile(filepath.Join(folder, "random_ints.txt"))
		require.NoError(t, err)
		require.Regexp(t, `^\d+\n\d+\n\d+\n$`, string(text))
	})
}
