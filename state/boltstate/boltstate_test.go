package boltstate_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/databay-go/databay/state"
	"github.com/databay-go/databay/state/boltstate"
	"github.com/databay-go/databay/testkit"
)

func open(t *testing.T, path string) *boltstate.Store {
	t.Helper()
	s, err := boltstate.Open(path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func path(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "state.db")
}

func TestConforms(t *testing.T) {
	t.Parallel()
	paths := make(map[state.Store]string)
	opened := func(t *testing.T, path string) state.Store {
		s := open(t, path)
		paths[s] = path
		return s
	}
	testkit.TestStore(t, func(t *testing.T) state.Store { return opened(t, path(t)) }, &testkit.StoreOptions{
		MaxKey: boltstate.MaxKey,
		Reopen: func(t *testing.T, s state.Store) state.Store {
			require.NoError(t, s.(*boltstate.Store).Close())
			return opened(t, paths[s])
		},
		Skip: map[string]string{"cannot write": "TestFullDisk does it where a disk can be made"},
	})
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	text := filepath.Join(folder, "text")
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("this is no database\n", 1000)), 0o600))
	short := filepath.Join(folder, "short")
	require.NoError(t, os.WriteFile(short, []byte("x"), 0o600))
	foreign := filepath.Join(folder, "foreign")
	db, err := bolt.Open(foreign, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket([]byte("databay.state.1"))
		if err == nil {
			err = b.Put([]byte("x"), nil)
		}
		return err
	}))
	require.NoError(t, db.Close())
	for name, tt := range map[string]struct {
		path string
		opts boltstate.Options
		want []string
	}{
		"no path":       {"", boltstate.Options{}, []string{`the path is ""`}},
		"all at once":   {"", boltstate.Options{LockTimeout: -2, Mode: 0o400}, []string{`the path is ""`, "LockTimeout is -2ns", "Mode is 0400"}},
		"no such mode":  {text, boltstate.Options{Mode: fs.ModeDir | 0o700}, []string{"Mode is 0x"[:8], "want permissions"}},
		"no folder":     {filepath.Join(folder, "no", "such"), boltstate.Options{}, []string{"no such file"}},
		"a folder":      {folder, boltstate.Options{}, []string{folder, "directory"}},
		"text":          {text, boltstate.Options{}, []string{text, "invalid database"}},
		"one byte":      {short, boltstate.Options{}, []string{short, "invalid database"}},
		"foreign":       {foreign, boltstate.Options{}, []string{foreign, `the key "x"`}},
		"foreign again": {foreign, boltstate.Options{}, []string{foreign, `the key "x"`}}, // the lock is free
	} {
		t.Run(name, func(t *testing.T) {
			s, err := boltstate.Open(tt.path, &tt.opts)
			require.Error(t, err)
			assert.Nil(t, s)
			for _, want := range tt.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
}

func TestHeldTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		file := path(t)
		s := open(t, file)
		for timeout, want := range map[time.Duration]time.Duration{0: time.Second, 300 * time.Millisecond: 300 * time.Millisecond} {
			began := time.Now()
			_, err := boltstate.Open(file, &boltstate.Options{LockTimeout: timeout})
			require.ErrorContains(t, err, file)
			require.ErrorContains(t, err, "held by another process")
			assert.InDelta(t, want, time.Since(began), float64(100*time.Millisecond))
		}
		closed := make(chan error)
		go func() {
			time.Sleep(time.Hour)
			closed <- s.Close()
		}()
		other, err := boltstate.Open(file, &boltstate.Options{LockTimeout: -1})
		require.NoError(t, err, "which waits as long as it takes")
		require.NoError(t, <-closed)
		require.NoError(t, other.Close())
	})
}

