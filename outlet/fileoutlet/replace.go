package fileoutlet

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/databay-go/databay/outlet/internal/appendfile"
	"github.com/databay-go/databay/record"
)

// replace makes the file of a batch anew. It is done with all of the records, or
// none.
func (o *Outlet) replace(b *batch) (done int, err error) {
	path := appendfile.Resolved(b.Path)
	if err := appendfile.Prepare(path, o.opts.Sync != SyncNever); err != nil {
		return 0, err
	}
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp")
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	handle, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return 0, err
	}
	closed, renamed := false, false
	defer func() {
		if !closed {
			err = errors.Join(err, handle.Close())
		}
		if !renamed {
			err = errors.Join(err, os.Remove(temporary))
		}
	}()
	some, err := o.fill(handle, b)
	if err != nil || !some {
		return 0, err
	}
	if info, err := os.Stat(path); err == nil {
		if err := handle.Chmod(info.Mode().Perm()); err != nil {
			return 0, err
		}
	}
	if o.opts.Sync == SyncPush {
		if err := handle.Sync(); err != nil {
			return 0, err
		}
	}
	closed = true
	if err := handle.Close(); err != nil {
		return 0, err
	}
	if err := os.Rename(temporary, path); err != nil {
		return 0, err
	}
	renamed = true
	if o.opts.Sync == SyncPush {
		if err := appendfile.SyncFolder(filepath.Dir(path)); err != nil {
			return 0, err
		}
	}
	return len(b.Indices), nil
}

// fill writes the lines of a batch and reports whether there are any.
func (o *Outlet) fill(handle *os.File, b *batch) (some bool, err error) {
	lines := append(o.lines[:0], b.codec.mark...)
	defer func() {
		if cap(lines) <= 4*maxBuffer {
			o.lines = lines
		}
	}()
	for _, i := range b.Indices {
		if b.failures.Has(i) {
			continue
		}
		start := len(lines)
		if lines, err = o.line(lines, b.records[i], b.codec); err != nil {
			b.failures.Add(i, record.Permanent(err))
			lines = lines[:start]
			continue
		}
		some = true
		if len(lines) >= maxBuffer {
			if _, err := handle.Write(lines); err != nil {
				return some, err
			}
			lines = lines[:0]
		}
	}
	_, err = handle.Write(lines)
	return some, err
}
