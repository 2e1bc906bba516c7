package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
	"github.com/databay-go/databay/state"
)

// The steps of a transfer at which a child process may be told to wait for its end.
const (
	beforePull   = "before pull"
	pulled       = "pulled"
	beforePush   = "before push"
	pushed       = "pushed"
	beforePut    = "before put"
	put          = "put"
	beforeCommit = "before commit" // of a broker
	committed    = "committed"
)

// halt makes the process wait to be killed at a pass of a step.
type halt struct {
	step string
	at   int

	mu    sync.Mutex
	count int
}

func (h *halt) pass(step string) {
	if step != h.step {
		return
	}
	h.mu.Lock()
	h.count++
	now := h.count == h.at
	h.mu.Unlock()
	if now {
		fmt.Println("halted")
		select {} // whoever reads the line kills the process
	}
}

// pipeline is what a scenario moves rows with.
type pipeline struct {
	inlet      inlet.Inlet
	processors []record.Processor
	outlet     outlet.Outlet
	store      state.Store
	idle       int // empty pulls in a row that mean that there is nothing left
	close      func() error
}

func runChild(ctx context.Context, name, folder string, until int64, h *halt) error {
	for _, s := range scenarios {
		if s.name != name {
			continue
		}
		p, err := s.open(ctx, folder, until)
		if err != nil {
			return err
		}
		return errors.Join(p.run(ctx, h), p.close())
	}
	return fmt.Errorf("-child %q: there is no such scenario", name)
}

// run moves rows until there are no more.
func (p pipeline) run(ctx context.Context, h *halt) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	in := &haltingInlet{Inlet: p.inlet, h: h, idle: p.idle, dry: stop}
	config := link.Config{
		Name:       "rows",
		Inlets:     []inlet.Inlet{in},
		Processors: p.processors,
		Outlets:    []outlet.Outlet{haltingOutlet{p.outlet, h}},
		State:      haltingStore{p.store, h},
		Schedule:   schedule.Every(time.Millisecond),
	}
	if _, ok := inlet.As[inlet.Committer](p.inlet); ok {
		config.Inlets[0] = haltingBroker{in}
	}
	if a, ok := p.outlet.(outlet.Atomic); ok {
		config.State = p.store // what the outlet compares with
		config.Outlets[0] = haltingAtomic{haltingOutlet{p.outlet, h}, a}
	}
	l, err := link.New(config)
	if err != nil {
		return err
	}
	fmt.Println("running")
	if err := planner.Run(ctx, l); err != nil {
		return err
	}
	return l.Account().Balance()
}

type haltingInlet struct {
	inlet.Inlet
	h     *halt
	idle  int
	dry   func() // called when there is nothing left
	empty int    // pulls in a row
}

func (in *haltingInlet) Unwrap() inlet.Inlet { return in.Inlet }

func (in *haltingInlet) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	in.h.pass(beforePull)
	records, err := in.Inlet.Pull(ctx, u)
	in.h.pass(pulled)
	if in.empty++; len(records) > 0 || err != nil {
		in.empty = 0
	}
	if in.empty == in.idle {
		in.dry()
	}
	return records, err
}

// haltingBroker is a haltingInlet of an inlet that wants to know what is delivered.
type haltingBroker struct{ *haltingInlet }

func (in haltingBroker) Commit(ctx context.Context, position []byte) error {
	in.h.pass(beforeCommit)
	c, _ := inlet.As[inlet.Committer](in.Inlet)
	err := c.Commit(ctx, position)
	in.h.pass(committed)
	return err
}

type haltingOutlet struct {
	outlet.Outlet
	h *halt
}

func (o haltingOutlet) Unwrap() outlet.Outlet { return o.Outlet }

func (o haltingOutlet) ReadOnly() bool {
	r, ok := o.Outlet.(outlet.Reader)
	return ok && r.ReadOnly()
}

func (o haltingOutlet) Push(ctx context.Context, records []record.Record, u record.Update) error {
	o.h.pass(beforePush)
	err := o.Outlet.Push(ctx, records, u)
	o.h.pass(pushed)
	return err
}

// haltingAtomic is a haltingOutlet of an outlet that writes the link's commit.
type haltingAtomic struct {
	haltingOutlet
	outlet.Atomic
}

type haltingStore struct {
	state.Store
	h *halt
}

func (s haltingStore) Put(ctx context.Context, key string, value []byte, rev int64) (int64, error) {
	s.h.pass(beforePut)
	rev, err := s.Store.Put(ctx, key, value, rev)
	s.h.pass(put)
	return rev, err
}
