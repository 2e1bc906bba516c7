package record

import (
	"fmt"
	"iter"
	"log/slog"
	"strings"
)

// Attr is one entry of metadata. Keys of packages start with the name of the
// package and a dot, as in "csvoutlet.file"; make them with [Key].
type Attr struct {
	Key   string
	Value any
}

// Metadata is an immutable set of attributes. It is a small value that records
// share; the zero value is empty. Values are not copied: put plain values in.
// It is safe for concurrent use.
type Metadata struct{ attrs *[]Attr }

// NewMetadata returns the metadata of attrs. Of attributes with equal keys the
// last one counts.
func NewMetadata(attrs ...Attr) Metadata { return Metadata{}.With(attrs...) }

func (m Metadata) list() []Attr {
	if m.attrs == nil {
		return nil
	}
	return *m.attrs
}

// With returns m with attrs added, where they win over m's of the same key.
// Attributes keep the place of their key's first appearance.
func (m Metadata) With(attrs ...Attr) Metadata {
	if len(attrs) == 0 {
		return m
	}
	old := m.list()
	merged := make([]Attr, len(old), len(old)+len(attrs))
	copy(merged, old)
next:
	for _, a := range attrs {
		for i := range merged {
			if merged[i].Key == a.Key {
				merged[i].Value = a.Value
				continue next
			}
		}
		merged = append(merged, a)
	}
	return Metadata{&merged}
}

// Over returns the attributes of both, m's winning over base's: m is local,
// base global.
func (m Metadata) Over(base Metadata) Metadata {
	if base.attrs == nil {
		return m
	}
	return base.With(m.list()...)
}

// Get returns the value of the attribute with the given key.
func (m Metadata) Get(key string) (value any, ok bool) {
	for _, a := range m.list() {
		if a.Key == key {
			return a.Value, true
		}
	}
	return nil, false
}

// Len returns the number of attributes.
func (m Metadata) Len() int { return len(m.list()) }

// All yields the attributes in the order in which their keys were first given.
func (m Metadata) All() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for _, a := range m.list() {
			if !yield(a.Key, a.Value) {
				return
			}
		}
	}
}

// String returns the attributes as {key=value key=value}.
func (m Metadata) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, a := range m.list() {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%v", a.Key, a.Value)
	}
	b.WriteByte('}')
	return b.String()
}

// LogValue returns the attributes as a group.
func (m Metadata) LogValue() slog.Value {
	attrs := make([]slog.Attr, 0, m.Len())
	for _, a := range m.list() {
		attrs = append(attrs, slog.Any(a.Key, a.Value))
	}
	return slog.GroupValue(attrs...)
}

// Key is the typed key of an attribute. Keys with equal names are equal.
type Key[T any] struct{ name string }

// NewKey returns the key with the given name.
func NewKey[T any](name string) Key[T] { return Key[T]{name} }

// Name returns the name of the key.
func (k Key[T]) Name() string { return k.name }

// Of returns the attribute that gives the key the value v.
func (k Key[T]) Of(v T) Attr { return Attr{k.name, v} }

// Get returns the record's value of the key. ok is false if the record has none,
// or one that is not a T.
func (k Key[T]) Get(r Record) (value T, ok bool) {
	v, ok := r.Metadata.Get(k.name)
	if !ok {
		return value, false
	}
	return to[T](v)
}

// Or returns the record's value of the key, or def where [Key.Get] finds none.
func (k Key[T]) Or(r Record, def T) T {
	if v, ok := k.Get(r); ok {
		return v
	}
	return def
}
