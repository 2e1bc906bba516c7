package buffer

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
)

const (
	defaultPending = 10_000
	chunk          = 1000 // how many records are read at a time
)

// onDisk is what is in the spool: first what was released and is to be removed when it
// is delivered, up to seq, then what was discarded and is to be removed, then what is
// held. The records that are held in memory come after these.
type onDisk struct {
	seq       int64
	discarded int
	count     int  // of those that are held
	unsure    bool // there may be more: an Append has failed, and the answer may be all that was lost
}

func (o *Options) pending() int {
	if o.Pending == 0 {
		return defaultPending
	}
	return o.Pending
}

// Spool returns the spool of the options. The link that the buffer is in starts it and
// shuts it down.
func (b *Buffer) Spool() spool.Spool { return b.opts.Spool }

// spill moves what is held in memory to the spool. Those of the last n records that the
// spool cannot take, ever, are refused: their indices are those among these n. Such a
// record that came before is returned, to leave now.
func (b *Buffer) spill(ctx context.Context, all *round, n int) (out []record.Record, refused map[int]error, err error) {
	err = b.opts.Spool.Append(ctx, all.held)
	p := record.AsPartial(err)
	if p == nil {
		p = new(record.Partial)
	} else if err = p.Check(len(all.held)); err != nil {
		err = fmt.Errorf("the spool answered with %w", err)
	}
	if err != nil {
		return nil, nil, unavailable(err)
	}
	earlier := len(all.held) - n
	for _, i := range p.Indices() {
		size, err := b.opts.size(all.held[i])
		if err == nil {
			all.bytes -= size
		}
		if i < earlier {
			out = append(out, all.held[i])
			continue
		}
		if refused == nil {
			refused = make(map[int]error)
		}
		refused[i-earlier] = p.Failed[i]
	}
	all.count += len(all.held) - len(p.Failed)
	all.held = nil
	return out, refused, nil
}

// unavailable is the error of a call for which the spool had no answer, or no room.
// Nothing was taken. It asks for a pause, so that nothing becomes a dead letter.
func unavailable(err error) error {
	return record.RetryAfter(time.Second, fmt.Errorf("buffer: %w", err))
}

// reading is what was read from the spool.
type reading struct {
	records []record.Record
	seqs    []int64 // with those of damaged ones
}

// then returns the records with others behind them.
func (r *reading) then(others []record.Record) []record.Record {
	if r.records == nil {
		return others
	}
	return append(r.records, others...)
}

// last returns the last seq, or if there is none, the one given.
func (r *reading) last(seq int64) int64 {
	if n := len(r.seqs); n > 0 {
		return r.seqs[n-1]
	}
	return seq
}

// read reads all that is in the spool after seq. What is damaged is left out, and told.
func (b *Buffer) read(ctx context.Context, seq int64) (r reading, err error) {
	for {
		entries, err := b.opts.Spool.Read(ctx, r.last(seq), chunk)
		if err != nil {
			return reading{}, unavailable(err)
		}
		if len(entries) == 0 {
			return r, nil
		}
		for _, e := range entries {
			r.seqs = append(r.seqs, e.Seq)
			if e.Err != nil {
				b.damaged(e.Err)
				continue
			}
			r.records = append(r.records, e.Record)
			record.Stamp(r.records[len(r.records)-1:], b.origin(e.Record.Inlet()))
		}
	}
}

// damaged tells of a record that cannot be read.
func (b *Buffer) damaged(err error) {
	if b.opts.OnDamage != nil {
		b.opts.OnDamage(err)
		return
	}
	slog.Default().Error("a record of a buffer is damaged", "buffer", b.String(), "error", err)
}

// origin returns the origin of records of an inlet that were read from the spool.
func (b *Buffer) origin(inlet string) *record.Origin {
	o := b.origins[inlet]
	if o == nil {
		if b.origins == nil {
			b.origins = make(map[string]*record.Origin)
		}
		o = &record.Origin{Inlet: inlet, Spooled: true}
		b.origins[inlet] = o
	}
	return o
}

// removeDiscarded removes from the spool what was discarded. b.calls is held.
func (b *Buffer) removeDiscarded(ctx context.Context) error {
	for {
		b.mu.Lock()
		disk := b.round.onDisk
		b.mu.Unlock()
		if disk.discarded == 0 {
			return nil
		}
		entries, err := b.opts.Spool.Read(ctx, disk.seq, min(disk.discarded, chunk))
		if err != nil {
			return unavailable(err)
		}
		seqs := make([]int64, len(entries))
		for i, e := range entries {
			seqs[i] = e.Seq
		}
		if err := b.opts.Spool.Remove(ctx, seqs); err != nil {
			return unavailable(err)
		}
		b.mu.Lock()
		if b.round.discarded -= len(seqs); len(seqs) == 0 {
			b.round.discarded = 0
		} else {
			b.round.seq = seqs[len(seqs)-1]
		}
		b.mu.Unlock()
	}
}

// resume takes over n records that are in the spool, all to be released: some of them
// may have been before. b.calls is held.
func (b *Buffer) resume(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.round.onDisk, b.away = onDisk{count: n}, nil
	b.flush = n > 0
}

// Settled removes from the spool what was released when Holding said so. Links call it
// when that is delivered.
func (b *Buffer) Settled(ctx context.Context, released int64) error {
	b.mu.Lock()
	seqs := slices.Clone(b.away[:upTo(b.away, released)])
	b.mu.Unlock()
	if len(seqs) == 0 {
		return nil
	}
	if err := b.opts.Spool.Remove(ctx, seqs); err != nil {
		return fmt.Errorf("buffer: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away = slices.Delete(b.away, 0, upTo(b.away, released))
	return nil
}

// upTo returns how many of seqs, which are in order, are not greater than seq.
func upTo(seqs []int64, seq int64) int {
	n, _ := slices.BinarySearch(seqs, seq+1)
	return n
}
