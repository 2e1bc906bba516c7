package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	links    = 10_000
	interval = time.Second
)

// scheduled is what a child process has measured.
type scheduled struct {
	Done float64       // transfers done of those due
	P50  time.Duration // lateness, from the due instant to the pull
	P99  time.Duration
	CPU  time.Duration // a transfer, once everything is started
	Peak int64         // most memory of the process, in bytes
}

func (s scheduled) String() string {
	return fmt.Sprintf("%.1f %% done, late by %v, at p99 %v, %v CPU a transfer, %.1f MiB",
		100*s.Done, s.P50, s.P99, s.CPU, float64(s.Peak)/(1<<20))
}

// runW3 measures many links on one planner, against a heap and a goroutine a
// transfer, each in processes of its own.
func runW3(o amount) (list []result, err error) {
	if cpuTime() == 0 {
		fmt.Fprintln(os.Stderr, "bench: W3 is skipped: CPU time and memory are measured on Linux only")
		return nil, nil
	}
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	program := filepath.Join(folder, "child")
	if out, err := exec.Command("go", "build", "-tags", "child", "-o", program, "./internal/bench").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("the child process cannot be built; want the root of the module as the folder: %w: %s", err, out)
	}
	var done, p99, cpu, rss []float64
	var details []string
	for round := range o.childRounds {
		var got [2]scheduled
		for i := range got {
			side := (i + round) % 2
			var err error
			if got[side], err = spawn(program, [2]string{"ours", "hand"}[side], o.ticks); err != nil {
				return nil, err
			}
		}
		ours, hand := got[0], got[1]
		done = append(done, ours.Done)
		p99 = append(p99, float64(hand.P99)/float64(ours.P99))
		cpu = append(cpu, float64(hand.CPU)/float64(ours.CPU))
		rss = append(rss, 40<<20/float64(ours.Peak))
		details = append(details, fmt.Sprintf("round %d: ours %v; by hand %v", round+1, ours, hand))
	}
	return []result{
		{name: "W3-done", ratio: median(done), goal: 1, detail: strings.Join(details, "\n\t")},
		{name: "W3-p99", ratio: median(p99), goal: 1, detail: "as above"},
		{name: "W3-cpu", ratio: median(cpu), goal: 1, detail: "as above"},
		{name: "W3-rss", ratio: median(rss), goal: 1, detail: "as above"},
	}, nil
}

// spawn runs a child process on one side.
func spawn(program, side string, ticks int) (scheduled, error) {
	var s scheduled
	cmd := exec.Command(program, "-child", side, "-ticks", strconv.Itoa(ticks))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &s)
	}
	if err != nil {
		return s, fmt.Errorf("child process %s: %w", side, err)
	}
	return s, nil
}

// runChild measures one side and writes a [scheduled] to the standard output.
func runChild(side string, ticks int, profile string) error {
	run, ok := map[string]func(*lateness) error{"ours": runPlanner, "hand": runHeap}[side]
	if !ok {
		return fmt.Errorf("-child: %q, want ours or hand", side)
	}
	log := newLateness(ticks, profile)
	if err := run(log); err != nil {
		return err
	}
	s, err := log.result()
	if err != nil {
		return err
	}
	s.Peak = peakRSS()
	return json.NewEncoder(os.Stdout).Encode(s)
}
