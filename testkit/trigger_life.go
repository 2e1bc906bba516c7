package testkit

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/databay-go/databay/planner"
)

// tickFunc is a function as an inner emit.
func tickFunc(f func()) func(planner.Tick) { return func(planner.Tick) { f() } }

// lifeChecks are the rules about what is added, removed and started.
func lifeChecks() []check[*triggerTrial] {
	return []check[*triggerTrial]{
		{
			name: "add after start",
			why:  "schedules are added before Start and after it",
			run: func(c *triggerTrial) error {
				return c.using(func(a *alarm) error {
					if err := a.run(2*time.Second+half, schedules{"a": a.every(time.Second)}); err != nil {
						return err
					}
					if err := a.add("b", a.every(time.Second), time.Now()); err != nil {
						return err
					}
					a.sleep(2 * time.Second)
					return errors.Join(a.want("a", grid(4, time.Second)...), a.want("b", grid(4, time.Second)[2:]...))
				})
			},
		},
		{
			name: "earlier than the others",
			why:  "a schedule added after Start whose first instant comes before all others is emitted at it",
			run: func(c *triggerTrial) error {
				return c.using(func(a *alarm) error {
					if err := a.run(half, schedules{"a": a.every(time.Hour), "b": a.every(time.Hour)}); err != nil {
						return err
					}
					if err := errors.Join(a.remove("a"), a.add("a", a.at(time.Second, 2*time.Hour), time.Now())); err != nil {
						return err
					}
					a.sleep(time.Hour)
					return errors.Join(a.want("a", time.Second), a.want("b", time.Hour))
				})
			},
		},
		{
			name: "remove",
			why:  "Remove ends the schedule of its id, and no other",
			run: func(c *triggerTrial) error {
				return c.using(func(a *alarm) error {
					if err := a.add("before", a.every(time.Second), a.began); err != nil {
						return err
					}
					if err := a.remove("before"); err != nil {
						return err
					}
					if err := a.run(2*time.Second+half, schedules{"a": a.every(time.Second), "b": a.every(time.Second)}); err != nil {
						return err
					}
					if err := a.remove("a"); err != nil {
						return err
					}
					a.sleep(3 * time.Second)
					return errors.Join(a.want("before"), a.want("a", grid(2, time.Second)...), a.want("b", grid(5, time.Second)...))
				})
			},
		},
		{
			name: "remove unknown",
			why:  "to Remove an id that is not there is no mistake",
			run: func(c *triggerTrial) error {
				return c.using(func(a *alarm) error {
					if err := a.remove("unknown"); err != nil {
						return err
					}
					if err := a.run(time.Second+half, schedules{"a": a.every(time.Second)}); err != nil {
						return err
					}
					if err := a.remove("unknown"); err != nil {
						return err
					}
					a.sleep(time.Second)
					return a.want("a", grid(2, time.Second)...)
				})
			},
		},
		{
			name: "add again",
			why:  "an id that was removed may be added again, with another schedule",
			run: func(c *triggerTrial) error {
				return c.using(func(a *alarm) error {
					if err := a.run(2*time.Second+half, schedules{"a": a.every(time.Second)}); err != nil {
						return err
					}
					if err := errors.Join(a.remove("a"), a.add("a", a.every(3*time.Second), time.Now())); err != nil {
						return err
					}
					a.sleep(7 * time.Second)
					return a.want("a", time.Second, 2*time.Second, 3*time.Second, 6*time.Second, 9*time.Second)
				})
			},
		},
		{
			name: "id in use",
			why:  "to Add an id that is in use is an error, and leaves its schedule as it is",
			run: func(c *triggerTrial) error {
				return c.using(func(a *alarm) error {
					if err := a.add("a", a.every(time.Second), a.began); err != nil {
						return err
					}
					err := a.add("a", a.every(time.Minute), a.began)
					switch {
					case isMishap(err):
						return err
					case err == nil:
						return errors.New("the second Add of an id returned nil")
					}
					if err := a.run(3*time.Second+half, nil); err != nil {
						return err
					}
					return a.want("a", grid(3, time.Second)...)
				})
			},
		},
		{
			name: "calls from inside emit",
			why:  "Add and Remove may be called from inside emit",
			run: func(c *triggerTrial) error {
				return c.using(func(a *alarm) error {
					done := make(chan struct{})
					var (
						once sync.Once
						err  error
					)
					a.inner = tickFunc(func() {
						once.Do(func() {
							a.Remove("a")
							err = a.Add("a", a.every(3*time.Second), time.Now())
							close(done)
						})
					})
					if err := a.run(6*time.Second+half, schedules{"a": a.every(time.Second)}); err != nil {
						return err
					}
					select {
					case <-done:
						if err != nil {
							return fmt.Errorf("from inside emit, Remove and Add: %w", err)
						}
					default:
						return errors.New("from inside emit, Remove and Add did not return, or emit was not called")
					}
					return a.want("a", time.Second, 3*time.Second, 6*time.Second)
				})
			},
		},
		{
			name: "concurrent calls",
			why:  "all methods may be called concurrently",
			run: func(c *triggerTrial) error {
				return c.using(func(a *alarm) error {
					const n = 20
					id := func(i int) string { return fmt.Sprintf("id %d", i) }
					each := func(f func(i int) error) error {
						var group sync.WaitGroup
						var errs [n]error
						for i := range n {
							group.Go(func() { errs[i] = f(i) })
						}
						group.Wait()
						return errors.Join(errs[:]...)
					}
					if err := each(func(i int) error { return a.add(id(i), a.every(time.Second), a.began) }); err != nil {
						return err
					}
					if err := a.run(time.Second+half, nil); err != nil {
						return err
					}
					err := each(func(i int) error {
						if i%2 == 0 {
							return nil
						}
						return a.remove(id(i))
					})
					if err != nil {
						return err
					}
					a.sleep(time.Second)
					for i := range n {
						if err := a.want(id(i), grid(2-i%2, time.Second)...); err != nil {
							return err
						}
					}
					return nil
				})
			},
		},
		{
			name: "start once",
			why:  "a trigger is started once: a second Start is an error",
			run: func(c *triggerTrial) error {
				return c.using(func(a *alarm) error {
					if err := a.start(); err != nil {
						return err
					}
					if err := a.start(); err == nil || isMishap(err) {
						return fmt.Errorf("the second Start answered with: %w", orNil(err))
					}
					return nil
				})
			},
		},
	}
}

// orNil returns err, or an error that tells that there was none.
func orNil(err error) error {
	if err == nil {
		return errors.New("nil")
	}
	return err
}
