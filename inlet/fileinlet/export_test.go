package fileinlet

import "io"

// ReadAfter reads what follows known bytes.
func ReadAfter(f io.ReaderAt, known []byte, at int64, b []byte) (int, error) {
	return readAfter(f, known, at, b)
}

// ErrTruncated is its error.
var ErrTruncated = errTruncated
