package testkit

import (
	"errors"
	"fmt"
	"time"

	"github.com/databay-go/databay/record"
)

// failureChecks are the rules about what a processor says and does when it fails.
func failureChecks() []check[*processorTrial] {
	return []check[*processorTrial]{
		{
			name: "foreign payload",
			why:  "a record whose payload the processor cannot process, of a type it does not know or nil, is an error, of that record if of any; a panic would stop the planner",
			run: eachFailure(func(s *stage, records, out []record.Record, err error) error {
				if isMishap(err) {
					return err
				}
				if p := record.AsPartial(err); p != nil && (p.Failed[0] != nil || p.Failed[2] != nil) {
					return fmt.Errorf("a Partial names more than record 1 with a payload of type %T: %w", records[1].Payload, err)
				}
				return nil
			}),
		},
		{
			name: "indices of a partial failure",
			why:  "a Partial names at least one record, by its index in the slice given, each with a cause; else it counts as a failure of all",
			run: eachFailure(func(s *stage, records, out []record.Record, err error) error {
				return validPartial(err, len(records))
			}),
		},
		{
			name: "results of a partial failure",
			why:  "with a Partial the slice returned is the result of the others: what failed is given again, and is neither in it nor kept",
			run: eachFailure(func(s *stage, records, out []record.Record, err error) error {
				p := record.AsPartial(err)
				if p == nil || p.Failed[1] == nil {
					return nil
				}
				later, err := s.flush()
				if err != nil {
					return err
				}
				for _, r := range append(out, later...) {
					if isFrom(r, 1) {
						return fmt.Errorf("record 1 failed (%w) and came out too: %v", p, r)
					}
				}
				return nil
			}),
		},
		{
			name: "failed call",
			why:  "what failed is given again, before any others: a call that fails for all its records keeps none of them, or they come twice",
			run: func(c *processorTrial) error {
				failed := false
				err := eachFailure(func(s *stage, records, out []record.Record, err error) error {
					if err == nil || isMishap(err) || record.AsPartial(err) != nil {
						return nil
					}
					failed = true
					again := []record.Record{records[0], records[2]}
					got, err := s.pass(again)
					if err != nil {
						return err
					}
					more, err := s.flush()
					if err != nil {
						return err
					}
					twin := c.open()
					want, err := twin.pass(again)
					if err != nil {
						return err
					}
					last, err := twin.flush()
					if err != nil {
						return err
					}
					got, want = append(got, more...), append(want, last...)
					if err := firstDifference(got, want); err != nil || len(got) != len(want) {
						return fmt.Errorf("given again after a failed call, records came out as %s, want %s as without it", payloads(got), payloads(want))
					}
					return nil
				})(c)
				if err == nil && !failed {
					return skipped("a payload of a type it does not know does not make it fail as a whole")
				}
				return err
			},
		},
	}
}

// eachFailure processes batches that have a foreign payload in the middle.
func eachFailure(f func(s *stage, records, out []record.Record, err error) error) func(*processorTrial) error {
	return func(c *processorTrial) error {
		for _, payload := range []any{foreign{}, nil} {
			s := c.open()
			records := s.samples(0, 3)
			records[1] = records[1].With(payload)
			out, err := s.process(records)
			if err := f(s, records, out, err); err != nil {
				return err
			}
		}
		return nil
	}
}

