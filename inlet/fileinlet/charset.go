package fileinlet

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/text/encoding"
)

// utf8BOM is the byte order mark in UTF-8.
const utf8BOM = "\uFEFF"

// charset is how the text of a file is encoded.
type charset struct {
	decoder *encoding.Decoder // nil: UTF-8, taken as it is
	newline []byte            // what ends a line; lines begin at multiples of its length
	mark    []byte            // the byte order mark that the file begins with
}

// newCharset returns the charset of files that begin without a byte order mark.
func newCharset(e encoding.Encoding) (charset, error) {
	if e == nil {
		return charset{newline: []byte("\n")}, nil
	}
	encoder := e.NewEncoder()
	one, err := encoder.Bytes([]byte("\n"))
	two, also := encoder.Bytes([]byte("\n\n"))
	if err := errors.Join(err, also); err != nil {
		return charset{}, fmt.Errorf("fileinlet: Encoding is %v, which has no line ends: %w", e, err)
	}
	newline := two[min(len(one), len(two)):] // a byte order mark may come before
	switch len(newline) {
	case 1, 2, 4:
		return charset{decoder: e.NewDecoder(), newline: newline}, nil
	}
	return charset{}, fmt.Errorf("fileinlet: Encoding is %v, whose line ends have %d bytes, want 1, 2 or 4", e, len(newline))
}

// of returns the charset of a file with the given beginning, of at least as many
// bytes as a line end has.
func (c charset) of(head []byte) (charset, error) {
	c.mark = nil
	if c.decoder == nil || len(c.newline) == 1 {
		return c, nil
	}
	for _, order := range []struct{ mark, newline string }{
		{"\xff\xfe", "\n\x00"},
		{"\xfe\xff", "\x00\n"},
		{"\xff\xfe\x00\x00", "\n\x00\x00\x00"},
		{"\x00\x00\xfe\xff", "\x00\x00\x00\n"},
	} {
		if len(order.mark) == len(c.newline) && bytes.HasPrefix(head, []byte(order.mark)) && c.is(order.mark+order.newline) {
			c.mark, c.newline = []byte(order.mark), []byte(order.newline)
			return c, nil
		}
	}
	if !c.is(string(c.newline)) {
		return c, errors.New("the file does not begin with the byte order mark that its Encoding asks for")
	}
	return c, nil
}

// is reports whether raw is a line end, maybe after a byte order mark.
func (c charset) is(raw string) bool {
	text, err := c.decoder.Bytes([]byte(raw))
	return err == nil && string(bytes.TrimPrefix(text, []byte(utf8BOM))) == "\n"
}

// text returns raw, which begins at the offset, as UTF-8. It may be raw itself.
func (c charset) text(raw []byte, offset int64) ([]byte, error) {
	if c.decoder == nil {
		if offset == 0 {
			raw = bytes.TrimPrefix(raw, []byte(utf8BOM))
		}
		return raw, nil
	}
	if len(c.mark) > 0 && offset > 0 {
		raw = append(slices.Clip(c.mark), raw...)
	}
	text, err := c.decoder.Bytes(raw)
	if err == nil && (offset == 0 || len(c.mark) > 0) {
		text = bytes.TrimPrefix(text, []byte(utf8BOM))
	}
	return text, err
}

// lineEnd returns the index after the first line end in raw, which begins at a
// character, or 0.
func (c charset) lineEnd(raw []byte) int {
	size := len(c.newline)
	if size == 1 {
		return bytes.IndexByte(raw, c.newline[0]) + 1
	}
	for from := 0; ; {
		i := bytes.Index(raw[from:], c.newline)
		if i < 0 {
			return 0
		}
		if i += from; i%size == 0 {
			return i + size
		}
		from = i + 1
	}
}

// cut returns a line without its end.
func cut(text []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
}
