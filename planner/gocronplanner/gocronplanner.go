package gocronplanner

import (
	"context"
	"errors"
	"log/slog"

	"github.com/go-co-op/gocron/v2"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/planner"
)

// Options adjusts a planner that is triggered by gocron. The zero value is a good
// default.
type Options struct {
	// Planner has the options of the planner. Its Trigger must be nil.
	Planner planner.Options

	// Gocron has options for gocron's scheduler. gocron logs to Planner.Logger
	// unless there is an option that says otherwise.
	Gocron []gocron.SchedulerOption
}

// New returns a planner of links that is triggered by gocron. Its error joins all
// mistakes, in the options for gocron too. opts may be nil.
func New(opts *Options, links ...*link.Link) (*planner.Planner, error) {
	if opts == nil {
		opts = new(Options)
	}
	full := opts.Planner
	var mistake error
	if full.Trigger != nil {
		mistake = errors.New("gocronplanner: Options.Planner.Trigger is set, want nil")
	}
	full.Trigger = newTrigger(full.Logger, opts.Gocron)
	p, err := planner.New(&full, links...)
	if err == nil && mistake != nil {
		_, _ = p.Shutdown(context.Background()) // gives the links back
	}
	if err = errors.Join(mistake, err); err != nil {
		return nil, err
	}
	return p, nil
}

// NewTrigger returns a trigger that uses gocron, for [planner.Options.Trigger]. A
// mistake in opts is returned by planner.New. gocron logs to slog.Default() unless
// there is an option that says otherwise.
func NewTrigger(opts ...gocron.SchedulerOption) planner.Trigger {
	return newTrigger(nil, opts)
}

func newTrigger(logger *slog.Logger, opts []gocron.SchedulerOption) *trigger {
	if logger == nil {
		logger = slog.Default()
	}
	t := &trigger{
		opts:   append([]gocron.SchedulerOption{gocron.WithLogger(logger)}, opts...),
		alarms: make(map[string]*alarm),
		inside: make(map[uint64]*bool),
		over:   make(chan struct{}),
	}
	t.change.L = &t.mu
	return t
}
