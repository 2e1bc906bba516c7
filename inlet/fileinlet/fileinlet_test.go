package fileinlet_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet/fileinlet"
	"github.com/databay-go/databay/record"
)

func TestLines(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		opts fileinlet.Options
		want []any
	}{
		"none":                 {"", fileinlet.Options{}, list()},
		"ends are cut":         {"a\nb\r\n\nc\n", fileinlet.Options{}, list("a", "b", "", "c")},
		"ends are kept":        {"a\nb\r\n\nc\n", fileinlet.Options{KeepEnds: true}, list("a\n", "b\r\n", "\n", "c\n")},
		"inner \\r stays":      {"a\rb\r\r\n", fileinlet.Options{}, list("a\rb\r")},
		"unfinished":           {"a\nb", fileinlet.Options{}, list("a")},
		"only unfinished":      {"b\r", fileinlet.Options{}, list()},
		"mark":                 {"\uFEFFa\n\uFEFFb\n", fileinlet.Options{}, list("a", "\uFEFFb")},
		"only a mark":          {"\uFEFF\nb\n", fileinlet.Options{}, list("", "b")},
		"NULs and other bytes": {"\x00\x00\n\xff\xfea\n", fileinlet.Options{}, list("\x00\x00", "\xff\xfea")},
		"bound":                {"a\nb\nc\n", fileinlet.Options{MaxRecords: 2}, list("a", "b")},
		"bytes":                {"a\nb\nc\n", fileinlet.Options{MaxBytes: 3}, list("a", "b")},
		"no bounds":            {"a\nb\nc\n", fileinlet.Options{MaxBytes: -1, MaxRecords: -1, MaxLine: -1}, list("a", "b", "c")},
		"decoded":              {"a\nbb\n\n", fileinlet.Options{Decode: func(b []byte) (any, error) { return len(b), nil }}, list(1, 2, 0)},
		"left out": {"a\n\nb\n", fileinlet.Options{Decode: func(b []byte) (any, error) {
			if len(b) == 0 {
				return nil, nil
			}
			return string(b), nil
		}}, list("a", "b")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, pull(t, started(t, file(t, test.text), &test.opts)))
		})
	}
}

