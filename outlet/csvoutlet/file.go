package csvoutlet

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// file is a file that is open.
type file struct {
	path   string
	handle *os.File
	info   fs.FileInfo // of when it was opened
	size   int64       // to which it is known
	header *header     // nil: it is empty
	unend  string      // what ends its last line, if that is unfinished
	undo   int64       // the length to cut it back to first, or -1
}

// maxHeader is how many bytes the header of an existing file may have.
const maxHeader = 1 << 20

// openFile opens a file for appending, which is made if it is not there and, if
// truncate is set, emptied.
func (e *encoder) openFile(path string, truncate bool) (*file, error) {
	if err := regular(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
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
	f := &file{path: path, handle: handle, undo: -1}
	if f.info, err = handle.Stat(); err == nil {
		err = e.load(f, f.info.Size())
	}
	if err != nil {
		return nil, errors.Join(err, handle.Close())
	}
	return f, nil
}

// regular returns an error if path is not a file, or does not exist.
func regular(path string) error {
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

// load learns what is in a file of the given size.
func (e *encoder) load(f *file, size int64) (err error) {
	defer func() {
		if err != nil {
			f.size = -1 // unknown: the next push loads it again
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
	f.size, f.header, f.unend = size, nil, ""
	if size == 0 {
		return nil
	}
	columns, err := e.readHeader(f.handle, size)
	if err != nil {
		return fmt.Errorf("%s: header: %w", f.path, err)
	}
	if err := e.acceptable(columns); err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	f.header = e.newHeader(columns)
	f.unend, err = e.unfinished(f.handle, size)
	return err
}

// readHeader returns the columns in the first line of a file that is not empty.
func (e *encoder) readHeader(from io.ReaderAt, size int64) ([]string, error) {
	section := io.NewSectionReader(from, 0, min(size, maxHeader))
	var mark [3]byte
	if n, _ := section.ReadAt(mark[:], 0); n == len(mark) && string(mark[:]) == "\uFEFF" {
		section = io.NewSectionReader(from, int64(len(mark)), min(size, maxHeader)-int64(len(mark)))
	}
	lines := csv.NewReader(section)
	lines.Comma, _ = utf8.DecodeRuneInString(e.separator)
	columns, err := lines.Read()
	switch {
	case size > maxHeader && lines.InputOffset() >= section.Size():
		return nil, fmt.Errorf("it has more than %d bytes; is this a CSV file?", maxHeader)
	case errors.Is(err, io.EOF):
		return nil, errors.New("the file has only empty lines, want none or a header")
	case err != nil:
		return nil, err
	}
	for i, c := range columns {
		if slices.Index(columns, c) < i {
			return nil, fmt.Errorf("the column %.100q is there twice", c)
		}
	}
	return columns, nil
}

// acceptable returns an error if columns, which a file has, are not those that it
// must have.
func (e *encoder) acceptable(columns []string) error {
	if e.other == Ignore {
		return nil
	}
	var missing []string
	for _, c := range e.columns {
		if !slices.Contains(columns, c) {
			missing = append(missing, c)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("has the columns %s, without %s of Options.Columns; want another file, or OtherColumns: Ignore to leave such out",
		listed(columns), listed(missing))
}

// unfinished returns what has to be written to end the last line. An open quote is
// closed first, or it would swallow the rows that follow.
func (e *encoder) unfinished(from io.ReaderAt, size int64) (string, error) {
	var last [1]byte
	if _, err := from.ReadAt(last[:], size-1); err != nil {
		return "", err
	}
	if last[0] == '\n' {
		return "", nil
	}
	quotes := 0
	all := bufio.NewReaderSize(io.NewSectionReader(from, 0, size), 1<<16)
	for {
		part, err := all.ReadSlice('"')
		quotes += bytes.Count(part, []byte{'"'})
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
	}
	return strings.Repeat(`"`, quotes%2) + e.end, nil
}

// write appends rows; written says how many bytes of this push are there already.
func (f *file) write(rows []byte, written *int64) error {
	n, err := f.handle.Write(rows)
	*written += int64(n)
	return err
}

// cut takes back what a push has written that failed.
func (f *file) cut(cause error) error {
	if err := f.handle.Truncate(f.size); err != nil {
		f.undo = f.size
		return fmt.Errorf("%w; what was written could not be taken back yet: %w", cause, err)
	}
	return cause
}

// close closes the file.
func (f *file) close() error {
	var err error
	if f.undo >= 0 {
		err = f.handle.Truncate(f.undo)
	}
	return errors.Join(err, f.handle.Close())
}
