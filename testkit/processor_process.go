package testkit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/databay-go/databay/record"
)

// processChecks are the rules about what a Process does with its records.
func processChecks() []check[*processorTrial] {
	return []check[*processorTrial]{
		{
			name: "no records",
			why:  "Process may be called with no records: that is no mistake",
			run: func(c *processorTrial) error {
				s := c.open()
				_, err := s.pass(nil)
				if err == nil {
					_, err = s.pass([]record.Record{})
				}
				return err
			},
		},
		{
			name: "slice read-only",
			why:  "the slice given is not changed: the same records may be given again, and other lanes are given them too",
			run: func(c *processorTrial) error {
				return c.watch(func(given, were []record.Record) error {
					for i, r := range given {
						if !identical(r, were[i]) {
							return fmt.Errorf("Process put %v in the place of record %d, %v", r, i, were[i])
						}
					}
					return nil
				})
			},
		},
		{
			name: "payloads read-only",
			why:  "a payload is never changed in place, then or later: changed records are made with Record.With",
			run: func(c *processorTrial) error {
				return c.watch(func(_, were []record.Record) error {
					for i, r := range were {
						if want := c.sample(i).Payload; !same(r.Payload, want) {
							return fmt.Errorf("Process changed the payload %s to %s", show(want), show(r.Payload))
						}
					}
					return nil
				})
			},
		},
		{
			name: "slice given",
			why:  "the slice belongs to the caller again when Process has returned: what the processor wants to keep of it, it copies",
			run: func(c *processorTrial) error {
				return c.spoil(func(given, _ []record.Record) { overwrite(given) })
			},
		},
		{
			name: "slice returned",
			why:  "the slice returned belongs to the caller, its unused capacity too: the processor keeps nothing in it, and does not use it again",
			run: func(c *processorTrial) error {
				if err := c.spoil(func(_, out []record.Record) { overwrite(out) }); err != nil {
					return err
				}
				s := c.open()
				var (
					earlier [][]record.Record
					were    []snapshot
				)
				_, _, err := s.run(func(_ int, out []record.Record) error {
					for n, was := range were {
						if err := was.changed(earlier[n]); err != nil {
							return fmt.Errorf("a later call changed what call %d returned: %w", n, err)
						}
					}
					earlier, were = append(earlier, out), append(were, snap(out))
					return nil
				})
				return err
			},
		},
		{
			name: "what describes a record",
			why:  "a record that comes out has the ID of one that went in, or one extended by a slash, with its metadata and inlet: Record.With keeps them, record.New does not",
			run: func(c *processorTrial) error {
				s := c.open()
				given, all, err := s.run(nil)
				if err != nil {
					return err
				}
				for _, r := range all {
					i := -1
					for n := range given {
						if isFrom(r, n) {
							i = n
						}
					}
					number, _ := r.Metadata.Get("testkit.number")
					switch {
					case i < 0:
						return fmt.Errorf("the record %v came out with the ID %q, and none of that ID went in", r, r.ID())
					case number != i:
						return fmt.Errorf("the record %v with the ID %q came out without the metadata with which it went in", r, r.ID())
					case r.Inlet() != "testkit":
						return fmt.Errorf("the record %v with the ID %q came out without the inlet with which it went in", r, r.ID())
					}
				}
				return nil
			},
		},
		{
			name: "unique IDs",
			why:  "an ID names one record: where several are made of one, each extends the ID by something of its own, as FlatMap does",
			run: func(c *processorTrial) error {
				_, all, err := c.open().run(nil)
				seen := make(map[string]bool)
				for _, r := range all {
					if r.ID() != "" && seen[r.ID()] {
						return fmt.Errorf("two records came out with the ID %q", r.ID())
					}
					seen[r.ID()] = true
				}
				return err
			},
		},
		{
			name: "holds nothing unless it is a Holder",
			why:  "records that are kept until a later call, by a processor that does not say so with Holding, are lost in a crash",
			run: func(c *processorTrial) error {
				s := c.open()
				if s.holder != nil {
					return skipped("it is a Holder")
				}
				before := 0
				_, _, err := s.run(func(given int, out []record.Record) error {
					for _, r := range out {
						for i := range before {
							if isFrom(r, i) {
								return fmt.Errorf("the record with the ID %q came out of a later call than the one it was given to", r.ID())
							}
						}
					}
					before = given
					return nil
				})
				return err
			},
		},
		{
			name: "conserves",
			why:  "the options say Conserves: every record comes out once",
			run: func(c *processorTrial) error {
				if !c.opts.Conserves {
					return skipped("the options do not say Conserves")
				}
				given, all, err := c.open().run(nil)
				if err != nil {
					return err
				}
				for i := range given {
					n := 0
					for _, r := range all {
						if isFrom(r, i) {
							n++
						}
					}
					if n != 1 {
						return fmt.Errorf("record %d of %d came out %d times, after a flush", i, given, n)
					}
				}
				return nil
			},
		},
		{
			name: "concurrent calls",
			why:  "a processor given to several links, or lanes, is called by them side by side; a Holder belongs to one",
			run: func(c *processorTrial) error {
				s := c.open()
				if s.holder != nil {
					return skipped("it is a Holder")
				}
				const links, calls, size = 4, 5, 3
				var (
					group sync.WaitGroup
					start = make(chan struct{})
					errs  [links]error
				)
				for i := range links {
					group.Go(func() {
						<-start
						for n := range calls {
							from := (i*calls + n) * size
							errs[i] = errors.Join(errs[i], s.do("Process", func(ctx context.Context) error {
								_, err := s.Process(ctx, s.samples(from, from+size))
								return err
							}))
						}
					})
				}
				close(start)
				group.Wait()
				for _, err := range errs {
					if err != nil {
						return fmt.Errorf("%d goroutines called it at the same time: %w", links, err)
					}
				}
				return nil
			},
		},
	}
}

// watch gives the processor a few batches, flushes it, and calls f for each with
// the slice it was given and with what was in it.
func (c *processorTrial) watch(f func(given, were []record.Record) error) error {
	s := c.open()
	var given, were [][]record.Record
	from := 0
	for _, n := range batchSizes {
		batch := s.samples(from, from+n)
		from += n
		given, were = append(given, batch), append(were, slices.Clone(batch))
		if _, err := s.pass(batch); err != nil {
			return err
		}
	}
	if _, err := s.flush(); err != nil {
		return err
	}
	return f(slices.Concat(given...), slices.Concat(were...))
}

// spoil gives the processor a few batches, calls f after each with the slices it
// was given and has returned, and sees whether what f does to them comes out.
func (c *processorTrial) spoil(f func(given, out []record.Record)) error {
	s := c.open()
	from := 0
	for _, n := range append(batchSizes[:], -1) {
		var batch, out []record.Record
		var err error
		if n < 0 {
			out, err = s.flush()
		} else {
			batch = s.samples(from, from+n)
			from += n
			out, err = s.pass(batch)
		}
		if err != nil {
			return err
		}
		if slices.ContainsFunc(out, isOverwritten) {
			return errors.New("what came out is what the caller put into a slice that belonged to it again")
		}
		f(batch, out)
	}
	return nil
}
