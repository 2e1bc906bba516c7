package testkit

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// stopChecks are the rules about what is stopped.
func stopChecks() []check[*triggerTrial] {
	return []check[*triggerTrial]{
		{
			name: "nothing after stop",
			why:  "when Stop has returned no emit follows",
			run: func(c *triggerTrial) error {
				a := c.fresh()
				if err := a.run(2*time.Second+half, schedules{"a": a.every(time.Second)}); err != nil {
					return err
				}
				if err := a.stop(); err != nil {
					return err
				}
				n := a.count()
				a.sleep(time.Minute)
				if more := a.count() - n; more > 0 {
					return fmt.Errorf("%d emits came after Stop had returned", more)
				}
				return nil
			},
		},
		{
			name: "stop waits",
			why:  "when Stop has returned no emit is running",
			run: func(c *triggerTrial) error {
				a := c.fresh()
				running := make(chan struct{}, 100)
				a.inner = tickFunc(func() {
					running <- struct{}{}
					time.Sleep(3 * time.Second)
					<-running
				})
				if err := a.run(time.Second+half, schedules{"a": a.every(time.Second)}); err != nil {
					return err
				}
				err := a.stop()
				if n := len(running); n > 0 && err == nil {
					err = fmt.Errorf("%d emits were running when Stop had returned", n)
				}
				a.sleep(10 * time.Second)
				return err
			},
		},
		{
			name: "stop from inside emit",
			why:  "Stop may be called from inside emit: it does not wait for that emit, and no other follows",
			run: func(c *triggerTrial) error {
				a := c.fresh()
				stopped := make(chan struct{})
				var once sync.Once
				a.inner = tickFunc(func() {
					once.Do(func() {
						a.Stop()
						close(stopped)
					})
				})
				if err := a.run(5*time.Second, schedules{"a": a.every(time.Second)}); err != nil {
					return err
				}
				select {
				case <-stopped:
				default:
					return errors.New("from inside emit, Stop did not return, or emit was not called")
				}
				if n := a.count(); n != 1 {
					return fmt.Errorf("%d emits came, want 1: Stop was called from inside the first", n)
				}
				return nil
			},
		},
		{
			name: "stop twice",
			why:  "Stop may be called twice, and from two sides at once",
			run: func(c *triggerTrial) error {
				a := c.fresh()
				if err := a.run(time.Second+half, schedules{"a": a.every(time.Second)}); err != nil {
					return err
				}
				other := make(chan error, 1)
				go func() { other <- a.stop() }()
				return errors.Join(a.stop(), <-other, a.stop())
			},
		},
		{
			name: "stop before start",
			why:  "Stop may be called before Start, which then is an error",
			run: func(c *triggerTrial) error {
				a := c.fresh()
				if err := errors.Join(a.add("a", a.every(time.Second), a.began), a.stop()); err != nil {
					return err
				}
				if err := a.start(); err == nil || isMishap(err) {
					return fmt.Errorf("Start after Stop answered with: %w", orNil(err))
				}
				a.sleep(3 * time.Second)
				return a.want("a")
			},
		},
		{
			name: "add after stop",
			why:  "after Stop, Add is an error, and Remove does nothing",
			run: func(c *triggerTrial) error {
				a := c.fresh()
				if err := errors.Join(a.add("a", a.every(time.Second), a.began), a.start(), a.stop(), a.remove("a")); err != nil {
					return err
				}
				if err := a.add("b", a.every(time.Second), time.Now()); err == nil || isMishap(err) {
					return fmt.Errorf("Add after Stop answered with: %w", orNil(err))
				}
				return nil
			},
		},
		{
			name: "goroutines",
			why:  "when Stop has returned every goroutine that the trigger started is gone, or goes soon",
			run: func(c *triggerTrial) error {
				a := c.fresh()
				if err := a.run(2*time.Second+half, schedules{"a": a.every(time.Second)}); err != nil {
					return err
				}
				if err := a.stop(); err != nil {
					return err
				}
				if stacks := a.left(); stacks != "" {
					return fmt.Errorf("goroutines are left:\n%s", stacks)
				}
				return nil
			},
		},
	}
}
