package fileinlet

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// errTruncated means that a file no longer has what was read of it.
var errTruncated = errors.New("the file was truncated")

const (
	minChunk = 64 << 10 // the least that is read at once
	maxChunk = 4 << 20  // the most
)

// cursor is a place in a file, with what was read of the file around it.
type cursor struct {
	place
	file *os.File    // nil: there is none, or none any more
	info os.FileInfo // of file, when it was opened
	zip  *gzip.Reader
	torn error // what prevents zip from being read any further

	// What was read and may be needed: from the byte base of the content on. It
	// includes the last bytes before Offset, as far as memory goes.
	buf  []byte
	base int64
	head []byte // the beginning of the content, once buf does not have it

	copied bool // the file was emptied, and what it had is in others

	scratch []byte
	chars   *charset // nil: not known yet
	columns []string // of CSV; nil: not known yet
}

// end returns up to where the content was read.
func (c *cursor) end() int64 { return c.base + int64(len(c.buf)) }

// ahead returns what was read and comes after the place.
func (c *cursor) ahead() []byte { return c.buf[c.Offset-c.base:] }

// beginning returns the first bytes of the content, as far as memory and what was
// read before the offset at go.
func (c *cursor) beginning(at int64) []byte {
	head := c.head
	if head == nil {
		head = c.buf // which begins there
	}
	return head[:min(at, memory, int64(len(head)))]
}

// before returns the bytes before the offset at, as far as memory goes.
func (c *cursor) before(at int64) []byte {
	return c.buf[max(at-memory, 0)-c.base : at-c.base]
}

// close closes the file. What was read of it stays.
func (c *cursor) close() {
	if c.file != nil {
		_ = c.file.Close() // it was only read
		c.file, c.zip = nil, nil
	}
}

// openCursor opens the file of a path at its beginning. A file that is not there
// is an error that is os.ErrNotExist.
func (in *Inlet) openCursor(path string) (*cursor, error) {
	// A pipe would block when it is opened.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, irregular(path, info)
	}
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	c, err := in.newCursor(f)
	if err == nil && !c.info.Mode().IsRegular() {
		err = irregular(path, c.info)
	}
	if err != nil {
		_ = f.Close() // it was only read
		return nil, err
	}
	return c, nil
}

// newCursor returns a cursor at the beginning of an open file.
func (in *Inlet) newCursor(f *os.File) (*cursor, error) {
	info, err := f.Stat()
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, err
	}
	c := &cursor{file: f, info: info}
	c.Inode, c.Modified = inode(f, info), info.ModTime().UnixNano()
	if in.opts.CSV != nil {
		c.columns = in.opts.CSV.Columns
	}
	return c, nil
}

func irregular(path string, info os.FileInfo) error {
	what := "a device, pipe or socket"
	if info.IsDir() {
		what = "a folder"
	}
	return fmt.Errorf("%s is %s, want a regular file", path, what)
}

// fill reads on, and returns how many bytes came. If there are none and no error,
// the file ends there at present. The error is errTruncated if the file does not
// have any more what was read before.
func (c *cursor) fill(ctx context.Context, gzipped bool) (int, error) {
	if ctx.Err() != nil {
		return 0, ended(ctx)
	}
	if c.file == nil {
		return 0, nil
	}
	c.forget()
	size := min(max(len(c.ahead()), minChunk), maxChunk)
	if gzipped {
		return c.unzip(size)
	}
	known := c.before(c.end())
	c.scratch = grown(c.scratch, len(known)+size)
	n, err := readAfter(c.file, known, c.end(), c.scratch)
	for errors.Is(err, errTruncated) && c.end() == 0 && ctx.Err() == nil {
		n, err = readAfter(c.file, known, 0, c.scratch) // nothing was read before, so all is there
	}
	if err != nil {
		return 0, err
	}
	c.buf = append(c.buf, c.scratch[len(known):][:n]...)
	return n, nil
}

