package buffer_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
	"github.com/databay-go/databay/spool/boltspool"
)

var errBroken = errors.New("broken")

// A spool that fails, panics or ends the goroutine takes nothing away.
func TestSpoolFailures(t *testing.T) {
	for name, end := range map[string]func() error{
		"error":  func() error { return errBroken },
		"panic":  func() error { panic(errBroken) },
		"goexit": func() error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			d := new(disk)
			b := overflowing(d, 3, buffer.Options{Count: 7})
			break1 := func(method string) {
				d.call = func(m string) error {
					if m == method {
						return end()
					}
					return nil
				}
			}
			for from := 1; from < 50; from += 9 {
				assert.Nil(t, process(t, b, records(from, from+1)...))
				break1("Append")
				before := b.Holding()
				for range 2 {
					assert.Error(t, failing(t, b, records(from+2, from+4)))
					assert.Equal(t, before, b.Holding())
				}
				d.call = nil
				assert.Nil(t, process(t, b, records(from+2, from+4)...))
				break1("Read")
				before = b.Holding()
				for range 2 {
					assert.Error(t, failing(t, b, records(from+5, from+8)))
					assert.Equal(t, before, b.Holding())
				}
				d.call = nil
				assert.Equal(t, ints(from, from+8), process(t, b, records(from+5, from+8)...))
				if name == "error" {
					break1("Remove")
					assert.ErrorIs(t, b.Settled(t.Context(), b.Holding().Released), errBroken)
					assert.Len(t, d.has(), 5)
					d.call = nil
				}
				require.NoError(t, b.Settled(t.Context(), b.Holding().Released))
				assert.Nil(t, d.has())
			}
		})
	}
}

// The errors of a spool are none of the records: they ask for a pause, so that none
// becomes a dead letter.
func TestSpoolErrorsAskForAPause(t *testing.T) {
	d := &disk{room: 4}
	b := overflowing(d, 3, buffer.Options{Count: 10})
	assert.Nil(t, process(t, b, records(1, 4)...))
	err := failing(t, b, records(5, 7))
	require.ErrorIs(t, err, spool.ErrFull)
	pause, ok := errors.AsType[*record.RetryAfterError](err)
	require.True(t, ok)
	assert.Positive(t, pause.After)
	assert.Nil(t, record.AsPartial(err))
	assert.Nil(t, process(t, b, records(5, 6)...), "there is room in memory")
	assert.Equal(t, ints(1, 10), process(t, b, records(7, 10)...), "a release needs none")
}

// A release whose OnReset panics has not happened.
func TestOverflowOnResetPanics(t *testing.T) {
	d := new(disk)
	broken := true
	b := overflowing(d, 2, buffer.Options{Count: 5, OnReset: func() {
		if broken {
			panic(errBroken)
		}
	}})
	assert.Nil(t, process(t, b, records(1, 3)...))
	for range 2 {
		assert.ErrorIs(t, failing(t, b, records(4, 5)), errBroken)
		assert.Equal(t, record.Holding{Records: 3}, b.Holding())
	}
	broken = false
	assert.Equal(t, ints(1, 5), process(t, b, records(4, 5)...))
	require.NoError(t, b.Settled(t.Context(), b.Holding().Released))
	assert.Nil(t, d.has())
}

// A record that the spool cannot take fails for good, and alone.
func TestRecordsThatDoNotFit(t *testing.T) {
	mixed := []record.Record{record.New("a"), record.New(1), record.New("b"), record.New(2)}
	t.Run("when they are given", func(t *testing.T) {
		for _, pending := range []int{1, 2, 100} {
			d := new(disk)
			b := overflowing(fitting{d}, pending, buffer.Options{Count: 3})
			out, err := b.Process(t.Context(), mixed)
			require.NotNil(t, record.AsPartial(err))
			assert.Equal(t, []int{0, 2}, record.AsPartial(err).Indices())
			assert.ErrorContains(t, err, "payload is a string, want int")
			assert.True(t, record.IsPermanent(err))
			assert.Nil(t, out)
			assert.Equal(t, ints(1, 3), process(t, b, record.New(3)))
		}
	})
	t.Run("when they are moved", func(t *testing.T) {
		d := new(disk)
		b := overflowing(d, 4, buffer.Options{Count: 100, MaxBytes: 100, Size: func(record.Record) int { return 1 }})
		out, err := b.Process(t.Context(), mixed)
		assert.Equal(t, []int{0, 2}, record.AsPartial(err).Indices())
		assert.True(t, record.IsPermanent(err))
		assert.Nil(t, out)
		assert.Equal(t, ints(1, 2), d.has())
	})
	t.Run("with others that have no size", func(t *testing.T) {
		d := new(disk)
		size := func(r record.Record) int {
			if r.Payload == 1 {
				return -1
			}
			return 1
		}
		b := overflowing(d, 3, buffer.Options{MaxBytes: 100, Size: size})
		_, err := b.Process(t.Context(), mixed)
		assert.Equal(t, []int{0, 1, 2}, record.AsPartial(err).Indices())
		assert.Equal(t, ints(2, 2), d.has())
	})
	t.Run("when they were held before", func(t *testing.T) {
		d := new(disk)
		b := overflowing(d, 5, buffer.Options{Count: 100})
		assert.Nil(t, process(t, b, mixed...))
		out, err := b.Process(t.Context(), []record.Record{record.New("c"), record.New(3)})
		assert.Equal(t, []any{"a", "b"}, payloads(out), "they cannot fail any more, and leave")
		assert.Equal(t, []int{0}, record.AsPartial(err).Indices())
		assert.Equal(t, record.Holding{Records: 3}, b.Holding())
		assert.Equal(t, ints(1, 3), d.has())
	})
	t.Run("as the spool knows", func(t *testing.T) {
		s := boltSpool(t, path(t), nil)
		b := overflowing(s, 2, buffer.Options{Count: 100})
		_, err := b.Process(t.Context(), []record.Record{record.New(1), record.New("a")})
		assert.Equal(t, []int{1}, record.AsPartial(err).Indices())
		assert.True(t, record.IsPermanent(err))
	})
	t.Run("as a wrong answer says", func(t *testing.T) {
		d := &disk{call: func(string) error { return new(record.Partial) }}
		b := overflowing(d, 2, buffer.Options{Count: 100})
		assert.ErrorContains(t, failing(t, b, records(1, 2)), "the spool answered with a Partial without an index")
		assert.Zero(t, b.Holding())
	})
}

