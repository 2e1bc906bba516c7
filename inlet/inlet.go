package inlet

import (
	"context"
	"fmt"

	"github.com/databay-go/databay/record"
)

// Inlet produces records.
//
// A link never calls an inlet concurrently with itself. An inlet given to several
// links is called by them side by side and must be safe for that.
//
// The context ends when the pull is to be given up; Pull returns soon after, with
// the context's error or cause, wrapped or not. It ends with the call, so nothing
// may depend on it later. A Pull after a Shutdown may fail; it does not panic. The
// records returned, the slice and the payloads, belong to the caller from then
// on. No records and no error means that there is nothing at present. Records
// returned together with an error are delivered.
//
// Use [github.com/databay-go/databay/testkit.TestInlet] to check an
// implementation.
type Inlet interface {
	Pull(ctx context.Context, u record.Update) ([]record.Record, error)
}

// Starter is an inlet that has something to open. Start is called before the
// first Pull; its context is for starting only. An inlet whose Start failed is
// not shut down. After a Shutdown it may be started again. An inlet given to
// several links is started once, before the first of them pulls. A Start that fails
// leaves nothing behind, no goroutine either.
type Starter interface {
	Start(ctx context.Context) error
}

// Shutdowner is an inlet that has something to close. Shutdown is called once
// for every successful start, after the last Pull has returned, unless that one
// hangs and is abandoned. It returns soon after its context has ended.
type Shutdowner interface {
	Shutdown(ctx context.Context) error
}

// Validator is an inlet that knows mistakes in its own configuration. Validate
// reports all of them, each naming the field, its value and what would be right.
// It is called before anything starts and changes nothing.
type Validator interface {
	Validate() error
}

// Checker is an inlet that can say whether it reaches what it is there for. Check moves
// nothing and leaves nothing behind. It works whether the inlet is started or not, and
// beside all other calls. It returns soon after its context has ended.
type Checker interface {
	Check(ctx context.Context) error
}

// Positioner is an inlet whose records have an order that it can describe.
// Position returns where it stands: everything pulled so far is before it,
// everything pulled later after it. It is called after every Pull and never
// concurrently with one. The bytes are opaque to the link, which keeps them in its
// store; neither side changes them. Nil means the beginning. A Pull that returns an
// error and no records leaves the position where it was.
type Positioner interface {
	Position() []byte
}

// PositionTyper is a [Positioner] that says what its positions are, in a word that
// stays the same over versions of the program. Without it that is its Go type. A link
// refuses to start an inlet with the stored position of another type.
type PositionTyper interface {
	PositionType() string
}

// Seeker is a [Positioner] that can be set to a position. Seek is called after
// Start and before the first Pull, with the position that was committed last or,
// if there is none, with nil: the beginning. The next Pull returns what comes
// after it. A position it cannot read is an error.
type Seeker interface {
	Seek(ctx context.Context, position []byte) error
}

// Committer is a [Positioner] that wants to know what has been delivered, a
// broker for instance. Commit is called after the link's store has taken the
// position; everything up to it has been delivered. If it fails it is called
// again with the next commit, and may be told one position twice. It may be called
// concurrently with Pull.
type Committer interface {
	Commit(ctx context.Context, position []byte) error
}

// Func is a function as an [Inlet]. Function values cannot be compared: wrap it
// with [Named] if it is to be removed from a link again.
type Func func(ctx context.Context, u record.Update) ([]record.Record, error)

// Pull calls f.
func (f Func) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	return f(ctx, u)
}

// As finds in in, or in what it decorates, something that is a T, a capability
// for instance. A decorator has a method Unwrap() Inlet.
func As[T any](in Inlet) (T, bool) {
	for !isNil(in) {
		if t, ok := in.(T); ok {
			return t, true
		}
		w, ok := in.(interface{ Unwrap() Inlet })
		if !ok {
			break
		}
		in = w.Unwrap()
	}
	var none T
	return none, false
}

// Name returns the inlet's name: what its String method says, else its type.
func Name(in Inlet) string {
	if s, ok := As[fmt.Stringer](in); ok {
		return s.String()
	}
	return fmt.Sprintf("%T", in)
}
