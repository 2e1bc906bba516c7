package buffer

import (
	"context"
	"time"

	"github.com/databay-go/databay/record"
)

// round is what is held, and since when.
type round struct {
	held  []record.Record // in memory
	bytes int             // the size of all that is held, if MaxBytes is set
	since time.Time       // when the oldest came, if MaxAge is set
	wake  time.Time       // when the age is reached, or to be looked at again
	onDisk
}

// records counts what is held.
func (r *round) records() int { return r.count + len(r.held) }

// postpone moves a wake that has passed.
func (r *round) postpone(now time.Time, age time.Duration) {
	if !now.Before(r.wake) {
		r.wake = now.Add(age)
	}
}

// Process takes records and returns all that are held if they are to be released,
// otherwise none; the package documentation says when. If it fails or panics, it
// has taken nothing, unless the error is a [*record.Partial]: that names the
// records that have no size, or that the spool cannot take, and the others are taken.
// The slice returned may be the one given; if it is not, that one is not kept. The
// context is that of calls of the spool.
func (b *Buffer) Process(ctx context.Context, records []record.Record) ([]record.Record, error) {
	if b.invalid != nil {
		return nil, b.invalid
	}
	given := b.opts.measure(records)
	if b.opts.Spool != nil {
		b.calls.Lock()
		defer b.calls.Unlock()
		if err := b.removeDiscarded(ctx); err != nil {
			return nil, err
		}
	}
	out, refused, err := b.take(ctx, given.records, given.size)
	if err != nil {
		return nil, err
	}
	return out, given.failed(refused)
}

// take adds records, which have a size, to what is held, and returns everything
// if that is to be released. Of those that it is given it may refuse some. User code is
// called without the lock.
func (b *Buffer) take(ctx context.Context, records []record.Record, size int) (out []record.Record, refused map[int]error, err error) {
	var now time.Time
	if b.opts.MaxAge > 0 {
		now = time.Now()
	}
	b.mu.Lock()
	before, flush, discards, room := b.round, b.flush, b.discards, b.room
	b.flush = false
	b.mu.Unlock()

	alone := round{held: records, bytes: size, since: now, wake: now.Add(b.opts.MaxAge)} // if nothing was held
	alone.seq, alone.unsure = before.seq, before.unsure
	all := alone
	if before.records() > 0 {
		all = before
		all.held = append(before.held, records...) // into room that nobody else looks at
		all.bytes = plus(before.bytes, size)
	}
	if all.records() == 0 {
		return nil, nil, nil
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
			return nil, nil, err
		}
	}
	if !release {
		if b.opts.Spool != nil && len(all.held) >= b.opts.pending() {
			before.unsure = true // if it fails
			if out, refused, err = b.spill(ctx, &all, len(records)); err != nil {
				return nil, nil, err
			}
		}
		done = true
		b.keep(all, alone, discards, room, now)
		return out, refused, nil
	}
	var read reading
	if all.count > 0 || all.unsure {
		if read, err = b.read(ctx, all.seq); err != nil {
			return nil, nil, err
		}
	}
	out = read.then(b.release(all, alone, discards, read))
	if (len(out) > 0 || read.seqs != nil) && b.opts.OnReset != nil {
		b.opts.OnReset()
	}
	done = true
	return out, nil, nil
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
func (b *Buffer) release(all, alone round, discards int, read reading) []record.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.room = len(all.held) + len(alone.held) // some to spare, as pulls differ
	if b.discards != discards {
		return alone.held
	}
	b.round = round{onDisk: onDisk{seq: read.last(all.seq)}}
	b.away = append(b.away, read.seqs...)
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
	b.away = b.away[:upTo(b.away, before.seq)]
}

// Holding says how many records are held. They leave in the order in which they
// came, so Span is how many of them are in memory. Wake is when MaxAge is reached;
// after a call that came no sooner and yet released nothing, because another rule
// said no or failed, it is MaxAge after that call. It is zero if nothing is held, if
// there is no MaxAge, and with All as long as Count or MaxBytes is not reached: a
// call with no records would then release nothing. Released is for [Buffer.Settled].
func (b *Buffer) Holding() record.Holding {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.round.records()
	h := record.Holding{Records: n, Span: len(b.round.held), Released: b.round.seq}
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
// nowhere; links count it as filtered. [Buffer.Flush] is what releases it. With a spool
// Reset waits for a Process that is going on, and the next one removes from the disk
// what is discarded.
func (b *Buffer) Reset() {
	if b.opts.Spool != nil {
		b.calls.Lock()
		defer b.calls.Unlock()
	}
	b.discard()
	if b.opts.OnReset != nil {
		b.opts.OnReset()
	}
}

// Start makes the buffer begin anew: empty but for what is in the spool, which the next
// Process releases, and with no flush asked for. If records were held in memory it
// discards them and calls OnReset. It returns nil.
func (b *Buffer) Start(context.Context) error {
	if b.opts.Spool != nil && b.invalid == nil {
		b.calls.Lock()
		defer b.calls.Unlock()
		defer b.resume(b.opts.Spool.Stats().Records)
	}
	if b.discard() && b.opts.OnReset != nil {
		b.opts.OnReset()
	}
	return nil
}

// discard empties the buffer and reports whether records were held in memory.
func (b *Buffer) discard() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	had := len(b.round.held) > 0
	disk := b.round.onDisk
	b.round, b.flush = round{onDisk: onDisk{seq: disk.seq, discarded: disk.discarded + disk.count, unsure: disk.unsure}}, false
	b.discards++
	return had
}