// readAfter reads what follows the known bytes, which are those before the offset at,
// into b after them, and returns how many bytes came. The error is errTruncated if the
// known bytes are not there, or no longer after reading: it takes several steps, and if
// the file is truncated and written again in between, b is of before and of after.
func readAfter(f io.ReaderAt, known []byte, at int64, b []byte) (int, error) {
	from := at - int64(len(known))
	n, err := f.ReadAt(b, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if n < len(known) || !bytes.Equal(known, b[:len(known)]) {
		return 0, errTruncated
	}
	if n == len(known) {
		return 0, nil
	}
	if same, err := has(f, b[:min(n, memory)], from); err != nil {
		return 0, err
	} else if !same {
		return 0, errTruncated
	}
	return n - len(known), nil
}

// has reports whether a file has these bytes at an offset.
func has(f io.ReaderAt, want []byte, offset int64) (bool, error) {
	got := make([]byte, len(want))
	n, err := f.ReadAt(got, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return n == len(want) && bytes.Equal(got, want), nil
}

// unzip reads on in compressed content.
func (c *cursor) unzip(size int) (n int, err error) {
	if c.torn != nil {
		return 0, c.torn
	}
	if c.zip == nil {
		if c.zip, err = gzip.NewReader(c.file); errors.Is(err, io.EOF) {
			c.zip = nil
			return 0, nil // there is nothing, not even compressed nothing
		}
	}
	if err == nil {
		c.scratch = grown(c.scratch, size)
		for n < size && err == nil {
			var m int
			m, err = c.zip.Read(c.scratch[n:])
			n += m
		}
		c.buf = append(c.buf, c.scratch[:n]...)
	}
	if err == nil || err == io.EOF { //nolint:errorlint // an unexpected end is another error
		return n, nil
	}
	c.torn = fmt.Errorf("compressed content after offset %d: %w", c.end(), err)
	if n > 0 {
		return n, nil // the error is for the next one
	}
	return 0, c.torn
}

// forget drops what is not needed of what was read, if it is much.
func (c *cursor) forget() {
	drop := c.Offset - memory - c.base
	if drop < minChunk {
		return
	}
	if c.head == nil {
		c.head = bytes.Clone(c.buf[:memory])
	}
	c.buf = append(c.buf[:0], c.buf[drop:]...)
	c.base += drop
}

func grown(b []byte, size int) []byte {
	if cap(b) < size {
		b = make([]byte, size)
	}
	return b[:size]
}

// jump moves a cursor that stands before it to an offset. It reports whether the
// content goes that far.
func (c *cursor) jump(ctx context.Context, at int64, gzipped bool) (ok bool, err error) {
	if !gzipped && at > c.end() {
		head := make([]byte, min(at, memory))
		tail := make([]byte, min(at, memory))
		for _, part := range []struct {
			b  []byte
			at int64
		}{{head, 0}, {tail, at - int64(len(tail))}} {
			if _, err := c.file.ReadAt(part.b, part.at); errors.Is(err, io.EOF) {
				return false, nil
			} else if err != nil {
				return false, err
			}
		}
		c.head, c.buf, c.base = head, tail, at-int64(len(tail))
		if c.base == 0 {
			c.head = nil
		}
	}
	for c.end() < at {
		c.Offset = c.end() // so that it is forgotten
		if n, err := c.fill(ctx, gzipped); n == 0 {
			return false, err
		}
	}
	c.Offset = at
	return true, nil
}

// matches reports whether the content before the cursor is that of a place.
func (c *cursor) matches(p *place) bool {
	return digest(c.beginning(c.Offset)) == p.Head && digest(c.before(c.Offset)) == p.Tail
}

// where returns the place as it is stored.
func (c *cursor) where() *place {
	p := c.place
	if c.base <= max(p.Offset-memory, 0) && c.Offset <= c.end() && (c.file != nil || len(c.buf) > 0) {
		p.Head, p.Tail = digest(c.beginning(p.Offset)), digest(c.before(p.Offset))
	}
	return &p
}
