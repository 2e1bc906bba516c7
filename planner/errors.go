package planner

import "errors"

var (
	// ErrClosed is the error of everything that would change a [Planner] after its
	// Shutdown has begun, and of a Force before that has ended.
	ErrClosed = errors.New("planner: shut down")

	// ErrRunning is the error of starting a [Planner] that is started.
	ErrRunning = errors.New("planner: already running")

	// ErrUnknownLink is in the error of naming a link that the [Planner] does not
	// have, or that was removed meanwhile.
	ErrUnknownLink = errors.New("planner: the link is not in this planner")

	// ErrDuplicateLink is in the error of adding a link, or one of the same name,
	// that the [Planner] has already.
	ErrDuplicateLink = errors.New("planner: the planner has a link of this name")

	// ErrInside is in the error of what cannot be asked for from inside a transfer, or
	// the start of a node, since it would wait for that.
	ErrInside = errors.New("planner: called from inside a transfer")
)

var errTriggerStopped = errors.New("planner: the trigger is stopped")
