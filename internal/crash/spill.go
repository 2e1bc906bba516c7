package main

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
	"github.com/databay-go/databay/spool/boltspool"
)

// spillScenario moves numbers into a file that refuses everything for a while, now and
// then. What has to wait then overflows to a spool, where it counts as kept.
func spillScenario() scenario {
	s := fileScenario("cursor-file-and-spool", false)
	s.steps = append(s.steps, beforeAppend, appended, beforeRemove, removed)
	s.weight = 4
	open := s.open
	s.open = func(ctx context.Context, at place, until int64, h *halt) (pipeline, error) {
		p, err := open(ctx, at, until, h)
		p.lane = link.Lane{
			Outlet:  newAway(p.lane.Outlet),
			Retry:   link.Retry{Tries: 1},
			Pending: 30,
			OnFull:  link.Spill,
			Spool:   haltingSpool{boltspool.New(spoolFile(at), spool.JSON[row](), nil), h},
		}
		return p, err
	}
	s.read = func(ctx context.Context, at place, now *snapshot) error {
		return errors.Join(readFile(ctx, at, now), now.readSpool(ctx, at))
	}
	return s
}

func spoolFile(at place) string { return filepath.Join(at.folder, "rows.spool") }

// readSpool reads what is in the spool, which it does not make.
func (s *snapshot) readSpool(ctx context.Context, at place) (err error) {
	if _, err := os.Stat(spoolFile(at)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	b := boltspool.New(spoolFile(at), spool.JSON[row](), nil)
	if err := b.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Shutdown(ctx)) }()
	entries, err := b.Read(ctx, 0, math.MaxInt32)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Err != nil {
			return e.Err
		}
		s.spooled[e.Record.Payload.(row).N]++
	}
	return nil
}

// away is an outlet that refuses everything for some pushes, at first and then now and
// again.
type away struct {
	outlet.Outlet
	left int64 // pushes that are still refused
}

func newAway(o outlet.Outlet) *away { return &away{o, 20 + rand.Int64N(20)} } //nolint:gosec // no secrets

func (o *away) Unwrap() outlet.Outlet { return o.Outlet }

func (o *away) Push(ctx context.Context, records []record.Record, u record.Update) error {
	if o.left > 0 {
		o.left--
		return errPlanned
	}
	if rand.IntN(4) == 0 { //nolint:gosec // no secrets
		o.left = rand.Int64N(30) //nolint:gosec // no secrets
	}
	return o.Outlet.Push(ctx, records, u)
}

// haltingSpool is started and stopped as the one that it has.
type haltingSpool struct {
	*boltspool.Spool
	h *halt
}

func (s haltingSpool) Append(ctx context.Context, records []record.Record) error {
	s.h.reach(beforeAppend)
	err := s.Spool.Append(ctx, records)
	s.h.reach(appended)
	return err
}

func (s haltingSpool) Remove(ctx context.Context, seqs []int64) error {
	s.h.reach(beforeRemove)
	err := s.Spool.Remove(ctx, seqs)
	s.h.reach(removed)
	return err
}
