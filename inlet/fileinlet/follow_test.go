package fileinlet_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet/fileinlet"
	"github.com/databay-go/databay/record"
)

// age sets when a file was last written, in seconds before now.
func age(t *testing.T, path string, seconds int) {
	t.Helper()
	at := time.Now().Add(-time.Duration(seconds) * time.Second)
	require.NoError(t, os.Chtimes(path, at, at))
}

// Each step changes files in a folder, of which app.log is followed. What is
// expected is the same whether the inlet runs all the time, one record a pull or
// many, or is restarted before every step.
func TestRotation(t *testing.T) {
	t.Parallel()
	type step struct {
		name string
		do   func(t *testing.T, path string)
		want []any
	}
	add := func(text string, want ...any) step {
		return step{"append", func(t *testing.T, path string) { appendTo(t, path, text) }, want}
	}
	to := func(suffix string) func(*testing.T, string) {
		return func(t *testing.T, path string) { rename(t, path, path+suffix) }
	}
	for name, test := range map[string][]step{
		"renamed": {
			add("a\nb\n", "a", "b"),
			{"rename", to(".1"), nil},
			{"new and empty", func(t *testing.T, path string) { write(t, path, "") }, nil},
			{"late", func(t *testing.T, path string) { appendTo(t, path+".1", "c\nd") }, list("c")},
			add("e\n", "d", "e"),
			add("f\n", "f"),
		},
		"renamed before it was read": {
			{"all", func(t *testing.T, path string) {
				appendTo(t, path, "a\nb")
				rename(t, path, path+"-20240131")
				write(t, path, "c\n")
			}, list("a", "b", "c")},
		},
		"with the same content": {
			add("a\nb\n", "a", "b"),
			{"rename", func(t *testing.T, path string) {
				age(t, path, 20) // else it may be a copy
				rename(t, path, path+".1")
				write(t, path, "a\nb\n")
			}, list("a", "b")},
			{"again", func(t *testing.T, path string) {
				age(t, path, 10)
				rename(t, path+".1", path+".2")
				rename(t, path, path+".1")
				write(t, path, "a\nb\n")
			}, list("a", "b")},
		},
		"several times": {
			add("a\nb\n", "a", "b"),
			{"three", func(t *testing.T, path string) {
				appendTo(t, path, "c\n")
				for i, text := range []string{"d\n", "e\n", "f\n"} {
					for n := i; n > 0; n-- {
						rename(t, fmt.Sprint(path, ".", n), fmt.Sprint(path, ".", n+1))
					}
					rename(t, path, path+".1")
					write(t, path, text)
				}
			}, list("c", "d", "e", "f")},
		},
		"several times, by date": {
			add("a\n", "a"),
			{"two", func(t *testing.T, path string) {
				folder := filepath.Dir(path)
				rename(t, path, filepath.Join(folder, "app-2024-01-30T18-30-00.000.log"))
				write(t, path, "b\n")
				rename(t, path, filepath.Join(folder, "app-2024-01-31T18-30-00.000.log"))
				write(t, path, "c\n")
			}, list("b", "c")},
		},
		"others in the folder": {
			{"others", func(t *testing.T, path string) {
				for _, name := range []string{"app-errors.log", "app2.log", "app.log.bak", "app.log2", "app.log.1.gz", "app.log.1.tmp", "other.log.1", "app-1.log"} {
					write(t, filepath.Join(filepath.Dir(path), name), "other\n")
				}
				write(t, path+".7", "old\n")
				age(t, path+".7", 1000)
				require.NoError(t, os.Mkdir(path+".8", 0o700))
			}, nil},
			add("a\n", "a"),
			{"rename", func(t *testing.T, path string) {
				appendTo(t, path, "b\n")
				rename(t, path, path+".1")
				for _, name := range []string{"app-errors.log", "app.log.1.gz"} {
					appendTo(t, filepath.Join(filepath.Dir(path), name), "other\n")
				}
				write(t, path, "c\n")
			}, list("b", "c")},
		},
		"copied and truncated": {
			add("a\nb\n", "a", "b"),
			{"at the end", func(t *testing.T, path string) { copytruncate(t, path, path+".1") }, nil},
			add("c\n", "c"),
			add("d\ne", "d"),
			{"with a rest", func(t *testing.T, path string) {
				appendTo(t, path, "f\ng")
				rename(t, path+".1", path+".2")
				copytruncate(t, path, path+".1")
				appendTo(t, path, "h\n")
			}, list("ef", "g", "h")},
			{"and longer than before", func(t *testing.T, path string) {
				rename(t, path+".2", path+".3")
				rename(t, path+".1", path+".2")
				copytruncate(t, path, path+".1")
				appendTo(t, path, "0123456789\nx\n")
			}, list("0123456789", "x")},
		},
		"copied and truncated several times": {
			add("a\nb\n", "a", "b"),
			{"two", func(t *testing.T, path string) {
				appendTo(t, path, "c\n")
				copytruncate(t, path, path+".1")
				appendTo(t, path, "d\n")
				rename(t, path+".1", path+".2")
				copytruncate(t, path, path+".1")
				appendTo(t, path, "e\n")
			}, list("c", "d", "e")},
		},
		"behind a copy": { // the file is read up to one that was renamed before
			add("a\n", "a"),
			{"half copied", func(t *testing.T, path string) {
				rename(t, path, path+".2")
				write(t, path, "b\ncd\n")
				write(t, path+".1", "b\nc")
				age(t, path+".1", -3600) // it is being written, however slow the test is
			}, list("b")},
			{"copied", func(t *testing.T, path string) {
				appendTo(t, path, "e\n")
				appendTo(t, path+".1", "d\ne\n")
				age(t, path+".1", -3600)
			}, list("cd", "e")},
			{"truncated", func(t *testing.T, path string) { write(t, path, "") }, nil},
			add("f\n", "f"),
		},
		"truncated": {
			add("a\nb\n", "a", "b"),
			{"to nothing", func(t *testing.T, path string) { write(t, path, "") }, nil},
			add("c\n", "c"),
			{"shorter", func(t *testing.T, path string) { write(t, path, "d") }, nil},
			add("\n", "d"),
			{"longer", func(t *testing.T, path string) { write(t, path, "e\nf\ng\n") }, list("e", "f", "g")},
		},
		"removed": {
			add("a\n", "a"),
			{"removed", func(t *testing.T, path string) { remove(t, path) }, nil},
			{"made again", func(t *testing.T, path string) { write(t, path, "b\n") }, list("b")},
			{"both", func(t *testing.T, path string) {
				remove(t, path)
				write(t, path, "c\n")
			}, list("c")},
		},
		"moved away and back": {
			add("a\n", "a"),
			{"away", to(".1"), nil},
			{"back", func(t *testing.T, path string) { rename(t, path+".1", path) }, nil},
			add("b\n", "b"),
		},
	} {
		for mode, opts := range map[string]fileinlet.Options{"": {}, "one a pull": {MaxRecords: 1}, "restarted": {}, "restarted, one a pull": {MaxRecords: 1}} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				path := file(t, "")
				opts.Wait = true
				in := started(t, path, &opts)
				ids := make(map[string]bool)
				position := in.Position()
				for n, step := range test {
					step.do(t, path)
					if mode == "restarted" || mode == "restarted, one a pull" {
						require.NoError(t, in.Shutdown(t.Context()))
						in = resumed(t, path, &opts, position)
					}
					var got []any
					for {
						records, err := in.Pull(t.Context(), record.Update{})
						require.NoError(t, err)
						if len(records) == 0 {
							break
						}
						for _, r := range records {
							assert.False(t, ids[r.ID()], "ID %s comes twice", r.ID())
							ids[r.ID()] = true
						}
						got = append(got, payloads(records)...)
						position = in.Position()
						if mode == "restarted, one a pull" {
							require.NoError(t, in.Shutdown(t.Context()))
							in = resumed(t, path, &opts, position)
						}
					}
					position = in.Position()
					assert.Equal(t, list(step.want...), list(got...), "step %d, %s", n, step.name)
				}
			})
		}
	}
}

