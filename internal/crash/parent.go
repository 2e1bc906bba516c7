package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// rowsPerKill is how many rows there are to move until the next kill.
const rowsPerKill = 400

// snapshot is what survives at one moment.
type snapshot struct {
	rows      map[int64]int // how often each row is in the target
	committed int64         // up to here the store says that rows are delivered
}

// kill runs the scenario's child process, kills it n times, lets it finish, and
// reports what is then in the target.
func (s scenario) kill(ctx context.Context, n int, seed uint64, verbose bool) (t tally, err error) {
	folder, err := os.MkdirTemp("", "crash-"+s.name)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	random := rand.New(rand.NewPCG(seed, uint64(n))) //nolint:gosec // moments, no secrets
	check := checker{idempotent: s.idempotent, counts: map[int64]int{}}
	steps := 0
	for until := int64(rowsPerKill); t.kills < n; until += rowsPerKill {
		c := child{scenario: s.name, folder: folder, until: until}
		if random.IntN(2) == 0 {
			c.after = time.Duration(random.Int64N(int64(60 * time.Millisecond)))
		} else {
			c.step, c.at = s.steps[steps%len(s.steps)], 1+random.IntN(12)
			steps++
		}
		killed, err := c.run(ctx)
		if err != nil {
			return t, err
		}
		if killed {
			t.kills++
		}
		now, err := s.read(ctx, folder)
		if err != nil {
			return t, fmt.Errorf("after %v: %w", c, err)
		}
		if verbose {
			fmt.Printf("%s: %v: killed %t, committed %d, %d rows in the target\n", s.name, c, killed, now.committed, len(now.rows))
		}
		if err := check.add(now); err != nil {
			return t, fmt.Errorf("after %v: %w", c, err)
		}
		if !killed && t.kills < n {
			continue // it was through before its moment came
		}
		if t.kills == n {
			return s.finish(ctx, folder, until, check, t)
		}
	}
	return t, nil
}

// finish lets the child process move what is left, and counts.
func (s scenario) finish(ctx context.Context, folder string, until int64, check checker, t tally) (tally, error) {
	c := child{scenario: s.name, folder: folder, until: until}
	if killed, err := c.run(ctx); err != nil || killed {
		return t, errors.Join(err, fmt.Errorf("the last run did not end by itself (killed: %t)", killed))
	}
	now, err := s.read(ctx, folder)
	if err != nil {
		return t, err
	}
	if err := check.add(now); err != nil {
		return t, err
	}
	for row := int64(1); row <= until; row++ {
		if now.rows[row] == 0 {
			t.missing++
		}
	}
	t.outside, t.idempotent = check.outside, check.twice(now)
	if now.committed != until {
		return t, fmt.Errorf("%d rows are committed at the end, want %d", now.committed, until)
	}
	return t, nil
}

// checker follows what survives from kill to kill.
type checker struct {
	idempotent bool
	committed  int64
	counts     map[int64]int // of committed rows, when they were first seen committed
	outside    int
}

// add takes the next snapshot. It is an error if the store goes back, or is ahead of
// the target.
func (c *checker) add(now snapshot) error {
	if now.committed < c.committed {
		return fmt.Errorf("the store went back from row %d to row %d", c.committed, now.committed)
	}
	for row := int64(1); row <= c.committed; row++ {
		if now.rows[row] > c.counts[row] {
			c.outside += now.rows[row] - c.counts[row]
		}
		c.counts[row] = now.rows[row]
	}
	for row := c.committed + 1; row <= now.committed; row++ {
		if now.rows[row] == 0 {
			return fmt.Errorf("the store says that row %d is delivered, and it is not in the target", row)
		}
		c.counts[row] = now.rows[row]
	}
	c.committed = now.committed
	return nil
}

// twice returns how many rows are more than once in a target that takes each once.
func (c *checker) twice(now snapshot) (n int) {
	if !c.idempotent {
		return 0
	}
	for _, count := range now.rows {
		n += count - 1
	}
	return n
}

// child is one run of the child process.
type child struct {
	scenario, folder string
	until            int64
	step             string // "": it is killed after a time, or never
	at               int
	after            time.Duration // since it began to move rows; 0 and no step: never
}

func (c child) String() string {
	switch {
	case c.step != "":
		return fmt.Sprintf("pass %d of step %q", c.at, c.step)
	case c.after != 0:
		return fmt.Sprintf("%v", c.after)
	default:
		return "no kill"
	}
}

// run starts the child process and reports whether it was killed, rather than ended
// when it had moved all rows.
func (c child) run(ctx context.Context) (killed bool, err error) {
	self, err := os.Executable()
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-child", c.scenario, "-folder", c.folder,
		"-until", strconv.FormatInt(c.until, 10), "-step", c.step, "-at", strconv.Itoa(c.at))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return false, err
	}
	if err := cmd.Start(); err != nil {
		return false, err
	}
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		switch {
		case lines.Text() == "running" && c.step == "" && c.after != 0:
			time.Sleep(c.after) // the moment is to be random
			killed = cmd.Process.Kill() == nil
		case lines.Text() == "halted":
			killed = cmd.Process.Kill() == nil
		}
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		return false, fmt.Errorf("the child process hangs: %w\n%s", context.Cause(ctx), &stderr)
	}
	if killed && cmd.ProcessState.ExitCode() == -1 {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("the child process failed: %w\n%s", err, &stderr)
	}
	return false, nil
}
