package inlet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync/atomic"

	"github.com/databay-go/databay/record"
)

// source is an inlet that exists only as a function, its name and its mistakes. It
// is a pointer, so that it can be compared.
type source struct {
	name    string
	pull    Func
	invalid error
}

func (s *source) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	if s.invalid != nil {
		return nil, s.invalid
	}
	return s.pull(ctx, u)
}

func (s *source) Validate() error { return s.invalid }
func (s *source) String() string  { return s.name }

// Of returns an inlet whose every pull calls f and makes a record of each value. A
// value that is a [record.Record] is taken as it is, here as in the functions
// below.
func Of[T any](f func(ctx context.Context) ([]T, error)) Inlet {
	s := &source{name: "of(" + typeName[T]() + ")"}
	if f == nil {
		s.invalid = errors.New("inlet.Of: the function is nil, want one that returns values")
		return s
	}
	s.pull = func(ctx context.Context, _ record.Update) ([]record.Record, error) {
		values, err := f(ctx)
		return wrap(values), err
	}
	return s
}

// Each returns an inlet whose every pull calls f and makes one record of its
// value. There is no record if f fails.
func Each[T any](f func(ctx context.Context) (T, error)) Inlet {
	s := &source{name: "each(" + typeName[T]() + ")"}
	if f == nil {
		s.invalid = errors.New("inlet.Each: the function is nil, want one that returns a value")
		return s
	}
	s.pull = func(ctx context.Context, _ record.Update) ([]record.Record, error) {
		v, err := f(ctx)
		if err != nil {
			return nil, err
		}
		return []record.Record{wrapOne(v)}, nil
	}
	return s
}

// Values returns an inlet that yields all values in its first pull and nothing
// afterwards, also when it is started again.
func Values[T any](values ...T) Inlet {
	var left atomic.Pointer[[]record.Record]
	all := wrap(values)
	left.Store(&all)
	return &source{
		name: "values(" + typeName[T]() + ")",
		pull: func(context.Context, record.Update) ([]record.Record, error) {
			if records := left.Swap(nil); records != nil {
				return *records, nil
			}
			return nil, nil
		},
	}
}

// Null returns an inlet that yields nothing.
func Null() Inlet {
	return &source{
		name: "null",
		pull: func(context.Context, record.Update) ([]record.Record, error) { return nil, nil },
	}
}

// RandomInt returns an inlet that yields one uniformly distributed int a pull,
// from low to high, both included.
func RandomInt(low, high int) Inlet {
	s := &source{name: fmt.Sprintf("random-int(%d to %d)", low, high)}
	if high < low {
		s.invalid = fmt.Errorf("inlet.RandomInt: high is %d, want at least low, %d", high, low)
		return s
	}
	s.pull = func(context.Context, record.Update) ([]record.Record, error) {
		// The width may exceed an int, so it is counted without a sign; 0 is all of them.
		n := rand.Uint64()
		if width := uint64(high) - uint64(low) + 1; width != 0 {
			n = rand.Uint64N(width)
		}
		return []record.Record{record.New(int(uint64(low) + n))}, nil
	}
	return s
}

// wrap makes records of values.
func wrap[T any](values []T) []record.Record {
	if len(values) == 0 {
		return nil
	}
	records := make([]record.Record, len(values))
	for i, v := range values {
		records[i] = wrapOne(v)
	}
	return records
}

// wrapOne makes a record of a value that is none.
func wrapOne(v any) record.Record {
	if r, ok := v.(record.Record); ok {
		return r
	}
	return record.Record{Payload: v}
}

func typeName[T any]() string { return reflect.TypeFor[T]().String() }

type named struct {
	Inlet
	name string
}

// Named returns in with the given name.
func Named(name string, in Inlet) Inlet { return &named{in, name} }

func (n *named) String() string { return n.name }
func (n *named) Unwrap() Inlet  { return n.Inlet }

func (n *named) Validate() error {
	var err error
	if n.name == "" {
		err = errors.New("inlet.Named: the name is empty, want one that no other inlet of its link has")
	}
	return errors.Join(err, validate(fmt.Sprintf("inlet.Named %q", n.name), n.Inlet))
}

// validate asks what a decorator decorates for its mistakes.
func validate(decorator string, in Inlet) error {
	if isNil(in) {
		return errors.New(decorator + ": the inlet is nil, want an inlet")
	}
	if v, ok := As[Validator](in); ok {
		return v.Validate()
	}
	return nil
}

type described struct {
	Inlet
	global record.Metadata
}

// WithMetadata returns in with attrs, its global metadata, added to every record
// it yields. A record's own attributes win over them.
func WithMetadata(in Inlet, attrs ...record.Attr) Inlet {
	return &described{in, record.NewMetadata(attrs...)}
}

func (d *described) Unwrap() Inlet   { return d.Inlet }
func (d *described) Validate() error { return validate("inlet.WithMetadata", d.Inlet) }

func (d *described) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	records, err := d.Inlet.Pull(ctx, u)
	for i := range records {
		records[i].Metadata = records[i].Metadata.Over(d.global)
	}
	return records, err
}

// isNil reports whether in is nil or holds a nil pointer or function.
func isNil(in Inlet) bool {
	v := reflect.ValueOf(in)
	return !v.IsValid() || (v.Kind() == reflect.Pointer || v.Kind() == reflect.Func) && v.IsNil()
}