// An inlet that runs reads the rest of what is removed, and what it had read of what
// is truncated.
func TestRestIsRead(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(path string){
		"removed":   func(path string) { remove(t, path); write(t, path, "x\n") },
		"truncated": func(path string) { write(t, path, "x\n") },
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t, "a\nb\nc\nd")
			in := started(t, path, &fileinlet.Options{MaxRecords: 1})
			assert.Equal(t, list("a"), pull(t, in))
			position := in.Position()
			change(path)
			for _, want := range []string{"b", "c", "d", "x"} {
				assert.Equal(t, list(want), pull(t, in))
			}
			assert.Empty(t, pull(t, in))

			// One that was restarted tells that it cannot.
			var lost []error
			again := resumed(t, path, &fileinlet.Options{OnLost: func(_ context.Context, l *fileinlet.LostError) error {
				lost = append(lost, l)
				return nil
			}}, position)
			assert.Equal(t, list("x"), pull(t, again))
			require.Len(t, lost, 1)
			assert.EqualError(t, lost[0], path+": the file that was read up to line 1, offset 2, is gone or was truncated; what else was in it is lost")
		})
	}
}

func TestOnLost(t *testing.T) {
	t.Parallel()
	path := file(t, "a\n")
	var lost []*fileinlet.LostError
	answer := errStop
	in := started(t, path, &fileinlet.Options{OnLost: func(_ context.Context, l *fileinlet.LostError) error {
		lost = append(lost, l)
		return answer
	}})
	assert.Equal(t, list("a"), pull(t, in))
	write(t, path, "b\nc\n")
	before := in.Position()
	for range 2 {
		got, err := pullErr(t, in)
		require.EqualError(t, err, "enough; the inlet stays there")
		require.ErrorIs(t, err, errStop)
		assert.Empty(t, got)
		assert.Equal(t, before, in.Position())
	}
	answer = nil
	assert.Equal(t, list("b", "c"), pull(t, in))
	assert.Equal(t, fileinlet.LostError{Path: path, Line: 1, Offset: 2}, *lost[2])
	require.Len(t, lost, 3)

	// Nothing is lost by a rotation whose files are there.
	rename(t, path, path+".1")
	write(t, path, "d\n")
	assert.Equal(t, list("d"), pull(t, in))
	copytruncate(t, path, path+".2")
	write(t, path, "e\n")
	assert.Equal(t, list("e"), pull(t, in))
	assert.Len(t, lost, 3)
}

