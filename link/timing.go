package link

import (
	"context"
	"time"
)

// Overlap says what a planner does with an instant that comes while the link's last
// transfer is not handed over, or no lane is idle.
type Overlap uint8

const (
	// Skip makes no transfer for it.
	Skip Overlap = iota

	// Queue lets it wait until the transfer is handed over. Of several that wait the
	// last one is run, unless Misfire says otherwise.
	Queue

	// CancelPrevious lets it wait as Queue does, and ends the contexts of the calls
	// that keep it waiting: pulls, processors, pushes. Calls that do not return all
	// the same are waited for. What was pulled by then is offered again by the next
	// transfer, and a pull that was cut off is made again. See [ErrCancelled].
	CancelPrevious
)

// Misfire says what a planner does with instants that have passed before it could make
// a transfer for them: it woke late, there was no place, or they were queued. The zero
// value runs the last one, however late. What has passed while the link or the planner
// was stopped or paused is not made up for.
type Misfire struct {
	// Policy says which of them are run.
	Policy MisfirePolicy

	// Max is how many RunAll runs. If zero, 100; it is 1,000 at most.
	Max int

	// Grace is how late an instant may be when its transfer begins, or it is missed. If
	// zero, one second with SkipLate and any time otherwise; if -1, any time.
	Grace time.Duration
}

// MisfirePolicy says which of several instants that have passed are run.
type MisfirePolicy uint8

const (
	// RunOnce runs the last one.
	RunOnce MisfirePolicy = iota

	// SkipLate runs the last one if it is hardly late, see Grace.
	SkipLate

	// RunAll runs the last ones, up to Max, in order and one after another. Those
	// that come meanwhile wait behind them, so that none of them overlaps.
	RunAll
)

const (
	defaultLate  = 100
	maxLate      = 1000
	defaultGrace = time.Second
)

// timing is what a link says about instants of its schedule, with default values in their
// places.
type timing struct {
	overlap Overlap
	most    int           // of those that have passed, that are run
	grace   time.Duration // 0: any time

	// What nodes are called with if the overlap is CancelPrevious. Guarded by Link.mu.
	ctx    context.Context // nil: there was no transfer since the start
	cancel context.CancelCauseFunc
	cut    bool // ctx was cancelled by Cancel
}

// timing returns what c says, or nil if it is what is usual.
func (c *Config) timing() *timing {
	t := timing{overlap: c.Overlap, most: 1, grace: max(c.Misfire.Grace, 0)}
	switch c.Misfire.Policy {
	case RunAll:
		t.most = bound(c.Misfire.Max, defaultLate)
	case SkipLate:
		t.grace = bound(t.grace, defaultGrace)
	}
	if t.overlap == Skip && t.most == 1 && t.grace == 0 {
		return nil // programs may have very many links
	}
	return new(t)
}

func (m *mistakes) timing(c *Config) {
	if c.Overlap > CancelPrevious {
		m.add("Overlap is %d, want Skip, Queue or CancelPrevious", c.Overlap)
	}
	late := c.Misfire
	if late.Policy > RunAll {
		m.add("Misfire.Policy is %d, want RunOnce, SkipLate or RunAll", late.Policy)
	}
	switch {
	case late.Max < 0 || late.Max > maxLate:
		m.add("Misfire.Max is %d, want 1 to %d, or 0 for %d", late.Max, maxLate, defaultLate)
	case late.Max > 0 && late.Policy != RunAll:
		m.add("Misfire.Max is %d without the Policy RunAll, want 0", late.Max)
	}
	switch {
	case late.Grace < -1:
		m.add("Misfire.Grace is %v, want more than 0, 0 for a default or -1 for any time", late.Grace)
	case late.Grace == -1 && late.Policy == SkipLate:
		m.add("Misfire.Grace is -1 with the Policy SkipLate, want more than 0, or 0 for %v", defaultGrace)
	}
}

// Overlap returns what planners do with an instant that comes during a transfer.
func (l *Link) Overlap() Overlap {
	if l.timing == nil {
		return Skip
	}
	return l.timing.overlap
}

// Misfire returns how many of the instants that have passed planners run, the last ones,
// and how late they may be, 0 being any time.
func (l *Link) Misfire() (most int, grace time.Duration) {
	if l.timing == nil {
		return 1, 0
	}
	return l.timing.most, l.timing.grace
}
