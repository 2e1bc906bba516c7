package csvoutlet

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// row is a payload seen as columns. One of its fields holds the payload.
type row struct {
	values  map[string]any
	strings map[string]string
	list    []string // of Options.Columns
	names   []string // of list
	layout  *layout
	fields  reflect.Value // of layout
}

// rowOf returns the payload as a row.
func (e *encoder) rowOf(payload any) (row, error) {
	switch p := payload.(type) {
	case map[string]any:
		return row{values: p}, nil
	case map[string]string:
		return row{strings: p}, nil
	case []string:
		if len(e.columns) == 0 {
			return row{}, errors.New("payload is a []string, which needs Options.Columns")
		}
		if len(p) != len(e.columns) {
			return row{}, fmt.Errorf("payload has %d values for the %d columns of Options.Columns", len(p), len(e.columns))
		}
		return row{list: p, names: e.columns}, nil
	}
	v := reflect.ValueOf(payload)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.Struct:
		l := e.layoutOf(v.Type())
		return row{layout: l, fields: v}, l.err
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
		m := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			m[it.Key().String()] = it.Value().Interface()
		}
		return row{values: m}, nil
	case v.Kind() == reflect.Pointer:
		return row{}, fmt.Errorf("payload is a nil %T", payload)
	}
	return row{}, fmt.Errorf("payload is a %T, want a map with string keys, a struct or a []string", payload)
}

// columns returns the names of the columns, in the order for a new file.
func (r *row) columns() []string {
	switch {
	case r.layout != nil:
		return r.layout.names
	case r.list != nil:
		return r.names
	case r.strings != nil:
		return slices.Sorted(maps.Keys(r.strings))
	}
	return slices.Sorted(maps.Keys(r.values))
}

// len returns how many columns there are.
func (r *row) len() int {
	if r.layout != nil {
		return len(r.layout.names)
	}
	return len(r.list) + len(r.strings) + len(r.values) // two of them are nil
}

// header is the first line of a file.
type header struct {
	columns []string
	wanted  []bool // of each column: it is among Options.Columns, or there are none
	fields  map[*layout][]*field
}

// newHeader returns the header for a file with the given columns.
func (e *encoder) newHeader(columns []string) *header {
	h := &header{columns: columns, wanted: make([]bool, len(columns))}
	for i, c := range columns {
		h.wanted[i] = len(e.columns) == 0 || slices.Contains(e.columns, c)
	}
	return h
}

// fieldsOf returns for each column the field of l that it is, or nil.
func (h *header) fieldsOf(l *layout) []*field {
	if f, ok := h.fields[l]; ok {
		return f
	}
	fields := make([]*field, len(h.columns))
	for i, c := range h.columns {
		fields[i] = l.at[c]
	}
	if h.fields == nil {
		h.fields = make(map[*layout][]*field)
	}
	h.fields[l] = fields
	return fields
}

// appendHeader appends the line of the columns.
func (e *encoder) appendHeader(dst []byte, h *header) []byte {
	start := len(dst)
	for i, c := range h.columns {
		if i > 0 {
			dst = append(dst, e.separator...)
		}
		dst = e.appendField(dst, c)
	}
	return e.endLine(dst, start)
}

// appendRow appends r as a row under h. What it appends is of use only if there is
// no error.
func (e *encoder) appendRow(dst []byte, r *row, h *header) ([]byte, error) {
	var fields []*field
	if r.layout != nil {
		fields = h.fieldsOf(r.layout)
	}
	start, found := len(dst), 0
	for i, c := range h.columns {
		if i > 0 {
			dst = append(dst, e.separator...)
		}
		if !h.wanted[i] {
			continue
		}
		ok := true
		var err error
		switch {
		case r.layout != nil:
			if ok = fields[i] != nil; ok {
				dst, err = e.appendStructField(dst, r.fields, fields[i])
			}
		case r.list != nil:
			dst = e.appendField(dst, r.list[slices.Index(r.names, c)])
		case r.strings != nil:
			var s string
			if s, ok = r.strings[c]; ok {
				dst = e.appendField(dst, s)
			}
		default:
			var v any
			if v, ok = r.values[c]; ok {
				dst, err = e.appendValue(dst, v)
			}
		}
		if err != nil {
			return dst, fmt.Errorf("column %.100q: %w", c, err)
		}
		if ok {
			found++
		}
	}
	if found < r.len() && e.other == Refuse {
		return dst, e.strangers(r, h)
	}
	return e.endLine(dst, start), nil
}

// endLine ends the line that begins at start. One with a single empty field gets
// quotes: readers pass over empty lines.
func (e *encoder) endLine(dst []byte, start int) []byte {
	if len(dst) == start {
		dst = append(dst, `""`...)
	}
	return append(dst, e.end...)
}

// strangers names the columns of r that are not in h.
func (e *encoder) strangers(r *row, h *header) error {
	const shown = 3
	var names []string
	for _, c := range r.columns() {
		if i := slices.Index(h.columns, c); i < 0 || !h.wanted[i] {
			names = append(names, fmt.Sprintf("%.100q", c))
		}
	}
	more := ""
	if len(names) > shown {
		more = fmt.Sprintf(" and %d more", len(names)-shown)
		names = names[:shown]
	}
	return fmt.Errorf("column %s%s: not in the file, whose columns are %s; want OtherColumns: Ignore to leave such out",
		strings.Join(names, ", "), more, listed(h.columns))
}

// listed returns the columns in quotes, the first ten.
func listed(columns []string) string {
	const shown = 10
	var b strings.Builder
	for i, c := range columns {
		if i == shown {
			fmt.Fprintf(&b, " and %d more", len(columns)-shown)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.100q", c)
	}
	return b.String()
}
