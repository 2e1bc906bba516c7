package fileoutlet_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/unicode"

	"github.com/databay-go/databay/outlet/fileoutlet"
	"github.com/databay-go/databay/record"
)

// rotated returns the files that path was renamed to, oldest first, and path.
func rotated(t testing.TB, path string) []string {
	t.Helper()
	all, err := filepath.Glob(path + ".*")
	require.NoError(t, err)
	if _, err := os.Stat(path); err == nil {
		all = append(all, path)
	}
	return all
}

// shown returns the names and contents of files.
func shown(t testing.TB, files []string) (all []string) {
	t.Helper()
	for _, f := range files {
		all = append(all, filepath.Base(f)+": "+strings.ReplaceAll(read(t, f), "\n", "|"))
	}
	return all
}

func TestRotateBySize(t *testing.T) {
	t.Parallel()
	file := path(t)
	o := started(t, file, &fileoutlet.Options{Rotate: fileoutlet.Rotate{Size: 10}})
	push(t, o, records("1234", "1234")...)
	assert.Equal(t, []string{"out.log: 1234|1234|"}, shown(t, rotated(t, file)), "exactly full")
	push(t, o, records("a", "b", strings.Repeat("x", 20), "c", "123456789")...)
	push(t, o, records("d")...)
	assert.Equal(t, []string{
		"out.log.000001: 1234|1234|", "out.log.000002: a|b|", "out.log.000003: " + strings.Repeat("x", 20) + "|",
		"out.log.000004: c|", "out.log.000005: 123456789|", "out.log: d|",
	}, shown(t, rotated(t, file)))
}

// Numbers go on after those that are there, whatever else is there.
func TestRotatedNames(t *testing.T) {
	t.Parallel()
	file := path(t)
	for _, name := range []string{".000007", ".000003", ".1", ".0000009", ".000009x", ".+00009", ".gz", ".000010.gz"} {
		write(t, file+name, name)
	}
	write(t, filepath.Join(filepath.Dir(file), "other.log.000012"), "")
	opts := &fileoutlet.Options{Rotate: fileoutlet.Rotate{Size: 1}}
	push(t, started(t, file, opts), records("a", "b")...)
	assert.Equal(t, "a\n", read(t, file+".000008"))
	assert.Equal(t, "b\n", read(t, file))

	write(t, file+".999999", "")
	push(t, started(t, file, opts), records("c")...)
	assert.Equal(t, "b\n", read(t, file+".1000000"), "more digits")
	push(t, started(t, file, opts), records("d")...)
	assert.Equal(t, "c\n", read(t, file+".1000001"))
}

func TestKeep(t *testing.T) {
	t.Parallel()
	file := path(t)
	o := started(t, file, &fileoutlet.Options{Rotate: fileoutlet.Rotate{Size: 1, Keep: 2}})
	for i := range 6 {
		push(t, o, records(i)...)
	}
	assert.Equal(t, []string{"out.log.000004: 3|", "out.log.000005: 4|", "out.log: 5|"}, shown(t, rotated(t, file)))
}

// A file that cannot be removed fails the Shutdown, not the records.
func TestKeepFails(t *testing.T) {
	t.Parallel()
	file := path(t)
	require.NoError(t, os.MkdirAll(filepath.Join(file+".000001", "full"), 0o755))
	o := fileoutlet.New(file, &fileoutlet.Options{Rotate: fileoutlet.Rotate{Size: 1, Keep: 1}})
	require.NoError(t, o.Start(t.Context()))
	push(t, o, records("a", "b")...)
	require.ErrorContains(t, o.Shutdown(t.Context()), "removing a file that was rotated")
	assert.Equal(t, "a\n", read(t, file+".000002"))
	assert.Equal(t, "b\n", read(t, file))
}

func TestRotateByTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // it is midnight, 2000-01-01
		file := path(t)
		opts := &fileoutlet.Options{Rotate: fileoutlet.Rotate{Every: time.Hour}}
		o := fileoutlet.New(file, opts)
		require.NoError(t, o.Start(t.Context()))
		for range 9 { // every 20 minutes, from 0:00 to 2:40
			push(t, o, records(time.Now().Format("15:04"))...)
			time.Sleep(20 * time.Minute)
		}
		time.Sleep(5 * time.Hour) // nobody rotates an idle file
		assert.Equal(t, []string{
			"out.log.000001: 00:00|00:20|00:40|", "out.log.000002: 01:00|01:20|01:40|", "out.log: 02:00|02:20|02:40|",
		}, shown(t, rotated(t, file)))
		push(t, o, records("late")...)
		require.NoError(t, o.Shutdown(t.Context()))

		// After a restart, what counts is when the file was changed.
		now := time.Now()
		for n, at := range []time.Time{now, now.Add(time.Hour), now.Add(-time.Hour)} {
			require.NoError(t, os.Chtimes(file, at, at))
			require.NoError(t, o.Start(t.Context()))
			push(t, o, records(fmt.Sprint("restart ", n))...)
			require.NoError(t, o.Shutdown(t.Context()))
		}
		assert.Equal(t, []string{"out.log.000003: 02:00|02:20|02:40|", "out.log.000004: late|restart 0|restart 1|", "out.log: restart 2|"}, shown(t, rotated(t, file)[2:]))
	})
}

func TestRotateByDayAndSize(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		file := path(t)
		o := fileoutlet.New(file, &fileoutlet.Options{Rotate: fileoutlet.Rotate{Every: 7 * 24 * time.Hour, Size: 30}})
		require.NoError(t, o.Start(t.Context()))
		for range 10 {
			push(t, o, records(time.Now().Format("Mon 02"))...)
			time.Sleep(24 * time.Hour)
		}
		require.NoError(t, o.Shutdown(t.Context()))
		assert.Equal(t, []string{
			"out.log.000001: Sat 01|Sun 02|", "out.log.000002: Mon 03|Tue 04|Wed 05|Thu 06|", "out.log.000003: Fri 07|Sat 08|Sun 09|", "out.log: Mon 10|",
		}, shown(t, rotated(t, file)))
	})
}

// Every file of a rotation is complete in itself.
func TestRotateEncoded(t *testing.T) {
	t.Parallel()
	file := path(t)
	o := started(t, file, &fileoutlet.Options{Encoding: unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), Rotate: fileoutlet.Rotate{Size: 10}})
	push(t, o, records("ab", "c", "d")...)
	assert.Equal(t, []string{"out.log.000001: \xff\xfea\x00b\x00|\x00", "out.log: \xff\xfec\x00|\x00d\x00|\x00"}, shown(t, rotated(t, file)))
}

// The file behind a symbolic link is rotated, where it is.
func TestRotateBehindALink(t *testing.T) {
	t.Parallel()
	file := path(t)
	link := filepath.Join(t.TempDir(), "link.log")
	require.NoError(t, os.Symlink(file, link))
	push(t, started(t, link, &fileoutlet.Options{Rotate: fileoutlet.Rotate{Size: 1}}), records("a", "b")...)
	assert.Equal(t, []string{"out.log.000001: a|", "out.log: b|"}, shown(t, rotated(t, file)))
	assert.Equal(t, []string{"link.log"}, names(t, filepath.Dir(link)))
}

// Records that fail do not rotate, and are not counted.
func TestRotateAndFailures(t *testing.T) {
	t.Parallel()
	file := path(t)
	o := started(t, file, &fileoutlet.Options{Encode: fileoutlet.JSON, Rotate: fileoutlet.Rotate{Size: 4}})
	bad := record.New(func() {})
	causes := failed(t, o, bad, record.New(1), bad, record.New(2), bad, record.New(3), bad)
	assert.Len(t, causes, 4)
	assert.Equal(t, []string{"out.log.000001: 1|2|", "out.log: 3|"}, shown(t, rotated(t, file)))
	causes = failed(t, o, bad, bad)
	assert.Len(t, causes, 2)
	assert.Equal(t, "3\n", read(t, file))
}

// When a rotation is not possible, what came before it is accepted and the rest waits.
func TestRotateFails(t *testing.T) {
	t.Parallel()
	file := path(t)
	o := started(t, file, &fileoutlet.Options{Rotate: fileoutlet.Rotate{Size: 4}})
	push(t, o, records("a")...)
	folder := filepath.Dir(file)
	require.NoError(t, os.Mkdir(file+".2147483647", 0o755)) // no number is left
	causes := failed(t, o, records("b", "c", "d")...)
	require.Len(t, causes, 2)
	require.ErrorContains(t, causes[1], "cannot rotate "+file)
	assert.False(t, record.IsPermanent(causes[1]))
	assert.Equal(t, "a\nb\n", read(t, file))
	require.NoError(t, os.Remove(file+".2147483647"))
	push(t, o, records("c", "d")...)
	assert.Equal(t, []string{"out.log.000001: a|b|", "out.log: c|d|"}, shown(t, rotated(t, file)))
	assert.Len(t, names(t, folder), 2)
}
