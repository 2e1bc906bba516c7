package link

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/databay-go/databay/record"
)

var (
	// ErrDuplicateNode is in the error of a node that is given twice to one
	// link, or that keeps a state and is given to two.
	ErrDuplicateNode = errors.New("link: the node is already in use")

	// ErrUnknownNode is in the error of removing a node that is not there.
	ErrUnknownNode = errors.New("link: the node is not in this link")

	// ErrRunning is the error of starting a link that is started.
	ErrRunning = errors.New("link: already running")

	// ErrStopped is the error of a transfer of a link that is not started, or is
	// being stopped. It is also the cause of the end of the context that nodes
	// are called with.
	ErrStopped = errors.New("link: stopped")

	// ErrCancelled is in the error of a call that was cut off, see [CancelPrevious], and
	// the cause of the end of its context.
	ErrCancelled = errors.New("link: cancelled")

	// ErrInside is the error of what cannot be asked for from inside a transfer
	// of the same link, since it would wait for itself.
	ErrInside = errors.New("link: called from inside a transfer of the same link")

	// ErrFenced is the error of a commit that found another writer's: another
	// process runs this link. The link delivers nothing any more.
	ErrFenced = errors.New("link: another writer has committed for this link")

	// ErrTooManyDeadLetters is the error of a link of which more records have failed
	// than [DeadLetterLimit] allows. The link delivers nothing any more.
	ErrTooManyDeadLetters = errors.New("link: too many dead letters")

	// ErrUnbalanced is the error of an account that does not balance.
	ErrUnbalanced = errors.New("link: the account does not balance")
)

// Op is what a link was doing.
type Op string

const (
	OpStart      Op = "start"       // starting a node
	OpState      Op = "state"       // reading or writing the store
	OpCheck      Op = "check"       // asking a node what it reaches
	OpSeek       Op = "seek"        // setting an inlet to its stored position
	OpPull       Op = "pull"        // pulling from an inlet
	OpProcess    Op = "process"     // calling a processor
	OpGroup      Op = "group"       // calling the groupers
	OpPush       Op = "push"        // pushing to an outlet
	OpDeadLetter Op = "dead letter" // pushing to a dead-letter outlet
	OpSpool      Op = "spool"       // moving records to a spool, or back
	OpCommit     Op = "commit"      // telling an inlet what was delivered
	OpReport     Op = "report"      // calling OnReport or OnError, checking the account
	OpSchedule   Op = "schedule"    // asking the schedule
	OpShutdown   Op = "shutdown"    // stopping a node
)

// Error is a failure of one node of a link.
type Error struct {
	Op     Op
	Link   string
	Node   string // name of the node
	Number int64  // of the transfer, or -1 outside of one

	// Records is how many records failed, and are not offered again in this
	// transfer.
	Records int

	// DeadLettered is how many of them have become dead letters, and Dropped how
	// many were dropped.
	DeadLettered, Dropped int

	// Kept says that the others are kept and will be offered again.
	Kept bool

	// Optional says that it is a failure of an optional lane.
	Optional bool

	Err error

	handled bool // no record is kept that has failed for good

	asked   bool   // a handler is being asked; guarded by Link.mu
	settled bool   // a handler returned nil for it
	handed  *Error // what is handed on in its place; nil: no handler was asked
}

