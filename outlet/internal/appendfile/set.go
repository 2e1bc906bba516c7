package appendfile

import (
	"container/list"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Load learns what is in a file that is not empty.
type Load[S any] func(from io.ReaderAt, path string, size int64) (S, error)

// Set is files that are kept open, by path. It is not safe for concurrent use, nor are its
// files.
type Set[S any] struct {
	pkg       string
	most      int
	sync      bool
	load      Load[S]
	open      map[string]*list.Element // of *File[S]
	recent    *list.List               // those used last first
	truncated map[string]bool          // by path without symbolic links
	late      []error                  // of closing files between pushes
}

// maxLate bounds the errors that are kept for the end.
const maxLate = 10

// NewSet returns an empty set for the package pkg, whose name begins errors. It
// keeps at most most files open, or any number if that is not positive. With sync,
// files are synced before they are closed.
func NewSet[S any](pkg string, most int, sync bool, load Load[S]) *Set[S] {
	return &Set[S]{
		pkg: pkg, most: most, sync: sync, load: load,
		open: make(map[string]*list.Element), recent: list.New(), truncated: make(map[string]bool),
	}
}

// Check checks that the file at path can be written and, unless it will be truncated,
// loaded. It makes no file and changes none; whether a new one can be made is seen by a
// [Probe] of its folder or, as long as there is none, of the one in which that will be.
func (s *Set[S]) Check(path string, truncate bool) error {
	err := Regular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Probe(nearest(filepath.Dir(path)), s.pkg)
	}
	if err != nil {
		return err
	}
	handle, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	info, err := handle.Stat()
	if err == nil && !truncate && info.Size() > 0 {
		_, err = s.load(handle, path, info.Size())
	}
	return errors.Join(err, handle.Close())
}

// At returns the file at path. It is opened if need be, and made if it is not there.
// With truncate it is emptied, the first time.
func (s *Set[S]) At(path string, truncate bool) (*File[S], error) {
	if el, ok := s.open[path]; ok {
		f := el.Value.(*File[S])
		info, err := os.Stat(path)
		if err == nil && os.SameFile(info, f.info) && (f.emptied || !truncate) {
			s.recent.MoveToFront(el)
			if info.Size() == f.size && f.undo < 0 {
				return f, nil
			}
			return f, f.refresh(info.Size())
		}
		s.close(el) // it was removed, or replaced by another, or is to be emptied
	}
	for s.most > 0 && s.recent.Len() >= s.most {
		s.close(s.recent.Back())
	}
	f, err := s.openFile(path, truncate && !s.emptied(path))
	if err != nil {
		return nil, err
	}
	if truncate {
		f.emptied = true
		if target, err := filepath.EvalSymlinks(path); err == nil {
			s.truncated[target] = true
		}
	}
	for el := s.recent.Front(); el != nil; el = el.Next() {
		if same := el.Value.(*File[S]); os.SameFile(same.info, f.info) { // by another path
			s.recent.MoveToFront(el)
			same.emptied = same.emptied || truncate
			return same, errors.Join(f.close(false), same.refresh(f.info.Size()))
		}
	}
	s.open[path] = s.recent.PushFront(f)
	return f, nil
}

// emptied reports whether the file at path needs no truncation any more.
func (s *Set[S]) emptied(path string) bool {
	target, err := filepath.EvalSymlinks(path)
	return err != nil || s.truncated[target]
}

func (s *Set[S]) openFile(path string, truncate bool) (*File[S], error) {
	if err := Prepare(path, s.sync); err != nil {
		return nil, err
	}
	flag := os.O_RDWR | os.O_APPEND | os.O_CREATE
	if truncate {
		flag |= os.O_TRUNC
	}
	handle, err := os.OpenFile(path, flag, 0o644)
	if err != nil {
		return nil, err
	}
	f := &File[S]{path: path, handle: handle, undo: -1, load: s.load}
	if f.info, err = handle.Stat(); err == nil {
		err = f.refresh(f.info.Size())
	}
	if err != nil {
		return nil, errors.Join(err, handle.Close())
	}
	return f, nil
}

// Sync syncs the files that are open. What goes wrong is for [File.Trouble].
func (s *Set[S]) Sync() {
	for el := s.recent.Front(); el != nil; el = el.Next() {
		f := el.Value.(*File[S])
		if err := f.Sync(); err != nil {
			f.failed = err
		}
	}
}

// Forget closes the file that is open by the path, if there is one. The next At
// opens it anew.
func (s *Set[S]) Forget(path string) {
	if el, ok := s.open[path]; ok {
		s.close(el)
	}
}

// Late keeps an error until Close, for the pushes are answered.
func (s *Set[S]) Late(err error) {
	if err != nil && len(s.late) < maxLate {
		s.late = append(s.late, err)
	}
}

func (s *Set[S]) close(el *list.Element) {
	f := s.recent.Remove(el).(*File[S])
	delete(s.open, f.path)
	if err := errors.Join(f.failed, f.close(s.sync)); err != nil {
		s.Late(fmt.Errorf("%s: closing %s: %w", s.pkg, f.path, err))
	}
}

// Close closes all files and returns what went wrong in closing files since the
// set was made.
func (s *Set[S]) Close() error {
	for s.recent.Len() > 0 {
		s.close(s.recent.Back())
	}
	return errors.Join(s.late...)
}
