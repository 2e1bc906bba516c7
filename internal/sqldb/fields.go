package sqldb

import (
	"fmt"
	"reflect"
	"strings"
)

// Field is a field of a struct that is a column.
type Field struct {
	Name  string
	Index []int // for reflect.Value.FieldByIndex
}

// Fields returns the columns of a struct: its exported fields, named by a tag
// `db:"name"` or else by the field, but for those with `db:"-"`. The fields of an
// embedded struct without a tag count as those of the outer one. Those behind an
// embedded pointer do not.
func Fields(t reflect.Type) ([]Field, error) {
	var fields []Field
	var collect func(t reflect.Type, at []int)
	collect = func(t reflect.Type, at []int) {
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("db"), ",")
			index := append(at[:len(at):len(at)], i)
			switch {
			case name == "-":
			case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
				collect(f.Type, index)
			case !f.IsExported(), f.Anonymous && name == "":
			case name == "":
				fields = append(fields, Field{f.Name, index})
			default:
				fields = append(fields, Field{name, index})
			}
		}
	}
	collect(t, nil)
	for i, f := range fields {
		if _, j := Find(f.Name, len(fields), func(i int) string { return fields[i].Name }); j != i {
			return nil, fmt.Errorf("%v has two fields for the column %q", t, f.Name)
		}
	}
	if len(fields) == 0 {
		return nil, fmt.Errorf("%v has no exported fields", t)
	}
	return fields, nil
}

// Find returns which of n names is name: the one that equals it or, if there is
// none, the first that does but for the case of letters. Else the index is -1.
func Find(name string, n int, at func(i int) string) (found string, index int) {
	index = -1
	for i := range n {
		s := at(i)
		if s == name {
			return s, i
		}
		if index < 0 && strings.EqualFold(s, name) {
			found, index = s, i
		}
	}
	return found, index
}
