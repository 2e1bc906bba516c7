package stdininlet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/stdininlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

func TestConforms(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&text, "{\"n\":%d}\n", i)
	}
	for name, opts := range map[string]stdininlet.Options{
		"JSON": {MaxRecords: 7}, "typed": {Decode: stdininlet.JSON[*struct{ N int }], MaxRecords: 1}, "text": {Decode: stdininlet.Text, MaxRecords: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.TestInlet(t, func(*testing.T) inlet.Inlet {
				opts.Reader = strings.NewReader(text.String())
				return stdininlet.New(&opts)
			}, &testkit.InletOptions{Hung: func(t *testing.T) inlet.Inlet {
				r, w, err := os.Pipe()
				require.NoError(t, err)
				t.Cleanup(func() { _ = errors.Join(w.Close(), r.Close()) })
				return stdininlet.New(&stdininlet.Options{Reader: r, Wait: -1})
			}})
		})
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	type options = stdininlet.Options
	long := strings.Repeat("x", 5000)
	tests := []struct {
		name string
		opts options
		text string
		want []any
		errs []string
	}{
		{"JSON", options{}, "{\"a\":1}\n[1,2]\r\n\n \n\"x\"\nnull\n5", []any{map[string]any{"a": 1.0}, []any{1.0, 2.0}, "x", 5.0}, nil},
		{"typed", options{Decode: stdininlet.JSON[struct{ A int }]}, "{\"a\":1}\n{}\n", []any{struct{ A int }{1}, struct{ A int }{}}, nil},
		{"text", options{Decode: stdininlet.Text}, "a\n\n b \r\nc\rd\nlast", []any{"a", "", " b ", "c\rd", "last"}, nil},
		{"mark", options{Decode: stdininlet.Text}, "\uFEFFa\n\uFEFFb", []any{"a", "\uFEFFb"}, nil},
		{"empty", options{}, "", nil, nil},
		{"bad line", options{}, "1\n2\n{\"a\":\n3\noops\n4", []any{1.0, 2.0, 3.0, 4.0}, []string{
			`stdininlet: cannot decode line 3: unexpected end of JSON input; it has 5 bytes and begins with "{\"a\":"`,
			`stdininlet: cannot decode line 5: invalid character 'o' looking for beginning of value; it has 4 bytes and begins with "oops"`,
		}},
		{"long bad line", options{}, long, nil, []string{
			`stdininlet: cannot decode line 1: invalid character 'x' looking for beginning of value; it has 5000 bytes and begins with "` + long[:300] + `…"`,
		}},
		{"line that is too long", options{Decode: stdininlet.Text, MaxLine: 3}, "abc\nabc\r\nabcd\nabc\n" + long + "\nabc\nabcd", []any{"abc", "abc", "abc", "abc"}, []string{
			`stdininlet: line 3 has more than 3 bytes, the MaxLine; it begins with "abcd"`,
			`stdininlet: line 5 has more than 3 bytes, the MaxLine; it begins with "` + long[:300] + `…"`,
			`stdininlet: line 7 has more than 3 bytes, the MaxLine; it begins with "abcd"`,
		}},
		{"records of a decoder", options{Decode: func(line []byte) ([]record.Record, error) {
			return []record.Record{record.New(len(line)), record.New("and").WithID("x")}, nil
		}}, "a\nbc\n", []any{1, "and", 2, "and"}, nil},
		{"no bound", options{Decode: stdininlet.Text, MaxLine: -1, MaxRecords: -1, Wait: -1}, strings.Repeat("y", 3<<20) + "\nz\n", []any{strings.Repeat("y", 3<<20), "z"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, reader := range []io.Reader{strings.NewReader(test.text), iotest.DataErrReader(strings.NewReader(test.text)), iotest.HalfReader(strings.NewReader(test.text))} {
				opts := test.opts
				opts.Reader = reader
				in := started(t, &opts)
				got, errs := all(t, in)
				assert.Equal(t, test.want, got)
				if test.name != "long bad line" || errs != nil {
					assert.Equal(t, test.errs, errs)
				}
				again, err := pull(t.Context(), in)
				require.NoError(t, err, "after the end")
				assert.Empty(t, again)
			}
		})
	}
}

// Lines before a bad one come with the error.
func TestLinesBeforeABadOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := started(t, &stdininlet.Options{Reader: strings.NewReader("1\n2\n!\n3\n")})
		synctest.Wait()
		got, err := pull(t.Context(), in)
		require.ErrorContains(t, err, "line 3")
		assert.Equal(t, []any{1.0, 2.0}, got)
		select {
		case <-in.Done():
			require.Fail(t, "a line is left")
		default:
		}
		got, err = pull(t.Context(), in)
		require.NoError(t, err)
		assert.Equal(t, []any{3.0}, got)
		<-in.Done()
	})
}

