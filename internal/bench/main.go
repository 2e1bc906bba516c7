// Command bench measures the core and its connectors against hand-written Go of the
// same shape, in one process and round by round, and prints one line a figure:
//
//	NAME ratio R goal G
//
// More is better. A ratio is the median over the rounds, of which each runs both
// sides, in turn first. The command fails if a ratio is below 0.8 of its goal, if
// an allocation figure (limit / measured) is below its goal, or if an outlet has
// not counted exactly the records that it had to get.
//
//	W1           one int record a transfer, back to back; by hand: no copy, a metadata map a record
//	W2-map       100,000 maps, half filtered, batches of 1000, two outlets that may change what they
//	             get; by hand: a deep copy for each outlet
//	W2-readonly  the same with two read-only outlets, against the same deep copies
//	W2-struct    the same with structs; by hand: a slice of structs, cloned for each outlet
//	W3           10,000 links at 1 s on the ticker planner, in processes of their own; by hand: a heap
//	             and one goroutine a transfer. 5 rounds of 6 s a side
//	W4-csv       JSON arrays of 100 objects from a local HTTP server into a CSV file, back to back; by
//	             hand: one connection, one open file, a flush a push
//	W4-jsonl     the same into a file of JSON lines
//	W4-mongo     the same into MongoDB, whose server only counts
//	W5           a buffer of 10,000 maps, pulls of 100, a read-only outlet; by hand: a deep copy
//	W6           50 inlets of 20 ms in one link; the ideal is 20 ms a transfer
//	commit       a cursor committed to memory with every transfer of 100 structs; by hand: the same link
//	             without a cursor
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"time"
)

// tolerance is the part of a goal below which a ratio fails.
const tolerance = 0.8

// amount is how much to measure.
type amount struct {
	rounds      int
	childRounds int // of the workload in child processes
	ticks       int // seconds that a child runs
}

// result is one line of output.
type result struct {
	name   string
	ratio  float64
	goal   float64
	strict bool // no tolerance
	detail string
}

func (r result) String() string {
	return fmt.Sprintf("%s ratio %.2f goal %.2f", r.name, r.ratio, r.goal)
}

func (r result) failed() bool {
	if r.strict {
		return r.ratio < r.goal
	}
	return r.ratio < tolerance*r.goal
}

type workload struct {
	name string
	run  func(amount) ([]result, error)
}

// core are the workloads of packages that need the standard library only. Those of
// connectors are in nodes.
var core = []workload{
	{"W1", runW1},
	{"W2-map", runW2Map},
	{"W2-readonly", runW2ReadOnly},
	{"W2-struct", runW2Struct},
	{"W3", runW3},
	{"W5", runW5},
	{"W6", runW6},
	{"commit", runCommit},
}

func main() {
	run := flag.String("run", "", "run the workloads whose name matches this `regexp`")
	quick := flag.Bool("quick", false, "few rounds, and a low ratio is no failure")
	verbose := flag.Bool("v", false, "print what the ratios are made of, to the standard error")
	child := flag.String("child", "", "be a child process of W3 on this `side`, ours or hand")
	profile := flag.String("profile", "", "write a CPU profile of the child process to this `file`")
	ticks := flag.Int("ticks", 6, "seconds that a child process of W3 runs")
	flag.Parse()

	o := amount{rounds: 15, childRounds: 5, ticks: *ticks}
	if *quick {
		o = amount{rounds: 3, childRounds: 1, ticks: 2}
	}
	var err error
	if *child != "" {
		err = runChild(*child, *ticks, *profile)
	} else {
		err = benchmark(*run, o, *quick, *verbose)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func benchmark(run string, o amount, quick, verbose bool) error {
	selected, err := regexp.Compile(run)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	var errs []error
	for _, w := range slices.Concat(core, nodes) {
		if !selected.MatchString(w.name) {
			continue
		}
		began := time.Now()
		results, err := w.run(o)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", w.name, err))
			continue
		}
		for _, r := range results {
			fmt.Println(r)
			if verbose {
				fmt.Fprintf(os.Stderr, "\t%s\n", r.detail)
			}
			if r.failed() && !quick {
				errs = append(errs, fmt.Errorf("%v: too low: %s", r, r.detail))
			}
		}
		if verbose {
			fmt.Fprintf(os.Stderr, "\t%s took %.1f s\n", w.name, time.Since(began).Seconds())
		}
	}
	return errors.Join(errs...)
}
