package csvoutlet

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// contents is what is known of a file.
type contents struct {
	header *header // nil: it is empty
	unend  string  // what ends its last line, if that is unfinished
}

// maxHeader is how many bytes the header of an existing file may have.
const maxHeader = 1 << 20

// load learns what is in a file that is not empty.
func (e *encoder) load(from io.ReaderAt, path string, size int64) (contents, error) {
	columns, err := e.readHeader(from, size)
	if err != nil {
		return contents{}, fmt.Errorf("%s: header: %w", path, err)
	}
	if err := e.acceptable(columns); err != nil {
		return contents{}, fmt.Errorf("%s: %w", path, err)
	}
	unend, err := e.unfinished(from, size)
	return contents{e.newHeader(columns), unend}, err
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
