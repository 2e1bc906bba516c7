// Command crash kills a program that moves numbered rows, again and again, and then
// reads the target: no row may be missing, and none may be there twice but those that
// a kill left uncommitted.
//
//	go run ./internal/crash -kills 300
//
// Every kill is a SIGKILL of a real child process, half of them at a random moment,
// half of them at one of the named steps of a transfer, which are taken in turn. What
// survives is on disk or in a server: the source, the target and the store. After each
// kill the target and the store are read; a row that the store says is delivered must
// be in the target, and must never be written to it again. The last line is the sum
// over the scenarios:
//
//	kills N missing 0 duplicates-outside-window 0 duplicates-idempotent 0
//
// The command fails if one of the last three is not 0. Scenarios that need a server
// are run where its address is given.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
)

func main() {
	kills := flag.Int("kills", 300, "how often a child process is killed, over all scenarios")
	run := flag.String("run", "", "run the scenarios whose name matches this `regexp`")
	verbose := flag.Bool("v", false, "print a line a kill")
	seed := flag.Uint64("seed", 1, "of the random moments")
	child := flag.String("child", "", "be the child process of this `scenario`")
	folder := flag.String("folder", "", "where the child process keeps what survives")
	until := flag.Int64("until", 0, "the last row that the child process moves")
	step := flag.String("step", "", "the `step` at which the child process waits to be killed")
	at := flag.Int("at", 1, "at which pass of the step")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var err error
	if *child != "" {
		err = runChild(ctx, *child, *folder, *until, &halt{step: *step, at: *at})
	} else {
		err = runParent(ctx, *run, *kills, *seed, *verbose)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
		os.Exit(1)
	}
}

func runParent(ctx context.Context, run string, kills int, seed uint64, verbose bool) error {
	selected, err := regexp.Compile(run)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	var chosen []scenario
	for _, s := range scenarios {
		if selected.MatchString(s.name) && s.ready() {
			chosen = append(chosen, s)
		}
	}
	if len(chosen) == 0 || kills < len(chosen) {
		return fmt.Errorf("-kills %d -run %q: want at least one kill for each of %d scenarios, and one scenario", kills, run, len(chosen))
	}
	var sum tally
	var errs []error
	for i, s := range chosen {
		n := kills*(i+1)/len(chosen) - kills*i/len(chosen)
		t, err := s.kill(ctx, n, seed+uint64(i), verbose)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
		}
		fmt.Printf("%s: %v\n", s.name, t)
		sum = sum.plus(t)
	}
	fmt.Println(sum)
	if sum.missing+sum.outside+sum.idempotent > 0 {
		errs = append(errs, errors.New("rows are missing, or there too often"))
	}
	return errors.Join(errs...)
}

// tally is what the kills have cost.
type tally struct {
	kills      int
	missing    int // rows that are not in the target
	outside    int // rows written again after they were committed
	idempotent int // rows that are twice in a target that takes each once
}

func (t tally) plus(o tally) tally {
	return tally{t.kills + o.kills, t.missing + o.missing, t.outside + o.outside, t.idempotent + o.idempotent}
}

func (t tally) String() string {
	return fmt.Sprintf("kills %d missing %d duplicates-outside-window %d duplicates-idempotent %d", t.kills, t.missing, t.outside, t.idempotent)
}
