package sqlinlet

import (
	"fmt"
	"reflect"
	"sync/atomic"

	"github.com/databay-go/databay/internal/sqldb"
)

// Decoder makes the payload of a row. Columns are the names of the row's columns, in
// their order; scan, which it calls once, puts their values into as many
// destinations, as Scan of [database/sql.Rows] does. It does not change columns.
type Decoder func(columns []string, scan func(dest ...any) error) (payload any, err error)

// Struct returns a decoder whose payloads are Ts. A column goes to the exported field
// with its name, given by a tag `db:"name"` or else by the field; the case of letters
// counts only if two fields differ by nothing else. A column without a field is an
// error, a field without a column stays zero. A null needs a field that takes one, a
// pointer or a [database/sql.Null].
func Struct[T any]() Decoder {
	type layout struct {
		columns []string
		paths   [][]int
	}
	var last atomic.Pointer[layout]
	return func(columns []string, scan func(dest ...any) error) (any, error) {
		l := last.Load()
		if l == nil || !same(l.columns, columns) {
			paths, err := pathsOf(reflect.TypeFor[T](), columns)
			if err != nil {
				return nil, err
			}
			l = &layout{columns, paths}
			last.Store(l)
		}
		var t T
		v := reflect.ValueOf(&t).Elem()
		dest := make([]any, len(columns))
		for i, p := range l.paths {
			dest[i] = v.FieldByIndex(p).Addr().Interface()
		}
		if err := scan(dest...); err != nil {
			return nil, err
		}
		return t, nil
	}
}

func same(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	return len(a) == 0 || &a[0] == &b[0] // of one query
}

// pathsOf returns the index of the field of each column.
func pathsOf(t reflect.Type, columns []string) ([][]int, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("sqlinlet.Struct: %v is no struct", t)
	}
	fields, err := sqldb.Fields(t)
	if err != nil {
		return nil, fmt.Errorf("sqlinlet.Struct: %w", err)
	}
	paths := make([][]int, len(columns))
	for i, c := range columns {
		_, at := sqldb.Find(c, len(fields), func(i int) string { return fields[i].Name })
		if at < 0 {
			return nil, fmt.Errorf("sqlinlet.Struct: %v has no field for the column %q: want one, or Columns without it", t, c)
		}
		paths[i] = fields[at].Index
	}
	return paths, nil
}

// decodeMap makes a map of the columns.
func decodeMap(columns []string, scan func(dest ...any) error) (any, error) {
	values, dest := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		dest[i] = &values[i]
	}
	if err := scan(dest...); err != nil {
		return nil, err
	}
	m := make(map[string]any, len(columns))
	for i, c := range columns {
		m[c] = values[i]
	}
	return m, nil
}
