package testkit

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// OutletOptions is what [TestOutlet] may be told. The zero value is ready to use.
type OutletOptions struct {
	// Unordered says that records are written in any order. Else they are to be
	// written in the order in which they are pushed.
	Unordered bool

	// Hung makes an outlet whose Push blocks, since its target does not answer, to
	// see that it returns when its context ends. If nil, that is only seen of
	// pushes as they are.
	Hung func(t *testing.T) outlet.Outlet

	// Skip has the rules that do not hold, by name, with the reason.
	Skip map[string]string
}

// TestOutlet tests whether the outlets that newOutlet makes keep the contract of
// [outlet.Outlet] and of the capabilities they have. Nil options are the default.
//
// Every rule is a subtest with a fresh outlet and an empty target. With the outlet
// newOutlet returns a function that reads back what is in the target: records,
// oldest first, with payloads that equal those pushed, and with their ID and
// metadata if the target has them. It may be called at any time, also after a
// Shutdown. If it is nil, the rules that read back are skipped.
//
// Sample returns the record of a number from 0, one that the outlet accepts: a new
// one at every call, equal for equal numbers, and with a payload of its own for
// each number. Let the payload be one that can be changed, a map for instance, if
// the outlet takes such: whether an [outlet.Reader] leaves it alone is seen of
// such only.
func TestOutlet(t *testing.T, newOutlet func(t *testing.T) (out outlet.Outlet, written func() []record.Record),
	sample func(i int) record.Record, opts *OutletOptions,
) {
	t.Helper()
	if opts == nil {
		opts = new(OutletOptions)
	}
	suite(t, outletChecks(), opts.Skip, func(t *testing.T) *outletTrial {
		return &outletTrial{newTrial(t), newOutlet, sample, opts}
	})
}

func outletChecks() []check[*outletTrial] {
	fresh := func(c *outletTrial) *subject { return c.fresh().subject() }
	hung := func(c *outletTrial) *subject {
		if c.opts.Hung == nil {
			return nil
		}
		return c.target(c.opts.Hung(c.t), nil).subject()
	}
	var all []check[*outletTrial]
	all = append(all, callChecks("Push", fresh, hung)...)
	all = append(all, nodeChecks(fresh)...)
	all = append(all, reachChecks(fresh)...)
	all = append(all, updateCheck(fresh))
	all = append(all, pushChecks()...)
	return append(all, answerChecks()...)
}

type outletTrial struct {
	*trial
	make   func(t *testing.T) (outlet.Outlet, func() []record.Record)
	sample func(i int) record.Record
	opts   *OutletOptions
}

// target is one outlet under test.
type target struct {
	*outletTrial
	outlet.Outlet
	written func() []record.Record // nil: not known
	pushes  int64
}

func (c *outletTrial) target(out outlet.Outlet, written func() []record.Record) *target {
	if out == nil {
		c.t.Fatal("newOutlet made a nil outlet")
	}
	return &target{outletTrial: c, Outlet: out, written: written}
}

func (c *outletTrial) fresh() *target { return c.target(c.make(c.t)) }

// samples returns the records of the numbers from and up to, but not including, to.
func (c *outletTrial) samples(from, to int) []record.Record { return samples(c.sample, from, to) }

func samples(sample func(i int) record.Record, from, to int) []record.Record {
	records := make([]record.Record, 0, to-from)
	for i := from; i < to; i++ {
		records = append(records, sample(i))
	}
	return records
}

func (o *target) subject() *subject {
	sub := &subject{
		trial: o.trial, verb: "Push", node: o.Outlet,
		name: func() string { return outlet.Name(o.Outlet) },
		call: func(ctx context.Context, u *record.Update) error {
			if u == nil {
				u = new(o.update())
			}
			return o.Push(ctx, o.samples(0, 2), *u)
		},
	}
	sub.starter, _ = outlet.As[outlet.Starter](o.Outlet)
	sub.closer, _ = outlet.As[outlet.Shutdowner](o.Outlet)
	sub.checker, _ = outlet.As[outlet.Checker](o.Outlet)
	if o.written != nil {
		sub.moved = func() string {
			records := o.written()
			return fmt.Sprintf("%d records %s", len(records), payloads(records))
		}
	}
	if v, ok := outlet.As[outlet.Validator](o.Outlet); ok {
		sub.validate = v.Validate
	}
	return sub
}

// update returns the update of the next push.
func (o *target) update() record.Update {
	u := record.Update{Link: "testkit", Tags: []string{"testkit"}, Number: o.pushes, Due: time.Now(), Attempt: 1}
	o.pushes++
	return u
}

// answer pushes once, in the ordinary way, and returns what the outlet says.
func (o *target) answer(records []record.Record) error {
	u := o.update()
	return o.try(o.context(), limit, "Push", func(ctx context.Context) error { return o.Push(ctx, records, u) })
}

// push pushes records that are to be accepted.
func (o *target) push(records []record.Record) error {
	if err := o.answer(records); err != nil {
		return fmt.Errorf("Push of %s failed: %w", payloads(records), err)
	}
	return nil
}

// using runs f between Start and Shutdown.
func (o *target) using(f func() error) error { return o.subject().used(f) }

// reads runs f between Start and Shutdown if what was written can be read.
func (o *target) reads(f func() error) error {
	if o.written == nil {
		return skipped("not checked: newOutlet returned no function that reads back what was written")
	}
	return o.using(f)
}

// holds checks that each of records was written once, in any order, and nothing
// else.
func (o *target) holds(records []record.Record) error {
	written := o.written()
	pushed, came := tally(records), tally(written)
	var errs []error
	for _, r := range records {
		if n := came.count(r.Payload); n != 1 {
			errs = append(errs, fmt.Errorf("%s was written %d times, want once", show(r.Payload), n))
		}
	}
	for _, r := range written {
		if pushed.count(r.Payload) == 0 {
			errs = append(errs, fmt.Errorf("%s was written, but not pushed", show(r.Payload)))
		}
	}
	const shown = 3
	if len(errs) > shown {
		errs = append(errs[:shown], fmt.Errorf("and %d more", len(errs)-shown))
	}
	return errors.Join(errs...)
}
