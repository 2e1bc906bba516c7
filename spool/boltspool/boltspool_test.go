package boltspool_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
	"github.com/databay-go/databay/spool/boltspool"
	"github.com/databay-go/databay/testkit"
)

type row = map[string]int

func sample(i int) record.Record { return record.New(row{"n": i}) }

func samples(from, to int) (all []record.Record) {
	for i := from; i < to; i++ {
		all = append(all, sample(i))
	}
	return all
}

func path(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "records.spool")
}

// told collects what OnDamage is told.
type told struct {
	mu   sync.Mutex
	errs []error
}

func (d *told) add(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.errs = append(d.errs, err)
}

func started(t *testing.T, file string, opts *boltspool.Options) *boltspool.Spool {
	t.Helper()
	s := boltspool.New(file, spool.JSON[row](), opts)
	require.NoError(t, s.Validate())
	require.NoError(t, s.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, s.Shutdown(t.Context())) })
	return s
}

func TestConforms(t *testing.T) {
	t.Parallel()
	testkit.TestSpool(t, func(t *testing.T) spool.Spool { return started(t, path(t), nil) }, sample, &testkit.SpoolOptions{
		Reopen: func(t *testing.T, s spool.Spool) spool.Spool {
			file := strings.TrimSuffix(strings.TrimPrefix(s.(*boltspool.Spool).String(), "boltspool("), ")")
			require.NoError(t, s.(*boltspool.Spool).Shutdown(t.Context()))
			return started(t, file, nil)
		},
		Small: func(t *testing.T) spool.Spool { return started(t, path(t), &boltspool.Options{MaxBytes: 5000}) },
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	codec := spool.JSON[row]()
	for name, tt := range map[string]struct {
		path  string
		codec spool.Codec
		opts  boltspool.Options
		want  []string
	}{
		"all at once": {"", nil, boltspool.Options{MaxBytes: -2, LockTimeout: -2, Mode: 0o100},
			[]string{`the path is ""`, "the codec is nil", "MaxBytes is -2", "LockTimeout is -2ns", "Mode is 0100"}},
		"a folder's mode": {"x", codec, boltspool.Options{Mode: fs.ModeDir | 0o700}, []string{"want permissions"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := boltspool.New(tt.path, tt.codec, &tt.opts)
			for _, err := range []error{s.Validate(), s.Start(t.Context())} {
				for _, want := range tt.want {
					require.ErrorContains(t, err, want)
				}
			}
			require.Error(t, s.Append(t.Context(), samples(0, 1)))
		})
	}
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	file := path(t)
	s := boltspool.New(file, spool.JSON[row](), nil)
	require.NoError(t, s.Shutdown(t.Context()))
	stopped := func() {
		t.Helper()
		require.ErrorContains(t, s.Append(t.Context(), samples(0, 1)), file+": the spool is not started")
		_, err := s.Read(t.Context(), 0, 1)
		require.ErrorContains(t, err, "not started")
		require.ErrorContains(t, s.Remove(t.Context(), []int64{1}), "not started")
		assert.Zero(t, s.Stats().Records)
	}
	stopped()
	for n := range 3 {
		require.NoError(t, s.Start(t.Context()))
		require.NoError(t, s.Start(t.Context()))
		assert.Equal(t, n, s.Stats().Records)
		require.NoError(t, s.Append(t.Context(), samples(n, n+1)))
		other := boltspool.New(file, spool.JSON[row](), &boltspool.Options{LockTimeout: time.Millisecond})
		require.ErrorContains(t, other.Start(t.Context()), "held by another process")
		require.NoError(t, s.Shutdown(t.Context()))
		require.NoError(t, s.Shutdown(t.Context()))
		stopped()
	}
	names, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	assert.Len(t, names, 1, "a file that is held is not damaged")
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	s := started(t, path(t), &boltspool.Options{MaxBytes: 200})
	large := record.New(row{strings.Repeat("x", 200): 1})
	p := record.AsPartial(s.Append(t.Context(), []record.Record{sample(0), large}))
	require.NotNil(t, p)
	assert.Equal(t, []int{1}, p.Indices())
	assert.True(t, record.IsPermanent(p))
	assert.ErrorContains(t, p, "want at most MaxBytes, 200")
	assert.Equal(t, 1, s.Stats().Records)
	assert.Equal(t, int64(200), s.Stats().Limit)

	unbounded := started(t, path(t), &boltspool.Options{MaxBytes: -1})
	require.NoError(t, unbounded.Append(t.Context(), []record.Record{large}))
	assert.Zero(t, unbounded.Stats().Limit)
}

// A damaged record, and one of another codec, are read as such, and the others as
// they are.
func TestDamagedRecords(t *testing.T) {
	t.Parallel()
	file := path(t)
	s := started(t, file, nil)
	require.NoError(t, s.Append(t.Context(), samples(0, 5)))
	require.NoError(t, s.Shutdown(t.Context()))
	texts := boltspool.New(file, spool.JSON[string](), nil)
	require.NoError(t, texts.Start(t.Context()))
	require.NoError(t, texts.Append(t.Context(), []record.Record{record.New("text")}))
	require.NoError(t, texts.Shutdown(t.Context()))
	change(t, file, func(b *bolt.Bucket) error {
		torn := append([]byte(nil), b.Get(key(2))...)
		flipped := append([]byte(nil), b.Get(key(4))...)
		flipped[20] ^= 1
		return errors.Join(b.Put(key(2), torn[:10]), b.Put(key(4), flipped), b.Put([]byte("foreign"), []byte("x")), b.Put(key(0), nil))
	})
	var damage told
	s = started(t, file, &boltspool.Options{OnDamage: damage.add})
	assert.Equal(t, 6, s.Stats().Records)
	require.Len(t, damage.errs, 2, "two keys are none of a spool")
	entries, err := s.Read(t.Context(), 0, 100)
	require.NoError(t, err)
	var seqs []int64
	for _, e := range entries {
		seqs = append(seqs, e.Seq)
		if want := map[int64]string{2: "the checksum is wrong", 4: "the checksum is wrong", 6: `payload is a "string", want map[string]int`}[e.Seq]; want != "" {
			require.ErrorContains(t, e.Err, want)
			require.ErrorContains(t, e.Err, fmt.Sprintf("%s: record %d: ", file, e.Seq))
			assert.IsType(t, []byte(nil), e.Record.Payload)
			continue
		}
		require.NoError(t, e.Err)
		assert.Equal(t, row{"n": int(e.Seq) - 1}, e.Record.Payload)
		assert.WithinDuration(t, time.Now(), e.At, time.Hour)
	}
	assert.Len(t, damage.errs, 2+3)
	require.NoError(t, s.Remove(t.Context(), seqs))
	assert.Zero(t, s.Stats().Records)
	assert.Zero(t, s.Stats().Bytes)
}

func key(seq byte) []byte { return []byte{0, 0, 0, 0, 0, 0, 0, seq} }

func change(t *testing.T, file string, f func(b *bolt.Bucket) error) {
	t.Helper()
	db, err := bolt.Open(file, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bolt.Tx) error { return f(tx.Bucket([]byte("databay.spool.1"))) }))
	require.NoError(t, db.Close())
}

