package sqloutlet

import (
	"database/sql/driver"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/databay-go/databay/internal/sqldb"
)

// strangerError is that of a column which is not written.
type strangerError struct{ name string }

func (e *strangerError) Error() string { return fmt.Sprintf("column %.100q is not written", e.name) }

// encode returns the columns of a payload, by their places in the table, and their
// values.
func (t *table) encode(payload any, other OtherColumns) (places []int, values []any, err error) {
	if m, ok := payload.(map[string]any); ok {
		return t.encodeMap(m, other)
	}
	v := reflect.ValueOf(payload)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.Struct:
		return t.encodeStruct(v, other)
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
		m := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			m[it.Key().String()] = it.Value().Interface()
		}
		return t.encodeMap(m, other)
	case v.Kind() == reflect.Pointer:
		return nil, nil, fmt.Errorf("payload is a nil %T", payload)
	}
	return nil, nil, fmt.Errorf("payload is a %T, want a map with string keys or a struct", payload)
}

func (t *table) encodeMap(m map[string]any, other OtherColumns) (places []int, values []any, err error) {
	byPlace := make(map[int]string, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		at := t.place(name)
		if at < 0 {
			if other == Refuse {
				return nil, nil, &strangerError{name}
			}
			continue
		}
		if twin, ok := byPlace[at]; ok {
			return nil, nil, fmt.Errorf("the payload has two values for the column %q: %.100q and %.100q", t.columns[at], twin, name)
		}
		byPlace[at] = name
	}
	for _, at := range slices.Sorted(maps.Keys(byPlace)) {
		v, err := argument(m[byPlace[at]])
		if err != nil {
			return nil, nil, fmt.Errorf("column %q: %w", t.columns[at], err)
		}
		places, values = append(places, at), append(values, v)
	}
	return places, values, nil
}

func (t *table) encodeStruct(v reflect.Value, other OtherColumns) (places []int, values []any, err error) {
	l := t.layouts[v.Type()]
	if l == nil {
		l = t.layout(v.Type(), other)
		t.layouts[v.Type()] = l
	}
	if l.err != nil {
		return nil, nil, l.err
	}
	values = make([]any, len(l.paths), len(l.paths)+1)
	for i, path := range l.paths {
		if values[i], err = argument(v.FieldByIndex(path).Interface()); err != nil {
			return nil, nil, fmt.Errorf("column %q: %w", t.columns[l.places[i]], err)
		}
	}
	return l.places, values, nil
}

func (t *table) layout(s reflect.Type, other OtherColumns) *layout {
	fields, err := sqldb.Fields(s)
	if err != nil {
		return &layout{err: fmt.Errorf("payload is a struct: %w", err)}
	}
	l := new(layout)
	for _, f := range fields {
		at := t.place(f.Name)
		switch {
		case at >= 0 && slices.Contains(l.places, at):
			return &layout{err: fmt.Errorf("payload is a %v, which has two fields for the column %q", s, t.columns[at])}
		case at >= 0:
			l.places, l.paths = append(l.places, at), append(l.paths, f.Index)
		case other == Refuse:
			return &layout{err: &strangerError{f.Name}}
		}
	}
	return l
}

// argument returns v as what drivers take.
func argument(v any) (arg any, err error) {
	switch v := v.(type) {
	case nil, string, bool, int64, float64, []byte, time.Time:
		return v, nil
	case int:
		return int64(v), nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a method of %T panicked: %v", v, p)
		}
	}()
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		if rv.IsNil() {
			return nil, nil
		}
	}
	if valuer, ok := v.(driver.Valuer); ok {
		arg, err := valuer.Value()
		if err == nil && !driver.IsValue(arg) {
			err = fmt.Errorf("the Value of a %T is a %T", v, arg)
		}
		return arg, err
	}
	switch rv.Kind() {
	case reflect.String:
		return rv.String(), nil
	case reflect.Bool:
		return rv.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return rv.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if u := rv.Uint(); u > 1<<63-1 {
			return u, nil
		}
		return int64(rv.Uint()), nil
	case reflect.Float32: // 0.1 stays 0.1
		return strconv.ParseFloat(strconv.FormatFloat(rv.Float(), 'g', -1, 32), 64)
	case reflect.Float64:
		return rv.Float(), nil
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return nil, fmt.Errorf("a %T is no value of a column", v)
	}
	switch m := v.(type) {
	case encoding.TextMarshaler:
		text, err := m.MarshalText()
		return string(text), err
	case json.Marshaler:
		return asJSON(v)
	}
	if rv.Kind() == reflect.Pointer {
		return argument(rv.Elem().Interface())
	}
	if rv.Kind() == reflect.Slice && rv.Type().Elem().Kind() == reflect.Uint8 {
		return rv.Bytes(), nil
	}
	return asJSON(v)
}

func asJSON(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, errors.Join(errors.New("it cannot be written as JSON"), err)
	}
	return string(text), nil
}