func TestReaderFails(t *testing.T) {
	t.Parallel()
	panics := readerFunc(func([]byte) (int, error) { panic("oh") })
	for want, reader := range map[string]io.Reader{
		"stdininlet: reading line 2, after 4 bytes of it: broken":                  io.MultiReader(strings.NewReader("1\nhalf"), iotest.ErrReader(errors.New("broken"))),
		"stdininlet: reading line 2, after 0 bytes of it: the reader panicked: oh": io.MultiReader(strings.NewReader("1\n"), panics),
	} {
		got, errs := all(t, started(t, &stdininlet.Options{Reader: reader}))
		assert.Equal(t, []any{1.0}, got)
		assert.Equal(t, []string{want}, errs)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		in := stdininlet.New(&stdininlet.Options{Reader: r, Wait: 3 * time.Second, MaxRecords: 2})
		require.NoError(t, in.Start(t.Context()))
		began := time.Now()
		got, err := pull(t.Context(), in)
		require.NoError(t, err)
		assert.Empty(t, got)
		assert.Equal(t, 3*time.Second, time.Since(began), "no longer than Wait")

		go func() {
			time.Sleep(time.Second)
			_, _ = io.WriteString(w, "1\n2\n3\n4")
		}()
		began = time.Now()
		got, err = pull(t.Context(), in)
		require.NoError(t, err)
		assert.Equal(t, []any{1.0, 2.0}, got, "MaxRecords")
		assert.Equal(t, time.Second, time.Since(began), "at once")
		got, err = pull(t.Context(), in)
		require.NoError(t, err)
		assert.Equal(t, []any{3.0}, got, "4 is no line yet")
		assert.Equal(t, time.Second, time.Since(began))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = pull(ctx, in)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 2*time.Second, time.Since(began))

		// A Read that cannot be interrupted is left behind, and loses nothing.
		require.NoError(t, in.Shutdown(t.Context()))
		_, err = pull(t.Context(), in)
		require.ErrorContains(t, err, "not started")
		_, _ = io.WriteString(w, "0\n5")
		require.NoError(t, in.Start(t.Context()))
		require.NoError(t, w.Close())
		got, err = pull(t.Context(), in)
		require.NoError(t, err)
		assert.Equal(t, 40.0, got[0])
		got2, _ := all(t, in)
		assert.Equal(t, []any{40.0, 5.0}, append(got, got2...))
		require.NoError(t, in.Shutdown(t.Context()))
	})
}

// What nobody pulls is not read without bound.
func TestReadsAheadOnlyALittle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, line := range []string{"0123456789\n", strings.Repeat("x", 1<<16)} {
			read := 0
			reader := readerFunc(func(p []byte) (int, error) {
				read += len(line)
				return copy(p, line), nil
			})
			in := stdininlet.New(&stdininlet.Options{Reader: reader, MaxRecords: 10, Decode: stdininlet.Text, MaxLine: 1000})
			require.NoError(t, in.Start(t.Context()))
			synctest.Wait()
			assert.LessOrEqual(t, read, 2<<20)
			_, _ = pull(t.Context(), in)
			require.NoError(t, in.Shutdown(t.Context()), "while it waits for room")
		}
	})
}

// A pull that takes all that was read ahead and has no record of it goes on reading
// while it waits, instead of waiting for nothing.
func TestPullMakesRoom(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		errs int
	}{
		"blank lines":     {strings.Repeat("\n", 4<<20), 0},
		"the rest of one": {strings.Repeat("x", 8<<20) + "\n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				in := started(t, &stdininlet.Options{Reader: strings.NewReader(test.text + "1\n"), Wait: time.Hour})
				began := time.Now()
				for range test.errs {
					synctest.Wait()
					_, err := pull(t.Context(), in)
					require.ErrorContains(t, err, "MaxLine")
				}
				synctest.Wait()
				got, err := pull(t.Context(), in)
				require.NoError(t, err)
				assert.Equal(t, []any{1.0}, got)
				assert.Zero(t, time.Since(began), "it waited for what was there")
			})
		})
	}
}

// A panic of Decode is an error of its line: the lines before it come with it.
func TestDecodePanics(t *testing.T) {
	t.Parallel()
	decode := func(line []byte) ([]record.Record, error) {
		if string(line) == "!" {
			panic("oh")
		}
		return stdininlet.Text(line)
	}
	got, errs := all(t, started(t, &stdininlet.Options{Reader: strings.NewReader("1\n2\n!\n3\n"), Decode: decode}))
	assert.Equal(t, []any{"1", "2", "3"}, got)
	assert.Equal(t, []string{`stdininlet: cannot decode line 3: decoding panicked: oh; it has 1 bytes and begins with "!"`}, errs)
}

// A pipe's Read is interrupted, and goes on after another start.
func TestShutdownInterruptsPipes(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	in := stdininlet.New(&stdininlet.Options{Reader: r})
	for i := range 3 {
		require.NoError(t, in.Start(t.Context()))
		require.ErrorContains(t, in.Start(t.Context()), "already started")
		_, err = fmt.Fprintln(w, i)
		require.NoError(t, err)
		got, err := pull(t.Context(), in)
		require.NoError(t, err)
		assert.Equal(t, []any{float64(i)}, got)
		require.NoError(t, in.Shutdown(t.Context()))
		require.NoError(t, in.Shutdown(t.Context()), "twice")
	}
	require.NoError(t, w.Close())
	require.NoError(t, in.Start(t.Context()))
	_, errs := all(t, in)
	assert.Empty(t, errs)
	require.NoError(t, in.Shutdown(t.Context()))
}

func TestValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, stdininlet.New(nil).Validate())
	require.NoError(t, stdininlet.New(&stdininlet.Options{Wait: -1, MaxRecords: -1, MaxLine: -1}).Validate())
	for want, opts := range map[string]*stdininlet.Options{
		"Wait is -1s, want more than 0":         {Wait: -time.Second},
		"MaxRecords is -2, want more than 0":    {MaxRecords: -2},
		"MaxLine is -3, want more than 0 bytes": {MaxLine: -3},
	} {
		in := stdininlet.New(opts)
		require.ErrorContains(t, in.Validate(), want)
		require.ErrorContains(t, in.Start(t.Context()), want)
	}
	assert.Len(t, strings.Split(stdininlet.New(&stdininlet.Options{Wait: -5, MaxRecords: -5, MaxLine: -5}).Validate().Error(), "\n"), 3)
	assert.Equal(t, "stdininlet", stdininlet.New(nil).String())
	assert.Equal(t, "stdininlet(*strings.Reader)", stdininlet.New(&stdininlet.Options{Reader: strings.NewReader("")}).String())
}
