package fileinlet

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"unicode/utf8"
)

// quotes finds out where rows end. It sees quotes as the reader of encoding/csv
// does.
type quotes struct {
	comma, comment rune
	lazy           bool
	open           bool // within quotes
	begun          bool // a line of the row was seen
}

// line takes one more line of a row. It reports whether the row ends with it, and
// whether it is no row at all.
func (q *quotes) line(text []byte) (ends, blank bool) {
	text = cut(text)
	if !q.begun {
		q.begun = true
		if first, _ := utf8.DecodeRune(text); len(text) == 0 || q.comment != 0 && first == q.comment {
			return true, true
		}
	}
	for {
		if q.open {
			i := bytes.IndexByte(text, '"')
			if i < 0 {
				return false, false
			}
			text = text[i+1:]
			next, size := utf8.DecodeRune(text)
			switch {
			case next == '"' && size == 1: // two are one
				text = text[1:]
			case len(text) == 0:
				return true, false
			case next == q.comma:
				text = text[size:]
				q.open = false
			case !q.lazy: // the reader gives up here
				return true, false
			}
			continue
		}
		if len(text) > 0 && text[0] == '"' {
			text = text[1:]
			q.open = true
			continue
		}
		i := bytes.IndexRune(text, q.comma)
		if i < 0 {
			return true, false
		}
		text = text[i+utf8.RuneLen(q.comma):]
	}
}

// rows reads rows, each given as a text of its own.
type rows struct {
	opts *CSV
	text bytes.Reader
	csv  *csv.Reader // nil: none, or it is within a row
}

// errQuote is what is wrong with a row that does not end.
var errQuote = errors.New("a quote is not closed")

// read returns the fields of a row.
func (r *rows) read(text []byte) ([]string, error) {
	r.text.Reset(text)
	if r.csv == nil {
		r.csv = csv.NewReader(&r.text)
		r.csv.Comma, r.csv.Comment, r.csv.LazyQuotes, r.csv.FieldsPerRecord = r.opts.Comma, r.opts.Comment, r.opts.Lazy, -1
	}
	before := r.csv.InputOffset()
	row, err := r.csv.Read()
	if err == nil && r.csv.InputOffset()-before != int64(len(text)) {
		err = errors.New("the row ends too early")
	}
	if err == nil {
		return row, nil
	}
	r.csv = nil
	if e, ok := errors.AsType[*csv.ParseError](err); ok {
		err = fmt.Errorf("column %d: %w", e.Column, e.Err)
	}
	return nil, err
}

// payload returns the payload of a row.
func (r *rows) payload(columns []string, text []byte) (any, error) {
	row, err := r.read(text)
	if err != nil {
		return nil, err
	}
	if len(row) != len(columns) {
		return nil, fmt.Errorf("%w: the row has %d, the columns are %d", csv.ErrFieldCount, len(row), len(columns))
	}
	if r.opts.Decode != nil {
		return r.opts.Decode(columns, row)
	}
	m := make(map[string]string, len(row))
	for i, c := range columns {
		m[c] = row[i]
	}
	return m, nil
}
