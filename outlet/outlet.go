package outlet

import (
	"context"
	"fmt"

	"github.com/databay-go/databay/record"
)

// Outlet consumes records.
//
// A link never calls an outlet concurrently with itself. An outlet given to
// several links is called by them side by side and must be safe for that.
//
// The context ends when the push is to be given up. Push then returns with a
// definite answer: the link waits for it, and makes no other call meanwhile. The
// slice may not be kept after Push has returned, the records may. Unless the
// outlet is a [Reader], the slice and the payloads may be changed: they are its
// own copies.
//
// Nil means that all records are accepted. A [*record.Partial] names those that
// are not; the rest is accepted. Any other error, or a panic, means that none is.
// What is not accepted is offered again. [record.Permanent] and
// [record.RetryAfter] say more about a cause. A record whose payload it cannot
// write, a nil one too, fails alone, marked Permanent. A push of no records is no
// mistake. A Push after a Shutdown is an error unless it writes; it does not panic.
//
// Use [github.com/databay-go/databay/testkit.TestOutlet] to check an
// implementation.
type Outlet interface {
	Push(ctx context.Context, records []record.Record, u record.Update) error
}

// Starter is an outlet that has something to open. Start is called before the
// first Push; its context is for starting only. An outlet whose Start failed is
// not shut down. After a Shutdown it may be started again. An outlet given to
// several links is started once, before the first of them pulls. A Start that fails
// leaves nothing behind, no goroutine either.
type Starter interface {
	Start(ctx context.Context) error
}

// Shutdowner is an outlet that has something to close. Shutdown is called once
// for every successful start, after the last Push has returned, unless that one
// hangs and is abandoned. It returns soon after its context has ended.
type Shutdowner interface {
	Shutdown(ctx context.Context) error
}

// Validator is an outlet that knows mistakes in its own configuration. Validate
// reports all of them, each naming the field, its value and what would be right.
// It is called before anything starts and changes nothing.
type Validator interface {
	Validate() error
}

// Checker is an outlet that can say whether it reaches what it is there for. Check moves
// nothing and leaves nothing behind. It works whether the outlet is started or not, and
// beside all other calls. It returns soon after its context has ended.
type Checker interface {
	Check(ctx context.Context) error
}

// Reader is an outlet that says, by returning true, that it changes neither the
// slice it is given nor any payload, then or later. It is given what other
// outlets are given too. All outlets of this module are Readers.
type Reader interface {
	ReadOnly() bool
}

// Atomic is an outlet that can write [record.Update.Commit] in the transaction in
// which it writes the records. If its Store is the State of the link, the link
// hands it the commit with the last records of a transfer, provided nothing else
// is undelivered, and later finds it written. A nil Store is no claim.
type Atomic interface {
	Store() any
}

// Func is a function as an [Outlet]. Function values cannot be compared: wrap it
// with [Named] if it is to be removed from a link again.
type Func func(ctx context.Context, records []record.Record, u record.Update) error

// Push calls f.
func (f Func) Push(ctx context.Context, records []record.Record, u record.Update) error {
	return f(ctx, records, u)
}

// As finds in out, or in what it decorates, something that is a T. A decorator
// has a method Unwrap() Outlet. Use it for [Starter], [Shutdowner], [Validator],
// and [fmt.Stringer]; claims about data are not looked for in what is decorated.
func As[T any](out Outlet) (T, bool) {
	for !isNil(out) {
		if t, ok := out.(T); ok {
			return t, true
		}
		w, ok := out.(interface{ Unwrap() Outlet })
		if !ok {
			break
		}
		out = w.Unwrap()
	}
	var none T
	return none, false
}

// Name returns the outlet's name: what its String method says, else its type.
func Name(out Outlet) string {
	if s, ok := As[fmt.Stringer](out); ok {
		return s.String()
	}
	return fmt.Sprintf("%T", out)
}
