package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"sync"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state"
	"github.com/databay-go/databay/state/sqlstate"
)

// The steps of a transfer at which a child process may be told to wait for its end.
const (
	beforePull   = "before pull"
	pulled       = "pulled"
	beforePush   = "before push"
	writing      = "writing" // inside a push, at one of the rows
	pushed       = "pushed"
	beforePut    = "before put" // in the transaction of a push, where rows and position share one
	put          = "put"
	beforeCommit = "before commit" // of a broker
	committed    = "committed"
	beforeLetter = "before dead letter"
	letter       = "dead letter"   // written, and the link does not know it
	beforeAppend = "before append" // to a spool
	appended     = "appended"
	beforeRemove = "before remove" // from a spool, of what is delivered
	removed      = "removed"
)

// halt makes the process wait to be killed at a pass of a step, and talks to the parent
// process.
type halt struct {
	step string
	pass int
	out  io.Writer

	mu    sync.Mutex
	count int
}

// reach is called whenever a step is reached.
func (h *halt) reach(step string) {
	if step != h.step {
		return
	}
	h.mu.Lock()
	h.count++
	now := h.count == h.pass
	h.mu.Unlock()
	if now {
		h.say("halted")
		select {} // whoever reads the line kills the process
	}
}

// check returns an error if there is a step that was never reached, now that all rows
// are moved.
func (h *halt) check() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.step != "" && h.count == 0 {
		return fmt.Errorf("step %q was never reached", h.step)
	}
	return nil
}

// say tells the parent process something, in a line.
func (h *halt) say(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	printf(h.out, format, args...)
}

// haltingInlet also finds out when there is nothing left.
type haltingInlet struct {
	inlet.Inlet
	h     *halt
	idle  int         // empty pulls in a row that mean that there is nothing left
	busy  func() bool // whether something is pending
	dry   func()      // called when there is nothing left
	empty int         // pulls in a row
}

func (in *haltingInlet) Unwrap() inlet.Inlet { return in.Inlet }

func (in *haltingInlet) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	in.h.reach(beforePull)
	records, err := in.Inlet.Pull(ctx, u)
	in.h.reach(pulled)
	if in.empty++; len(records) > 0 || err != nil || in.busy() {
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
	in.h.reach(beforeCommit)
	c, _ := inlet.As[inlet.Committer](in.Inlet)
	err := c.Commit(ctx, position)
	in.h.reach(committed)
	return err
}

type haltingOutlet struct {
	outlet.Outlet
	h             *halt
	before, after string // the steps around a push
}

func (o haltingOutlet) Unwrap() outlet.Outlet { return o.Outlet }

func (o haltingOutlet) ReadOnly() bool {
	r, ok := o.Outlet.(outlet.Reader)
	return ok && r.ReadOnly()
}

func (o haltingOutlet) Push(ctx context.Context, records []record.Record, u record.Update) error {
	o.h.reach(o.before)
	err := o.Outlet.Push(ctx, records, u)
	o.h.reach(o.after)
	return err
}

// Store makes the claim of the outlet, if it is outlet.Atomic.
func (o haltingOutlet) Store() any {
	if a, ok := o.Outlet.(outlet.Atomic); ok {
		return a.Store()
	}
	return nil
}

// haltingStore also tells the parent process what the store has acknowledged.
type haltingStore struct {
	state.Store
	h *halt
}

func (s haltingStore) Put(ctx context.Context, key string, value []byte, rev int64) (int64, error) {
	s.h.reach(beforePut)
	rev, err := s.Store.Put(ctx, key, value, rev)
	if err == nil {
		s.h.say("acknowledged %d", rev)
	}
	s.h.reach(put)
	return rev, err
}

// haltingSQL is a haltingStore that writes in transactions of an outlet too.
type haltingSQL struct {
	haltingStore
	store *sqlstate.Store
}

func (s haltingSQL) DB() *sql.DB { return s.store.DB() }

func (s haltingSQL) PutTx(ctx context.Context, tx *sql.Tx, key string, value []byte, rev int64) (int64, error) {
	s.h.reach(beforePut)
	rev, err := s.store.PutTx(ctx, tx, key, value, rev)
	s.h.reach(put)
	return rev, err
}