// A file of which nothing was read yet is known to have been emptied by its copies.
func TestCopiedUnread(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		begin, rest string
		want        []any
	}{
		"empty":             {"", "c\n", list("b", "c", "d")},
		"empty again":       {"", "", list("b", "d")},
		"unfinished":        {"a", "c\n", list("ab", "c", "d")},
		"unfinished, empty": {"a", "", list("ab", "d")},
	} {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprint(name, restarted), func(t *testing.T) {
				t.Parallel()
				path := file(t, test.begin)
				write(t, path+".9", "old\n")
				age(t, path+".9", 100)
				opts := &fileinlet.Options{OnLost: func(context.Context, *fileinlet.LostError) error { return errStop }}
				in := started(t, path, opts)
				assert.Empty(t, pull(t, in))
				position := in.Position()
				time.Sleep(20 * time.Millisecond) // what is written at the same time is of before
				appendTo(t, path, "b\n")
				copytruncate(t, path, path+".2")
				appendTo(t, path, test.rest)
				rename(t, path, path+".1")
				write(t, path, "d\n")
				if restarted {
					in = resumed(t, path, opts, position)
				}
				assert.Equal(t, test.want, pull(t, in))
			})
		}
	}
}

// Files that are newer than one that is gone are read, older ones are not.
func TestGone(t *testing.T) {
	t.Parallel()
	path := file(t, "a\n")
	write(t, path+".9", "older\n")
	age(t, path+".9", 100)
	age(t, path, 50)
	in := started(t, path, nil)
	assert.Equal(t, list("a"), pull(t, in))
	remove(t, path)
	write(t, path+".2", "b\n")
	age(t, path+".2", 30)
	write(t, path+".1", "c\n")
	age(t, path+".1", 20)
	write(t, path, "d\n")
	assert.Equal(t, list("b", "c", "d"), pull(t, resumed(t, path, nil, in.Position())))
	assert.Equal(t, list("b", "c", "d"), pull(t, in))
}

