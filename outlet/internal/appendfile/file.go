package appendfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// File is a file that is open for appending.
type File[S any] struct {
	// State is what is known of its contents: what Load has learned or [File.Keep]
	// was given.
	State S

	path    string
	handle  *os.File
	info    fs.FileInfo // of when it was opened
	size    int64       // to which it is known and kept; -1: load it again
	written int64       // since
	undo    int64       // the length to cut it back to first, or -1
	load    Load[S]
	emptied bool  // it was truncated, or need not be
	dirty   bool  // something was written since the last sync
	failed  error // of a sync that nobody has heard of
}

// Path returns the path by which the file was opened.
func (f *File[S]) Path() string { return f.path }

// Size returns how many bytes are kept.
func (f *File[S]) Size() int64 { return f.size }

// Length returns how many bytes there are, with those not kept yet.
func (f *File[S]) Length() int64 { return f.size + f.written }

// Modified returns when the file had been written to before it was opened.
func (f *File[S]) Modified() time.Time { return f.info.ModTime() }

// Write appends p. It counts for nothing before [File.Keep].
func (f *File[S]) Write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	n, err := f.handle.Write(p)
	f.written += int64(n)
	f.dirty = f.dirty || n > 0
	return err
}

// Keep keeps what was written, after which the contents are as state says.
func (f *File[S]) Keep(state S) {
	f.size += f.written
	f.written, f.State = 0, state
}

// Cut takes back what was written and not kept. It returns the cause, with what
// went wrong in doing so.
func (f *File[S]) Cut(cause error) error {
	if f.written == 0 {
		return cause
	}
	f.written = 0
	if err := f.handle.Truncate(f.size); err != nil {
		f.undo = f.size
		return fmt.Errorf("%w; what was written could not be taken back yet: %w", cause, err)
	}
	return cause
}

// Shorten cuts off the last n of the bytes that are kept, and loads what is left.
func (f *File[S]) Shorten(n int64) error {
	if err := f.handle.Truncate(f.size - n); err != nil {
		return err
	}
	return f.refresh(f.size - n)
}

// Sync has the system write what was written to the disk.
func (f *File[S]) Sync() error {
	if !f.dirty {
		return nil
	}
	if err := f.handle.Sync(); err != nil {
		return err
	}
	f.dirty = false
	return nil
}

// Force is Sync, with the folder too if nothing was kept before: a file that is not on
// the disk by name is lost.
func (f *File[S]) Force() error {
	if err := f.Sync(); err != nil || f.size > 0 {
		return err
	}
	return SyncFolder(filepath.Dir(Resolved(f.path)))
}

// SyncAll is Sync that also counts what another process may have written.
func (f *File[S]) SyncAll() error {
	f.dirty = true
	return f.Sync()
}

// Trouble returns what went wrong in syncing the file by itself, once.
func (f *File[S]) Trouble() error {
	err := f.failed
	f.failed = nil
	if err != nil {
		return fmt.Errorf("%s: a sync has failed, after which what was accepted may not be on the disk: %w", f.path, err)
	}
	return nil
}

// refresh loads a file that has the given size now.
func (f *File[S]) refresh(size int64) (err error) {
	defer func() {
		if err != nil {
			f.size = -1
		}
	}()
	if f.undo >= 0 {
		if size > f.undo {
			if err := f.handle.Truncate(f.undo); err != nil {
				return fmt.Errorf("cannot undo an unfinished write: %w", err)
			}
			size = f.undo
		}
		f.undo = -1
	}
	var none S
	f.size, f.written, f.State = size, 0, none
	if size == 0 {
		return nil
	}
	f.State, err = f.load(f.handle, f.path, size)
	return err
}

func (f *File[S]) close(sync bool) error {
	var err error
	if f.undo >= 0 {
		err = f.handle.Truncate(f.undo)
	}
	if sync {
		err = errors.Join(err, f.Sync())
	}
	return errors.Join(err, f.handle.Close())
}

// Resolved returns path without symbolic links or, of a file that does not exist, as it
// is.
func Resolved(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return path
}

// Regular returns an error if path is not a file, or does not exist.
func Regular(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		kind := "device or pipe"
		if info.IsDir() {
			kind = "folder"
		}
		return fmt.Errorf("%s is a %s, want a regular file", path, kind)
	}
	return nil
}

// Prepare makes the folder of a file that is to be made, or written to. With sync it is on
// the disk by name when it returns.
func Prepare(path string, sync bool) error {
	if err := Regular(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	folder := filepath.Dir(path)
	there := nearest(folder)
	if err := os.MkdirAll(folder, 0o755); err != nil || !sync {
		return err
	}
	for folder != there {
		folder = filepath.Dir(folder)
		if err := SyncFolder(folder); err != nil {
			return err
		}
	}
	return nil
}

// nearest returns the folder, or the innermost one around it that exists.
func nearest(folder string) string {
	for {
		around := filepath.Dir(folder)
		if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) || around == folder {
			return folder
		}
		folder = around
	}
}

// Probe checks whether files can be made in a folder, by making one and removing it.
// The name begins with that of the package that asks.
func Probe(folder, pkg string) error {
	probe, err := os.CreateTemp(folder, "."+pkg+"-*")
	if err != nil {
		return fmt.Errorf("cannot make files in %s: %w", folder, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}
