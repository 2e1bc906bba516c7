package testkit

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// instantChecks are the rules about when a trigger emits.
func instantChecks() []check[*triggerTrial] {
	return []check[*triggerTrial]{
		{
			name: "instants",
			why:  "a trigger emits at the instants of the schedule, with the instant as Due",
			run: func(c *triggerTrial) error {
				return c.using(func(a *alarm) error {
					instants := []time.Duration{time.Second, 1500 * time.Millisecond, 4 * time.Second, 4*time.Second + time.Millisecond, time.Minute}
					err := a.run(2*time.Minute, schedules{"a": a.at(append(instants, time.Hour)...)})
					return errors.Join(err, a.want("a", instants...))
				})
			},
		},
		{
			name: "no drift",
			why:  "after a week the instants are still those of the schedule, and none was left out",
			run: func(c *triggerTrial) error {
				return c.using(func(a *alarm) error {
					const n, step = 7 * 24 * 12, 5 * time.Minute
					err := a.run(n*step+half, schedules{"a": a.every(step)})
					return errors.Join(err, a.want("a", grid(n, step)...))
				})
			},
		},
		{
			name: "many schedules",
			why:  "each id has its own instants, however many there are",
			run: func(c *triggerTrial) error {
				return c.using(func(a *alarm) error {
					const n = 200
					all := make(schedules)
					id := func(i int) string { return fmt.Sprintf("id %d", i) }
					step := func(i int) time.Duration { return time.Second + time.Duration(i)*7*time.Millisecond }
					for i := range n {
						all[id(i)] = a.every(step(i))
					}
					const end = 10*time.Second + time.Microsecond
					if err := a.run(end, all); err != nil {
						return err
					}
					for i := range n {
						if err := a.want(id(i), grid(int(end/step(i)), step(i))...); err != nil {
							return err
						}
					}
					return nil
				})
			},
		},
		{
			name: "same instant",
			why:  "schedules that have an instant in common are each emitted at it",
			run: func(c *triggerTrial) error {
				return c.using(func(a *alarm) error {
					err := a.run(6*time.Second+half, schedules{"a": a.every(time.Second), "b": a.every(time.Second), "c": a.every(3 * time.Second)})
					return errors.Join(err, a.want("a", grid(6, time.Second)...), a.want("b", grid(6, time.Second)...),
						a.want("c", grid(2, 3*time.Second)...))
				})
			},
		},
		{
			name: "end of a schedule",
			why:  "the zero time ends a schedule, and nothing else",
			run: func(c *triggerTrial) error {
				return c.using(func(a *alarm) error {
					err := a.run(5*time.Second+half, schedules{"ends": a.at(time.Second, 2*time.Second), "goes on": a.every(time.Second)})
					return errors.Join(err, a.want("ends", time.Second, 2*time.Second), a.want("goes on", grid(5, time.Second)...))
				})
			},
		},
		{
			name: "instant that has passed",
			why:  "an instant that has passed is due at once; the next one is the first after the present, and what lies between is not made up for",
			run: func(c *triggerTrial) error {
				return c.using(func(a *alarm) error {
					time.Sleep(time.Hour + half)
					if err := errors.Join(a.add("a", a.every(time.Second), a.began), a.start()); err != nil {
						return err
					}
					a.sleep(2 * time.Second)
					got := a.of("a")
					want := []struct{ due, at time.Duration }{
						{time.Second, time.Hour + half},
						{time.Hour + time.Second, time.Hour + time.Second},
						{time.Hour + 2*time.Second, time.Hour + 2*time.Second},
					}
					for i, e := range got {
						if i == len(want) {
							return fmt.Errorf("%d instants were emitted, want %d: an hour had passed, and the present is due", len(got), len(want))
						}
						if err := a.is(e, want[i].due, want[i].at); err != nil {
							return fmt.Errorf("emission %d: %w", i, err)
						}
					}
					if len(got) < len(want) {
						return fmt.Errorf("%d instants were emitted, want %d", len(got), len(want))
					}
					return nil
				})
			},
		},
		{
			name: "late",
			why:  "a trigger that is late, since a schedule took its time for instance, emits once for it, goes on with the first instant after the present, and does not make up for the rest",
			run: func(c *triggerTrial) error {
				return c.using(func(a *alarm) error {
					const delay = 10 * time.Second
					every := a.every(time.Second)
					var once sync.Once
					slow := nextFunc(func(after time.Time) time.Time {
						if after.Sub(a.began) >= 2*time.Second {
							once.Do(func() { time.Sleep(delay + half) })
						}
						return every.Next(after)
					})
					if err := a.run(20*time.Second+half, schedules{"a": slow}); err != nil {
						return err
					}
					late, last := 0, time.Duration(0)
					for _, e := range a.of("a") {
						due, at := e.Due.Sub(a.began), e.at.Sub(a.began)
						switch {
						case due <= last || due%time.Second != 0:
							return fmt.Errorf("%v was emitted after %v", due, last)
						case at < due:
							return fmt.Errorf("%v was emitted at %v", due, at)
						case at > due:
							late++
						}
						last = due
					}
					// The tick before the delay may come after it.
					if late > 2 {
						return fmt.Errorf("a schedule took %v, and %d instants were emitted late, want 1", delay, late)
					}
					for i := 13; i <= 20; i++ {
						found := false
						for _, e := range a.of("a") {
							found = found || a.is(e, time.Duration(i)*time.Second, time.Duration(i)*time.Second) == nil
						}
						if !found {
							return fmt.Errorf("the delay was over at 12.5 s, and %d s was not emitted at its time", i)
						}
					}
					return nil
				})
			},
		},
		{
			name: "one emit of an id at a time",
			why:  "emits may be concurrent, but not for the same id",
			run: func(c *triggerTrial) error {
				return c.using(func(a *alarm) error {
					var (
						mu      sync.Mutex
						running int
						most    int
					)
					count := func(d int) {
						mu.Lock()
						defer mu.Unlock()
						running += d
						most = max(most, running)
					}
					a.inner = tickFunc(func() {
						count(1)
						time.Sleep(2*time.Second + half)
						count(-1)
					})
					if err := a.run(9*time.Second+half, schedules{"a": a.every(time.Second)}); err != nil {
						return err
					}
					mu.Lock()
					defer mu.Unlock()
					if most > 1 {
						return fmt.Errorf("%d emits of one id ran at the same time", most)
					}
					return nil
				})
			},
		},
		{
			name: "panicking schedule",
			why:  "a schedule that panics ends; the others go on",
			run: func(c *triggerTrial) error {
				return c.using(func(a *alarm) error {
					every := a.every(time.Second)
					panics := nextFunc(func(after time.Time) time.Time {
						if after.Sub(a.began) >= 2*time.Second {
							panic("testkit: a schedule that panics")
						}
						return every.Next(after)
					})
					err := a.run(6*time.Second+half, schedules{"panics": panics, "goes on": every})
					return errors.Join(err, a.want("goes on", grid(6, time.Second)...))
				})
			},
		},
	}
}
