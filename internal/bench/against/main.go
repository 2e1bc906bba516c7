// Command against compares the core of this work tree with that of another commit:
// it builds the benchmarks of both, runs them in turn, each side first in every other
// round, and prints one line a figure:
//
//	NAME ratio R goal G
//
// R is this work tree's figure divided by the other's, the median over the rounds;
// more is better. A figure is itself a ratio to hand-written code of the same run, so
// that a machine that is slower for a while changes little. The command fails if a
// ratio is below its goal, or if there are more allocations.
//
//	go run ./internal/bench/against -ref v1.0.0
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func main() {
	ref := flag.String("ref", "", "the `commit` to compare with")
	rounds := flag.Int("rounds", 15, "how often each side runs")
	run := flag.String("run", "^(W1|W2.*|W5)$", "the workloads whose name matches this `regexp`")
	goal := flag.Float64("goal", 0.95, "the lowest ratio of times")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := compare(ctx, *ref, *rounds, *run, *goal)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "against:", err)
		os.Exit(1)
	}
}

// figures are the ratios that one run of the benchmarks printed, by name.
type figures map[string]float64

func compare(ctx context.Context, ref string, rounds int, run string, goal float64) (err error) {
	if ref == "" || rounds < 1 {
		return fmt.Errorf("-ref %q -rounds %d: want a commit, and at least one round", ref, rounds)
	}
	folder, err := os.MkdirTemp("", "against")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	tree := filepath.Join(folder, "tree")
	if _, err := output(ctx, "", "git", "worktree", "add", "--detach", tree, ref); err != nil {
		return err
	}
	defer func() {
		_, e := output(context.WithoutCancel(ctx), "", "git", "worktree", "remove", "--force", tree)
		err = errors.Join(err, e)
	}()
	programs := [2]string{filepath.Join(folder, "this"), filepath.Join(folder, "other")}
	for i, dir := range []string{"", tree} {
		if _, err := output(ctx, dir, "go", "build", "-o", programs[i], "./internal/bench"); err != nil {
			return err
		}
	}
	ratios := map[string][]float64{}
	for round := range rounds {
		var got [2]figures
		for i := range programs {
			side := (i + round) % 2
			out, err := output(ctx, "", programs[side], "-quick", "-run", run)
			if err != nil {
				return err
			}
			if got[side], err = parse(out); err != nil {
				return err
			}
		}
		for name, figure := range got[0] {
			if other, ok := got[1][name]; ok {
				ratios[name] = append(ratios[name], figure/other)
			}
		}
	}
	return report(ratios, goal)
}

func report(ratios map[string][]float64, goal float64) error {
	if len(ratios) == 0 {
		return errors.New("the two commits have no workload in common")
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(ratios)) {
		want := goal
		if strings.HasSuffix(name, "-allocs") {
			want = 1
		}
		r := ratios[name]
		slices.Sort(r)
		median := r[len(r)/2]
		line := fmt.Sprintf("%s ratio %.2f goal %.2f", name, median, want)
		fmt.Println(line)
		if median < want-0.005 { // what is printed decides
			errs = append(errs, errors.New(line+": too low"))
		}
	}
	return errors.Join(errs...)
}

// parse reads lines of the form NAME ratio R goal G.
func parse(out []byte) (figures, error) {
	found := figures{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) != 5 || f[1] != "ratio" {
			return nil, fmt.Errorf("unexpected output %q", lines.Text())
		}
		r, err := strconv.ParseFloat(f[2], 64)
		if err != nil || r <= 0 {
			return nil, fmt.Errorf("unexpected ratio in %q", lines.Text())
		}
		found[f[0]] = r
	}
	return found, nil
}

func output(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", cmd, err, &stderr)
	}
	return stdout.Bytes(), nil
}
