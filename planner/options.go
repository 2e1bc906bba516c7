package planner

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"time"

	"github.com/databay-go/databay/link"
)

const (
	defaultConcurrency     = 30
	defaultShutdownTimeout = 30 * time.Second
)

// Options adjusts a [Planner]. The zero value is a good default.
type Options struct {
	// Trigger says when. It serves one planner. If nil, it is NewTicker(nil).
	Trigger Trigger

	// Concurrency is how many transfers run at the same time, over all links. A
	// transfer runs while its goroutine pulls, processes or pushes; lanes beyond
	// the first are not counted. If zero, 30; if -1, there is no bound.
	Concurrency int

	// SkipImmediate leaves out the transfer that every link makes when it is
	// started, for all links.
	SkipImmediate bool

	// ShutdownTimeout bounds Shutdown, Remove and Purge, together with their
	// contexts and with [link.Config.ShutdownTimeout]: whichever ends first. If
	// zero, 30 s; if -1, there is no bound.
	ShutdownTimeout time.Duration

	// OnError, if not nil, is called for every failure that the link's OnError has
	// not settled, one call at a time per link. It decides whether to go on, never
	// what becomes of records: with nil the failure is settled, any other error
	// stops the planner and is returned by Run, unless the failure is one of an
	// optional lane. A link that was fenced or has too many dead letters transfers
	// no more in either case. If nil, failures that are not [link.Error.Fatal]
	// are logged, and others stop the planner.
	OnError func(ctx context.Context, err *link.Error) error

	// OnReport, if not nil, is called with every Report of every link, one call at
	// a time, and those of one link in order. When it is slow, transfers wait.
	OnReport func(ctx context.Context, report link.Report)

	// Logger gets the failures that do not stop the planner, and warnings. If nil,
	// it is slog.Default().
	Logger *slog.Logger
}

// StopOnError is an [Options.OnError] with which every failure stops the planner.
func StopOnError(_ context.Context, err *link.Error) error { return err }

// withDefaults returns a copy of o, which may be nil, that says everything, and all
// mistakes in o.
func (o *Options) withDefaults() (Options, mistakes) {
	var full Options
	if o != nil {
		full = *o
	}
	var m mistakes
	switch t := reflect.ValueOf(full.Trigger); {
	case !t.IsValid():
		full.Trigger = NewTicker(nil)
	case t.Kind() == reflect.Pointer && t.IsNil():
		m.add("Options.Trigger is a nil %T", full.Trigger)
		full.Trigger = nil
	default:
		if v, ok := full.Trigger.(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				m.add("Options.Trigger: %w", err)
			}
		}
	}
	switch {
	case full.Concurrency < -1:
		m.add("Options.Concurrency is %d, want more than 0, 0 for %d or -1 for no bound", full.Concurrency, defaultConcurrency)
	case full.Concurrency == -1:
		full.Concurrency = math.MaxInt
	case full.Concurrency == 0:
		full.Concurrency = defaultConcurrency
	}
	switch {
	case full.ShutdownTimeout < -1:
		m.add("Options.ShutdownTimeout is %v, want more than 0, 0 for %v or -1 for no bound", full.ShutdownTimeout, defaultShutdownTimeout)
	case full.ShutdownTimeout == 0:
		full.ShutdownTimeout = defaultShutdownTimeout
	}
	if full.Logger == nil {
		full.Logger = slog.Default()
	}
	return full, m
}

// mistakes collects what is wrong.
type mistakes []error

func (m *mistakes) add(format string, args ...any) { *m = append(*m, fmt.Errorf(format, args...)) }
