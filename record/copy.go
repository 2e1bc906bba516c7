package record

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"
)

// Cloner is a payload that copies itself, for [Copier]. Clone returns a value of
// the same type that shares nothing with the original that could be changed.
type Cloner interface {
	Clone() any
}

// Copier makes deep copies of payloads, so that an outlet may do as it likes with
// what it is given. It remembers what it learned about types: the zero value is
// ready to use, and not safe for concurrent use.
//
//   - Plain values (numbers, strings, functions, [time.Time], arrays and structs
//     of them) are returned as they are.
//   - A [Cloner] is asked for its Clone, unless it is nil.
//   - Maps, slices and pointers, also inside of exported struct fields, are copied
//     at every depth, map keys included. Nil ones stay nil. A pointer that occurs
//     twice in one payload occurs twice in the copy.
//   - What cannot be copied is a permanent error that names the type: channels,
//     unsafe pointers, structs with unexported fields that are not plain, and what
//     is nested more than 10,000 deep.
type Copier struct {
	plain map[reflect.Type]bool
	last  reflect.Type // of the last plain payload
	seen  map[seen]reflect.Value
	depth int
}

// maxDepth bounds the nesting of maps and lists, and so finds one that contains
// itself.
const maxDepth = 10_000

type seen struct {
	at  uintptr
	typ reflect.Type
	len int
}

// Records appends copies of src to dst. Metadata, being immutable, is shared. If
// payloads cannot be copied, those records are left out and the error is a
// [*Partial] of their indices in src.
func (c *Copier) Records(dst, src []Record) ([]Record, error) {
	var failures Failures
	for i, r := range src {
		p, err := c.Payload(r.Payload)
		if err != nil {
			failures.Add(i, err)
			continue
		}
		dst = append(dst, r.With(p))
	}
	return dst, failures.Err()
}

// Payload returns a deep copy of v.
func (c *Copier) Payload(v any) (any, error) {
	out, err := c.copy(v)
	if err != nil {
		return nil, Permanent(fmt.Errorf("payload of type %T cannot be copied: %w; "+
			"give it a Clone() any method, declare the outlet with outlet.ReadOnly, or share payloads", v, err))
	}
	return out, nil
}

func (c *Copier) copy(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, string, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64,
		float32, float64, complex64, complex128, time.Time, time.Duration:
		return v, nil
	case map[string]any:
		return c.object(v)
	case []any:
		return c.list(v)
	case map[string]string:
		return maps.Clone(v), nil
	case []byte:
		return slices.Clone(v), nil
	}
	t := reflect.TypeOf(v)
	if t == c.last {
		return v, nil
	}
	if c.isPlain(t) {
		c.last = t
		return v, nil
	}
	defer func() { clear(c.seen) }() // the map may not exist yet
	out, err := c.value(reflect.ValueOf(v))
	if err != nil {
		return nil, err
	}
	return out.Interface(), nil
}

// scalar reports whether v is certainly plain, without reflection.
func scalar(v any) bool {
	switch v.(type) {
	case nil, bool, string, int, int64, float64, time.Time:
		return true
	}
	return false
}

// object copies the maps that JSON yields: one copy of the whole, then of the
// values that need it.
func (c *Copier) object(m map[string]any) (any, error) {
	if m == nil {
		return m, nil
	}
	if err := c.enter(); err != nil {
		return nil, err
	}
	defer c.leave()
	out := maps.Clone(m)
	for k, v := range out {
		if scalar(v) {
			continue
		}
		p, err := c.copy(v)
		if err != nil {
			return nil, err
		}
		out[k] = p
	}
	return out, nil
}

func (c *Copier) list(l []any) (any, error) {
	if l == nil {
		return l, nil
	}
	if err := c.enter(); err != nil {
		return nil, err
	}
	defer c.leave()
	out := make([]any, len(l))
	for i, v := range l {
		p, err := c.copy(v)
		if err != nil {
			return nil, err
		}
		out[i] = p
	}
	return out, nil
}

func (c *Copier) enter() error {
	if c.depth == maxDepth {
		return fmt.Errorf("it contains itself, or is nested more than %d deep", maxDepth)
	}
	c.depth++
	return nil
}

func (c *Copier) leave() { c.depth-- }