// The path may be a symbolic link, which is set to another file.
func TestLink(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	path := filepath.Join(dir, "current")
	first, second := filepath.Join(dir, "logs", "2024-01-30"), filepath.Join(dir, "logs", "2024-01-31")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "logs"), 0o700))
	write(t, first, "a\n")
	require.NoError(t, os.Symlink(first, path))
	in := started(t, path, nil)
	assert.Equal(t, list("a"), pull(t, in))
	position := in.Position()
	appendTo(t, first, "b\n")
	write(t, second, "c\n")
	require.NoError(t, os.Symlink(second, path+".new"))
	rename(t, path+".new", path)
	assert.Equal(t, list("b", "c"), pull(t, in))
	assert.Equal(t, list("b", "c"), pull(t, resumed(t, path, nil, position)))

	rename(t, second, second+".1") // as it happens to logs of containers
	write(t, second, "d\n")
	assert.Equal(t, list("d"), pull(t, in))
}

// An error while the next file is looked for changes nothing.
func TestNextFileIsNone(t *testing.T) {
	t.Parallel()
	path := file(t, "a\nb")
	in := started(t, path, nil)
	assert.Equal(t, list("a"), pull(t, in))
	rename(t, path, path+".1")
	require.NoError(t, os.Mkdir(path, 0o700))
	got, err := pullErr(t, in)
	require.ErrorContains(t, err, "is a folder, want a regular file")
	assert.Equal(t, list("b"), got)
	_, err = pullErr(t, in)
	require.Error(t, err)
	remove(t, path)
	write(t, path, "c\n")
	assert.Equal(t, list("c"), pull(t, in))
}

func TestForeignPositions(t *testing.T) {
	t.Parallel()
	path := file(t, "a\n")
	for _, test := range []struct{ position, want string }{
		{"", "EOF"},
		{"17", "cannot unmarshal"},
		{"null", "neither lines nor whole"},
		{"{}", "neither lines nor whole"},
		{`{"lines":{"offset":1},"whole":{}}`, "or both"},
		{`{"whole":{}}`, "do not say Whole"},
		{`{"lines":{"offset":-1}}`, "negative"},
		{`{"lines":{"offset":1,"line":-1}}`, "negative"},
		{`{"lines":{"offset":1,"generation":-1}}`, "negative"},
		{`{"lines":{"offset":1e30}}`, "cannot unmarshal"},
		{`{"lines":{"offset":1,"other":1}}`, "unknown field"},
		{`{"lines":{"offset":1}} x`, "something behind"},
	} {
		in := started(t, path, nil)
		err := in.Seek(t.Context(), []byte(test.position))
		require.ErrorContains(t, err, test.want, "%s", test.position)
		require.ErrorContains(t, err, "stored position")
		assert.Equal(t, list("a"), pull(t, in), "a Seek that failed changes nothing")
	}
	in := started(t, path, &fileinlet.Options{Whole: true})
	require.ErrorContains(t, in.Seek(t.Context(), []byte(`{"lines":{}}`)), "the options say Whole")
	for _, position := range []string{`{"lines":{"generation":0,"offset":999999999999,"line":3}}`, `{"lines":{"generation":0,"offset":1,"line":0}}`} {
		in := resumed(t, path, nil, []byte(position))
		assert.JSONEq(t, position, string(in.Position()), "of a file that is not there")
		assert.Equal(t, list("a"), pull(t, in))
	}
}
