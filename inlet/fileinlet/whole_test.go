package fileinlet_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/charmap"

	"github.com/databay-go/databay/inlet/fileinlet"
	"github.com/databay-go/databay/record"
)

func TestWhole(t *testing.T) {
	t.Parallel()
	path := file(t, "\uFEFFa\r\nb")
	in := started(t, path, &fileinlet.Options{Whole: true})
	for range 3 {
		records, err := in.Pull(t.Context(), record.Update{})
		require.NoError(t, err)
		require.Len(t, records, 1)
		assert.Equal(t, "a\r\nb", records[0].Payload)
		assert.Equal(t, path, fileinlet.Path.Or(records[0], ""))
		assert.Empty(t, records[0].ID(), "it may come again")
		assert.Nil(t, in.Position())
	}
	write(t, path+".new", "c")
	rename(t, path+".new", path)
	assert.Equal(t, list("c"), pull(t, in))
	write(t, path, "")
	assert.Empty(t, pull(t, in))
	remove(t, path)
	_, err := pullErr(t, in)
	require.ErrorIs(t, err, os.ErrNotExist)
	write(t, path, "\xe4")
	assert.Equal(t, list("\xe4"), pull(t, in))
	assert.Equal(t, list("ä"), pull(t, started(t, path, &fileinlet.Options{Whole: true, Encoding: charmap.ISO8859_1})))
	write(t, path, zipped(t, `{"a":[1]}`))
	assert.Equal(t, list(map[string]any{"a": []any{1.0}}),
		pull(t, started(t, path, &fileinlet.Options{Whole: true, Gzip: true, Decode: fileinlet.JSON[any]})))
}

func TestChanged(t *testing.T) {
	t.Parallel()
	path := file(t, "a")
	opts := &fileinlet.Options{Whole: true, Changed: true}
	in := started(t, path, opts)
	ids := make(map[string]bool)
	for _, step := range []struct {
		do   func()
		want []any
	}{
		{func() {}, list("a")},
		{func() {}, list()},
		{func() { age(t, path, 10) }, list()}, // written, with the same content
		{func() { write(t, path, "b") }, list("b")},
		{func() { write(t, path, "") }, list()},
		{func() { write(t, path, "b") }, list("b")},
		{func() { write(t, path, "a") }, list("a")},
		{func() { write(t, path, "null") }, list("null")},
	} {
		step.do()
		records, err := in.Pull(t.Context(), record.Update{})
		require.NoError(t, err)
		assert.Equal(t, step.want, payloads(records))
		for _, r := range records {
			assert.False(t, ids[r.ID()])
			ids[r.ID()] = true
		}
		assert.Empty(t, pull(t, resumed(t, path, opts, in.Position())))
		time.Sleep(20 * time.Millisecond) // so that files systems with coarse times tell versions apart
	}
	require.NoError(t, in.Seek(t.Context(), nil))
	assert.Equal(t, list("null"), pull(t, in))
}

// A whole file that cannot be decoded, or is too large, is a bad line.
func TestBadWhole(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, want string }{
		{"{", `line 1 at offset 0: unexpected end of JSON input: "{"`},
		{strings.Repeat("1", 21), `the line is too long: the file has more than 20 bytes, the MaxLine: "11111111111111111111"`},
	} {
		path := file(t, test.text)
		opts := fileinlet.Options{Whole: true, Changed: true, MaxLine: 20, Decode: fileinlet.JSON[any]}
		in := started(t, path, &opts)
		for range 2 {
			_, err := pullErr(t, in)
			require.ErrorContains(t, err, test.want)
		}
		opts.OnBad = func(context.Context, *fileinlet.LineError) (any, error) { return "instead", nil }
		in = started(t, path, &opts)
		assert.Equal(t, list("instead"), pull(t, in))
		assert.Empty(t, pull(t, in))
		write(t, path, "12345678901234567890")
		assert.Equal(t, list(12345678901234567890.0), pull(t, in))
	}
	_, err := started(t, file(t, strings.Repeat("x", 10<<20+1)), &fileinlet.Options{Whole: true}).Pull(t.Context(), record.Update{})
	require.ErrorIs(t, err, fileinlet.ErrTooLong)
	records, err := started(t, file(t, strings.Repeat("x", 10<<20+1)), &fileinlet.Options{Whole: true, MaxLine: -1}).Pull(t.Context(), record.Update{})
	require.NoError(t, err)
	assert.Len(t, records[0].Payload, 10<<20+1)
}
