package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// child is one run of the child process.
type child struct {
	scenario string
	at       place
	until    int64

	step  string        // where it is killed, or
	pass  int           // at which pass of the step
	after time.Duration // how long after it began; 0 and no step: it is not killed

	fault *fault
	begin time.Duration // when the fault begins, after the child began
	long  time.Duration // how long it lasts
}

func (c child) String() string {
	text := "no kill"
	switch {
	case c.step != "":
		text = fmt.Sprintf("kill at pass %d of %q", c.pass, c.step)
	case c.after != 0:
		text = fmt.Sprintf("kill after %v", c.after)
	}
	switch {
	case c.fault == nil:
	case c.fault.before:
		text += ", fault before"
	default:
		text += fmt.Sprintf(", fault after %v for %v", c.begin, c.long)
	}
	return text
}

// ending is how a child process has ended.
type ending struct {
	killed       bool
	failed       string        // what it said when it failed
	failure      string        // what it said about the first failures after which it went on
	faulty       bool          // there was a fault
	acknowledged int64         // the last revision of the store that the store has acknowledged
	took         time.Duration // how long it moved rows, until the last one
}

func (e ending) String() string {
	text := "it ended"
	switch {
	case e.killed:
		text = "it was killed"
	case e.failed != "":
		text = "it failed: " + e.failed
	}
	if e.failure != "" {
		text += ", it went on after" + e.failure
	}
	return fmt.Sprintf("%s (%v)", text, e.took)
}

func (f *faults) add(e ending) {
	if !e.faulty {
		return
	}
	f.made++
	if e.failure+e.failed != "" {
		f.felt++
	}
	if e.failed != "" {
		f.ended++
	}
}

// run starts the child process, kills it if that is to be, and waits for its end and
// that of the fault.
func (c child) run(ctx context.Context) (e ending, err error) {
	program := c.at.program
	if program == nil {
		self, err := os.Executable()
		if err != nil {
			return e, err
		}
		program = []string{self}
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	args := slices.Concat(program[1:], []string{"-child", c.scenario, "-folder", c.at.folder, "-server", c.at.server,
		"-until", strconv.FormatInt(c.until, 10), "-step", c.step, "-pass", strconv.Itoa(c.pass)})
	cmd := exec.CommandContext(ctx, program[0], args...)
	cmd.Dir = c.at.folder
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return e, err
	}
	if c.fault != nil && c.fault.before {
		e.faulty = true
		if err := c.fault.begin(); err != nil {
			return e, fmt.Errorf("the fault: %w", err)
		}
	}
	if err := cmd.Start(); err != nil {
		return e, err
	}
	var killed atomic.Bool
	kill := func() {
		killed.Store(true)
		_ = cmd.Process.Kill() // it fails when the process has ended by itself, and that is seen
	}
	var faulty chan error       // of the fault, if it is to happen
	over := make(chan struct{}) // closed when the process has ended
	var began time.Time
	dry := false
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "running":
			began = time.Now()
			if c.step == "" && c.after != 0 {
				defer time.AfterFunc(c.after, kill).Stop()
			}
			if c.fault != nil && !c.fault.before {
				faulty = make(chan error, 1)
				go func() { faulty <- c.fault.happen(c.begin, c.long, over, &e.faulty) }()
			}
		case "halted":
			kill()
		case "dry":
			dry = true // what is held is still to come
			if e.took == 0 {
				e.took = time.Since(began)
			}
		case "acknowledged":
			if e.acknowledged, err = strconv.ParseInt(rest, 10, 64); err != nil {
				return e, err
			}
			if !dry {
				e.took = time.Since(began)
			}
		case "failure":
			e.failure += " " + rest
		}
	}
	ended := cmd.Wait()
	close(over)
	switch {
	case faulty != nil:
		err = <-faulty
	case e.faulty:
		err = c.fault.end()
	}
	switch {
	case err != nil:
		return e, fmt.Errorf("the fault: %w", err)
	case ctx.Err() != nil:
		return e, fmt.Errorf("the child process hangs: %w\n%s", context.Cause(ctx), &stderr)
	case killed.Load() && cmd.ProcessState.ExitCode() == -1:
		e.killed = true
	case ended != nil:
		e.failed = fmt.Sprintf("%v: %s", ended, bytes.TrimSpace(stderr.Bytes()))
	}
	return e, nil
}

// happen makes the fault, unless the process is over before, and ends it.
func (f *fault) happen(after, long time.Duration, over <-chan struct{}, happened *bool) error {
	select {
	case <-over:
		return nil
	case <-time.After(after):
	}
	*happened = true
	if err := f.begin(); err != nil {
		return err
	}
	time.Sleep(long)
	return f.end()
}