// A file that cannot be read is put aside: Start never refuses because of it.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	good := path(t)
	s := started(t, good, nil)
	for i := range 50 {
		require.NoError(t, s.Append(t.Context(), samples(i*20, i*20+20)))
	}
	require.NoError(t, s.Shutdown(t.Context()))
	whole, err := os.ReadFile(good)
	require.NoError(t, err)
	for name, content := range map[string][]byte{
		"text":         []byte(strings.Repeat("no database\n", 2000)),
		"one byte":     {1},
		"torn":         whole[:len(whole)/2],
		"torn early":   whole[:8192],
		"zeros behind": append(append([]byte(nil), whole[:8192]...), make([]byte, len(whole)-8192)...),
		"empty":        {},
	} {
		t.Run(name, func(t *testing.T) {
			file := path(t)
			require.NoError(t, os.WriteFile(file, content, 0o600))
			var damage told
			s := started(t, file, &boltspool.Options{OnDamage: damage.add})
			require.NoError(t, s.Append(t.Context(), samples(0, 1)))
			if len(content) == 0 {
				assert.Empty(t, damage.errs)
				return
			}
			require.Len(t, damage.errs, 1)
			require.ErrorContains(t, damage.errs[0], file)
			kept, err := filepath.Glob(file + ".damaged-*")
			require.NoError(t, err)
			require.Len(t, kept, 1)
			require.ErrorContains(t, damage.errs[0], kept[0])
			before, err := os.ReadFile(kept[0])
			require.NoError(t, err)
			assert.Equal(t, content, before, "nothing is thrown away")
			entries, err := s.Read(t.Context(), 0, math.MaxInt)
			require.NoError(t, err)
			assert.Len(t, entries, 1)
		})
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	s := boltspool.New(filepath.Join(t.TempDir(), "no", "such"), spool.JSON[row](), nil)
	require.ErrorIs(t, s.Start(t.Context()), fs.ErrNotExist)
	folder := t.TempDir()
	s = boltspool.New(folder, spool.JSON[row](), nil)
	require.ErrorContains(t, s.Start(t.Context()), folder)
	_, err := os.Stat(folder)
	require.NoError(t, err, "a folder is not put aside")
}
