package planner

import (
	"fmt"
	"strings"
	"sync"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// Ledger says what became of the instants of one link's schedule since the link was
// started. Each has exactly one outcome:
//
//	Instants = Ran + Failed + Blocked + Coalesced + Skipped + Paused + Missed + Interrupted + Cancelled + Open
type Ledger struct {
	Instants int64 // have come

	Ran         int64 // a transfer was made and had no error
	Failed      int64 // a transfer was made, and a node failed
	Blocked     int64 // a transfer pulled nothing, since too much is undelivered
	Coalesced   int64 // another transfer had begun later than the instant
	Skipped     int64 // a transfer was not handed over yet, or no lane was idle, see [link.Overlap]
	Paused      int64 // the link or the planner was paused
	Missed      int64 // the planner was late, see [link.Misfire]
	Interrupted int64 // the link was stopped before, or meanwhile
	Cancelled   int64 // a transfer was cut off by the next instant, see [link.CancelPrevious]
	Open        int64 // queued or running: the outcome is not known yet

	// AtLeast says that there were more Instants, all of them Missed or Paused, that were too
	// many to count.
	AtLeast bool

	// Transfers that are made for no instant.
	Immediate int64 // because the link was started
	Forced    int64 // because Force was called
	Flushed   int64 // because a processor had held records for long enough
}

// String returns the numbers that are not 0: "instants 9 ran 8 skipped 1".
func (l Ledger) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "instants %d", l.Instants)
	if l.AtLeast {
		b.WriteString(" or more")
	}
	names := [...]string{"ran", "failed", "blocked", "coalesced", "skipped", "paused", "missed", "interrupted",
		"cancelled", "open", "immediate", "forced", "flushed"}
	for i, n := range [...]int64{l.Ran, l.Failed, l.Blocked, l.Coalesced, l.Skipped, l.Paused, l.Missed, l.Interrupted,
		l.Cancelled, l.Open, l.Immediate, l.Forced, l.Flushed} {
		if n != 0 {
			fmt.Fprintf(&b, " %s %d", names[i], n)
		}
	}
	return b.String()
}

// Ledger returns what became of the instants of a link. It can be asked for after
// Shutdown too. If the planner does not have the link, the error is
// [ErrUnknownLink].
func (p *Planner) Ledger(l *link.Link) (Ledger, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, err := p.find(l)
	if err != nil {
		return Ledger{}, err
	}
	return e.book.read(), nil
}

// outcome is what became of an instant. See [Ledger].
type outcome uint8

const (
	ran outcome = iota
	failed
	blocked
	coalesced
	skipped
	paused
	missed
	interrupted
	cancelled
	outcomes // how many there are
)

// of returns the number of an outcome.
func (l *Ledger) of(o outcome) *int64 {
	return [...]*int64{&l.Ran, &l.Failed, &l.Blocked, &l.Coalesced, &l.Skipped, &l.Paused, &l.Missed, &l.Interrupted, &l.Cancelled}[o]
}

// book is the ledger of an entry while it is written. For most links the fields up to
// others are all there is.
type book struct {
	mu        sync.Mutex
	closed    bool
	immediate int32
	ran       int64
	open      int64
	others    *Ledger // all else but Instants; nil: nothing
}

// read returns the ledger. Instants is the sum of what became of them.
func (b *book) read() (l Ledger) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.others != nil {
		l = *b.others
	}
	l.Ran, l.Open, l.Immediate = b.ran, b.open, int64(b.immediate)
	l.Instants = l.Open
	for o := range outcomes {
		l.Instants += *l.of(o)
	}
	return l
}

// rare returns others, to be changed. b.mu is held.
func (b *book) rare() *Ledger {
	if b.others == nil {
		b.others = new(Ledger)
	}
	return b.others
}

// came notes that instants have come: the last ones, as many as open says, are open, and
// the outcome of the others is o.
func (b *book) came(s span, open int64, o outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.open += open
	if s.count > open || s.more {
		l := b.rare()
		*l.of(o) += s.count - open
		l.AtLeast = l.AtLeast || s.more
	}
}

// ended notes the outcome of an open instant.
func (b *book) ended(o outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.open--
	if o == ran {
		b.ran++
	} else {
		*b.rare().of(o)++
	}
}

// closes notes that there will be no more: what is open is interrupted.
func (b *book) closes() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open > 0 {
		b.rare().Interrupted += b.open
	}
	b.open = 0
	b.closed = true
}

// opens begins an empty book.
func (b *book) opens() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed, b.immediate, b.ran, b.open, b.others = false, 0, 0, 0, nil
}

// reported notes the outcome of a transfer that was made.
func (b *book) reported(r link.Report) {
	switch r.Reason {
	case record.Scheduled:
		b.ended(outcomeOf(r.Outcome))
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch r.Reason {
	case record.Immediate:
		b.immediate++
	case record.Forced:
		b.rare().Forced++
	case record.Flush:
		b.rare().Flushed++
	}
}

// outcomeOf returns the outcome of an instant for which a transfer was asked.
func outcomeOf(o link.Outcome) outcome {
	switch o {
	case link.Ran:
		return ran
	case link.Blocked:
		return blocked
	case link.Coalesced:
		return coalesced
	case link.Interrupted:
		return interrupted
	case link.Cancelled:
		return cancelled
	}
	return failed
}
