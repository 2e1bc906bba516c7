package testkit

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/databay-go/databay/record"
)

// ProcessorOptions is what [TestProcessor] may be told. The zero value is ready
// to use.
type ProcessorOptions struct {
	// Conserves says that the processor neither filters nor makes records, as a
	// buffer: every record comes out once, with its ID.
	Conserves bool

	// Durable says that what the processor holds survives a crash, all of it or
	// some, so that the Span of its Holding is 0, or less than it was given since the
	// oldest record that it holds.
	Durable bool

	// Hung makes a processor whose Process blocks, since something it asks does
	// not answer, to see that it returns when its context ends. If nil, that is
	// only seen of calls as they are.
	Hung func(t *testing.T) record.Processor

	// Skip has the rules that do not hold, by name, with the reason.
	Skip map[string]string
}

// TestProcessor tests whether the processors that newProcessor makes keep the
// contract of [record.Processor], of [record.Holder] where they are one, and of
// what else a link finds in them: Start, Shutdown, Validate and String. Nil options
// are the default.
//
// Every rule is a subtest with a fresh processor. Sample returns the record of a
// number from 0, one that the processor can process: a new one at every call,
// equal for equal numbers. Let the payload be one that can be changed, a map for
// instance, if the processor takes such: whether it leaves payloads alone is seen
// of such only. The suite gives samples an ID and follows them by it.
//
// The rule "wake" runs in a bubble of [testing/synctest]: in that one, newProcessor
// must not wait for anything outside.
func TestProcessor(t *testing.T, newProcessor func(t *testing.T) record.Processor,
	sample func(i int) record.Record, opts *ProcessorOptions,
) {
	t.Helper()
	if opts == nil {
		opts = new(ProcessorOptions)
	}
	suite(t, processorChecks(), opts.Skip, func(t *testing.T) *processorTrial {
		return &processorTrial{newTrial(t), newProcessor, sample, opts}
	})
}

func processorChecks() []check[*processorTrial] {
	fresh := func(c *processorTrial) *subject { return c.fresh().subject() }
	hung := func(c *processorTrial) *subject {
		if c.opts.Hung == nil {
			return nil
		}
		return c.stage(c.opts.Hung(c.t)).subject()
	}
	var all []check[*processorTrial]
	all = append(all, callChecks("Process", fresh, hung)...)
	all = append(all, nodeChecks(fresh)...)
	all = append(all, processChecks()...)
	all = append(all, failureChecks()...)
	return append(all, holderChecks()...)
}

type processorTrial struct {
	*trial
	make   func(t *testing.T) record.Processor
	sample func(i int) record.Record
	opts   *ProcessorOptions
}

// stage is one processor under test.
type stage struct {
	*processorTrial
	record.Processor
	holder  record.Holder // nil if it is none
	started error         // of Start
}

func (c *processorTrial) stage(p record.Processor) *stage {
	if p == nil {
		c.t.Fatal("newProcessor made a nil processor")
	}
	s := &stage{processorTrial: c, Processor: p}
	s.holder, _ = processorAs[record.Holder](p)
	return s
}

func (c *processorTrial) fresh() *stage { return c.stage(c.make(c.t)) }

// open returns a fresh processor that is started, and is shut down at the end of
// the test. If it cannot be, every call of it fails.
func (c *processorTrial) open() *stage {
	s := c.fresh()
	sub := s.subject()
	s.started = sub.start()
	c.t.Cleanup(func() {
		if sub.closer != nil && s.started == nil {
			ctx := context.WithoutCancel(c.context())
			_ = s.try(ctx, limit, "Shutdown", sub.closer.Shutdown) // other rules look at it
		}
	})
	return s
}

// samples returns the records of the numbers from and up to, but not including, to.
// Each has the ID of its number and says so in its metadata.
func (c *processorTrial) samples(from, to int) []record.Record {
	records := samples(c.sample, from, to)
	for i, r := range records {
		records[i] = r.WithID(sampleID(from + i)).WithMetadata(record.Attr{Key: "testkit.number", Value: from + i})
	}
	record.Stamp(records, &record.Origin{Inlet: "testkit"})
	return records
}

func sampleID(i int) string { return fmt.Sprintf("testkit/%d.", i) }

// isFrom reports whether r is, or was made from, the sample of a number.
func isFrom(r record.Record, i int) bool { return strings.HasPrefix(r.ID(), sampleID(i)) }

func (s *stage) subject() *subject {
	sub := &subject{
		trial: s.trial, verb: "Process", node: s.Processor,
		name: func() string { return processorName(s.Processor) },
		call: func(ctx context.Context, _ *record.Update) error {
			_, err := s.Process(ctx, s.samples(0, 2))
			return err
		},
	}
	if v, ok := processorAs[validator](s.Processor); ok {
		sub.validate = v.Validate
	}
	sub.starter, _ = processorAs[starter](s.Processor)
	sub.closer, _ = processorAs[shutdowner](s.Processor)
	return sub
}

// process processes records in the ordinary way and returns what the processor
// says.
func (s *stage) process(records []record.Record) (out []record.Record, err error) {
	if s.started != nil {
		return nil, s.started
	}
	results := make(chan []record.Record, 1)
	err = s.try(s.context(), limit, "Process", func(ctx context.Context) error {
		out, err := s.Process(ctx, records)
		results <- out
		return err
	})
	if !isMishap(err) {
		out = <-results
	}
	return out, err
}

// pass processes records that are not to fail.
func (s *stage) pass(records []record.Record) ([]record.Record, error) {
	out, err := s.process(records)
	if err != nil {
		err = fmt.Errorf("Process of %s failed: %w", payloads(records), err)
	}
	return out, err
}

// flush makes a holder release everything.
func (s *stage) flush() ([]record.Record, error) {
	if s.holder != nil {
		s.holder.Flush()
	}
	return s.pass(nil)
}

// holding returns what a holder says, zero for one that is none.
func (s *stage) holding() record.Holding {
	if s.holder == nil {
		return record.Holding{}
	}
	return s.holder.Holding()
}

// batchSizes are the calls that rules make which watch several.
var batchSizes = [...]int{3, 1, 4, 0, 2, 5}

// run gives the processor a few batches and flushes it. After each call it calls
// f, if that is not nil, with how many records were given and with those that came
// out of this call.
func (s *stage) run(f func(given int, out []record.Record) error) (given int, all []record.Record, err error) {
	step := func(out []record.Record, err error) error {
		if err != nil {
			return err
		}
		all = append(all, out...)
		if f == nil {
			return nil
		}
		return f(given, out)
	}
	for _, n := range batchSizes {
		given += n
		if err := step(s.pass(s.samples(given-n, given))); err != nil {
			return given, all, err
		}
	}
	return given, all, step(s.flush())
}

// wait is how long a holder may want to wait before it is called.
const wait = 1000 * 24 * time.Hour

// processorAs finds in p, or in what it decorates, something that is a T.
func processorAs[T any](p record.Processor) (T, bool) {
	for p != nil {
		if t, ok := p.(T); ok {
			return t, true
		}
		w, ok := p.(interface{ Unwrap() record.Processor })
		if !ok {
			break
		}
		p = w.Unwrap()
	}
	var none T
	return none, false
}

// processorName returns what p says of itself, else its type.
func processorName(p record.Processor) string {
	if s, ok := processorAs[fmt.Stringer](p); ok {
		return s.String()
	}
	return fmt.Sprintf("%T", p)
}
