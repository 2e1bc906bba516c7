package testkit_test

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
	"github.com/databay-go/databay/testkit"
)

// rack is a spool in memory.
type rack struct {
	mu      sync.Mutex
	seq     int64
	entries []spool.Entry
}

func (s *rack) Append(ctx context.Context, records []record.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, r := range records {
		s.seq++
		s.entries = append(s.entries, spool.Entry{Seq: s.seq, Record: r})
	}
	return nil
}

func (s *rack) Read(_ context.Context, after int64, n int) ([]spool.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.entries, func(e spool.Entry) bool { return e.Seq > after })
	if i < 0 {
		return nil, nil
	}
	return slices.Clone(s.entries[i:min(i+n, len(s.entries))]), nil
}

func (s *rack) Remove(_ context.Context, seqs []int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = slices.DeleteFunc(s.entries, func(e spool.Entry) bool { return slices.Contains(seqs, e.Seq) })
	return nil
}

func (s *rack) Stats() spool.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return spool.Stats{Records: len(s.entries)}
}

// settler is a buffer with a spool, some of which may be done otherwise.
type settler struct {
	*buffer.Buffer
	settled func(b *buffer.Buffer, ctx context.Context, released int64) error
	says    func(h *record.Holding)
	hasty   bool // it takes what it releases for delivered
}

// settling makes settlers like s.
func settling(s settler) func() record.Processor {
	return func() record.Processor {
		s := s
		s.Buffer = buffer.New(&buffer.Options{Count: 6, Pending: 2, Spool: new(rack)})
		return &s
	}
}

func (s *settler) Process(ctx context.Context, records []record.Record) ([]record.Record, error) {
	out, err := s.Buffer.Process(ctx, records)
	if s.hasty {
		err = errors.Join(err, s.Buffer.Settled(ctx, s.Buffer.Holding().Released))
	}
	return out, err
}

func (s *settler) Holding() record.Holding {
	h := s.Buffer.Holding()
	if s.says != nil {
		s.says(&h)
	}
	return h
}

func (s *settler) Settled(ctx context.Context, released int64) error {
	if s.settled != nil {
		return s.settled(s.Buffer, ctx, released)
	}
	return s.Buffer.Settled(ctx, released)
}

func settlerDoubles() []processorDouble {
	var all []processorDouble
	add := func(name string, s settler) {
		all = append(all, processorDouble{"settled", name, settling(s), testkit.ProcessorOptions{Durable: true}})
	}
	add("goes back", settler{says: func(h *record.Holding) { h.Released = -h.Released }})
	add("comes again", settler{settled: func(*buffer.Buffer, context.Context, int64) error { return nil }})
	add("comes again in part", settler{settled: func(b *buffer.Buffer, ctx context.Context, released int64) error {
		return b.Settled(ctx, released-1)
	}})
	add("fails", settler{settled: func(*buffer.Buffer, context.Context, int64) error { return errBroken }})
	add("removed when it is released", settler{hasty: true})
	return all
}
