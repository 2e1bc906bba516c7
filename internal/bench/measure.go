package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"time"
)

// sample is what one side cost in one round.
type sample struct {
	wall    time.Duration
	cpu     time.Duration // of the process, user and system; 0 where it is not known
	mallocs float64
}

// measure runs f once on a heap that has just been collected.
func measure(f func() error) (sample, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cpu, began := cpuTime(), time.Now()
	err := f()
	wall, used := time.Since(began), cpuTime()-cpu
	runtime.ReadMemStats(&after)
	return sample{wall, used, float64(after.Mallocs - before.Mallocs)}, err
}

// comparison is the outcome of all rounds of two sides that do the same units of
// work.
type comparison struct {
	units    float64
	ratio    float64 // hand / ours in time, more is better
	cpuRatio float64
	ours     sample // medians
	hand     sample
}

// compare runs both sides once to warm them up, and then in every round, each in
// turn first.
func compare(o amount, units int, ours, hand func() error) (comparison, error) {
	var times, cpus []float64
	var samples [2][]sample
	sides := [2]func() error{ours, hand}
	for round := range o.rounds + 1 {
		var got [2]sample
		for i := range sides {
			side := (i + round) % 2
			var err error
			if got[side], err = measure(sides[side]); err != nil {
				return comparison{}, fmt.Errorf("%s: %w", [2]string{"ours", "by hand"}[side], err)
			}
		}
		if round == 0 {
			continue
		}
		times = append(times, float64(got[1].wall)/float64(got[0].wall))
		cpus = append(cpus, float64(got[1].cpu)/float64(max(got[0].cpu, 1)))
		samples[0] = append(samples[0], got[0])
		samples[1] = append(samples[1], got[1])
	}
	return comparison{float64(units), median(times), median(cpus), medians(samples[0]), medians(samples[1])}, nil
}

func (c comparison) String() string {
	per := func(s sample) string {
		return fmt.Sprintf("%.0f ns, %.0f ns CPU, %.2f allocations",
			float64(s.wall)/c.units, float64(s.cpu)/c.units, s.mallocs/c.units)
	}
	return fmt.Sprintf("ours %s; by hand %s; CPU ratio %.2f", per(c.ours), per(c.hand), c.cpuRatio)
}

// results are the line of the ratio and, where limit is not 0, that of the
// allocations per unit on our side.
func (c comparison) results(name string, goal, limit float64) []result {
	list := []result{{name: name, ratio: c.ratio, goal: goal, detail: c.String()}}
	if limit != 0 {
		allocs := c.ours.mallocs / c.units
		list = append(list, result{name: name + "-allocs", ratio: limit / allocs, goal: 1, strict: true,
			detail: fmt.Sprintf("%.3f allocations, limit %v", allocs, limit)})
	}
	return list
}

func medians(samples []sample) sample {
	pick := func(of func(sample) float64) float64 {
		var values []float64
		for _, s := range samples {
			values = append(values, of(s))
		}
		return median(values)
	}
	return sample{
		wall:    time.Duration(pick(func(s sample) float64 { return float64(s.wall) })),
		cpu:     time.Duration(pick(func(s sample) float64 { return float64(s.cpu) })),
		mallocs: pick(func(s sample) float64 { return s.mallocs }),
	}
}

// median returns the middle value, or the mean of the two in the middle. It is 0
// for none.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// expect is the error of a count that is not the expected one.
func expect(what string, got, want int64) error {
	if got != want {
		return fmt.Errorf("%s: counted %d, want %d", what, got, want)
	}
	return nil
}

// startProfile begins a CPU profile, unless file is empty, and returns what ends it.
func startProfile(file string) (stop func(), err error) {
	if file == "" {
		return func() {}, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		if err := f.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}, nil
}
