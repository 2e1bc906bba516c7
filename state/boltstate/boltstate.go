package boltstate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/databay-go/databay/internal/boltfile"
	"github.com/databay-go/databay/state"
)

// MaxKey is the length in bytes of the longest key.
const MaxKey = bolt.MaxKeySize - 1

// Options say how a file is opened. The zero value is ready to use.
type Options struct {
	// LockTimeout is how long Open waits for a file that is held by another
	// process, or by another Store of this one. Zero is a second, -1 for ever.
	LockTimeout time.Duration

	// Mode is the permissions of a file that Open makes, before umask. Zero is
	// 0600: positions may tell about the data.
	Mode fs.FileMode
}

func (o *Options) validate() error {
	var errs []error
	if o.LockTimeout < -1 {
		errs = append(errs, fmt.Errorf("boltstate: LockTimeout is %v, want more than 0, 0 for a second, or -1 to wait for ever", o.LockTimeout))
	}
	if o.Mode&^fs.ModePerm != 0 || o.Mode != 0 && o.Mode&0o600 != 0o600 {
		errs = append(errs, fmt.Errorf("boltstate: Mode is %#o, want permissions that let the owner read and write, as 0600", uint32(o.Mode)))
	}
	return errors.Join(errs...)
}

// Store is a [state.Store] in a file. It is safe for concurrent use. Make one with
// [Open].
type Store struct {
	path string
	file *boltfile.File

	mu      sync.Mutex
	waiting []*write      // for the next transaction
	full    chan struct{} // told when it waits for company and all are there
	writing bool          // somebody writes transactions
	closed  bool
	pace    pace
	work    sync.WaitGroup // who writes transactions
}

var _ state.Store = (*Store)(nil)

// Open opens the file at path, and makes it if it does not exist; its folder must.
// The file is held until Close. Nil options are the default.
//
// It fails if the file is held by another process, cannot be read and written, or
// is damaged. All mistakes in the arguments are reported at once.
func Open(path string, opts *Options) (*Store, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	err := o.validate()
	if path == "" {
		err = errors.Join(errors.New(`boltstate: the path is "", want that of a file`), err)
	}
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, full: make(chan struct{}, 1)}
	if s.file, err = boltfile.Open(path, o.Mode, o.LockTimeout); err != nil {
		return nil, s.failed(err)
	}
	if err := s.file.Update(check); err != nil {
		return nil, s.failed(errors.Join(err, s.file.Close()))
	}
	return s, nil
}

// Get returns the value and the revision of key. It fails if ctx has ended, the
// store is closed, or what the file holds of key is damaged.
func (s *Store) Get(ctx context.Context, key string) (value []byte, rev int64, err error) {
	if err := s.may(ctx, key); err != nil {
		return nil, 0, err
	}
	err = s.file.View(func(tx *bolt.Tx) error {
		value, rev, err = get(tx.Bucket(bucket), key)
		return err
	})
	if err != nil {
		return nil, 0, s.failed(err)
	}
	return value, rev, nil
}

// Put writes value if rev is current, and returns when it is on the disk. If ctx
// ends before a transaction has begun nothing is written; if it ends later, Put
// returns and it is not known whether value is written. It fails, having written
// nothing, if the store is closed or the key is longer than [MaxKey].
func (s *Store) Put(ctx context.Context, key string, value []byte, rev int64) (int64, error) {
	if err := s.may(ctx, key); err != nil {
		return 0, err
	}
	w := &write{key: key, value: frame(key, value, rev+1), rev: rev, done: make(chan struct{})}
	if err := s.enqueue(w); err != nil {
		return 0, s.failed(err)
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		if s.withdraw(w) {
			return 0, ctx.Err()
		}
		return 0, s.failed(fmt.Errorf("%q may or may not have been written: %w", key, ctx.Err()))
	}
	switch {
	case w.err == nil:
		return rev + 1, nil
	case errors.Is(w.err, state.ErrConflict):
		return 0, w.err
	}
	return 0, s.failed(w.err)
}

// Close writes what Puts are waiting for, waits for calls that go on, and lets go
// of the file. Calls that come later fail with an error that is [fs.ErrClosed].
// Closing twice does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.hurry()
	s.mu.Unlock()
	s.work.Wait()
	if err := s.file.Close(); err != nil {
		return s.failed(err)
	}
	return nil
}

// Check reports whether the file can be read.
func (s *Store) Check(ctx context.Context) error {
	_, _, err := s.Get(ctx, "")
	return err
}

// String returns "boltstate" and the path of the file.
func (s *Store) String() string { return "boltstate(" + s.path + ")" }

// may says why a call is not answered.
func (s *Store) may(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(key) > MaxKey {
		return s.failed(fmt.Errorf("the key %.30q… has %d bytes, want at most %d", key, len(key), MaxKey))
	}
	return nil
}

// failed names the file.
func (s *Store) failed(err error) error { return fmt.Errorf("boltstate: %s: %w", s.path, err) }