// Error returns the link, the operation, the node and the cause.
func (e *Error) Error() string {
	s := fmt.Sprintf("link %s: %s %s: %v", e.Link, e.Op, e.Node, e.Err)
	var parts []string
	if e.Kept {
		parts = append(parts, fmt.Sprintf("%d kept", e.Records-e.DeadLettered-e.Dropped))
	}
	if e.DeadLettered > 0 {
		parts = append(parts, fmt.Sprintf("%d dead-lettered", e.DeadLettered))
	}
	if e.Dropped > 0 {
		parts = append(parts, fmt.Sprintf("%d dropped", e.Dropped))
	}
	if parts != nil {
		s += " (" + strings.Join(parts, ", ") + ")"
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Fatal says whether a planner without an OnError stops because of e. It goes on after any
// failure of an optional lane and, unless it is a panic, after
//   - a call that was cancelled,
//   - a failure whose records have become dead letters or were dropped,
//   - a push, also of dead letters or to a spool, whose records are kept and have not
//     failed for good,
//   - a broker's failure to take a commit, which is repeated.
//
// Everything else stops it.
func (e *Error) Fatal() bool {
	switch {
	case e.Optional:
		return false
	case panicked(e.Err):
		return true
	case errors.Is(e.Err, ErrCancelled):
		return false
	case e.Op == OpCommit:
		return record.IsPermanent(e.Err)
	case e.DeadLettered+e.Dropped > 0 && !e.Kept:
		return false
	case e.Op == OpPush || e.Op == OpDeadLetter || e.Op == OpSpool:
		return !e.Kept || record.IsPermanent(e.Err) && !e.handled
	}
	return true
}

// PanicError is a panic of user code, or a call of runtime.Goexit by it.
type PanicError struct {
	Value any // what was passed to panic; nil for runtime.Goexit
	Stack []byte
}

// Error returns the value, without the stack.
func (e *PanicError) Error() string {
	if e.Value == nil {
		return "runtime.Goexit was called"
	}
	return fmt.Sprintf("panic: %v", e.Value)
}

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// caught makes an error of what ended a call of user code: a deferred function
// calls it with the result of recover if the call has not returned.
func caught(value any) error {
	if err, ok := value.(error); ok {
		if broken := unsound(err); broken != nil {
			return broken
		}
	}
	return &PanicError{Value: value, Stack: debug.Stack()}
}

// sound returns err if its methods, and those of all that it wraps, can be called, else
// a [*PanicError] that says so: those of a nil pointer that was returned as an error
// panic, for instance.
func sound(err error) error {
	if err != nil {
		if broken := unsound(err); broken != nil {
			return broken
		}
	}
	return err
}

func unsound(err error) (broken error) {
	defer func() {
		if v := recover(); v != nil {
			broken = &PanicError{Value: fmt.Sprintf("%v, in a method of the error, a %T", v, err), Stack: debug.Stack()}
		}
	}()
	touch(err)
	_, _ = errors.AsType[*noError](err)
	return nil
}

// touch calls the methods of err and of all that it wraps.
func touch(err error) {
	_ = err.Error()
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			touch(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if inner != nil {
				touch(inner)
			}
		}
	}
}

// noError is an error that nothing is.
type noError struct{ error }

// guard calls f and returns its error. A panic of f is returned as an error. If
// f calls runtime.Goexit, the goroutine ends: failed is then called with an
// error, while its deferred functions run.
func guard(f func() error, failed func(error)) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			err = caught(v)
		} else if failed != nil {
			failed(caught(nil))
		}
	}()
	err = sound(f())
	returned = true
	return err
}

// call is a call of user code in a goroutine of its own, so that a runtime.Goexit
// ends only that one, and so that the call can be left behind.
type call struct {
	done chan struct{}
	err  error // set when done closes
}

// begin calls f.
func begin(f func() error) *call {
	c := &call{done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.err = guard(f, func(err error) { c.err = err })
	}()
	return c
}

// alone calls f in a goroutine of its own and waits for it.
func alone(f func() error) (err error) {
	var call sync.WaitGroup
	call.Go(func() { err = guard(f, func(ended error) { err = ended }) })
	call.Wait()
	return err
}

// ended reports whether the call has returned.
func (c *call) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// within waits for the end of the call until limit closes, and reports whether it
// has ended. What ends at the last moment counts.
func (c *call) within(limit <-chan struct{}) bool {
	select {
	case <-c.done:
		return true
	case <-limit:
		return c.ended()
	}
}