// A line is a record once its end is there, however the file grows.
func TestGrowth(t *testing.T) {
	t.Parallel()
	path := file(t, "")
	in := started(t, path, nil)
	assert.Empty(t, pull(t, in))
	for _, step := range []struct {
		text string
		want []any
	}{
		{"a", list()},
		{"b\n", list("ab")},
		{"", list()},
		{"\n", list("")},
		{"c\r", list()},
		{"\nd\ne", list("c", "d")},
		{strings.Repeat("x", 200_000), list()},
		{strings.Repeat("x", 200_000), list()},
		{"\nf\n", list("e"+strings.Repeat("x", 400_000), "f")},
	} {
		appendTo(t, path, step.text)
		assert.Equal(t, step.want, pull(t, in), "%.10q", step.text)
		assert.Empty(t, pull(t, in))
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	path := file(t, "one\r\n\nthree\n")
	records, err := started(t, path, nil).Pull(t.Context(), record.Update{})
	require.NoError(t, err)
	require.Len(t, records, 3)
	ids := make(map[string]bool)
	for i, want := range []struct{ line, offset int64 }{{1, 0}, {2, 5}, {3, 6}} {
		r := records[i]
		assert.Equal(t, path, fileinlet.Path.Or(r, ""))
		assert.Equal(t, want.line, fileinlet.Line.Or(r, 0))
		assert.Equal(t, want.offset, fileinlet.Offset.Or(r, -1))
		assert.Regexp(t, `:[0-9a-f]{16}@\d+-[0-9a-f]{8}$`, r.ID())
		assert.True(t, strings.HasPrefix(r.ID(), path+":"))
		ids[r.ID()] = true
	}
	assert.Len(t, ids, 3)

	// The same lines have the same IDs, also when they are cut into pulls otherwise,
	// and when the file has grown and was renamed.
	appendTo(t, path, "four\n")
	one := started(t, path, &fileinlet.Options{MaxRecords: 1})
	var position []byte
	for i := range 3 {
		r, err := one.Pull(t.Context(), record.Update{})
		require.NoError(t, err)
		assert.Equal(t, records[i].ID(), r[0].ID())
		if i == 0 {
			position = one.Position()
		}
	}
	rename(t, path, path+".1")
	write(t, path, "one\r\n\nthree\n")
	again, err := resumed(t, path, nil, position).Pull(t.Context(), record.Update{})
	require.NoError(t, err)
	require.Len(t, again, 6)
	for _, r := range again[2:] {
		assert.False(t, ids[r.ID()], "another line has another ID: %s", r.ID())
		ids[r.ID()] = true
	}
	assert.Equal(t, records[2].ID(), again[1].ID())
	assert.Len(t, ids, 7)
}

func TestFromEnd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		opts   fileinlet.Options
		before string
		after  string
		want   []any
		line   int64
	}{
		"lines":        {fileinlet.Options{}, "a\nb\n", "c\nd\n", list("c", "d"), 3},
		"empty":        {fileinlet.Options{}, "", "c\nd\n", list("c", "d"), 1},
		"unfinished":   {fileinlet.Options{}, "a\nb", "c\nd\n", list("bc", "d"), 2},
		"long":         {fileinlet.Options{MaxLine: 5}, strings.Repeat("a", 100) + "\nb\n", "c\n", list("c"), 3},
		"rows":         {fileinlet.Options{CSV: &fileinlet.CSV{}}, "a,b\n1,\"x\ny\"\n", "2,3\n", list(map[string]string{"a": "2", "b": "3"}), 4},
		"within a row": {fileinlet.Options{CSV: &fileinlet.CSV{}}, "a,b\n1,\"x\n", "y\"\n", list(map[string]string{"a": "1", "b": "x\ny"}), 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, seek := range []bool{false, true} {
				path := file(t, test.before)
				opts := test.opts
				opts.FromEnd = true
				in := started(t, path, &opts)
				if seek {
					require.NoError(t, in.Seek(t.Context(), nil))
				}
				appendTo(t, path, test.after)
				records, err := in.Pull(t.Context(), record.Update{})
				require.NoError(t, err)
				assert.Equal(t, test.want, payloads(records), "what comes after the start")
				assert.Equal(t, test.line, fileinlet.Line.Or(records[0], 0))
				other := resumed(t, path, &opts, in.Position())
				appendTo(t, path, "9,9\n")
				assert.Len(t, pull(t, other), 1, "a position counts more")
			}
		})
	}
	path := file(t, zipped(t, "a\nb"))
	in := started(t, path, &fileinlet.Options{FromEnd: true, Gzip: true})
	assert.Empty(t, pull(t, in))
	write(t, path, zipped(t, "a\nb")+zipped(t, "c\nd"))
	assert.Equal(t, list("c", "d"), pull(t, in))
}

func TestWait(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), "app.log")
	for _, opts := range []fileinlet.Options{{}, {Whole: true}} {
		in := fileinlet.New(path, &opts)
		err := in.Start(t.Context())
		require.ErrorIs(t, err, os.ErrNotExist)
		require.ErrorContains(t, err, path)
		require.ErrorIs(t, in.Check(t.Context()), os.ErrNotExist)
	}
	for _, opts := range []fileinlet.Options{{}, {FromEnd: true}, {Whole: true}} {
		opts.Wait = true
		in := started(t, path, &opts)
		require.NoError(t, in.Check(t.Context()))
		require.NoError(t, in.Seek(t.Context(), nil))
		assert.Empty(t, pull(t, in))
		assert.Nil(t, in.Position())
		write(t, path, "")
		assert.Empty(t, pull(t, in))
		write(t, path, "a\nb")
		want := list("a")
		if opts.Whole {
			want = list("a\nb")
		}
		assert.Equal(t, want, pull(t, in))
		remove(t, path)
	}
}

