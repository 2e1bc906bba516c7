package main

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
	"github.com/databay-go/databay/state"
)

// pipeline is what a scenario moves rows with.
type pipeline struct {
	inlet      inlet.Inlet
	processors []record.Processor
	lane       link.Lane
	store      state.Store
	idle       int // empty pulls in a row that mean that there is nothing left
	close      func() error
}

// move is the child process c.
func (s scenario) move(ctx context.Context, c child, out io.Writer) error {
	h := &halt{step: c.step, pass: c.pass, out: out}
	h.say("running")
	p, err := s.open(ctx, c.at, c.until, h)
	if err != nil {
		return err
	}
	return errors.Join(p.run(ctx, h), p.close())
}

// run moves rows until there are no more.
func (p pipeline) run(ctx context.Context, h *halt) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	p.lane.Outlet = haltingOutlet{p.lane.Outlet, h, beforePush, pushed}
	if p.lane.DeadLetter != nil {
		p.lane.DeadLetter = haltingOutlet{p.lane.DeadLetter, h, beforeLetter, letter}
	}
	var l *link.Link
	in := &haltingInlet{Inlet: p.inlet, h: h, idle: p.idle, busy: func() bool {
		a := l.Account().Lanes[0]
		return a.Pending+a.Spooled > 0
	}, dry: func() {
		h.say("dry")
		stop()
	}}
	config := link.Config{
		Name:       "rows",
		Inlets:     []inlet.Inlet{in},
		Processors: p.processors,
		Lanes:      []link.Lane{p.lane},
		State:      p.store,
		Schedule:   schedule.Every(time.Millisecond),
		OnError:    goOn(h),
	}
	if _, ok := inlet.As[inlet.Committer](p.inlet); ok {
		config.Inlets[0] = haltingBroker{in}
	}
	if _, ok := p.store.(haltingSQL); !ok {
		config.State = haltingStore{p.store, h}
	}
	l, err := link.New(config)
	if err != nil {
		return err
	}
	if err := planner.Run(ctx, l); err != nil {
		return err
	}
	return errors.Join(l.Account().Balance(), h.check())
}

// goOn returns a handler that goes on after failures, the first of each kind of which
// it tells the parent process. To be fenced by another writer is final: there is none.
func goOn(h *halt) func(context.Context, *link.Error) error {
	var told sync.Map
	return func(_ context.Context, err *link.Error) error {
		if errors.Is(err, errPlanned) {
			return nil
		}
		if _, ok := told.LoadOrStore(err.Op, true); !ok {
			h.say("failure %q", err.Error())
		}
		if errors.Is(err, link.ErrFenced) {
			return err
		}
		return nil
	}
}
