package testkit

import (
	"context"
	"errors"
	"fmt"

	"github.com/databay-go/databay/record"
)

// answerChecks are the rules about what an outlet says that it did.
func answerChecks() []check[*outletTrial] {
	return []check[*outletTrial]{
		{
			name: "answer when the context has ended",
			why:  "Push gives a definite answer also when its context has ended: nil is all written, a Partial names what is not, any other error is none",
			run: func(c *outletTrial) error {
				o := c.fresh()
				return o.reads(func() error {
					u := o.update()
					err := o.try(o.ended(), limit, "Push with an ended context", func(ctx context.Context) error {
						return o.Push(ctx, o.samples(0, 5), u)
					})
					if isMishap(err) {
						return nil // another rule's
					}
					return o.agrees(o.samples(0, 5), err)
				})
			},
		},
		{
			name: "foreign payload",
			why: "a record whose payload the outlet cannot write, of a type it does not know or nil, is accepted or fails alone, in a Partial: " +
				"an error for all would keep the others back for ever, a panic would stop the planner",
			run: eachForeign(func(o *target, records []record.Record, answer error) error {
				switch p := record.AsPartial(answer); {
				case isMishap(answer):
					return answer
				case answer != nil && p == nil:
					return fmt.Errorf("Push failed for all records because of one with a payload of type %T: %w", records[1].Payload, answer)
				case p != nil && (p.Failed[0] != nil || p.Failed[2] != nil):
					return fmt.Errorf("Push failed for more than the record 1 with a payload of type %T: %w", records[1].Payload, answer)
				}
				return nil
			}),
		},
		{
			name: "permanent failure",
			why:  "that a payload cannot be written is a failure that no repetition mends: its cause is marked with record.Permanent",
			run: eachForeign(func(o *target, records []record.Record, answer error) error {
				if p := record.AsPartial(answer); p != nil && p.Failed[1] != nil && !record.IsPermanent(p.Failed[1]) {
					return fmt.Errorf("the cause for a payload of type %T is not permanent: %w", records[1].Payload, p.Failed[1])
				}
				return nil
			}),
		},
		{
			name: "indices of a partial answer",
			why:  "a Partial names at least one record, by its index in the slice given, each with a cause; else it counts as a failure of all",
			run: eachForeign(func(o *target, records []record.Record, answer error) error {
				return validPartial(answer, len(records))
			}),
		},
		{
			name: "partial answer",
			why:  "of a batch with failures in it the rest is accepted: it is written, and what failed is not",
			run: func(c *outletTrial) error {
				if c.fresh().written == nil {
					return c.fresh().reads(nil)
				}
				return eachForeign(func(o *target, records []record.Record, answer error) error {
					if record.AsPartial(answer) == nil || validPartial(answer, len(records)) != nil {
						return nil
					}
					return o.agrees(o.batch(records[1].Payload), answer)
				})(c)
			},
		},
		{
			name: "push after shutdown",
			why:  "a Push after a Shutdown, by a caller that had given it up, is an error unless it writes all the same; it does not panic",
			run: func(c *outletTrial) error {
				o := c.fresh()
				sub := o.subject()
				if sub.closer == nil {
					return skipped("it has no Shutdown")
				}
				if err := sub.used(func() error { return o.push(o.samples(0, 1)) }); err != nil {
					return err
				}
				err := o.answer(o.samples(1, 2))
				switch {
				case isMishap(err):
					return err
				case err == nil && o.written == nil:
					return errors.New("Push after Shutdown returned nil")
				case err == nil && count(o.written(), o.sample(1).Payload) == 0:
					return errors.New("Push after Shutdown returned nil, but wrote nothing")
				}
				return nil
			},
		},
	}
}

// batch returns two samples with a record of payload in between.
func (o *target) batch(payload any) []record.Record {
	return []record.Record{o.sample(0), o.sample(1).With(payload), o.sample(2)}
}

// eachForeign pushes batches that have a foreign payload in the middle.
func eachForeign(f func(o *target, records []record.Record, answer error) error) func(*outletTrial) error {
	return func(c *outletTrial) error {
		for _, payload := range []any{foreign{}, nil} {
			o := c.fresh()
			err := o.using(func() error {
				records := o.batch(payload)
				return f(o, records, o.answer(records))
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
}

func validPartial(answer error, n int) error {
	p := record.AsPartial(answer)
	if p == nil {
		return nil
	}
	if len(p.Failed) == 0 {
		return errors.New("a Partial names no record")
	}
	for _, i := range p.Indices() {
		if i < 0 || i >= n {
			return fmt.Errorf("a Partial names record %d of %d: %w", i, n, p)
		}
		if p.Failed[i] == nil {
			return fmt.Errorf("a Partial names record %d without a cause", i)
		}
	}
	return nil
}

// agrees checks that what is written of records is what the answer says.
func (o *target) agrees(records []record.Record, answer error) error {
	written := o.written()
	p := record.AsPartial(answer)
	for i, r := range records {
		accepted := answer == nil
		if p != nil {
			_, failed := p.Failed[i]
			accepted = !failed
		}
		switch n := count(written, r.Payload); {
		case accepted && n == 0:
			return fmt.Errorf("Push returned %v, but record %d, %s, was not written", answerText(answer), i, show(r.Payload))
		case !accepted && n > 0:
			return fmt.Errorf("Push returned %v, but record %d, %s, was written", answerText(answer), i, show(r.Payload))
		}
	}
	return nil
}

func answerText(err error) string {
	if err == nil {
		return "nil"
	}
	return fmt.Sprintf("the error %q", err)
}
