package link

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
	"github.com/databay-go/databay/spool"
	"github.com/databay-go/databay/state"
)

// Config describes a link. [New] copies it. Inlets and one of Outlets or Lanes are
// required; of every other field the zero value is a good default.
type Config struct {
	// Name names the link in updates, errors and reports, and keys its state. If
	// empty, it is the tags joined by dots or, without tags, "link". A link with
	// a State needs one. It must be unique in a planner.
	Name string

	// Tags are shown in the updates of the link.
	Tags []string

	// Inlets are pulled side by side. What they return is joined in their order.
	Inlets []inlet.Inlet

	// InletConcurrency bounds how many inlets are pulled at the same time. If
	// zero or -1, all are.
	InletConcurrency int

	// Processors are run in order on everything that was pulled.
	Processors []record.Processor

	// Groupers are run in order on what comes out of the processors. Each batch
	// that comes out of them is pushed by itself. Without groupers there is one
	// batch of what was pulled.
	Groupers []record.Grouper

	// Outlets are given every batch. It is the short form of Lanes: each outlet
	// gets a lane with default values. Lanes come first if both are given.
	Outlets []outlet.Outlet

	// Lanes are the outlets with how each of them is served.
	Lanes []Lane

	// DeadLetter gets, as [DeadLetter] payloads, the records that processors and
	// groupers fail for, but for those whose error asks for a pause
	// ([record.RetryAfter]), which are given to them again. It also serves lanes
	// that have no DeadLetter of their own. If it refuses letters, their records
	// stay where they are. If nil, what a stage fails for waits before it.
	DeadLetter outlet.Outlet

	// DeadLetterLimit bounds the dead letters of each lane, and those of the
	// link's own stages. The zero value is no bound.
	DeadLetterLimit DeadLetterLimit

	// Schedule says when a planner transfers. It may be nil for a link that no
	// planner gets.
	Schedule schedule.Schedule

	// SkipImmediate leaves out the first transfer that a planner makes when it
	// starts.
	SkipImmediate bool

	// Overlap says what a planner does with an instant that comes while a transfer
	// is not handed over. If zero, it is skipped.
	Overlap Overlap

	// Misfire says what a planner does with instants that it could not run in time.
	// If zero, it runs the last of them.
	Misfire Misfire

	// State keeps what is committed, with the name of the link and the type of each
	// position: what another link or an inlet of another type has stored is refused
	// at the start. If nil, links with an inlet that has a
	// position keep it in memory, for as long as the Link is used.
	State state.Store

	// MaxUncommitted is how many transfers may wait in a lane, or for the store.
	// With as many, the link pulls nothing. Transfers that only a [record.Holder]
	// keeps back do not count. If zero, 1,000; if -1, there is no bound.
	MaxUncommitted int

	// Isolation says which outlets get copies of the records.
	Isolation Isolation

	// PushEmpty makes a transfer that pulls, and has nothing to push, push an
	// empty batch. By default nothing is pushed then. An empty batch that is
	// refused is not offered again.
	PushEmpty bool

	// ShutdownTimeout bounds every Shutdown, that of Once too. If zero, 30 s; if
	// -1, there is no bound.
	ShutdownTimeout time.Duration

	// OnError, if not nil, is called for every failure, one call at a time. It
	// decides whether to go on, never what becomes of records: with nil the
	// failure is settled; any other error is handed on in its place, as the Err
	// of an [*Error], to the planner or to the caller of Once or Transfer.
	OnError func(ctx context.Context, err *Error) error

	// OnReport, if not nil, is called once for every transfer, in the order of
	// their numbers and one call at a time, and once at the end of Shutdown.
	OnReport func(ctx context.Context, report Report)
}

