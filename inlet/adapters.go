package inlet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"github.com/databay-go/databay/record"
)

// source is an inlet that exists only as a function and its mistakes. It is a
// pointer, so that it can be compared.
type source struct {
	pull    Func
	invalid error
}

func (s *source) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	return s.pull(ctx, u)
}

func (s *source) Validate() error { return s.invalid }

// Of returns an inlet whose every pull calls f and makes a record of each value.
func Of[T any](f func(ctx context.Context) ([]T, error)) Inlet {
	if f == nil {
		return &source{invalid: errors.New("inlet.Of: the function is nil")}
	}
	return &source{pull: func(ctx context.Context, _ record.Update) ([]record.Record, error) {
		values, err := f(ctx)
		return wrap(values), err
	}}
}

// Each returns an inlet whose every pull calls f and makes one record of its
// value. There is no record if f fails.
func Each[T any](f func(ctx context.Context) (T, error)) Inlet {
	if f == nil {
		return &source{invalid: errors.New("inlet.Each: the function is nil")}
	}
	return &source{pull: func(ctx context.Context, _ record.Update) ([]record.Record, error) {
		v, err := f(ctx)
		if err != nil {
			return nil, err
		}
		return []record.Record{record.New(v)}, nil
	}}
}

// Values returns an inlet that yields all values in its first pull and nothing
// afterwards. It is not resumable: after a restart it still yields nothing.
func Values[T any](values ...T) Inlet {
	var records atomic.Pointer[[]record.Record]
	all := wrap(values)
	records.Store(&all)
	return &source{pull: func(context.Context, record.Update) ([]record.Record, error) {
		if left := records.Swap(nil); left != nil {
			return *left, nil
		}
		return nil, nil
	}}
}

// Null returns an inlet that yields nothing.
func Null() Inlet {
	return &source{pull: func(context.Context, record.Update) ([]record.Record, error) { return nil, nil }}
}

// RandomInt returns an inlet that yields one uniformly distributed int a pull,
// from min to max, both included.
func RandomInt(min, max int) Inlet {
	if max < min {
		return &source{invalid: fmt.Errorf("inlet.RandomInt: max is %d, want at least min, %d", max, min)}
	}
	return &source{pull: func(context.Context, record.Update) ([]record.Record, error) {
		// The width may exceed an int, so it is counted without a sign; 0 is all of them.
		n := rand.Uint64()
		if width := uint64(max) - uint64(min) + 1; width != 0 {
			n = rand.Uint64N(width)
		}
		return []record.Record{record.New(int(uint64(min) + n))}, nil
	}}
}

func wrap[T any](values []T) []record.Record {
	if len(values) == 0 {
		return nil
	}
	records := make([]record.Record, len(values))
	for i, v := range values {
		records[i].Payload = v
	}
	return records
}

type named struct {
	Inlet
	name string
}

// Named returns in with the given name.
func Named(name string, in Inlet) Inlet { return &named{in, name} }

func (n *named) String() string { return n.name }
func (n *named) Unwrap() Inlet  { return n.Inlet }

func (n *named) Validate() error {
	if n.name == "" {
		return errors.New("inlet.Named: the name is empty")
	}
	return validate(n.Inlet)
}

func validate(in Inlet) error {
	if in == nil {
		return errors.New("the decorated inlet is nil")
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
func (d *described) Validate() error { return validate(d.Inlet) }

func (d *described) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	records, err := d.Inlet.Pull(ctx, u)
	for i := range records {
		records[i].Metadata = records[i].Metadata.Over(d.global)
	}
	return records, err
}
