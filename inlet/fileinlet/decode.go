package fileinlet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Decoder makes the payload of a line, without its end, or of a whole file. The
// bytes belong to it. Without a payload and an error there is no record.
type Decoder func(line []byte) (payload any, err error)

// JSON is a [Decoder] whose payloads are Ts: for JSON lines, or one JSON value in a
// whole file. An empty line and a null are no records.
//
// As encoding/json does, it makes float64 of numbers, map[string]any of objects
// and []any of lists where T leaves it open.
func JSON[T any](line []byte) (any, error) {
	line = bytes.Trim(line, " \t\r\n")
	if len(line) == 0 || string(line) == "null" {
		return nil, nil
	}
	var value T
	if err := json.Unmarshal(line, &value); err != nil {
		return nil, err
	}
	return value, nil
}

// ErrTooLong is what is wrong with a line that has more than MaxLine bytes.
var ErrTooLong = errors.New("the line is too long")

// LineError is the error of a line that cannot become a record. Of a whole file
// the line is 1 and the offset 0.
type LineError struct {
	Path   string
	Line   int64 // its number, from 1; of a CSV row, that of its first line
	Offset int64 // of its first byte
	Err    error // what is wrong with it

	// Text is the line without its end, or the CSV row; of one that is too long
	// its first MaxLine bytes.
	Text string
}

// Error says where the line is, what is wrong, and how the line begins.
func (e *LineError) Error() string {
	const shown = 100
	text, more := e.Text, ""
	if len(text) > shown {
		text, more = text[:shown], "…"
	}
	return fmt.Sprintf("%s: line %d at offset %d: %v: %q%s", e.Path, e.Line, e.Offset, e.Err, text, more)
}

// Unwrap returns what is wrong with the line.
func (e *LineError) Unwrap() error { return e.Err }

// LostError says that what followed in a file may be lost.
type LostError struct {
	Path   string // that of the inlet
	Line   int64  // how many lines were read
	Offset int64  // up to where
}

// Error says how far the file was read.
func (e *LostError) Error() string {
	return fmt.Sprintf("%s: the file that was read up to line %d, offset %d, is gone or was truncated; what else was in it is lost", e.Path, e.Line, e.Offset)
}
