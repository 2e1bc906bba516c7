package fileinlet

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Struct returns a decoder of rows, for [CSV], whose payloads are Ts. T is a struct.
// A column goes into the exported field of the same name, or with a tag
// `csv:"name"`; csv:"-" leaves a field out. The fields of an embedded struct count
// as fields of the outer one. Columns without a field are left out, fields without a
// column stay zero, and so do those of empty values.
//
// Fields are strings, numbers, bools, a [time.Duration], types with UnmarshalText
// such as [time.Time], []byte and any as text, pointers to these, and everything else
// as JSON: what package csvoutlet writes.
//
// The decoder belongs to one inlet.
func Struct[T any]() func(columns, row []string) (any, error) {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct {
		return func([]string, []string) (any, error) {
			return nil, fmt.Errorf("fileinlet.Struct[%v]: want a struct", t)
		}
	}
	fields := csvFields(t)
	var (
		known []string // the columns that places are of
		index []int    // of each column: which field it is, or -1
	)
	return func(columns, row []string) (any, error) {
		if known == nil || !slices.Equal(known, columns) {
			known, index = slices.Clone(columns), make([]int, len(columns))
			for i, c := range columns {
				index[i] = slices.IndexFunc(fields, func(f csvField) bool { return f.name == c })
			}
		}
		var value T
		v := reflect.ValueOf(&value).Elem()
		for i, text := range row {
			if index[i] < 0 || text == "" {
				continue
			}
			f := fields[index[i]]
			if err := setText(reach(v, f.path), text); err != nil {
				return nil, fmt.Errorf("column %.100q: %.100q is no %v: %w", f.name, text, f.kind, err)
			}
		}
		return value, nil
	}
}

// csvField is a field of a struct.
type csvField struct {
	name string
	path []int
	kind reflect.Type
}

// csvFields returns the fields of a struct type.
func csvFields(t reflect.Type) []csvField {
	var fields []csvField
	var whole [][]int // embedded structs that are one column, or none
	for _, f := range reflect.VisibleFields(t) {
		if slices.ContainsFunc(whole, func(p []int) bool { return len(f.Index) > len(p) && slices.Equal(f.Index[:len(p)], p) }) {
			continue
		}
		tag, _, _ := strings.Cut(f.Tag.Get("csv"), ",")
		if f.Anonymous {
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct && tag == "" && !isText(inner) {
				if f.Type.Kind() == reflect.Pointer && !f.IsExported() {
					whole = append(whole, f.Index) // it cannot be made
				}
				continue
			}
			whole = append(whole, f.Index)
		}
		if !f.IsExported() || tag == "-" {
			continue
		}
		if tag == "" {
			tag = f.Name
		}
		fields = append(fields, csvField{tag, f.Index, f.Type})
	}
	// Of two with the same name the one less deeply embedded counts.
	slices.SortStableFunc(fields, func(a, b csvField) int { return len(a.path) - len(b.path) })
	return fields
}

// reach returns a field, and makes what pointers on the way need.
func reach(v reflect.Value, path []int) reflect.Value {
	for i, n := range path {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(n)
	}
	return v
}

func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// setText sets v to what a text says.
func setText(v reflect.Value, text string) error {
	t := v.Type()
	switch {
	case t.Kind() == reflect.Pointer && !t.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		p := reflect.New(t.Elem())
		if err := setText(p.Elem(), text); err != nil {
			return err
		}
		v.Set(p)
		return nil
	case t.Kind() == reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		return v.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
	case isText(t):
		return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
	case t == reflect.TypeFor[time.Duration]():
		d, err := time.ParseDuration(text)
		v.SetInt(int64(d))
		return cause(err)
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		v.SetBytes([]byte(text))
		return nil
	case t.Kind() == reflect.Interface && t.NumMethod() == 0:
		v.Set(reflect.ValueOf(text))
		return nil
	}
	var err error
	switch t.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(text)
		v.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var n int64
		n, err = strconv.ParseInt(text, 10, t.Bits())
		v.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		var n uint64
		n, err = strconv.ParseUint(text, 10, t.Bits())
		v.SetUint(n)
	case reflect.Float32, reflect.Float64:
		var x float64
		x, err = strconv.ParseFloat(text, t.Bits())
		v.SetFloat(x)
	default:
		err = json.Unmarshal([]byte(text), v.Addr().Interface())
	}
	return cause(err)
}

// cause returns what is wrong with a number, without the number.
func cause(err error) error {
	if e, ok := errors.AsType[*strconv.NumError](err); ok {
		return e.Err
	}
	return err
}
