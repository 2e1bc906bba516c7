package testkit

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/schedule"
)

// TestTrigger tests whether the triggers that newTrigger makes keep the contract
// of [planner.Trigger]. Every rule is a subtest with a fresh trigger, in a bubble
// of [testing/synctest]: newTrigger must not wait for anything outside. A trigger
// that waits for itself there, for instance in a Stop from inside emit, ends the
// test with a deadlock or at its timeout.
func TestTrigger(t *testing.T, newTrigger func(t *testing.T) planner.Trigger) {
	t.Helper()
	suite(t, triggerChecks(), nil, func(t *testing.T) *triggerTrial {
		return &triggerTrial{newTrial(t), newTrigger}
	})
}

func triggerChecks() []check[*triggerTrial] {
	all := slices.Concat(instantChecks(), lifeChecks(), stopChecks())
	for i := range all {
		all[i].bubble = true
	}
	return all
}

type triggerTrial struct {
	*trial
	make func(t *testing.T) planner.Trigger
}

// alarm is one trigger under test, and what it emitted.
type alarm struct {
	*triggerTrial
	planner.Trigger
	began time.Time
	inner func(planner.Tick) // called by emit, or nil

	mu      sync.Mutex
	emitted []emission
}

type emission struct {
	planner.Tick
	at time.Time
}

func (c *triggerTrial) fresh() *alarm {
	trigger := c.make(c.t)
	if trigger == nil {
		c.t.Fatal("newTrigger made a nil trigger")
	}
	return &alarm{triggerTrial: c, Trigger: trigger, began: time.Now()}
}

// using runs f with a fresh trigger and stops it.
func (c *triggerTrial) using(f func(a *alarm) error) error {
	a := c.fresh()
	err := f(a)
	if stop := a.stop(); err == nil {
		err = stop
	}
	return err
}

func (a *alarm) emit(tick planner.Tick) {
	a.mu.Lock()
	a.emitted = append(a.emitted, emission{tick, time.Now()})
	a.mu.Unlock()
	if a.inner != nil {
		a.inner(tick)
	}
}

func (a *alarm) add(id string, s schedule.Schedule, after time.Time) error {
	return a.do(fmt.Sprintf("Add(%q)", id), func(context.Context) error { return a.Add(id, s, after) })
}

func (a *alarm) start() error {
	return a.do("Start", func(context.Context) error { return a.Start(a.emit) })
}

func (a *alarm) stop() error {
	return a.do("Stop", func(context.Context) error {
		a.Stop()
		return nil
	})
}

func (a *alarm) remove(id string) error {
	return a.do(fmt.Sprintf("Remove(%q)", id), func(context.Context) error {
		a.Remove(id)
		return nil
	})
}

// run adds schedules, which begin now, starts, and sleeps for d.
func (a *alarm) run(d time.Duration, schedules map[string]schedule.Schedule) error {
	for id, s := range schedules {
		if err := a.add(id, s, a.began); err != nil {
			return err
		}
	}
	if err := a.start(); err != nil {
		return err
	}
	a.sleep(d)
	return nil
}

// sleep lets time pass, and everything happen that is due until then.
func (a *alarm) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// of returns what was emitted for an id.
func (a *alarm) of(id string) []emission {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []emission
	for _, e := range a.emitted {
		if e.ID == id {
			all = append(all, e)
		}
	}
	return all
}

func (a *alarm) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.emitted)
}

// want checks that what was emitted for an id are the given instants, each at its
// time. Instants are counted from the beginning.
func (a *alarm) want(id string, instants ...time.Duration) error {
	got := a.of(id)
	for i, e := range got {
		if i == len(instants) {
			return fmt.Errorf("%q was emitted %d times, want %d: the last one at %v", id, len(got), len(instants), e.at.Sub(a.began))
		}
		if err := a.is(e, instants[i], instants[i]); err != nil {
			return fmt.Errorf("emission %d of %q: %w", i, id, err)
		}
	}
	if len(got) < len(instants) {
		return fmt.Errorf("%q was emitted %d times, want %d: the next one at %v", id, len(got), len(instants), instants[len(got)])
	}
	return nil
}

func (a *alarm) is(e emission, due, at time.Duration) error {
	if !e.Due.Equal(a.began.Add(due)) {
		return fmt.Errorf("the Due is %v, want %v", e.Due.Sub(a.began), due)
	}
	if !e.at.Equal(a.began.Add(at)) {
		return fmt.Errorf("what is due at %v was emitted at %v, want %v", due, e.at.Sub(a.began), at)
	}
	return nil
}

// every is a schedule every d from the beginning.
func (a *alarm) every(d time.Duration) schedule.Schedule {
	return nextFunc(func(after time.Time) time.Time {
		return a.began.Add(max(0, after.Sub(a.began))/d*d + d)
	})
}

// at is a schedule of single instants, counted from the beginning.
func (a *alarm) at(instants ...time.Duration) schedule.Schedule {
	return nextFunc(func(after time.Time) time.Time {
		for _, d := range instants {
			if t := a.began.Add(d); t.After(after) {
				return t
			}
		}
		return time.Time{}
	})
}

// grid returns n instants every d.
func grid(n int, d time.Duration) []time.Duration {
	instants := make([]time.Duration, n)
	for i := range instants {
		instants[i] = time.Duration(i+1) * d
	}
	return instants
}

// nextFunc is a function as a Schedule.
type nextFunc func(after time.Time) time.Time

func (f nextFunc) Next(after time.Time) time.Time { return f(after) }

type schedules = map[string]schedule.Schedule

// half is what is slept beyond an instant to be between two.
const half = 500 * time.Millisecond
