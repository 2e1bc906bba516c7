package link

import (
	"errors"
	"time"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// OnFull says what happens when as many records wait in a lane as [Lane.Pending]
// allows.
type OnFull uint8

const (
	// FullDefault is Block, or DropOldest for an optional lane.
	FullDefault OnFull = iota

	// Block pulls nothing until there is room. What is pending is offered meanwhile.
	Block

	// DropOldest drops the oldest records to make room, but for those that are
	// being offered or are with the lane's processors.
	DropOldest

	// DeadLetterOldest makes the oldest records dead letters. If the dead-letter
	// outlet does not accept them, nothing is pulled.
	DeadLetterOldest

	// Spill moves what is pending to [Lane.Spool], but for what is being offered.
	// What is there counts as durable: it holds back no commit, and survives a
	// crash. It is offered in its turn, under another transfer's update, and its
	// offers and its age are counted anew. If the spool does not take it, nothing
	// is pulled. A Shutdown moves there what is pending.
	Spill
)

// OnFail says what happens to records that were refused as often as [Retry] allows.
type OnFail uint8

const (
	// Keep keeps them at their place. They are offered again with the next
	// transfer.
	Keep OnFail = iota

	// Drop drops them. Those that have failed for good become dead letters, if
	// there is an outlet for these.
	Drop
)

// GiveUp says when a record that was refused becomes a dead letter, though it has not
// failed for good. The zero value is never.
type GiveUp struct {
	// Offers is after how many offers. If zero, their number does not matter.
	Offers int

	// Age is how long after the beginning of the transfer that brought it. It
	// matters when the record is refused. If zero, it does not.
	Age time.Duration
}

// reached reports whether it is time.
func (g GiveUp) reached(offers int, age time.Duration) bool {
	return g.Offers > 0 && offers >= g.Offers || g.Age > 0 && age >= g.Age
}

// policy says how long a push may take, and what a lane does with what was refused. It
// never changes.
type policy struct {
	timeout time.Duration // 0: no bound
	retry   Retry
	giveUp  GiveUp
	onFail  OnFail
	onFull  OnFull
	relaxed bool
	box     *letterbox // nil: there are no dead letters
}

// fate is what becomes of a record that was refused.
type fate uint8

const (
	kept    fate = iota // it stays at its place
	buried              // it becomes a dead letter
	dropped             // it is given up
)

// fate decides what becomes of a record that was refused because of cause, after
// offers. last says that it is not offered again in this transfer.
func (p policy) fate(cause error, offers int, age time.Duration, last bool) fate {
	permanent := record.IsPermanent(cause)
	switch {
	case p.box != nil && (permanent || p.giveUp.reached(offers, age)):
		return buried
	case p.onFail == Drop && (permanent || last):
		return dropped
	}
	return kept
}

// policy returns the policy of a lane, or nil if c says nothing of it.
// known are the letterboxes that there are already.
func (l *Link) policy(c *Lane, known []*letterbox) *policy {
	p := policy{timeout: c.Timeout, retry: c.Retry, giveUp: c.GiveUp, onFail: c.OnFail, onFull: c.OnFull, relaxed: c.Relaxed, box: l.letters}
	if !isNil(c.DeadLetter) {
		p.box = l.letterbox(c.DeadLetter, known)
	}
	if p.onFull == FullDefault {
		p.onFull = Block
		if c.Optional {
			p.onFull = DropOldest
		}
	}
	if p == (policy{onFull: Block}) {
		return nil // programs may have very many
	}
	return new(p)
}

// rules returns the policy of the lane. It is not inlined, being large and wanted in many
// places.
//
//go:noinline
func (ln *lane) rules() policy {
	if ln.policy == nil {
		return policy{onFull: Block}
	}
	return *ln.policy
}

// fallback returns the outlet of dead letters that lanes fall back on, or nil.
func (l *Link) fallback() outlet.Outlet {
	if l.letters == nil {
		return nil
	}
	return l.letters.out
}

// policy checks what a lane is to do with what was refused. letters is the outlet of
// dead letters that it falls back on, or nil.
func (m *mistakes) policy(prefix string, c Lane, letters outlet.Outlet) {
	m.retry(prefix+"Retry", c.Retry)
	none := c.DeadLetter == nil && letters == nil
	if c.DeadLetter != nil {
		m.outlet(prefix+"DeadLetter", c.DeadLetter)
	}
	if c.GiveUp.Offers < 0 {
		m.add("%sGiveUp.Offers is %d, want more than 0, or 0 for never", prefix, c.GiveUp.Offers)
	}
	if c.GiveUp.Age < 0 {
		m.add("%sGiveUp.Age is %v, want more than 0, or 0 for never", prefix, c.GiveUp.Age)
	}
	if c.GiveUp != (GiveUp{}) && none {
		m.add("%sGiveUp is set without a DeadLetter, want one to give records up to", prefix)
	}
	if c.GiveUp != (GiveUp{}) && c.OnFail == Drop {
		m.add("%sGiveUp is set and OnFail is Drop, which gives records up before, want one of them", prefix)
	}
	if c.OnFail > Drop {
		m.add("%sOnFail is %d, want Keep or Drop", prefix, c.OnFail)
	}
	switch {
	case c.OnFull > Spill:
		m.add("%sOnFull is %d, want Block, DropOldest, DeadLetterOldest or Spill", prefix, c.OnFull)
	case c.OnFull == DeadLetterOldest && none:
		m.add("%sOnFull is DeadLetterOldest without a DeadLetter, want one", prefix)
	case (c.OnFull == Spill) != (c.Spool != nil):
		m.add("%sOnFull is Spill or Spool is set, want both or neither", prefix)
	case c.OnFull == Spill && c.Relaxed:
		m.add("%sOnFull is Spill for a relaxed lane, want one of them", prefix)
	case c.OnFull == Block && c.Optional:
		m.add("%sOnFull is Block for an optional lane, which stops nothing, want DropOldest or DeadLetterOldest", prefix)
	}
}

// refusal is a record that was not accepted.
type refusal struct {
	index  int // in what was given
	record record.Record
	cause  error
}

// refusals returns which of records are not done after err: with nil none, with a
// Partial those it names, else all. A Partial that cannot be right is an error of its
// own, and nothing is done.
func refusals(records []record.Record, err error) (all []refusal, wrong error) {
	if err == nil {
		return nil, nil
	}
	p := record.AsPartial(err)
	if p != nil {
		if wrong := p.Check(len(records)); wrong != nil {
			err, p = notRight(wrong), nil
		}
	}
	if p == nil {
		for i, r := range records {
			all = append(all, refusal{i, r, err})
		}
		return all, err
	}
	for _, i := range p.Indices() {
		all = append(all, refusal{i, records[i], p.Failed[i]})
	}
	return all, err
}

// panicked reports whether user code has panicked, or called runtime.Goexit.
func panicked(err error) bool {
	_, ok := errors.AsType[*PanicError](err)
	return ok
}
