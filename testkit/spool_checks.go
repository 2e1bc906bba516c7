package testkit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
)

func spoolChecks() []check[*spoolTrial] {
	return []check[*spoolTrial]{
		{
			name: "empty",
			why:  "a new spool has nothing",
			run: func(c *spoolTrial) error {
				r := c.fresh()
				_, err := r.holds()
				return errors.Join(err, r.counts(0))
			},
		},
		{
			name: "order",
			why:  "records are read as they were appended: oldest first, with payload, metadata, ID and inlet; reading removes nothing",
			run: func(c *spoolTrial) error {
				r := c.fresh()
				for _, err := range []error{r.add(0, 3), r.add(3, 4), r.add(4, 4), r.add(4, 300)} {
					if err != nil {
						return err
					}
				}
				var all []int
				for i := range 300 {
					all = append(all, i)
				}
				for range 2 {
					if _, err := r.holds(all...); err != nil {
						return err
					}
				}
				return nil
			},
		},
		{
			name: "read a part",
			why:  "Read returns no more than it is asked for, of what comes after the place given",
			run: func(c *spoolTrial) error {
				r := c.fresh()
				if err := r.add(0, 6); err != nil {
					return err
				}
				seqs, err := r.holds(0, 1, 2, 3, 4, 5)
				if err != nil {
					return err
				}
				for _, part := range []struct {
					after   int64
					n       int
					numbers []int
				}{
					{0, 2, []int{0, 1}},
					{-1, 1, []int{0}},
					{0, 0, nil},
					{seqs[0], 2, []int{1, 2}},
					{seqs[4], 9, []int{5}},
					{seqs[5], 9, nil},
					{math.MaxInt64, 9, nil},
				} {
					entries, err := r.read(part.after, part.n)
					if err == nil {
						_, err = r.same(entries, part.numbers)
					}
					if err != nil {
						return fmt.Errorf("Read(%d, %d): %w", part.after, part.n, err)
					}
				}
				return nil
			},
		},
		{
			name: "remove",
			why:  "what is removed is gone, the rest stays in order; removing it again is no error; a place is never given again",
			run: func(c *spoolTrial) error {
				r := c.fresh()
				if err := r.add(0, 5); err != nil {
					return err
				}
				seqs, err := r.holds(0, 1, 2, 3, 4)
				if err == nil {
					err = r.remove(seqs[0], seqs[2], seqs[4])
				}
				if err == nil {
					_, err = r.holds(1, 3)
				}
				if err == nil {
					err = errors.Join(r.remove(), r.remove(seqs[2], seqs[4]+1000), r.remove(seqs[1], seqs[3]), r.add(5, 7))
				}
				if err != nil {
					return err
				}
				again, err := r.holds(5, 6)
				if err == nil && again[0] <= seqs[4] {
					err = fmt.Errorf("a record has the Seq %d, want more than %d, which was given before", again[0], seqs[4])
				}
				return err
			},
		},
		{
			name: "stats",
			why:  "Stats counts what was appended and not removed; nothing takes no bytes",
			run: func(c *spoolTrial) error {
				r := c.fresh()
				if err := errors.Join(r.add(0, 5), r.counts(5)); err != nil {
					return err
				}
				before := r.Stats().Bytes
				seqs, err := r.holds(0, 1, 2, 3, 4)
				if err != nil {
					return err
				}
				if err := errors.Join(r.remove(seqs[:2]...), r.counts(3), r.remove(seqs[:2]...), r.counts(3)); err != nil {
					return err
				}
				if now := r.Stats().Bytes; now >= before {
					return fmt.Errorf("5 records took %d bytes, 3 of them take %d", before, now)
				}
				return errors.Join(r.remove(seqs...), r.counts(0))
			},
		},
		{
			name: "refused record",
			why:  "a record whose payload the codec does not know fails alone, for good: Append answers with a record.Partial of permanent causes and keeps the others",
			run: func(c *spoolTrial) error {
				r := c.fresh()
				records := r.samples(0, 3)
				records[1] = record.New(unknown{make(chan int)})
				p, err := r.partial(records)
				if err != nil {
					return err
				}
				if len(p.Failed) != 1 || p.Failed[1] == nil || !record.IsPermanent(p.Failed[1]) {
					return fmt.Errorf("record 1 is what the codec does not know; Append answered with: %w", p)
				}
				_, err = r.holds(0, 2)
				return errors.Join(err, r.counts(2))
			},
		},
		{
			name: "ended context",
			why:  "with a context that has ended Append, Read and Remove fail with its error (errors.Is), and change nothing",
			run: func(c *spoolTrial) error {
				r := c.fresh()
				if err := r.add(0, 2); err != nil {
					return err
				}
				seqs, err := r.holds(0, 1)
				if err != nil {
					return err
				}
				fails := func(what string, f func(ctx context.Context) error) error {
					err := r.try(r.ended(), patience, what, f)
					if isMishap(err) || isEnd(err) {
						return onlyMishap(err)
					}
					return fmt.Errorf("%s with an ended context answered with %v, want its error", what, err)
				}
				err = errors.Join(
					fails("Append", func(ctx context.Context) error { return r.Append(ctx, r.samples(2, 3)) }),
					fails("Read", func(ctx context.Context) error { _, err := r.Read(ctx, 0, 9); return err }),
					fails("Remove", func(ctx context.Context) error { return r.Remove(ctx, seqs) }),
				)
				if err == nil {
					_, err = r.holds(0, 1)
				}
				return err
			},
		},
		{
			name: "full",
			why:  "an Append for which there is no room is spool.ErrFull and appends nothing; when something is removed there is room",
			run:  fullSpool,
		},
		{
			name: "concurrent calls",
			why:  "all calls may be made at once: every record is kept and read once",
			run:  concurrentSpool,
		},
		{
			name: "reopen",
			why:  "what was appended and not removed is there after a restart, at its place; a place is not given again",
			run: func(c *spoolTrial) error {
				if c.opts.Reopen == nil {
					return skipped("the options have no Reopen")
				}
				r := c.fresh()
				if err := r.add(0, 4); err != nil {
					return err
				}
				seqs, err := r.holds(0, 1, 2, 3)
				if err == nil {
					err = r.remove(seqs[0], seqs[3])
				}
				if err != nil {
					return err
				}
				r = c.roll(c.opts.Reopen(c.t, r.Spool))
				if err := errors.Join(r.counts(2), r.add(4, 5)); err != nil {
					return fmt.Errorf("opened again: %w", err)
				}
				again, err := r.holds(1, 2, 4)
				if err == nil && (again[0] != seqs[1] || again[1] != seqs[2] || again[2] <= seqs[3]) {
					err = fmt.Errorf("the Seq were %d and are %d", seqs, again)
				}
				if err != nil {
					err = fmt.Errorf("opened again: %w", err)
				}
				return err
			},
		},
	}
}