// holderChecks are the rules of processors that keep records until a later call.
func holderChecks() []check[*processorTrial] {
	checks := []check[*processorTrial]{
		{
			name: "holding at first",
			why:  "a holder that was given nothing holds nothing",
			run: func(c *processorTrial) error {
				return empty(c.open().holding())
			},
		},
		{
			name: "holding counts records",
			why:  "Holding.Records is how many records are kept: those given that have not come out. The balance of a link's account rests on it",
			run: func(c *processorTrial) error {
				given, out, err := c.open().run(nil)
				if err != nil {
					return err
				}
				exact := len(out) == given // else it filters, or makes some
				s, came := c.open(), 0
				_, _, err = s.run(func(given int, out []record.Record) error {
					came += len(out)
					h := s.holding()
					if h.Records < 0 || h.Records > given || exact && h.Records != given-came {
						return fmt.Errorf("after %d records were given and %d came out, Holding says %d", given, came, h.Records)
					}
					return nil
				})
				return err
			},
		},
		{
			name: "span",
			why: "Holding.Span counts what was given since, and together with, the oldest record that is kept: the position of an inlet passes what is before it. " +
				"Said too low, records are lost in a crash",
			run: span,
		},
		{
			name: "flush",
			why:  "after Flush the next Process, of no records too, releases everything; then nothing is held",
			run: func(c *processorTrial) error {
				for _, more := range []int{0, 1} {
					s := c.open()
					given := 0
					for _, n := range batchSizes {
						if _, err := s.pass(s.samples(given, given+n)); err != nil {
							return err
						}
						given += n
					}
					s.holder.Flush()
					if _, err := s.pass(s.samples(given, given+more)); err != nil {
						return err
					}
					if err := empty(s.holding()); err != nil {
						return fmt.Errorf("after Flush and a Process of %d records: %w", more, err)
					}
				}
				return nil
			},
		},
		{
			name: "flush only asks",
			why:  "Flush does nothing by itself: what is held stays so until the next Process, and comes out of it",
			run: func(c *processorTrial) error {
				s := c.open()
				if _, err := s.pass(s.samples(0, 1)); err != nil {
					return err
				}
				before := s.holding()
				if before.Records == 0 {
					return skipped("it does not hold the first record")
				}
				s.holder.Flush()
				if after := s.holding(); after.Records != before.Records {
					return fmt.Errorf("before Flush %d records were held, after it %d", before.Records, after.Records)
				}
				out, err := s.pass(nil)
				if err == nil && len(out) == 0 {
					err = fmt.Errorf("%d records were held, and none came out after Flush", before.Records)
				}
				return err
			},
		},
		{
			name: "flush of nothing",
			why:  "Flush asks once: when nothing is held it does not make a later call release what came after",
			run: func(c *processorTrial) error {
				s := c.open()
				if _, err := s.pass(s.samples(0, 1)); err != nil {
					return err
				}
				if s.holding().Records == 0 {
					return skipped("it does not hold the first record")
				}
				s = c.open()
				if _, err := s.flush(); err != nil {
					return err
				}
				if _, err := s.pass(s.samples(0, 1)); err != nil {
					return err
				}
				if s.holding().Records == 0 {
					return errors.New("a Flush of nothing, and the Process after it, made the next Process release the first record")
				}
				return nil
			},
		},
		{
			name:   "wake",
			why:    "Holding.Wake is to come when a call has returned, and zero when nothing is held: a time that has passed makes the planner call again and again",
			bubble: true,
			run:    wake,
		},
		{
			name: "settled",
			why: "a Settler has what it has released, and no inlet returns again, until it is told that it is delivered: then it is not to come again, and before " +
				"it is to, after a Start",
			run: settled,
		},
	}
	for i := range checks {
		run := checks[i].run
		checks[i].run = func(c *processorTrial) error {
			if c.fresh().holder == nil {
				return skipped("it is no Holder")
			}
			return run(c)
		}
	}
	return checks
}

func empty(h record.Holding) error {
	if h.Records != 0 || h.Span != 0 {
		return fmt.Errorf("what Holding says is %d records, span %d, want 0 and 0", h.Records, h.Span)
	}
	return nil
}

// span follows the records by their IDs. What does not come out is not looked at.
func span(c *processorTrial) error {
	type moment struct {
		given int
		out   []record.Record
		span  int
	}
	s := c.open()
	var moments []moment
	_, _, err := s.run(func(given int, out []record.Record) error {
		moments = append(moments, moment{given, out, s.holding().Span})
		return nil
	})
	if err != nil {
		return err
	}
	for n, m := range moments {
		oldest := m.given // the oldest of those given that come out later
		for _, later := range moments[n+1:] {
			for _, r := range later.out {
				for i := range oldest {
					if isFrom(r, i) {
						oldest = i
						break
					}
				}
			}
		}
		want := m.given - oldest
		switch {
		case m.span < 0 || m.span > m.given:
			return fmt.Errorf("after %d records were given, Holding says span %d", m.given, m.span)
		case m.span < want && !c.opts.Durable:
			return fmt.Errorf("after %d records were given, the oldest kept being number %d, Holding says span %d, want %d", m.given, oldest, m.span, want)
		}
	}
	return nil
}

func wake(c *processorTrial) error {
	s := c.open()
	look := func(when string) (time.Duration, error) {
		h := s.holding()
		d := time.Until(h.Wake)
		switch {
		case h.Wake.IsZero():
			return 0, nil
		case h.Records == 0 && h.Span == 0:
			return 0, fmt.Errorf("%s nothing is held, but Wake is %v", when, h.Wake)
		case d <= 0:
			return 0, fmt.Errorf("%s, at %v, Wake is %v", when, time.Now(), h.Wake)
		}
		return d, nil
	}
	if _, err := look("at first"); err != nil {
		return err
	}
	given := 0
	for _, n := range batchSizes {
		if _, err := s.pass(s.samples(given, given+n)); err != nil {
			return err
		}
		given += n
		d, err := look(fmt.Sprintf("after a call with %d records", n))
		if err != nil {
			return err
		}
		if d == 0 || d > wait {
			continue
		}
		time.Sleep(d)
		if _, err := s.pass(nil); err != nil {
			return err
		}
		if _, err := look("after the call it asked for"); err != nil {
			return err
		}
	}
	if _, err := s.flush(); err != nil {
		return err
	}
	_, err := look("after a flush")
	return err
}