func TestMode(t *testing.T) {
	t.Parallel()
	for mode, want := range map[fs.FileMode]fs.FileMode{0: 0o600, 0o640: 0o640} {
		file := path(t)
		s, err := boltstate.Open(file, &boltstate.Options{Mode: mode})
		require.NoError(t, err)
		require.NoError(t, s.Close())
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.Equal(t, want, info.Mode())
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	s := open(t, path(t))
	require.NoError(t, s.Check(t.Context()))
	require.NoError(t, s.Close())
	_, err := s.Put(t.Context(), "a", nil, 0)
	require.ErrorIs(t, err, fs.ErrClosed)
	require.ErrorIs(t, s.Check(t.Context()), fs.ErrClosed)
	assert.ErrorContains(t, err, "state.db: the store is closed")
	assert.Contains(t, s.String(), "state.db")
}

// A thousand links that commit once a second, each at another moment, cost a bounded
// number of transactions. The time is that of a bubble: no machine is too slow.
func TestTransactionsOfManyLinks(t *testing.T) {
	t.Parallel()
	const links, seconds = 1000, 3
	file := path(t)
	before := transactions(t, file)
	synctest.Test(t, func(t *testing.T) {
		s := open(t, file)
		var group sync.WaitGroup
		for i := range links {
			group.Go(func() {
				key := fmt.Sprint("link/", i)
				var rev int64
				time.Sleep(time.Duration(i) * time.Second / links)
				for range seconds {
					next := time.Now().Add(time.Second)
					now, err := s.Put(t.Context(), key, []byte("a position"), rev)
					if !assert.NoError(t, err) {
						return
					}
					assert.LessOrEqual(t, time.Until(next), time.Second)
					assert.GreaterOrEqual(t, time.Until(next), 970*time.Millisecond, "a Put waits for company 20 ms at most")
					rev = now
					time.Sleep(time.Until(next))
				}
			})
		}
		group.Wait()
		require.NoError(t, s.Close())
	})
	n := transactions(t, file) - before
	t.Logf("%d Puts in %d s took %d transactions, %.1f a second", links*seconds, seconds, n, float64(n)/seconds)
	assert.LessOrEqual(t, n, 60*seconds)
	assert.GreaterOrEqual(t, n, seconds)
}

// One link does not wait for company, nor do links that are all there: once it is known
// how many they are, no time passes.
func TestNoWaitForNobody(t *testing.T) {
	t.Parallel()
	for _, links := range []int{1, 8, 40} {
		synctest.Test(t, func(t *testing.T) {
			s := open(t, path(t))
			revs := make([]int64, links)
			round := func() {
				var group sync.WaitGroup
				for i := range links {
					group.Go(func() {
						var err error
						revs[i], err = s.Put(t.Context(), fmt.Sprint(i), nil, revs[i])
						assert.NoError(t, err)
					})
				}
				group.Wait()
				synctest.Wait() // the store is at rest
			}
			round()
			began := time.Now()
			for range 49 {
				round()
			}
			assert.Zero(t, time.Since(began), "%d links", links)
		})
	}
}

// transactions returns how many transactions a file has seen.
func transactions(t testing.TB, file string) int {
	t.Helper()
	db, err := bolt.Open(file, 0o600, nil)
	require.NoError(t, err)
	defer db.Close()
	tx, err := db.Begin(false)
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback()) }()
	return tx.ID()
}

// A context that ends before the transaction began takes the Put back.
func TestWithdrawn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, path(t))
		for i := range 20 { // so that the next one waits for company
			_, err := s.Put(t.Context(), fmt.Sprint(i), nil, 0)
			require.NoError(t, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := s.Put(ctx, "late", []byte("x"), 0)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		time.Sleep(time.Second)
		_, rev, err := s.Get(t.Context(), "late")
		require.NoError(t, err)
		assert.Zero(t, rev)
	})
}

// What is damaged in one value is an error of its key alone.
func TestDamagedValue(t *testing.T) {
	t.Parallel()
	file := path(t)
	s := open(t, file)
	for _, key := range []string{"good", "bad", "short"} {
		_, err := s.Put(t.Context(), key, []byte("value"), 0)
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
	db, err := bolt.Open(file, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte("databay.state.1"))
		v := append([]byte(nil), b.Get([]byte("kbad"))...)
		v[len(v)-1] ^= 1
		return errors.Join(b.Put([]byte("kbad"), v), b.Put([]byte("kshort"), []byte("x")))
	}))
	require.NoError(t, db.Close())

	s = open(t, file)
	value, rev, err := s.Get(t.Context(), "good")
	require.NoError(t, err)
	assert.Equal(t, "value", string(value))
	for _, key := range []string{"bad", "short"} {
		_, _, err = s.Get(t.Context(), key)
		require.ErrorContains(t, err, fmt.Sprintf("%q is damaged", key))
		assert.ErrorContains(t, err, file)
		_, err = s.Put(t.Context(), key, nil, 1)
		require.ErrorContains(t, err, "damaged")
		require.NotErrorIs(t, err, state.ErrConflict)
	}
	_, err = s.Put(t.Context(), "good", nil, rev)
	require.NoError(t, err)
}