func TestNoRegularFile(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		folder(t):                            "is a folder, want a regular file",
		os.DevNull:                           "is a device, pipe or socket, want a regular file",
		filepath.Join(file(t, "x"), "other"): "not a directory",
		"a\x00b":                             "invalid argument",
	} {
		in := fileinlet.New(path, &fileinlet.Options{Wait: true})
		require.ErrorContains(t, in.Start(t.Context()), want)
		require.ErrorContains(t, in.Check(t.Context()), want)
	}
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	path := file(t, "a\nb\n")
	in := fileinlet.New(path, &fileinlet.Options{MaxRecords: 1})
	assert.Equal(t, "fileinlet("+path+")", in.String())
	_, err := in.Pull(t.Context(), record.Update{})
	require.EqualError(t, err, "fileinlet: not started")
	require.EqualError(t, in.Seek(t.Context(), nil), "fileinlet: not started")
	assert.Nil(t, in.Position())
	require.NoError(t, in.Shutdown(t.Context()))
	for range 2 {
		require.NoError(t, in.Start(t.Context()))
		require.EqualError(t, in.Start(t.Context()), "fileinlet: already started")
		assert.Equal(t, list("a"), pull(t, in))
		require.NoError(t, in.Seek(t.Context(), nil))
		assert.Equal(t, list("a"), pull(t, in))
		require.NoError(t, in.Shutdown(t.Context()))
		require.NoError(t, in.Shutdown(t.Context()))
	}
}

// What a function of the user does while it is called is no reason to hang.
func TestBusy(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	in := fileinlet.New(file(t, "a\n"), &fileinlet.Options{Decode: func([]byte) (any, error) {
		close(entered)
		<-release
		return 1, nil
	}})
	require.NoError(t, in.Start(t.Context()))
	done := make(chan error)
	go func() {
		_, err := in.Pull(context.Background(), record.Update{})
		done <- err
	}()
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	require.ErrorIs(t, in.Shutdown(ctx), context.DeadlineExceeded)
	require.ErrorIs(t, in.Seek(ctx, nil), context.DeadlineExceeded)
	assert.NotNil(t, in.Position(), "which is asked for when there is no time")
	close(release)
	require.NoError(t, <-done)
	require.NoError(t, in.Shutdown(ctx), "nobody is in the way")
}

var errStop = errors.New("enough")

// What a context stops is not lost, and not doubled.
func TestContext(t *testing.T) {
	t.Parallel()
	text, want := numbered(0, 5000)
	ctx, cancel := context.WithCancelCause(t.Context())
	n := 0
	in := started(t, file(t, text), &fileinlet.Options{Decode: func(line []byte) (any, error) {
		if n++; n == 1000 {
			cancel(errStop)
		}
		return string(line), nil
	}})
	records, err := in.Pull(ctx, record.Update{})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, errStop)
	assert.GreaterOrEqual(t, len(records), 1000)
	assert.Less(t, len(records), 1100)
	none, err := in.Pull(ctx, record.Update{})
	require.ErrorIs(t, err, errStop)
	assert.Empty(t, none)
	assert.Equal(t, want, append(payloads(records), pull(t, in)...))
}

// A pull in which a function of the user panics has not been.
func TestPanic(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"short": 10, "long": 100_000} {
		for _, gzip := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(folder(t), "app.log")
				line := func(i int) string { return strings.Repeat(string(rune('a'+i)), size) }
				text := func(from, to int) (text string) {
					for i := from; i < to; i++ {
						text += line(i) + "\n"
					}
					return text
				}
				first, second := text(0, 6), text(6, 9)
				if gzip {
					first, second = zipped(t, first), zipped(t, second)
				}
				write(t, path, first)
				var armed byte
				in := started(t, path, &fileinlet.Options{MaxRecords: 8, Gzip: gzip, Decode: func(b []byte) (any, error) {
					if b[0] == armed {
						armed = 0
						panic("broken")
					}
					return string(b), nil
				}})
				armed = 'e'
				before := in.Position()
				assert.Panics(t, func() { pull(t, in) })
				assert.Equal(t, before, in.Position())
				armed = 'g' // in the next file
				rename(t, path, path+".1")
				write(t, path, second)
				assert.Panics(t, func() { pull(t, in) })
				got := append(pull(t, in), pull(t, in)...)
				require.Len(t, got, 9)
				for i := range got {
					assert.Equal(t, line(i), got[i])
				}
			})
		}
	}
}
