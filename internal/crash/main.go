// Command crash kills a program that moves numbered rows, again and again, and then
// reads the target: no row may be missing, and none may be there twice but those that
// a kill left uncommitted.
//
//	go run ./internal/crash -kills 300
//
// Every kill is a SIGKILL of a real child process, half of them at a random moment,
// half of them at one of the named steps of a transfer, which are taken in turn. What
// survives is on disk or in a server: the source, the target and the store. Some
// scenarios have a fault besides: the disk is full, the store cannot be written, or the
// server is killed and started again while rows are moved. A child process lives
// through the fault or ends because of it, with an error that says what it is.
//
// After each run the target and the store are read. A row that the store says is
// delivered must be in the target, or kept for it in a spool, and each run may write a
// row once that was not delivered before, and none that was. The last line is the sum over the scenarios:
//
//	kills N missing 0 duplicates-outside-window 0 duplicates-idempotent 0
//
// The command fails if one of the last three is not 0. A scenario whose server is not
// installed, or for which a file system would have to be mounted and may not, is passed
// over with a line that says so; with CI=true a missing server is a failure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"regexp"
)

func main() {
	if os.Getenv("CI") != "true" { // servers are asked for, where they are installed
		_ = os.Setenv("DATABAY_INTEGRATION", "1") // of a constant it cannot fail
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], scenarios(), os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
		os.Exit(1)
	}
}

// run is the program, of the parent and of its children, for the scenarios given.
func run(ctx context.Context, args []string, all []scenario, out io.Writer) error {
	flags := flag.NewFlagSet("crash", flag.ContinueOnError)
	kills := flags.Int("kills", 300, "how often a child process is killed, over all scenarios")
	only := flags.String("run", "", "run the scenarios whose name matches this `regexp`")
	verbose := flags.Bool("v", false, "print a line a run of a child process")
	seed := flags.Uint64("seed", 0, "of the random moments; 0 takes another one each time")
	c := child{}
	flags.StringVar(&c.scenario, "child", "", "be the child process of this `scenario`")
	flags.StringVar(&c.at.folder, "folder", "", "where the child process keeps what survives")
	flags.StringVar(&c.at.server, "server", "", "the address of the child's server")
	flags.Int64Var(&c.until, "until", 0, "the last row that the child process moves")
	flags.StringVar(&c.step, "step", "", "the `step` at which the child process waits to be killed")
	flags.IntVar(&c.pass, "pass", 1, "at which pass of the step")
	if err := flags.Parse(args); err != nil {
		return err
	}
	selected, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	var chosen []scenario
	for _, s := range all {
		switch {
		case s.name == c.scenario:
			return s.move(ctx, c, out)
		case selected.MatchString(s.name):
			chosen = append(chosen, s)
		}
	}
	if c.scenario != "" || len(chosen) == 0 || *kills < len(chosen) {
		return fmt.Errorf("-child %q, -run %q, -kills %d: want the name of a scenario, or one that matches, and at least one kill for each of %d", c.scenario, *only, *kills, len(chosen))
	}
	return killAll(ctx, chosen, *kills, *seed, *verbose, out)
}

// killAll runs the scenarios and prints a line for each and one for all.
func killAll(ctx context.Context, chosen []scenario, kills int, seed uint64, verbose bool, out io.Writer) error {
	if seed == 0 {
		seed = rand.Uint64()
	}
	printf(out, "seed %d", seed)
	var sum tally
	var errs []error
	weight := 0
	for _, s := range chosen {
		weight += s.weight
	}
	for i, s := range chosen {
		left := len(chosen) - i - 1 // of which each is to have a kill
		n := min(max(1, (kills-sum.kills)*s.weight/weight), kills-sum.kills-left)
		weight -= s.weight
		t, err := s.kill(ctx, n, seed, verbose, out)
		if _, ok := errors.AsType[skipped](err); ok {
			printf(out, "%s: SKIPPED, it is NOT tested: %v", s.name, err)
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
		}
		printf(out, "%s: %v%s", s.name, t, t.faults)
		sum = sum.plus(t)
	}
	printf(out, "%v", sum)
	if sum.missing+sum.outside+sum.idempotent > 0 {
		errs = append(errs, errors.New("rows are missing, or there too often"))
	}
	return errors.Join(errs...)
}

// printf prints a line. Where nobody reads it, nobody is to be told of that either.
func printf(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, format+"\n", args...)
}

// skipped says why a scenario cannot be run here.
type skipped struct{ error }

// tally is what the kills have cost.
type tally struct {
	kills      int
	missing    int // rows that are not in the target
	outside    int // rows written again after they were committed, or twice by one run
	idempotent int // rows that are twice in a target that takes each once
	faults     faults
}

func (t tally) plus(o tally) tally {
	return tally{t.kills + o.kills, t.missing + o.missing, t.outside + o.outside, t.idempotent + o.idempotent, faults{}}
}

func (t tally) String() string {
	return fmt.Sprintf("kills %d missing %d duplicates-outside-window %d duplicates-idempotent %d", t.kills, t.missing, t.outside, t.idempotent)
}

// faults counts what has happened besides kills.
type faults struct {
	made  int // how often there was a fault
	felt  int // after how many of them the child process has told of an error
	ended int // how many child processes have ended because of one
}

func (f faults) String() string {
	if f.made == 0 {
		return ""
	}
	return fmt.Sprintf(" (faults %d, felt by %d child processes, which ended %d)", f.made, f.felt, f.ended)
}