// Lane says how one outlet is served. It is no outlet itself.
type Lane struct {
	// Outlet is required.
	Outlet outlet.Outlet

	// Name names the lane in errors and reports. If empty, it is the outlet's,
	// made unique by a number where needed.
	Name string

	// Processors are run once on every batch, before the lane's queue: what the
	// outlet refuses is what came out of them.
	Processors []record.Processor

	// Timeout bounds every push: its context ends then. The lane waits for the
	// push to return all the same. If zero or -1, there is no bound.
	Timeout time.Duration

	// Retry says how the lane goes on within a transfer after a refusal.
	Retry Retry

	// Pending is how many records may wait for the outlet. With as many, OnFull
	// says what happens. It is checked before a pull, so that one transfer may
	// exceed it. If zero, 10,000; if -1, there is no bound.
	Pending int

	// OnFull says what happens when as many records wait as Pending allows. If
	// zero, the link pulls nothing, or if the lane is optional, the oldest records
	// are dropped.
	OnFull OnFull

	// Spool is where OnFull: Spill moves records. It is started and shut down with
	// the outlet.
	Spool spool.Spool

	// OnFail says what happens to records that were refused as often as Retry
	// allows. If zero, they are kept and offered again with the next transfer.
	OnFail OnFail

	// DeadLetter gets, as [DeadLetter] payloads, the records that have failed for
	// good ([record.Permanent]), those that GiveUp or OnFull give up, and those
	// that the lane's processors fail for, as with Config.DeadLetter. One outlet
	// may be the DeadLetter of several lanes. If it refuses letters, their records
	// stay where they are. If nil, it is Config.DeadLetter; without either,
	// records that have failed for good are kept like others.
	DeadLetter outlet.Outlet

	// GiveUp says when records become dead letters that have not failed for good.
	// If zero, they never do.
	GiveUp GiveUp

	// Relaxed lets batches pass that were refused as often as Retry allows: those
	// behind them are offered in the same transfer. It is for outlets to which
	// order means nothing. By default a lane is strictly in order.
	Relaxed bool

	// Optional makes a lane that stops nothing: its failures stop no planner and
	// are no errors of Once or Transfer, transfers and commits do not wait for it.
	// What is pending there when the process dies is lost. By default a lane is
	// required.
	Optional bool
}

// Isolation says which outlets get copies of the records, so that none sees what
// another does to them.
type Isolation uint8

const (
	// Isolate shares records with outlets that are read-only, shares payloads
	// that are plain values, and gives a copy of all else, made by a
	// [record.Copier], with every offer.
	Isolate Isolation = iota

	// CopyAlways gives copies to read-only outlets too.
	CopyAlways

	// SharePayloads gives no copies. Outlets must change neither payloads nor
	// the slice.
	SharePayloads
)

const (
	defaultPending         = 10_000
	defaultMaxUncommitted  = 1000
	defaultShutdownTimeout = 30 * time.Second
)

// lanes returns all lanes with their default values.
func (c *Config) lanes() []Lane {
	lanes := append([]Lane(nil), c.Lanes...)
	for _, o := range c.Outlets {
		lanes = append(lanes, Lane{Outlet: o})
	}
	return lanes
}

// places returns all nodes and where they are.
func (c *Config) places() (places []place) {
	for i, in := range c.Inlets {
		places = append(places, place{fmt.Sprintf("Inlets[%d]", i), in})
	}
	places = append(places, processorPlaces("", c.Processors)...)
	for i, g := range c.Groupers {
		places = append(places, place{fmt.Sprintf("Groupers[%d]", i), g})
	}
	for i, o := range c.Outlets {
		places = append(places, place{fmt.Sprintf("Outlets[%d]", i), o})
	}
	for i, lane := range c.Lanes {
		field := fmt.Sprintf("Lanes[%d].", i)
		places = append(places, lane.places(field, field+"Outlet")...)
	}
	return places
}

// letters returns the dead-letter outlets and where they are.
func (c *Config) letters() (letters []place) {
	if c.DeadLetter != nil {
		letters = append(letters, place{"DeadLetter", c.DeadLetter})
	}
	for i, lane := range c.Lanes {
		letters = append(letters, lane.letters(fmt.Sprintf("Lanes[%d].", i))...)
	}
	return letters
}

// name returns the name of the link that c describes.
func (c *Config) name() string {
	switch {
	case c.Name != "":
		return c.Name
	case len(c.Tags) > 0:
		return strings.Join(c.Tags, ".")
	}
	return "link"
}
