package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/databay-go/databay/internal/testserver"
)

// rowsPerRun is how many rows there are to move for each child process. They are
// enough for a dozen passes of every step.
const rowsPerRun = 400

// hunt is the killing of the child processes of a scenario.
type hunt struct {
	scenario
	at     place
	random *rand.Rand
	check  *checker
	tally  tally
	took   time.Duration // how long a run moved rows that was let alone, the last one
	turn   int           // of moments and steps
	log    func(format string, args ...any)
}

// kill runs the scenario's child process until it was killed n times, lets it finish,
// and reports what is then in the target.
func (s scenario) kill(ctx context.Context, n int, seed uint64, verbose bool, out io.Writer) (t tally, err error) {
	folder, err := os.MkdirTemp("", "crash-"+s.name)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	p := testserver.NewProgram(ctx)
	defer func() { err = errors.Join(err, p.Close()) }()
	h := &hunt{scenario: s, at: place{folder: folder}, check: newChecker(), log: func(string, ...any) {}}
	name := fnv.New64()
	_, _ = io.WriteString(name, s.name)                  // it cannot fail
	h.random = rand.New(rand.NewPCG(seed, name.Sum64())) //nolint:gosec // moments, no secrets
	h.turn = 2 * h.random.IntN(len(s.steps))             // any step may be the first
	if verbose {
		h.log = func(format string, args ...any) { printf(out, s.name+": "+format, args...) }
	}
	if s.prepare != nil {
		if err := s.prepare(ctx, p, &h.at); err != nil {
			return t, err
		}
	}
	err = h.hunt(ctx, n)
	h.tally.missing, h.tally.outside = len(h.check.lost), h.check.outside
	return h.tally, err
}

func (h *hunt) hunt(ctx context.Context, n int) error {
	if err := h.more(ctx); err != nil {
		return err
	}
	if err := h.whole(ctx); err != nil {
		return fmt.Errorf("before the first kill: %w", err)
	}
	for h.tally.kills < n {
		if err := h.more(ctx); err != nil {
			return err
		}
		if err := h.one(ctx); err != nil {
			return err
		}
	}
	for i := 0; i == 0 || h.check.open() > 0 && i < 10; i++ { // what a stop abandons comes again
		if err := h.whole(ctx); err != nil {
			return fmt.Errorf("after the last kill: %w", err)
		}
	}
	h.check.finish()
	if h.idempotent {
		h.tally.idempotent = h.check.twice()
	}
	if n := h.check.open(); n > 0 {
		return fmt.Errorf("%d rows are not committed at the end", n)
	}
	return nil
}

// whole runs a child process to its end and measures the time that takes.
func (h *hunt) whole(ctx context.Context) error {
	e, err := h.run(ctx, child{})
	if err == nil && e != (ending{acknowledged: e.acknowledged, took: e.took}) {
		err = fmt.Errorf("the child process did not simply end: %v", e)
	}
	return err
}

// one runs a child process that is killed, meets a fault, or both.
func (h *hunt) one(ctx context.Context) error {
	var c child
	fault := h.at.fault
	first := h.tally.faults.felt == 0 // there is one at least
	switch {
	case fault == nil || !first && (h.random.IntN(3) == 0 || fault.before && h.random.IntN(2) == 0): // a kill only
		fault = nil
		if h.turn++; h.turn%2 == 0 {
			c.after = h.moment(h.took)
			break
		}
		c.step, c.pass = h.steps[h.turn/2%len(h.steps)], 1+h.random.IntN(12)
		switch c.step {
		case writing: // of rows there are more than of pushes
			c.pass *= 10
		case beforeAppend, appended, beforeRemove, removed: // many rows at once
			c.pass = (c.pass + 3) / 4
		}
	case fault.before:
		c.fault = fault
	default:
		c.fault, c.begin, c.long = fault, h.moment(h.took*3/4), h.moment(300*time.Millisecond)
		if !first && h.random.IntN(2) == 0 {
			c.after = h.moment(h.took + c.long)
		}
	}
	e, err := h.run(ctx, c)
	switch {
	case err != nil:
		return err
	case h.tally.faults.made > 30 && h.tally.faults.felt == 0:
		return errors.New("no child process feels the fault")
	case fault == nil && (e.failure != "" || e.failed != ""):
		return fmt.Errorf("%v: the child process failed without a reason: %v", c, e)
	case fault != nil && !fault.says.MatchString(e.failure+e.failed) && e.failure+e.failed != "":
		return fmt.Errorf("%v: the error of the child process does not tell why: %v", c, e)
	case fault != nil && fault.before && e.failed == "":
		return fmt.Errorf("%v: the child process did not fail", c)
	}
	return nil
}

func (h *hunt) moment(within time.Duration) time.Duration {
	return 1 + time.Duration(h.random.Int64N(int64(within)+1))
}

// more grows the source, so that there are rows for a child process.
func (h *hunt) more(ctx context.Context) error {
	from, more := h.check.until+1, rowsPerRun-h.check.open()
	if more <= 0 {
		return nil
	}
	h.check.grow(h.check.until + more)
	if h.grow == nil {
		return nil
	}
	if err := h.grow(ctx, h.at, from, h.check.until); err != nil {
		return fmt.Errorf("more rows: %w", err)
	}
	return nil
}

// run runs a child process and checks what there is then.
func (h *hunt) run(ctx context.Context, c child) (ending, error) {
	c.scenario, c.at, c.until = h.name, h.at, h.check.until
	e, err := c.run(ctx)
	if err != nil {
		return e, fmt.Errorf("%v: %w", c, err)
	}
	if e.killed {
		h.tally.kills++
	}
	if e.took > 0 && !e.faulty {
		h.took = e.took
	}
	h.tally.faults.add(e)
	now := snapshot{rows: map[int64]int{}, spooled: map[int64]int{}, committed: func(int64) bool { return false }}
	if err = h.read(ctx, h.at, &now); err == nil {
		err = h.check.add(now, e.acknowledged)
	}
	h.log("%v: %v; then %d of %d rows in the target, %d not committed", c, e, len(now.rows), c.until, h.check.open())
	if err != nil {
		err = fmt.Errorf("after %v: %w", c, err)
	}
	return e, err
}
