package buffer

import (
	"context"
	"time"

	"github.com/databay-go/databay/record"
)

// round is what is held, and since when.
type round struct {
	held  []record.Record
	bytes int       // the size of held, if MaxBytes is set
	since time.Time // when the oldest came, if MaxAge is set
	wake  time.Time // when the age is reached, or to be looked at again
}

// postpone moves a wake that has passed.
func (r *round) postpone(now time.Time, age time.Duration) {
	if !now.Before(r.wake) {
		r.wake = now.Add(age)
	}
}

// Process takes records and returns all that are held if they are to be released,
// otherwise none; the package documentation says when. If it fails or panics, it
// has taken nothing, unless the error is a [*record.Partial]: that names the
// records that have no size, and the others are taken. The slice returned may be
// the one given; if it is not, that one is not kept. The context is not used.
func (b *Buffer) Process(_ context.Context, records []record.Record) ([]record.Record, error) {
	if b.invalid != nil {
		return nil, b.invalid
	}
	records, size, failed := b.opts.measure(records)
	out, err := b.take(records, size)
	if err != nil {
		return nil, err
	}
	return out, failed
}

// take adds records, which have a size, to what is held, and returns everything
// if that is to be released. User code is called without the lock.
func (b *Buffer) take(records []record.Record, size int) (out []record.Record, err error) {
	var now time.Time
	if b.opts.MaxAge > 0 {
		now = time.Now()
	}
	b.mu.Lock()
	before, flush, discards, room := b.round, b.flush, b.discards, b.room
	b.flush = false
	b.mu.Unlock()

	alone := round{records, size, now, now.Add(b.opts.MaxAge)} // if nothing was held
	all := alone
	if len(before.held) > 0 {
		all = before
		all.held = append(before.held, records...) // into room that nobody else looks at
		all.bytes = plus(before.bytes, size)
	}
	if len(all.held) == 0 {
		return nil, nil
	}
	done := false
	defer func() {
		if !done {
			b.undo(before, discards, flush, now)
		}
	}()
	release := flush
	if !release {
		if release, err = b.decide(all); err != nil {
			return nil, err
		}
	}
	if !release {
		done = true
		b.keep(all, alone, discards, room, now)
		return nil, nil
	}
	if out = b.release(all, alone, discards); len(out) > 0 && b.opts.OnReset != nil {
		b.opts.OnReset()
	}
	done = true
	return out, nil
}

// keep makes all the held records; alone if the others were discarded meanwhile.
func (b *Buffer) keep(all, alone round, discards, room int, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.discards != discards {
		all = alone
	}
	if len(all.held) == len(alone.held) { // the slice is the caller's
		all.held = append(make([]record.Record, 0, max(room, len(all.held))), all.held...)
	}
	all.postpone(now, b.opts.MaxAge)
	b.round = all
}

// release empties the buffer and returns all; alone if the others were discarded
// meanwhile.
func (b *Buffer) release(all, alone round, discards int) []record.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.room = len(all.held) + len(alone.held) // some to spare, as pulls differ
	if b.discards != discards {
		return alone.held
	}
	b.round = round{}
	return all.held
}

// undo makes it that nothing was taken.
func (b *Buffer) undo(before round, discards int, flush bool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.discards != discards {
		return // nothing was held, or not any more
	}
	b.flush = b.flush || flush
	before.postpone(now, b.opts.MaxAge)
	b.round = before
}

// Holding says how many records are held. They leave in the order in which they
// came, so Span is the same number. Wake is when MaxAge is reached; after a call
// that came no sooner and yet released nothing, because another rule said no or
// failed, it is MaxAge after that call. It is zero if nothing is held, if there is
// no MaxAge, and with All as long as Count or MaxBytes is not reached: a call with
// no records would then release nothing.
func (b *Buffer) Holding() record.Holding {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.round.held)
	h := record.Holding{Records: n, Span: n}
	futile := b.opts.All && (n < b.opts.Count || b.round.bytes < b.opts.MaxBytes)
	if n > 0 && b.opts.MaxAge > 0 && !futile {
		h.Wake = b.round.wake
	}
	return h
}

// Flush makes the next Process release everything, what it is given included. It
// is used up by that call even if there was nothing to release.
func (b *Buffer) Flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flush = true
}

// Reset discards what is held and calls OnReset. What is discarded is delivered
// nowhere; links count it as filtered. [Buffer.Flush] is what releases it.
func (b *Buffer) Reset() {
	b.discard()
	if b.opts.OnReset != nil {
		b.opts.OnReset()
	}
}

// Start makes the buffer begin anew: empty, and with no flush asked for. If
// records were held it discards them and calls OnReset. It returns nil.
func (b *Buffer) Start(context.Context) error {
	if b.discard() && b.opts.OnReset != nil {
		b.opts.OnReset()
	}
	return nil
}

// discard empties the buffer and reports whether records were held.
func (b *Buffer) discard() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	had := len(b.round.held) > 0
	b.round, b.flush = round{}, false
	b.discards++
	return had
}
