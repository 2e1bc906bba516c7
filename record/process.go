package record

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Processor changes, filters or holds records on their way to the outlets.
//
// A link never calls a processor concurrently with itself. The context ends when
// the link is stopped for good. The slice given and the payloads in it are
// read-only (see the package documentation); the slice may not be kept, the
// records may. The slice returned belongs to the caller; it may be the one that
// was given, or a part of it. Process may be called with no records.
//
// A [*Partial] names the indices of the given records that failed; the returned
// slice is then the result of the others and of what was held before, even if all
// that were given failed. With any other error the returned slice is ignored and
// all records count as failed. Failed records are given to the processor again,
// before any others.
//
// Records that come out have the ID of one that went in, or an extension of it,
// and no two have the same; they keep its metadata and inlet.
//
// A processor that keeps records until a later call is a [Holder]. One that keeps
// them and is none is counted as having filtered them, and loses them in a
// crash.
//
// Use [github.com/databay-go/databay/testkit.TestProcessor] to check an
// implementation.
type Processor interface {
	Process(ctx context.Context, records []Record) ([]Record, error)
}

// ProcessorFunc is a function as a [Processor].
type ProcessorFunc func(ctx context.Context, records []Record) ([]Record, error)

// Process calls f.
func (f ProcessorFunc) Process(ctx context.Context, records []Record) ([]Record, error) {
	return f(ctx, records)
}

// Holder is a [Processor] that keeps records until a later call. It belongs to
// one place of one link.
type Holder interface {
	// Holding says what is kept. It is called after every Process.
	Holding() Holding

	// Flush makes the next Process, perhaps of no records, release everything.
	// It does nothing else, and is done with that call also if nothing is held.
	Flush()
}

// Holding says what a [Holder] keeps.
type Holding struct {
	// Records is how many records it keeps.
	Records int

	// Span is how many records it was given since, and together with, the
	// oldest one whose effect exists only in memory. Of a holder that releases
	// in the order of arrival it equals Records; of one whose records are safe
	// on disk it is 0.
	Span int

	// Wake is when it wants to be called with no records: later than the call that
	// has just returned. Zero is never, as when nothing is held.
	Wake time.Time

	// Released, of a [Settler], stands for all that it has released until now. It
	// grows with what is released, and is 0 at first.
	Released int64
}

// Settler is a [Holder] whose records survive a crash, and so must those that it has
// released, until they are delivered: no inlet returns them again. It keeps them until
// it is told.
type Settler interface {
	Holder

	// Settled says that whatever was released when Released was this number is
	// delivered, or done with in another way. If it fails it is called again with a
	// later number. It may be called concurrently with Process, but not with itself.
	Settled(ctx context.Context, released int64) error
}

// Each returns a processor that calls f for every record by itself. A record for
// which f fails fails alone. A nil f, here as in the functions below, is an error
// of the processor's Validate, which links call before they start.
func Each(f func(ctx context.Context, r Record) (Record, error)) Processor {
	return newExpander("each", f == nil, func(ctx context.Context, out []Record, r Record) ([]Record, error) {
		r, err := f(ctx, r)
		if err != nil {
			return out, err
		}
		return append(out, r), nil
	})
}

// Map returns a processor that replaces every payload, a T, by what f makes of
// it. A record for which f fails, or whose payload is no T, fails alone.
func Map[T, U any](f func(T) (U, error)) Processor {
	name := "map(" + typeName[T]() + ")"
	return newExpander(name, f == nil, func(_ context.Context, out []Record, r Record) ([]Record, error) {
		v, err := As[T](r)
		if err != nil {
			return out, err
		}
		u, err := f(v)
		if err != nil {
			return out, err
		}
		return append(out, r.With(u)), nil
	})
}

// Filter returns a processor that lets those records pass whose payload, a T,
// keep accepts. A record whose payload is no T fails alone.
func Filter[T any](keep func(T) bool) Processor {
	name := "filter(" + typeName[T]() + ")"
	return newExpander(name, keep == nil, func(_ context.Context, out []Record, r Record) ([]Record, error) {
		v, err := As[T](r)
		if err != nil {
			return out, err
		}
		if keep(v) {
			out = append(out, r)
		}
		return out, nil
	})
}

// FlatMap returns a processor that replaces every record by one record for each
// value that f makes of its payload, a T. Metadata and inlet stay; an ID is
// extended by a slash and the position among the values, from 0. A record for
// which f fails, or whose payload is no T, fails alone.
func FlatMap[T, U any](f func(T) ([]U, error)) Processor {
	name := "flatmap(" + typeName[T]() + ")"
	return newExpander(name, f == nil, func(_ context.Context, out []Record, r Record) ([]Record, error) {
		v, err := As[T](r)
		if err != nil {
			return out, err
		}
		values, err := f(v)
		if err != nil {
			return out, err
		}
		for i, u := range values {
			part := r.With(u)
			if r.id != "" {
				part.id = r.id + "/" + strconv.Itoa(i)
			}
			out = append(out, part)
		}
		return out, nil
	})
}

// expander is a processor that appends to a slice what becomes of one record. It
// cannot be compared, so that it is not taken for the same node elsewhere: it
// keeps nothing, and may be used in several places.
type expander struct {
	name    string
	invalid error
	expand  func(ctx context.Context, out []Record, r Record) ([]Record, error)
}

func newExpander(name string, isNil bool, f func(context.Context, []Record, Record) ([]Record, error)) Processor {
	return expander{name, noFunction(name, isNil), f}
}

// noFunction returns the error of a constructor that was given a nil function.
func noFunction(name string, isNil bool) error {
	if !isNil {
		return nil
	}
	return fmt.Errorf("%s: the function is nil, want one", name)
}

func (e expander) Validate() error { return e.invalid }
func (e expander) String() string  { return e.name }

func (e expander) Process(ctx context.Context, records []Record) ([]Record, error) {
	if e.invalid != nil {
		return nil, e.invalid
	}
	if len(records) == 0 {
		return nil, nil
	}
	var failures Failures
	out := make([]Record, 0, len(records))
	for i, r := range records {
		var err error
		if out, err = e.expand(ctx, out, r); err != nil {
			if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
				return nil, err
			}
			failures.Add(i, err)
		}
	}
	return out, failures.Err()
}
