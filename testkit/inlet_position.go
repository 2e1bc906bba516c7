package testkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/record"
)

// positionChecks are the rules of inlets with a position that can be set.
func positionChecks() []check[*inletTrial] {
	checks := []check[*inletTrial]{
		{
			name: "beginning",
			why:  "Seek(nil) sets an inlet to the beginning, wherever it stood before",
			run: func(c *inletTrial) error {
				s := c.fresh()
				var first []record.Record
				err := s.using(nil, func() (err error) {
					first, err = s.next(1)
					return err
				})
				if err != nil || len(first) == 0 {
					return err
				}
				var again []record.Record
				err = s.using(nil, func() (err error) {
					again, err = s.next(len(first))
					return err
				})
				if err != nil {
					return err
				}
				return differ("started again and set to nil, the inlet", again, first)
			},
		},
		{
			name: "resume",
			why:  "a new inlet, set to the position that another one had after a Pull, yields what that one yields later: nothing is missing, nothing comes twice",
			run: func(c *inletTrial) error {
				_, err := c.resumes(false, func(s *source) ([]record.Record, error) {
					batches, err := s.batches(1)
					return slices.Concat(batches...), err
				})
				return err
			},
		},
		{
			name: "seek back",
			why:  "an inlet that is started again goes on after the position it is set to, which may be before where it stood",
			run:  seekBack,
		},
		{
			name: "position after an empty pull",
			why:  "Position is asked after every Pull, also after one that found nothing; the inlet stands where it stood",
			run: func(c *inletTrial) error {
				checked, err := c.resumes(true, (*source).pull)
				if err == nil && checked == 0 {
					return skipped("it yielded something at every pull")
				}
				return err
			},
		},
		{
			name: "position after a pull given up",
			why:  "a Pull that returns an error and no records leaves the inlet where it stood: the next one returns what this one did not",
			run:  givenUp,
		},
		{
			name: "bytes of the position",
			why:  "neither side changes the bytes of a position, those that Position returned and those that Seek was given",
			run:  positionBytes,
		},
		{
			name: "unreadable position",
			why:  "a position that the inlet cannot read is an error of Seek; taking it for the beginning, or a panic, would be the worst moment for it",
			run: func(c *inletTrial) error {
				for _, garbage := range []string{"\x00\xff{garbage", `{"testkit":[`} {
					s := c.fresh()
					err := s.using(nil, func() error {
						err := s.seek([]byte(garbage))
						switch {
						case isMishap(err):
							return err
						case err == nil:
							return fmt.Errorf("Seek(%q) returned nil", garbage)
						}
						return nil
					})
					if err != nil {
						return err
					}
				}
				return nil
			},
		},
		{
			name: "same IDs again",
			why:  "an ID names its record for good: pulled again, also by another inlet, the record bears the same one",
			run: func(c *inletTrial) error {
				a, b := c.fresh(), c.fresh()
				var first, again []record.Record
				err := a.using(nil, func() (err error) {
					batches, err := a.batches(some)
					first = slices.Concat(batches...)
					return err
				})
				if err == nil {
					err = b.using(nil, func() (err error) {
						again, err = b.next(len(first))
						return err
					})
				}
				for i := range min(len(first), len(again)) {
					if first[i].ID() != again[i].ID() && err == nil {
						err = fmt.Errorf("record %d, %s, had the ID %q and has %q", i, show(first[i].Payload), first[i].ID(), again[i].ID())
					}
				}
				return err
			},
		},
		{
			name: "unique IDs",
			why:  "an ID names one record: an outlet that has written it takes the next one of that ID for the same",
			run: func(c *inletTrial) error {
				s := c.fresh()
				return s.using(nil, func() error {
					batches, err := s.batches(some)
					seen := make(map[string]record.Record)
					for _, r := range slices.Concat(batches...) {
						if was, ok := seen[r.ID()]; ok && r.ID() != "" {
							return fmt.Errorf("two records have the ID %q: %s and %s", r.ID(), show(was.Payload), show(r.Payload))
						}
						seen[r.ID()] = r
					}
					return err
				})
			},
		},
	}
	for i := range checks {
		run := checks[i].run
		checks[i].run = func(c *inletTrial) error {
			if s := c.fresh(); s.seeker == nil || s.positioner == nil {
				return skipped("it is not resumable: it lacks Seek or Position")
			}
			return run(c)
		}
	}
	return append(checks, check[*inletTrial]{
		name: "position complete",
		why:  "Seek, and Commit, go with Position; and the name that keys what is stored is given by a method String, since a type's name is not unique",
		run: func(c *inletTrial) error {
			s := c.fresh()
			_, named := inlet.As[fmt.Stringer](s.Inlet)
			switch {
			case s.seeker != nil && s.positioner == nil:
				return errors.New("it has Seek, but no Position")
			case s.committer != nil && s.positioner == nil:
				return errors.New("it has Commit, but no Position")
			case s.positioner != nil && s.seeker == nil && s.committer == nil:
				return errors.New("it has Position, but neither Seek nor Commit")
			case s.seeker != nil && !named:
				return errors.New("it has Seek, but no String")
			}
			return nil
		},
	})
}