func fullSpool(c *spoolTrial) error {
	if c.opts.Small == nil {
		return skipped("the options have no Small")
	}
	r := c.roll(c.opts.Small(c.t))
	n := 0
	var err error
	for ; n < 1000 && err == nil; n++ {
		err = r.try(r.context(), limit, "Append", func(ctx context.Context) error { return r.Append(ctx, r.samples(n, n+1)) })
	}
	n--
	if !errors.Is(err, spool.ErrFull) {
		return fmt.Errorf("Append() of %d samples, one at a time, ended with %v, want spool.ErrFull", n+1, err)
	}
	kept := make([]int, n)
	for i := range kept {
		kept[i] = i
	}
	seqs, err := r.holds(kept...)
	if err != nil {
		return err
	}
	if n < 2 {
		return fmt.Errorf("options: Small has room for %d samples, want at least 2", n)
	}
	if err := errors.Join(r.counts(n), r.remove(seqs[0])); err != nil {
		return err
	}
	err = r.try(r.context(), limit, "Append", func(ctx context.Context) error { return r.Append(ctx, r.samples(0, 900)) })
	if !errors.Is(err, spool.ErrFull) {
		return fmt.Errorf("Append() of 900 samples at once answered with %v, want spool.ErrFull", err)
	}
	if _, err := r.holds(kept[1:]...); err != nil {
		return fmt.Errorf("after an Append that was refused: %w", err)
	}
	return r.add(0, 1) // as large as what was removed
}

func concurrentSpool(c *spoolTrial) error {
	r := c.fresh()
	var mu sync.Mutex
	seen := make(map[string]int)
	var group sync.WaitGroup
	errs := make([]error, writers)
	for i := range writers - 1 {
		group.Go(func() {
			for n := range writes {
				errs[i] = errors.Join(errs[i], r.add(i*writes+n, i*writes+n+1))
			}
		})
	}
	take := func() error {
		entries, err := r.read(0, 7)
		var seqs []int64
		for _, e := range entries {
			seqs = append(seqs, e.Seq)
			mu.Lock()
			seen[e.Record.ID()]++
			mu.Unlock()
		}
		return errors.Join(err, r.remove(seqs...))
	}
	group.Go(func() {
		for range writes {
			errs[writers-1] = errors.Join(errs[writers-1], take())
			_ = r.Stats()
		}
	})
	group.Wait()
	err := errors.Join(errs...)
	for rounds := 0; err == nil && r.Stats().Records > 0 && rounds < writers*writes; rounds++ {
		err = take()
	}
	if err != nil {
		return err
	}
	for i := range (writers - 1) * writes {
		if n := seen[sampleID(i)]; n != 1 {
			return fmt.Errorf("record %d was read %d times and removed, want once", i, n)
		}
	}
	return nil
}
