package outlet

import (
	"cmp"
	"context"
	"errors"

	"github.com/databay-go/databay/record"
)

// sink is an outlet that exists only as a function and its mistakes. It is a
// pointer, so that it can be compared.
type sink struct {
	push    Func
	invalid error
}

func (s *sink) Push(ctx context.Context, records []record.Record, u record.Update) error {
	return s.push(ctx, records, u)
}

func (s *sink) Validate() error { return s.invalid }

// Of returns an outlet that calls f with the payloads of the records, which are
// Ts. A record whose payload is no T fails alone, for good; f is then called with
// the others. A [*record.Partial] of f speaks of the indices of its values.
func Of[T any](f func(ctx context.Context, values []T) error) Outlet {
	if f == nil {
		return &sink{invalid: errors.New("outlet.Of: the function is nil")}
	}
	return &sink{push: func(ctx context.Context, records []record.Record, _ record.Update) error {
		var failures record.Failures
		values := make([]T, 0, len(records))
		index := make([]int, 0, len(records)) // in records, of each value
		for i, r := range records {
			v, err := record.As[T](r)
			if err != nil {
				failures.Add(i, err)
				continue
			}
			values = append(values, v)
			index = append(index, i)
		}
		if len(values) == 0 {
			return failures.Err()
		}
		err := f(ctx, values)
		if err == nil || len(values) == len(records) {
			return cmp.Or(err, failures.Err())
		}
		partial := record.AsPartial(err)
		for v, i := range index {
			if partial == nil {
				failures.Add(i, err)
			} else {
				failures.Add(i, partial.Failed[v])
			}
		}
		return failures.Err()
	}}
}

// Each returns an outlet that calls f for every payload, a T, by itself. Those for
// which f fails, or that are no T, are the only ones not accepted. When the
// context ends, those not yet tried are not accepted either.
func Each[T any](f func(ctx context.Context, value T) error) Outlet {
	if f == nil {
		return &sink{invalid: errors.New("outlet.Each: the function is nil")}
	}
	return &sink{push: func(ctx context.Context, records []record.Record, _ record.Update) error {
		var failures record.Failures
		for i, r := range records {
			if err := ctx.Err(); err != nil {
				failures.Add(i, context.Cause(ctx))
				continue
			}
			v, err := record.As[T](r)
			if err == nil {
				err = f(ctx, v)
			}
			failures.Add(i, err)
		}
		return failures.Err()
	}}
}

type named struct {
	Outlet
	name string
}

// Named returns out with the given name. It is a [Reader] if out is.
func Named(name string, out Outlet) Outlet { return &named{out, name} }

func (n *named) String() string { return n.name }
func (n *named) Unwrap() Outlet { return n.Outlet }
func (n *named) ReadOnly() bool { return readOnly(n.Outlet) }
func (n *named) Store() any {
	if a, ok := n.Outlet.(Atomic); ok {
		return a.Store()
	}
	return nil
}

func (n *named) Validate() error {
	if n.name == "" {
		return errors.New("outlet.Named: the name is empty")
	}
	return validate(n.Outlet)
}

type reader struct{ Outlet }

// ReadOnly returns out with the claim of a [Reader], for an outlet or a function
// that has none and changes nothing it is given. It then gets no copies.
func ReadOnly(out Outlet) Outlet { return &reader{out} }

func (r *reader) ReadOnly() bool  { return true }
func (r *reader) Unwrap() Outlet  { return r.Outlet }
func (r *reader) Validate() error { return validate(r.Outlet) }
func (r *reader) Store() any {
	if a, ok := r.Outlet.(Atomic); ok {
		return a.Store()
	}
	return nil
}

func readOnly(out Outlet) bool {
	r, ok := out.(Reader)
	return ok && r.ReadOnly()
}

func validate(out Outlet) error {
	if out == nil {
		return errors.New("the decorated outlet is nil")
	}
	if v, ok := As[Validator](out); ok {
		return v.Validate()
	}
	return nil
}
