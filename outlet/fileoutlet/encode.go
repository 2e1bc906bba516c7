package fileoutlet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"

	"github.com/databay-go/databay/record"
)

// Encoder returns the text of a record's line, in UTF-8 and without the line end. It
// may append it to buf, which is empty and its own until it returns. It must not
// change the payload. An error, or a panic, fails the record for good.
type Encoder func(buf []byte, r record.Record) ([]byte, error)

// Text is an [Encoder] of the payload as fmt.Print prints it; a []byte or a
// [json.RawMessage] is text.
func Text(buf []byte, r record.Record) ([]byte, error) {
	switch p := r.Payload.(type) {
	case string:
		return append(buf, p...), nil
	case []byte:
		return append(buf, p...), nil
	case json.RawMessage:
		return append(buf, p...), nil
	}
	return fmt.Append(buf, r.Payload), nil
}

// JSON is an [Encoder] of the payload as encoding/json marshals it, in one line.
// Characters that mean something in HTML are not escaped.
func JSON(buf []byte, r record.Record) ([]byte, error) {
	line := bytes.NewBuffer(buf)
	e := json.NewEncoder(line)
	e.SetEscapeHTML(false)
	if err := e.Encode(r.Payload); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(line.Bytes(), []byte{'\n'}), nil
}

// codec is how lines become bytes of a file.
type codec struct {
	name    string
	encoder *encoding.Encoder // nil: UTF-8, as it is
	crlf    bool
	mark    string // what begins a file
	newline string // "\n" as bytes
	end     string // of a line, as bytes
	line    []byte // scratch
}

// newCodec returns the codec of an encoding, which may be nil.
func newCodec(e encoding.Encoding, crlf bool) (*codec, error) {
	c := &codec{name: "UTF-8", crlf: crlf, newline: "\n", end: "\n"}
	if crlf {
		c.end = "\r\n"
	}
	if e == nil {
		return c, nil
	}
	c.name = fmt.Sprintf("%T", e)
	if s, ok := e.(fmt.Stringer); ok {
		c.name = s.String()
	}
	c.encoder = e.NewEncoder()
	// What an encoder puts before everything is there once, however long the text.
	one, err := c.encoder.String("\n")
	two, err2 := c.encoder.String("\n\n")
	back, err3 := e.NewDecoder().String(one)
	if err := errors.Join(err, err2, err3); err != nil {
		return nil, fmt.Errorf("%s has no line end: %w", c.name, err)
	}
	n := len(two) - len(one)
	if n <= 0 || n > len(one) || strings.TrimPrefix(back, "\uFEFF") != "\n" {
		return nil, fmt.Errorf("%s has no line end, want an encoding of text", c.name)
	}
	c.mark, c.newline = one[:len(one)-n], one[len(one)-n:]
	end, err := c.encoder.String(c.end)
	c.end = strings.TrimPrefix(end, c.mark)
	return c, err
}

// append appends a line. What it appends is of use only if there is no error.
func (c *codec) append(dst, text []byte) ([]byte, error) {
	if c.encoder == nil {
		return append(append(dst, text...), c.end...), nil
	}
	if !utf8.Valid(text) {
		return dst, fmt.Errorf("the text %.100q is not UTF-8, want such for the encoding %s", text, c.name)
	}
	c.line = append(c.line[:0], text...)
	if c.crlf {
		c.line = append(c.line, '\r')
	}
	c.line = append(c.line, '\n')
	start := len(dst)
	dst, _, err := transform.Append(c.encoder, dst, c.line)
	if err != nil {
		return dst, c.explain(text, err)
	}
	if bytes.HasPrefix(dst[start:], []byte(c.mark)) {
		dst = append(dst[:start], dst[start+len(c.mark):]...)
	}
	return dst, nil
}

// explain names the character that the encoding does not have.
func (c *codec) explain(text []byte, err error) error {
	for _, r := range string(text) {
		if _, err := c.encoder.String(string(r)); err != nil {
			return fmt.Errorf("the character %q (%U) is not in the encoding %s", r, r, c.name)
		}
	}
	return err
}

// begin returns what is to be written before the first of new lines, after size
// bytes of which the last ones are tail.
func (c *codec) begin(size int64, tail string) string {
	switch {
	case size == 0:
		return c.mark
	case strings.HasSuffix(tail, c.newline) && size%int64(len(c.newline)) == 0:
		return ""
	}
	// A character that was cut off gets the bytes that it lacks, or all that follow
	// would be read out of step.
	unit := int64(len(c.newline))
	return strings.Repeat("\x00", int((unit-size%unit)%unit)) + c.end
}

// codecOf returns the codec of an encoding, made once.
func (o *Outlet) codecOf(e encoding.Encoding) (*codec, error) {
	known := e == nil || reflect.ValueOf(e).Comparable()
	if known {
		if c := o.codecs[e]; c != nil {
			return c, nil
		}
	}
	c, err := newCodec(e, o.opts.CRLF)
	if err == nil && known {
		o.codecs[e] = c
	}
	return c, err
}

// line appends the line of r. What it appends is of use only if there is no error.
func (o *Outlet) line(dst []byte, r record.Record, c *codec) (out []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = dst, fmt.Errorf("encoding the record panicked: %v", p)
		}
	}()
	if o.opts.Idempotent && r.ID() == "" {
		return dst, errors.New("the record has no ID, want one in an idempotent outlet")
	}
	text, err := o.opts.Encode(o.scratch[:0], r)
	if err != nil {
		return dst, err
	}
	if n := len(text); n > cap(o.scratch) && n < maxBuffer {
		o.scratch = make([]byte, 0, 2*n)
	}
	if o.opts.Idempotent {
		if dst, err = o.withID(dst, text, r.ID()); err != nil {
			return dst, err
		}
	}
	return c.append(dst, text)
}
