package sqlinlet

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/databay-go/databay/internal/sqldb"
)

// kind is the type of a value, by the name it has in stored positions.
type kind string

const (
	kindNull    kind = "null"
	kindInt     kind = "int"
	kindUint    kind = "uint" // beyond the greatest int64
	kindFloat   kind = "float"
	kindBool    kind = "bool"
	kindDecimal kind = "decimal"
	kindText    kind = "text"
	kindBytes   kind = "bytes"
	kindTime    kind = "time"
)

// value is one of a cursor or key column. Equal values are equal by ==, but for
// times in other zones.
type value struct {
	kind kind
	text string
}

var (
	errNaN     = errors.New("NaN has no place in an order")
	errEndless = errors.New("infinity is no place to go on behind: want none, or a Query without such rows")
)

// valueOf returns what a driver gave for a column of the given database type.
func valueOf(v any, columnType string) (value, error) {
	switch v := v.(type) {
	case nil:
		return value{kind: kindNull}, nil
	case int64:
		return value{kindInt, strconv.FormatInt(v, 10)}, nil
	case uint64:
		if v <= math.MaxInt64 {
			return value{kindInt, strconv.FormatUint(v, 10)}, nil
		}
		return value{kindUint, strconv.FormatUint(v, 10)}, nil
	case float64:
		return ofFloat(v)
	case float32:
		return ofFloat(float64(v))
	case bool:
		return value{kindBool, strconv.FormatBool(v)}, nil
	case time.Time:
		return ofTime(v)
	case string:
		return ofText(v, columnType)
	case []byte:
		if isBinary(columnType) {
			return value{kindBytes, base64.StdEncoding.EncodeToString(v)}, nil
		}
		return ofText(string(v), columnType)
	}
	return value{}, fmt.Errorf("a %T has no place in an order that can be stored", v)
}

func ofFloat(f float64) (value, error) {
	switch {
	case math.IsNaN(f):
		return value{}, errNaN
	case math.IsInf(f, 1):
		return value{}, errEndless
	}
	return value{kindFloat, strconv.FormatFloat(f, 'g', -1, 64)}, nil
}

func ofTime(t time.Time) (value, error) {
	if _, offset := t.Zone(); offset%60 != 0 { // which the text does not have
		t = t.UTC()
	}
	if y := t.Year(); y < 0 || y > 9999 {
		return value{}, fmt.Errorf("the time %v has no place in an order that can be stored: want the years 0 to 9999", t)
	}
	return value{kindTime, t.Format(time.RFC3339Nano)}, nil
}

func ofText(text, columnType string) (value, error) {
	switch {
	case isDecimal(columnType):
		return parse(kindDecimal, text)
	case strings.Trim(text, "-") == "infinity" && (columnType == "DATE" || strings.HasPrefix(columnType, "TIMESTAMP")):
		return value{}, errEndless
	}
	return value{kindText, text}, nil
}

// parse returns the value of a stored kind and text.
func parse(k kind, text string) (value, error) {
	v := value{k, text}
	var err error
	switch k {
	case kindInt:
		_, err = strconv.ParseInt(text, 10, 64)
	case kindUint:
		_, err = strconv.ParseUint(text, 10, 64)
	case kindFloat:
		var f float64
		if f, err = strconv.ParseFloat(text, 64); math.IsNaN(f) {
			err = errNaN
		}
	case kindBool:
		_, err = strconv.ParseBool(text)
	case kindBytes:
		_, err = base64.StdEncoding.DecodeString(text)
	case kindTime:
		_, err = time.Parse(time.RFC3339Nano, text)
	case kindText:
	case kindDecimal:
		if text == "" || strings.Trim(text, "+-0123456789.eE") != "" {
			err = fmt.Errorf("%q is no decimal number", text)
		}
	default:
		err = fmt.Errorf("the kind is %q, want one of int, uint, float, bool, decimal, text, bytes, time", k)
	}
	return v, err
}

// arg returns v as an argument of a statement: what parse has accepted.
func (v value) arg() any {
	switch v.kind {
	case kindInt:
		n, _ := strconv.ParseInt(v.text, 10, 64)
		return n
	case kindUint:
		n, _ := strconv.ParseUint(v.text, 10, 64)
		return n
	case kindFloat:
		f, _ := strconv.ParseFloat(v.text, 64)
		return f
	case kindBool:
		b, _ := strconv.ParseBool(v.text)
		return b
	case kindBytes:
		b, _ := base64.StdEncoding.DecodeString(v.text)
		return b
	case kindTime:
		t, _ := v.time()
		return t
	}
	return v.text
}

// time returns v if it is a time.
func (v value) time() (time.Time, bool) {
	if v.kind != kindTime {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, v.text)
	return t, err == nil
}

// String returns v for people.
func (v value) String() string {
	switch v.kind {
	case kindNull:
		return "null"
	case kindText:
		return strconv.Quote(v.text)
	}
	return v.text
}

// id returns v as a part of an ID, in which / , @ and quotes mean something. A time
// is that in UTC.
func (v value) id() string {
	if t, ok := v.time(); ok {
		return t.UTC().Format(time.RFC3339Nano)
	}
	if v.kind == kindText && (v.text == "" || strings.ContainsAny(v.text, "/,@\"\\") || !isPrintable(v.text)) {
		return strconv.Quote(v.text)
	}
	return v.text
}

func isPrintable(s string) bool {
	return !slices.ContainsFunc([]rune(s), func(r rune) bool { return !strconv.IsPrint(r) })
}

// comparable reports whether a database of the dialect compares v with w as it
// orders them. SQLite compares whatever it stores.
func (v value) comparable(w value, d sqldb.Dialect) bool {
	number := func(k kind) bool { return k == kindInt || k == kindUint }
	return d == sqldb.SQLite || v.kind == w.kind || number(v.kind) && number(w.kind)
}

func equal(a, b []value) bool {
	return slices.EqualFunc(a, b, func(v, w value) bool {
		t, ok := v.time()
		u, also := w.time()
		return v == w || ok && also && t.Equal(u)
	})
}

func isDecimal(columnType string) bool {
	return strings.HasSuffix(columnType, "DECIMAL") || columnType == "NUMERIC"
}

// isBinary reports whether a column has bytes rather than text. Drivers give both as
// bytes.
func isBinary(columnType string) bool {
	switch t := strings.ToUpper(columnType); t {
	case "BYTEA", "BINARY", "VARBINARY", "BIT", "GEOMETRY", "VECTOR", "":
		return true
	default:
		return strings.HasSuffix(t, "BLOB")
	}
}