func path(t *testing.T) string { return filepath.Join(t.TempDir(), "held.spool") }

func boltSpool(t *testing.T, path string, opts *boltspool.Options) *boltspool.Spool {
	t.Helper()
	s := boltspool.New(path, spool.JSON[int](), opts)
	require.NoError(t, s.Start(context.Background()))
	t.Cleanup(func() { require.NoError(t, s.Shutdown(context.Background())) })
	return s
}

// A record that is damaged on disk is left out, and reported.
func TestDamagedRecords(t *testing.T) {
	file := path(t)
	s := boltSpool(t, file, nil)
	b := overflowing(s, 1, buffer.Options{Count: 10})
	for i := 1; i <= 5; i++ {
		process(t, b, records(i, i)...)
	}
	require.NoError(t, s.Shutdown(t.Context()))
	db, err := bolt.Open(file, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bolt.Tx) error {
		return tx.ForEach(func(_ []byte, bucket *bolt.Bucket) error {
			n := 0
			return bucket.ForEach(func(k, v []byte) error {
				switch n++; n {
				case 2:
					return bucket.Put(slices.Clone(k), v[:len(v)/2])
				case 4:
					v = slices.Clone(v)
					v[len(v)-1] ^= 1
					return bucket.Put(slices.Clone(k), v)
				}
				return nil
			})
		})
	}))
	require.NoError(t, db.Close())

	var told []error
	s = boltSpool(t, file, &boltspool.Options{OnDamage: func(error) {}})
	b = overflowing(s, 1, buffer.Options{Count: 10, OnDamage: func(err error) { told = append(told, err) }})
	require.NoError(t, b.Start(t.Context()))
	out, err := b.Process(t.Context(), records(6, 6))
	require.NoError(t, err)
	assert.Equal(t, "[1 3 5 6]", fmt.Sprint(payloads(out)))
	require.Len(t, told, 2)
	assert.ErrorContains(t, told[0], "record 2")
	assert.ErrorContains(t, told[1], "record 4")
	require.NoError(t, b.Settled(t.Context(), b.Holding().Released))
	assert.Zero(t, s.Stats().Records, "what is damaged is removed, too")
}

// A file that is full, or that cannot be written, takes nothing; what is in it leaves.
func TestFullSpool(t *testing.T) {
	s := boltSpool(t, path(t), &boltspool.Options{MaxBytes: 300})
	b := overflowing(s, 2, buffer.Options{Count: 100})
	process(t, b, records(1, 2)...)
	assert.ErrorIs(t, failing(t, b, records(3, 12)), spool.ErrFull)
	assert.Equal(t, record.Holding{Records: 2}, b.Holding())
	b.Flush()
	assert.Equal(t, ints(1, 12), process(t, b, records(3, 12)...))
	require.NoError(t, b.Settled(t.Context(), b.Holding().Released))
	assert.Nil(t, process(t, b, records(13, 14)...))
	assert.Equal(t, 2, s.Stats().Records, "there is room again")
}

func TestSpoolMistakes(t *testing.T) {
	broken := boltspool.New("", nil, nil)
	for _, test := range []struct {
		name string
		opts buffer.Options
		want []string
	}{
		{"valid", buffer.Options{Spool: new(disk)}, nil},
		{"valid with a bound", buffer.Options{Spool: new(disk), Pending: 1}, nil},
		{"pending below 0", buffer.Options{Spool: new(disk), Pending: -1}, []string{"Pending is -1, want at least 1, or 0 for 10000"}},
		{"pending alone", buffer.Options{Pending: 5}, []string{"Pending is 5 without a Spool, want one"}},
		{"damage alone", buffer.Options{OnDamage: func(error) {}}, []string{"OnDamage is set without a Spool, want one"}},
		{"nil", buffer.Options{Spool: (*disk)(nil)}, []string{"Spool is a nil *buffer_test.disk"}},
		{"controllers", buffer.Options{Spool: new(disk), Controllers: []buffer.Controller{never}}, []string{"Controllers and Spool are set, want one of them"}},
		{"no codec", buffer.Options{Spool: broken}, []string{"Spool: boltspool: the path is", "the codec is nil, want one"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := buffer.New(&test.opts)
			if test.want == nil {
				require.NoError(t, b.Validate())
				return
			}
			for _, w := range test.want {
				assert.ErrorContains(t, b.Validate(), w)
			}
			assert.NoError(t, b.Start(t.Context()), "Validate tells")
			_, err := b.Process(t.Context(), records(1, 1))
			assert.Equal(t, b.Validate(), err)
		})
	}
}

// A call of the spool that hangs ends with the context, if the spool obeys it.
func TestSpoolHangs(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d := &disk{}
	d.call = func(string) error { cancel(); <-ctx.Done(); return ctx.Err() }
	b := overflowing(d, 1, buffer.Options{Count: 2})
	_, err := b.Process(ctx, records(1, 1))
	assert.ErrorIs(t, err, context.Canceled)
	assert.Zero(t, b.Holding())
}