// isPlain reports whether values of t hold nothing that could be changed through
// them.
func (c *Copier) isPlain(t reflect.Type) bool {
	if t == reflect.TypeFor[time.Time]() {
		return true
	}
	switch t.Kind() {
	case reflect.Map, reflect.Slice, reflect.Pointer, reflect.Interface, reflect.Chan, reflect.UnsafePointer:
		return false
	case reflect.Array:
		return c.isPlain(t.Elem())
	case reflect.Struct:
		if plain, ok := c.plain[t]; ok {
			return plain
		}
		plain := true
		for f := range t.Fields() {
			plain = plain && c.isPlain(f.Type)
		}
		if c.plain == nil {
			c.plain = make(map[reflect.Type]bool)
		}
		c.plain[t] = plain
		return plain
	}
	return true
}

// value copies what is not plain by reflection.
func (c *Copier) value(v reflect.Value) (reflect.Value, error) {
	t := v.Type()
	if c.isPlain(t) {
		return v, nil
	}
	var key seen
	switch v.Kind() {
	case reflect.Map, reflect.Slice, reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return v, nil
		}
		if v.Kind() == reflect.Interface {
			return c.value(v.Elem())
		}
		key = seen{v.Pointer(), t, 0}
		if v.Kind() == reflect.Slice {
			key.len = v.Len()
		}
		if out, ok := c.seen[key]; ok {
			return out, nil
		}
		if c.seen == nil {
			c.seen = make(map[seen]reflect.Value)
		}
	}
	if err := c.enter(); err != nil {
		return v, err
	}
	defer c.leave()
	if t.Implements(reflect.TypeFor[Cloner]()) {
		out, err := clone(v.Interface().(Cloner), t)
		if err == nil && key.typ != nil {
			c.seen[key] = out
		}
		return out, err
	}
	switch v.Kind() {
	case reflect.Map:
		out := reflect.MakeMapWithSize(t, v.Len())
		c.seen[key] = out
		return out, c.entries(out, v)
	case reflect.Slice:
		out := reflect.MakeSlice(t, v.Len(), v.Len())
		c.seen[key] = out
		return out, c.elements(out, v)
	case reflect.Pointer:
		out := reflect.New(t.Elem())
		c.seen[key] = out
		e, err := c.value(v.Elem())
		if err == nil {
			out.Elem().Set(e)
		}
		return out, err
	case reflect.Array:
		out := reflect.New(t).Elem()
		return out, c.elements(out, v)
	case reflect.Struct:
		out := reflect.New(t).Elem()
		out.Set(v)
		return out, c.fields(out, v)
	}
	return v, fmt.Errorf("it holds a %v", t)
}

// clone returns a clone that is a t. A pointer whose Clone is a method of what it
// points to gets a pointer to the clone.
func clone(cl Cloner, t reflect.Type) (reflect.Value, error) {
	out := reflect.ValueOf(cl.Clone())
	switch {
	case !out.IsValid():
		return out, fmt.Errorf("the Clone of %v returned nil", t)
	case out.Type() == t:
		return out, nil
	case t.Kind() == reflect.Pointer && out.Type() == t.Elem():
		p := reflect.New(t.Elem())
		p.Elem().Set(out)
		return p, nil
	}
	return out, fmt.Errorf("the Clone of %v returned a %v", t, out.Type())
}

func (c *Copier) entries(out, v reflect.Value) error {
	for it := v.MapRange(); it.Next(); {
		k, err := c.value(it.Key())
		if err != nil {
			return err
		}
		e, err := c.value(it.Value())
		if err != nil {
			return err
		}
		out.SetMapIndex(k, e)
	}
	return nil
}

func (c *Copier) elements(out, v reflect.Value) error {
	for i := range v.Len() {
		e, err := c.value(v.Index(i))
		if err != nil {
			return err
		}
		out.Index(i).Set(e)
	}
	return nil
}

// fields copies the fields of v that are not plain to out, which has the others.
func (c *Copier) fields(out, v reflect.Value) error {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if c.isPlain(f.Type) {
			continue
		}
		if !f.IsExported() {
			if !f.Anonymous || f.Type.Kind() != reflect.Struct {
				return fmt.Errorf("%v has the unexported field %s of type %v", t, f.Name, f.Type)
			}
			// Exported fields of an embedded struct are fields of this one.
			if err := c.fields(out.Field(i), v.Field(i)); err != nil {
				return err
			}
			continue
		}
		e, err := c.value(v.Field(i))
		if err != nil {
			return err
		}
		out.Field(i).Set(e)
	}
	return nil
}
