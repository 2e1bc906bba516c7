package csvoutlet

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// layout says which fields of a struct are columns.
type layout struct {
	names []string
	at    map[string]*field
	err   error
}

// field is a field of a struct.
type field struct {
	path  []int // of indices, one a level of embedding
	plain bool  // its kind says all
	twice bool  // another one has the same name, at the same depth
}

// layoutOf returns the layout of a type, made once.
func (e *encoder) layoutOf(t reflect.Type) *layout {
	if l := e.layouts[t]; l != nil {
		return l
	}
	l := &layout{at: make(map[string]*field)}
	l.collect(t, nil, []reflect.Type{t})
	for _, name := range l.names {
		if l.at[name].twice {
			l.err = errors.Join(l.err, fmt.Errorf("payload is a %v, which has two fields for the column %q", t, name))
		}
	}
	if len(l.names) == 0 {
		l.err = fmt.Errorf("payload is a %v, which has no exported fields", t)
	}
	if e.layouts == nil {
		e.layouts = make(map[reflect.Type]*layout)
	}
	e.layouts[t] = l
	return l
}

// collect adds the fields of t. Of two with the same name the one less deeply
// embedded counts.
func (l *layout) collect(t reflect.Type, path []int, outer []reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("csv")
		name, _, _ := strings.Cut(tag, ",")
		if tag == "-" {
			continue
		}
		at := append(slices.Clone(path), i)
		if f.Anonymous && name == "" {
			if inner, ok := embedded(f); ok {
				if !slices.Contains(outer, inner) {
					l.collect(inner, at, append(slices.Clone(outer), inner))
				}
				continue
			}
		}
		if !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		old := l.at[name]
		switch {
		case old == nil:
			l.names = append(l.names, name)
		case len(old.path) < len(at):
			continue
		case len(old.path) == len(at):
			old.twice = true
			continue
		}
		l.at[name] = &field{path: at, plain: isPlain(f.Type)}
	}
}

// embedded returns the struct whose fields count as those of the outer one, if f is
// one.
func embedded(f reflect.StructField) (reflect.Type, bool) {
	t := f.Type
	if isText(t) {
		return nil, false
	}
	if t.Kind() == reflect.Pointer {
		// Behind a pointer of a type that is not exported, nothing can be read.
		t = t.Elem()
		return t, t.Kind() == reflect.Struct && f.IsExported()
	}
	return t, t.Kind() == reflect.Struct
}

// isText reports whether values of t are written as what one of their methods
// returns.
func isText(t reflect.Type) bool {
	return isTextAsIs(t) || isTextAsIs(reflect.PointerTo(t))
}

func isTextAsIs(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) || t.Implements(reflect.TypeFor[fmt.Stringer]())
}

// isPlain reports whether values of t are written as what their kind says.
func isPlain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return !isText(t)
	}
	return false
}

// appendStructField appends the value of a field of v.
func (e *encoder) appendStructField(dst []byte, v reflect.Value, f *field) ([]byte, error) {
	if len(f.path) == 1 {
		v = v.Field(f.path[0])
	} else {
		var err error
		if v, err = v.FieldByIndexErr(f.path); err != nil { // inside of a nil pointer
			return dst, nil
		}
	}
	if f.plain {
		return e.appendKind(dst, v), nil
	}
	return e.appendValue(dst, v.Interface())
}
