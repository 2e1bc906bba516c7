// Package boltfile opens bbolt databases so that a damaged file, and a disk that
// breaks, are errors: bbolt panics, or the process gets a signal, where it believes
// what it reads.
package boltfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// File is an open database. It is safe for concurrent use.
type File struct {
	file *os.File // which db has open
	db   *bolt.DB

	mu     sync.Mutex
	broken error // after which bbolt writes no more
}

// Open opens the database at path, and makes it with mode, or 0600 if that is 0. It
// waits for the file, if it is held elsewhere, as long as timeout: 0 is a second, a
// negative one for ever. Nothing is held if it fails. Its errors name no file.
func Open(path string, mode fs.FileMode, timeout time.Duration) (*File, error) {
	switch {
	case timeout == 0:
		timeout = time.Second
	case timeout < 0:
		timeout = 0 // which waits for ever
	}
	if mode == 0 {
		mode = 0o600
	}
	f := new(File)
	err := guard(func() (err error) {
		f.db, err = bolt.Open(path, mode, &bolt.Options{
			Timeout:      timeout,
			FreelistType: bolt.FreelistMapType,
			// The list of free pages is kept, which costs a page a transaction. bbolt would
			// look for them on a goroutine of its own, where a damaged file ends the process.
			NoFreelistSync: false,
			OpenFile: func(name string, flag int, perm os.FileMode) (_ *os.File, err error) {
				f.file, err = os.OpenFile(name, flag, perm)
				return f.file, err
			},
		})
		return err
	})
	if err == nil {
		return f, nil
	}
	f.letGo()
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("the file is held by another process, or opened twice by this one (LockTimeout %v): %w", timeout, err)
	}
	return nil, err
}

// View runs fn in a transaction that reads. What is closed is [fs.ErrClosed].
func (f *File) View(fn func(*bolt.Tx) error) error {
	return closed(guard(func() error { return f.db.View(fn) }))
}

// Update runs fn in a transaction that is on the disk when Update returns nil. After
// a [Damage] it always fails.
func (f *File) Update(fn func(*bolt.Tx) error) error {
	f.mu.Lock()
	broken := f.broken
	f.mu.Unlock()
	if broken != nil {
		return broken
	}
	err := closed(guard(func() error { return f.db.Update(fn) }))
	if damage, ok := errors.AsType[*Damage](err); ok {
		f.mu.Lock()
		f.broken = damage
		f.mu.Unlock()
	}
	return err
}

// Close waits for transactions and closes the file. Closing twice does nothing.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil { // bbolt may hold a lock for ever
		f.letGo()
		return nil
	}
	return guard(f.db.Close)
}

// letGo gives the file away without bbolt, which may have closed it before.
func (f *File) letGo() {
	if f.file != nil {
		unlock(f.file)
		_ = f.file.Close()
	}
}

func closed(err error) error {
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return fmt.Errorf("the file is closed: %w", fs.ErrClosed)
	}
	return err
}

// Damage is the error of a file whose content makes no sense to bbolt.
type Damage struct{ cause any }

func (d *Damage) Error() string { return fmt.Sprintf("the file is damaged: %v", d.cause) }

// IsDamaged reports whether err says that a file is damaged, or no database.
func IsDamaged(err error) bool {
	_, ok := errors.AsType[*Damage](err)
	return ok || errors.Is(err, bolterrors.ErrInvalid) || errors.Is(err, bolterrors.ErrChecksum) || errors.Is(err, bolterrors.ErrVersionMismatch)
}

// guard makes errors of panics, and of faults of the memory that a file is mapped to.
func guard(f func() error) (err error) {
	returned := false
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if v := recover(); !returned {
			err = &Damage{v}
		}
	}()
	err = f()
	returned = true
	return err
}
