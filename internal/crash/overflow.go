package main

import (
	"context"
	"errors"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
	"github.com/databay-go/databay/spool/boltspool"
)

// overflowScenario moves numbers through a buffer that holds more than it may in memory,
// into a file that refuses everything for a while, now and then. What overflows to the
// spool counts as kept until it is in the file, also when it was released.
func overflowScenario() scenario {
	s := fileScenario("cursor-file-and-overflow", false)
	s.steps = append(s.steps, beforeAppend, appended, beforeRemove, removed)
	s.weight = 4
	open := s.open
	s.open = func(ctx context.Context, at place, until int64, h *halt) (pipeline, error) {
		p, err := open(ctx, at, until, h)
		p.processors = []record.Processor{buffer.New(&buffer.Options{
			Count:   25,
			Pending: 5,
			Spool:   haltingSpool{boltspool.New(spoolFile(at), spool.JSON[row](), nil), h},
		})}
		p.lane = link.Lane{Outlet: newAway(p.lane.Outlet), Retry: link.Retry{Tries: 1}}
		return p, err
	}
	s.read = func(ctx context.Context, at place, now *snapshot) error {
		return errors.Join(readFile(ctx, at, now), now.readSpool(ctx, at))
	}
	return s
}
