package outlet

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/databay-go/databay/record"
)

// sink is an outlet that exists only as a function, its name and its mistakes. It
// is a pointer, so that it can be compared.
type sink struct {
	name    string
	push    Func
	invalid error
}

func (s *sink) Push(ctx context.Context, records []record.Record, u record.Update) error {
	if s.invalid != nil {
		return s.invalid
	}
	return s.push(ctx, records, u)
}

func (s *sink) Validate() error { return s.invalid }
func (s *sink) String() string  { return s.name }

// Of returns an outlet that calls f with the payloads of the records, which are
// Ts. A record whose payload is no T fails alone, for good; f is then called with
// the others, if there are any. A [*record.Partial] of f speaks of the indices of
// its values.
func Of[T any](f func(ctx context.Context, values []T) error) Outlet {
	s := &sink{name: "of(" + typeName[T]() + ")"}
	if f == nil {
		s.invalid = errors.New("outlet.Of: the function is nil, want one that takes values")
		return s
	}
	s.push = func(ctx context.Context, records []record.Record, _ record.Update) error {
		var failures record.Failures
		values := make([]T, 0, len(records))
		for i, r := range records {
			v, err := record.As[T](r)
			if err != nil {
				failures.Add(i, err)
				continue
			}
			values = append(values, v)
		}
		if len(values) == 0 {
			return failures.Err()
		}
		err := f(ctx, values)
		if len(values) == len(records) {
			return err
		}
		return answer(records, failures, len(values), err)
	}
	return s
}

// answer returns the answer to records of which those in failures were left out
// before the rest, n of them, was answered with err.
func answer(records []record.Record, failures record.Failures, n int, err error) error {
	partial := record.AsPartial(err)
	if partial != nil {
		if wrong := partial.Check(n); wrong != nil {
			err, partial = fmt.Errorf("%w: %w", wrong, err), nil
		}
	}
	at := 0 // among the rest
	for i := range records {
		if failures.Has(i) {
			continue
		}
		if partial == nil {
			failures.Add(i, err)
		} else {
			failures.Add(i, partial.Failed[at])
		}
		at++
	}
	return failures.Err()
}

// Each returns an outlet that calls f for every payload, a T, by itself. Those for
// which f fails, or that are no T, are the only ones not accepted. When the
// context ends, those not yet tried are not accepted either.
func Each[T any](f func(ctx context.Context, value T) error) Outlet {
	s := &sink{name: "each(" + typeName[T]() + ")"}
	if f == nil {
		s.invalid = errors.New("outlet.Each: the function is nil, want one that takes a value")
		return s
	}
	s.push = func(ctx context.Context, records []record.Record, _ record.Update) error {
		var failures record.Failures
		for i, r := range records {
			v, err := record.As[T](r)
			if err == nil && ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			if err == nil {
				err = f(ctx, v)
			}
			failures.Add(i, err)
		}
		return failures.Err()
	}
	return s
}

func typeName[T any]() string { return reflect.TypeFor[T]().String() }

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
	var err error
	if n.name == "" {
		err = errors.New("outlet.Named: the name is empty, want one that no other outlet of its link has")
	}
	return errors.Join(err, validate(fmt.Sprintf("outlet.Named %q", n.name), n.Outlet))
}

type reader struct{ Outlet }

// ReadOnly returns out with the claim of a [Reader], for an outlet or a function
// that has none and changes nothing it is given. It then gets no copies.
func ReadOnly(out Outlet) Outlet { return &reader{out} }

func (r *reader) ReadOnly() bool  { return true }
func (r *reader) Unwrap() Outlet  { return r.Outlet }
func (r *reader) Validate() error { return validate("outlet.ReadOnly", r.Outlet) }
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

// validate asks what a decorator decorates for its mistakes.
func validate(decorator string, out Outlet) error {
	if isNil(out) {
		return errors.New(decorator + ": the outlet is nil, want an outlet")
	}
	if v, ok := As[Validator](out); ok {
		return v.Validate()
	}
	return nil
}

// isNil reports whether out is nil or holds a nil pointer or function.
func isNil(out Outlet) bool {
	v := reflect.ValueOf(out)
	return !v.IsValid() || (v.Kind() == reflect.Pointer || v.Kind() == reflect.Func) && v.IsNil()
}