func differ(who string, got, want []record.Record) error {
	err := firstDifference(got, want)
	if err == nil && len(got) < len(want) {
		err = fmt.Errorf("it yielded %d records, want %d; %s, want %s", len(got), len(want), payloads(got), payloads(want))
	}
	if err != nil {
		err = fmt.Errorf("%s yielded something else: %w", who, err)
	}
	return err
}

// resumes makes a few steps with an inlet, each of which pulls, and compares what
// it yields later with what a new inlet yields that is set to its position then:
// after the steps that yielded nothing if empty is set, else after the others. It
// returns how many positions there were.
func (c *inletTrial) resumes(empty bool, step func(*source) ([]record.Record, error)) (checked int, err error) {
	type boundary struct {
		position []byte
		before   int // records that came before
	}
	var (
		s    = c.fresh()
		all  []record.Record
		ends []boundary
	)
	err = s.using(nil, func() error {
		for range 2 * some {
			records, err := step(s)
			if err != nil {
				return err
			}
			all = append(all, records...)
			if empty == (len(records) == 0) {
				ends = append(ends, boundary{bytes.Clone(s.positioner.Position()), len(all)})
			}
		}
		for _, end := range ends {
			other := c.fresh()
			var got []record.Record
			err := other.using(end.position, func() (err error) {
				got, err = other.next(max(len(all)-end.before, 1))
				return err
			})
			if err != nil {
				return err
			}
			if missing := end.before + len(got) - len(all); missing > 0 { // what has come up meanwhile
				more, err := s.next(missing)
				if err != nil {
					return err
				}
				all = append(all, more...)
			}
			want := all[end.before:]
			who := fmt.Sprintf("set to the position %.60q, after %d records, a new inlet", end.position, end.before)
			if err := differ(who, got, want); err != nil {
				return err
			}
			if len(got) > len(want) {
				return fmt.Errorf("%s yielded records that the first one does not: %s, want %s", who, payloads(got), payloads(want))
			}
		}
		return nil
	})
	return len(ends), err
}

func seekBack(c *inletTrial) error {
	s := c.fresh()
	var (
		position []byte
		want     []record.Record
	)
	err := s.using(nil, func() error {
		if _, err := s.batches(1); err != nil {
			return err
		}
		position = bytes.Clone(s.positioner.Position())
		batches, err := s.batches(some)
		want = slices.Concat(batches...)
		return err
	})
	if err != nil {
		return err
	}
	if len(want) == 0 {
		return skipped("its first pull yielded everything")
	}
	return s.using(position, func() error {
		got, err := s.next(len(want))
		if err != nil {
			return err
		}
		return differ(fmt.Sprintf("started again and set back to %.60q, the inlet", position), got, want)
	})
}

func givenUp(c *inletTrial) error {
	a, b := c.fresh(), c.fresh()
	var want, got []record.Record
	err := a.using(nil, func() (err error) {
		batches, err := a.batches(some)
		want = slices.Concat(batches...)
		return err
	})
	if err != nil {
		return err
	}
	return b.using(nil, func() error {
		failed := false
		for empty := 0; len(got) < len(want) && empty < idle; {
			var records []record.Record
			results := make(chan []record.Record, 1)
			u := b.update()
			err := b.try(b.ended(), limit, "Pull with an ended context", func(ctx context.Context) error {
				records, err := b.Pull(ctx, u)
				results <- records
				return err
			})
			if isMishap(err) {
				return skipped("a Pull with an ended context does not return in the ordinary way")
			}
			records = <-results
			failed = failed || err != nil && len(records) == 0
			batches, err := b.batches(1)
			if err != nil {
				return err
			}
			got = append(got, slices.Concat(records, slices.Concat(batches...))...)
			if len(batches) == 0 {
				empty++
			}
		}
		if !failed {
			return skipped("a Pull with an ended context does not fail")
		}
		return differ("pulled with a context that had ended now and then, the inlet", got, want)
	})
}

func positionBytes(c *inletTrial) error {
	s := c.fresh()
	var middle []byte
	err := s.using(nil, func() error {
		var positions, were [][]byte
		for range some {
			if _, err := s.batches(1); err != nil {
				return err
			}
			p := s.positioner.Position()
			positions, were = append(positions, p), append(were, bytes.Clone(p))
		}
		for i := range positions {
			if !bytes.Equal(positions[i], were[i]) {
				return fmt.Errorf("the position %q after pull %d had become %q later", were[i], i, positions[i])
			}
		}
		middle = were[0]
		return nil
	})
	if err != nil {
		return err
	}
	other := c.fresh()
	given := bytes.Clone(middle)
	return other.using(given, func() error {
		if _, err := other.batches(some); err != nil {
			return err
		}
		if !bytes.Equal(given, middle) {
			return fmt.Errorf("the position %q that Seek was given had become %q later", middle, given)
		}
		return nil
	})
}
