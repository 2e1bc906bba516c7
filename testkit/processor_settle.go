package testkit

import (
	"context"
	"fmt"

	"github.com/databay-go/databay/record"
)

// settled follows what a Settler has released over a restart.
func settled(c *processorTrial) error {
	s := c.open()
	settler, ok := processorAs[record.Settler](s.Processor)
	if !ok {
		return skipped("it is no Settler")
	}
	last := int64(0)
	if _, _, err := s.run(func(int, []record.Record) error {
		released := s.holding().Released
		if released < last {
			return fmt.Errorf("what Holding says is Released %d, and it was %d before", released, last)
		}
		last = released
		return nil
	}); err != nil {
		return err
	}
	err := s.try(s.context(), limit, "Settled", func(ctx context.Context) error { return settler.Settled(ctx, last) })
	if err != nil {
		return err
	}
	again, err := s.restart()
	if err != nil {
		return err
	}
	if len(again) > 0 {
		return fmt.Errorf("after it was told that everything is delivered, and a Start, %s came out again", payloads(again))
	}

	s = c.open()
	durable, given := 0, 0
	for _, n := range batchSizes {
		if given += n; durable == 0 {
			if _, err := s.pass(s.samples(given-n, given)); err != nil {
				return err
			}
			if h := s.holding(); h.Span == 0 {
				durable = h.Records
			}
		}
	}
	if durable == 0 {
		return nil
	}
	if _, err = s.flush(); err != nil {
		return err
	}
	if again, err = s.restart(); err != nil {
		return err
	}
	if len(again) < durable {
		return fmt.Errorf("%d records were held with a Span of 0, and released, and nobody said that they are delivered; after a Start %d came out", durable, len(again))
	}
	return nil
}

// restart shuts the processor down, starts it and returns what a flush releases.
func (s *stage) restart() ([]record.Record, error) {
	sub := s.subject()
	if sub.closer != nil {
		if err := s.try(s.context(), limit, "Shutdown", sub.closer.Shutdown); err != nil {
			return nil, err
		}
	}
	if err := sub.start(); err != nil {
		return nil, err
	}
	return s.flush()
}
