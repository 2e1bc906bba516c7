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
//	Instants = Ran + Failed + Blocked + Coalesced + Skipped + Paused + Missed + Interrupted + Open
type Ledger struct {
	Instants int64 // have come

	Ran         int64 // a transfer was made and had no error
	Failed      int64 // a transfer was made, and a node failed
	Blocked     int64 // a transfer pulled nothing, since too much is undelivered
	Coalesced   int64 // another transfer had begun later than the instant
	Skipped     int64 // a transfer was not handed over yet, or no lane was idle
	Paused      int64 // the link or the planner was paused
	Missed      int64 // the planner was late, and a later instant was taken
	Interrupted int64 // the link was stopped before, or meanwhile
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
	for _, n := range []struct {
		name  string
		count int64
	}{
		{"ran", l.Ran}, {"failed", l.Failed}, {"blocked", l.Blocked}, {"coalesced", l.Coalesced},
		{"skipped", l.Skipped}, {"paused", l.Paused}, {"missed", l.Missed}, {"interrupted", l.Interrupted},
		{"open", l.Open}, {"immediate", l.Immediate}, {"forced", l.Forced}, {"flushed", l.Flushed},
	} {
		if n.count != 0 {
			fmt.Fprintf(&b, " %s %d", n.name, n.count)
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

// book is the ledger of an entry while it is written.
type book struct {
	mu     sync.Mutex
	closed bool
	Ledger
}

func (b *book) read() Ledger {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Ledger
}

// came notes that instants have come, of which all but the last are missed and the
// last is open.
func (b *book) came(s span) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.Instants += s.count
	b.Missed += s.count - 1
	b.Open++
	b.AtLeast = b.AtLeast || s.more
}

// heldBack notes that instants have come while the link was paused.
func (b *book) heldBack(s span) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.Instants += s.count
	b.Paused += s.count
	b.AtLeast = b.AtLeast || s.more
}

// ended notes the outcome of an open instant. to points into the book.
func (b *book) ended(to *int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.Open--
		*to++
	}
}

// closes notes that there will be no more: what is open is interrupted.
func (b *book) closes() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Interrupted += b.Open
	b.Open = 0
	b.closed = true
}

// opens begins an empty book.
func (b *book) opens() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Ledger, b.closed = Ledger{}, false
}

// reported notes the outcome of a transfer that was made.
func (b *book) reported(r link.Report) {
	switch r.Reason {
	case record.Scheduled:
		b.ended(b.outcome(r.Outcome))
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch r.Reason {
	case record.Immediate:
		b.Immediate++
	case record.Forced:
		b.Forced++
	case record.Flush:
		b.Flushed++
	}
}

// outcome returns where an outcome is counted.
func (b *book) outcome(o link.Outcome) *int64 {
	switch o {
	case link.Ran:
		return &b.Ran
	case link.Blocked:
		return &b.Blocked
	case link.Coalesced:
		return &b.Coalesced
	case link.Interrupted:
		return &b.Interrupted
	}
	return &b.Failed
}
