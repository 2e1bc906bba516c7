package link_test

import (
	"context"
	"slices"

	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
)

// crashSpool is what a lane or a buffer has spooled. It survives.
type crashSpool struct {
	name    string
	results func(crashItem) []*crashResult // what is to arrive because of an entry
	seq     int64
	entries []spool.Entry
	doubled bool // in this term: records are there that are in memory too
}

// crashSpooler is the spool in one process.
type crashSpooler struct {
	s *crashSpool
	p *crashProcess
}

func (c *crashSpooler) String() string { return c.s.name }

func (c *crashSpooler) Append(ctx context.Context, records []record.Record) error {
	r, last, err := c.p.step(ctx, c.String())
	if err != nil {
		return err
	}
	w := c.p.w
	defer w.mu.Unlock()
	h := w.outcome(r, 20)
	if h == succeeds || chance(r, 30) {
		for _, rec := range records {
			c.s.seq++
			c.s.entries = append(c.s.entries, spool.Entry{Seq: c.s.seq, Record: rec})
		}
		w.stats.spooled += len(records)
		if last || h != succeeds { // they may arrive twice
			c.s.doubled = true
			c.s.again(c.s.entries[len(c.s.entries)-len(records):])
		}
	}
	w.trace("%s is given %v, holds %d: %d", c, records, len(c.s.entries), h)
	if last {
		return errCrashed
	}
	if h != succeeds {
		return h.end()
	}
	return nil
}

func (c *crashSpooler) Read(ctx context.Context, after int64, n int) ([]spool.Entry, error) {
	r, last, err := c.p.step(ctx, c.String())
	if err != nil {
		return nil, err
	}
	w := c.p.w
	defer w.mu.Unlock()
	if h := w.outcome(r, 15); last || h != succeeds {
		if last {
			return nil, errCrashed
		}
		return nil, h.end()
	}
	i := slices.IndexFunc(c.s.entries, func(e spool.Entry) bool { return e.Seq > after })
	if i < 0 {
		return nil, nil
	}
	n = min(n, 1+r.IntN(5))
	w.trace("%s is read after %d", c, after)
	return slices.Clone(c.s.entries[i:min(i+n, len(c.s.entries))]), nil
}

func (c *crashSpooler) Remove(ctx context.Context, seqs []int64) error {
	r, last, err := c.p.step(ctx, c.String()+" remove") // of a buffer it is called beside the others
	if err != nil {
		return err
	}
	w := c.p.w
	defer w.mu.Unlock()
	h := w.outcome(r, 15)
	if (last || h != succeeds) && chance(r, 50) || h == succeeds && !last {
		c.s.entries = slices.DeleteFunc(slices.Clone(c.s.entries), func(e spool.Entry) bool { return slices.Contains(seqs, e.Seq) })
	}
	if last {
		return errCrashed
	}
	if h != succeeds {
		return h.end()
	}
	w.trace("%s removes %v, holds %d", c, seqs, len(c.s.entries))
	return nil
}

func (c *crashSpooler) Stats() spool.Stats {
	c.p.w.mu.Lock()
	defer c.p.w.mu.Unlock()
	return spool.Stats{Records: len(c.s.entries)}
}

// again allows that entries arrive once more.
func (s *crashSpool) again(entries []spool.Entry) {
	for _, e := range entries {
		if item, ok := e.Record.Payload.(crashItem); ok {
			for _, result := range s.results(item) {
				result.again++
			}
		}
	}
}

// holds reports whether result is there. A nil spool holds nothing.
func (s *crashSpool) holds(result *crashResult) bool {
	return s != nil && slices.ContainsFunc(s.entries, func(e spool.Entry) bool {
		return slices.Contains(s.results(e.Record.Payload.(crashItem)), result)
	})
}

// begin begins a term: what is not committed is pulled again, and may be there as well.
func (s *crashSpool) begin() {
	s.doubled = len(s.entries) > 0
	s.again(s.entries)
}

// spools returns those of buffers on the way to a lane.
func (ln *crashLane) spools() (all []*crashSpool) {
	for _, s := range slices.Concat(ln.w.pipeline.stages, ln.stages) {
		if s.spool != nil {
			all = append(all, s.spool)
		}
	}
	return all
}

// spools returns all spools there are.
func (w *crashWorld) spools() (all []*crashSpool) {
	for _, ln := range w.lanes {
		if ln.spool != nil {
			all = append(all, ln.spool)
		}
		for _, s := range ln.spools() {
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}

// connect says what is to arrive in lanes because of the entries of the spools of
// stages. after are the stages of a lane that come then.
func connect(stages []crashStage, after func(*crashLane) []crashStage, lanes ...*crashLane) {
	for i, s := range stages {
		if s.spool == nil {
			continue
		}
		s.spool.results = func(item crashItem) (all []*crashResult) {
			for _, ln := range lanes {
				items := []crashItem{item}
				for _, next := range slices.Concat(stages[i+1:], after(ln)) {
					items = next.expected(items)
				}
				for _, item := range items {
					if result := ln.find(item); result != nil {
						all = append(all, result)
					}
				}
			}
			return all
		}
	}
}
