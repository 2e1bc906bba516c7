package planner

import (
	"time"

	"github.com/databay-go/databay/schedule"
)

// Trigger says when, and nothing else: what becomes of an instant that is due is
// the [Planner]'s business. A Trigger serves one planner and is started once.
//
// All methods may be called concurrently, and from inside emit.
//
// A Trigger may know mistakes: New of the planner asks its Validate() error and, as Add
// does, its Fits(id string, s schedule.Schedule) error, if it has them. Fits returns why
// the trigger does not serve s, which is not bound yet.
type Trigger interface {
	// Add makes the trigger call emit at s.Next(after), and from then on at
	// s.Next of the instant it called at or of the present, whichever is later:
	// a trigger that is late calls once, and does not make up for the rest. An
	// instant that has passed is due at once, and the zero time ends the
	// schedule; so does a panic of s, and the others go on. Add is possible before and after Start; after Stop it is an
	// error, and so is an id that is in use.
	Add(id string, s schedule.Schedule, after time.Time) error

	// Remove ends the schedule of an id; one that is unknown is no mistake. An
	// emit that runs meanwhile may still be for the id.
	Remove(id string)

	// Start begins to call emit, which never blocks. Calls may be concurrent, but
	// not for the same id. A trigger that was started or stopped before is an
	// error.
	Start(emit func(Tick)) error

	// Stop ends everything: when it returns, no emit is running and none will
	// follow, except that a Stop from inside emit does not wait for that emit.
	// Stop may be called twice, before Start, and from inside emit.
	Stop()
}

// Tick is an instant that a [Trigger] found due.
type Tick struct {
	// ID is the id that the schedule was added with.
	ID string
	// Due is the instant for which the trigger was armed, not the moment at which
	// it woke.
	Due time.Time
}
