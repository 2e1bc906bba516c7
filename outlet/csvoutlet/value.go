package csvoutlet

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// encoder makes rows of payloads.
type encoder struct {
	separator string   // between fields
	end       string   // of a line
	columns   []string // Options.Columns
	other     OtherColumns
	layouts   map[reflect.Type]*layout
	scratch   []byte
}

func newEncoder(o Options) encoder {
	e := encoder{separator: string(o.Comma), end: "\n", columns: o.Columns, other: o.OtherColumns}
	if o.CRLF {
		e.end = "\r\n"
	}
	return e
}

// appendField appends s as one field, in quotes where it needs them.
func (e *encoder) appendField(dst []byte, s string) []byte {
	if !needsQuotes(s, e.separator) {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for {
		i := strings.IndexByte(s, '"')
		if i < 0 {
			break
		}
		dst = append(dst, s[:i+1]...)
		dst = append(dst, '"')
		s = s[i+1:]
	}
	dst = append(dst, s...)
	return append(dst, '"')
}

// needsQuotes reports whether s has to stand in quotes. That is so, too, if it
// begins with white space or a byte order mark, which some readers drop, and for
// \., which ends the data for some databases.
func needsQuotes(s, separator string) bool {
	if s == "" {
		return false
	}
	if s == `\.` {
		return true
	}
	for i := range len(s) {
		if c := s[i]; c == '"' || c == '\n' || c == '\r' || c == separator[0] && strings.HasPrefix(s[i:], separator) {
			return true
		}
	}
	first, _ := utf8.DecodeRuneInString(s)
	return first == '\uFEFF' || unicode.IsSpace(first)
}

// appendValue appends v as one field.
func (e *encoder) appendValue(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return dst, nil
	case string:
		return e.appendField(dst, v), nil
	case float64:
		return e.appendFloat(dst, v, 64), nil
	case int:
		return e.appendPlain(dst, strconv.AppendInt(e.scratch[:0], int64(v), 10)), nil
	case int64:
		return e.appendPlain(dst, strconv.AppendInt(e.scratch[:0], v, 10)), nil
	case bool:
		return e.appendPlain(dst, strconv.AppendBool(e.scratch[:0], v)), nil
	case time.Time:
		return e.appendPlain(dst, v.AppendFormat(e.scratch[:0], time.RFC3339Nano)), nil
	case []byte:
		return e.appendField(dst, string(v)), nil
	}
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		if rv.IsNil() {
			return dst, nil
		}
	}
	if t := rv.Type(); isTextAsIs(t) {
		s, err := text(v)
		return e.appendField(dst, s), err
	} else if isText(t) { // by methods of a pointer to it
		p := reflect.New(t)
		p.Elem().Set(rv)
		s, err := text(p.Interface())
		return e.appendField(dst, s), err
	} else if isPlain(t) {
		return e.appendKind(dst, rv), nil
	}
	if rv.Kind() == reflect.Pointer {
		return e.appendValue(dst, rv.Elem().Interface())
	}
	s, err := marshal(v)
	return e.appendField(dst, s), err
}

// appendKind appends a value of a plain type, see isPlain.
func (e *encoder) appendKind(dst []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.String:
		return e.appendField(dst, v.String())
	case reflect.Bool:
		return e.appendPlain(dst, strconv.AppendBool(e.scratch[:0], v.Bool()))
	case reflect.Float32:
		return e.appendFloat(dst, v.Float(), 32)
	case reflect.Float64:
		return e.appendFloat(dst, v.Float(), 64)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return e.appendPlain(dst, strconv.AppendInt(e.scratch[:0], v.Int(), 10))
	}
	return e.appendPlain(dst, strconv.AppendUint(e.scratch[:0], v.Uint(), 10))
}

// appendFloat appends a number as JSON has it: without an exponent, unless it is
// very large or very small. What JSON does not have is NaN, +Inf and -Inf.
func (e *encoder) appendFloat(dst []byte, f float64, bits int) []byte {
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return e.appendPlain(dst, strconv.AppendFloat(e.scratch[:0], f, format, -1, bits))
}

// appendPlain appends a number, a time or a bool, which needs quotes only if an
// unusual separator is in it. It keeps the array of s for the next one.
func (e *encoder) appendPlain(dst, s []byte) []byte {
	e.scratch = s[:0]
	switch e.separator {
	case ",", ";", "\t", "|":
		return append(dst, s...)
	}
	return e.appendField(dst, string(s))
}

// text returns what a method of v says it is. A panic of that is an error.
func text(v any) (s string, err error) {
	defer recovered(v, &err)
	if m, ok := v.(encoding.TextMarshaler); ok {
		b, err := m.MarshalText()
		return string(b), err
	}
	return v.(fmt.Stringer).String(), nil
}

// marshal returns v as JSON. A panic of a method in it is an error.
func marshal(v any) (s string, err error) {
	defer recovered(v, &err)
	b, err := json.Marshal(v)
	return string(b), err
}

func recovered(v any, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("a method of %T panicked: %v", v, p)
	}
}
