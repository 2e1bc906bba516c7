package testkit

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// storeLifeChecks are the rules of closing, opening again and failing.
func storeLifeChecks() []check[*storeTrial] {
	checks := []check[*storeTrial]{
		{
			name: "closed",
			why:  "a store that is closed says so: Get and Put fail with an error that has the word closed and is not state.ErrConflict",
			run: func(c *storeTrial) error {
				v := c.fresh()
				rev, err := v.put("testkit", "value", 0)
				if err != nil {
					return err
				}
				if err := v.shut(); err != nil {
					return fmt.Errorf("Close() failed: %w", err)
				}
				_, err = v.read(v.context(), "testkit")
				if err := saysClosed("Get", err); err != nil {
					return err
				}
				_, err = v.write(v.context(), "testkit", []byte("other"), rev)
				return saysClosed("Put", err)
			},
		},
		{
			name: "close twice",
			why:  "closing what is closed does nothing",
			run: func(c *storeTrial) error {
				v := c.fresh()
				for range 2 {
					if err := v.shut(); err != nil {
						return fmt.Errorf("Close() failed: %w", err)
					}
				}
				return nil
			},
		},
		{
			name: "close during calls",
			why:  "calls that go on when the store is closed return, and what they said was written is there when it is opened again",
			run:  closeDuringCalls,
		},
	}
	for i := range checks {
		run := checks[i].run
		checks[i].run = func(c *storeTrial) error {
			if v := c.fresh(); v.closer == nil {
				return skipped("it has no Close() error")
			}
			return run(c)
		}
	}
	return append(checks,
		check[*storeTrial]{
			name: "reopen",
			why:  "a store that is opened again has everything, at the revisions it had",
			run: func(c *storeTrial) error {
				if c.opts.Reopen == nil {
					return skipped("the options have no Reopen")
				}
				v := c.fresh()
				values := map[string]string{"testkit": "value", "testkit empty": "", "": "of the empty key"}
				revs := make(map[string]int64)
				for range 3 {
					for key, value := range values {
						rev, err := v.put(key, value, revs[key])
						if err != nil {
							return err
						}
						revs[key] = rev
					}
					v = v.reopen()
					for key, value := range values {
						if err := v.holds(key, value, revs[key]); err != nil {
							return fmt.Errorf("opened again: %w", err)
						}
					}
				}
				return nil
			},
		},
		check[*storeTrial]{
			name: "cannot write",
			why:  "a Put that cannot write fails, not with state.ErrConflict; nothing is lost, and when it can, it does",
			run:  cannotWrite,
		},
	)
}

func saysClosed(what string, err error) error {
	what += " of a closed store"
	if other := notConflict(what, err); other != nil {
		return other
	}
	if !strings.Contains(err.Error(), "closed") {
		return fmt.Errorf("%s failed with: %w", what, err)
	}
	return nil
}

func closeDuringCalls(c *storeTrial) error {
	v := c.fresh()
	const most = 5000 // writes; another rule is about those that never fail
	var mu sync.Mutex
	written := make(map[string]stored)
	done := make(chan error, 1)
	go func() {
		done <- v.together(func(i int) error {
			key := fmt.Sprint("testkit ", i)
			var rev int64
			for n := 0; ; n++ {
				value := fmt.Sprint(n)
				next, err := v.write(v.context(), key, []byte(value), rev)
				if err != nil || n == most {
					return onlyMishap(err)
				}
				rev = next
				mu.Lock()
				written[key] = stored{[]byte(value), rev}
				mu.Unlock()
				time.Sleep(100 * time.Microsecond)
			}
		})
	}()
	time.Sleep(midway)
	if err := v.shut(); err != nil {
		return fmt.Errorf("Close() failed: %w", err)
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-done:
		if err != nil {
			return err
		}
	case <-timer.C:
		return fmt.Errorf("calls of Put did not fail within %v after Close", limit)
	}
	if c.opts.Reopen == nil {
		return nil
	}
	v = v.reopen()
	for key, s := range written {
		found, err := v.get(key)
		if err == nil && found.rev < s.rev { // the next one, which failed, may be there
			err = fmt.Errorf("Get(%q) returned %v, want %v", key, found, s)
		}
		if err != nil {
			return fmt.Errorf("opened again: %w", err)
		}
	}
	return nil
}

func cannotWrite(c *storeTrial) error {
	if c.opts.Failing == nil {
		return skipped("the options have no Failing")
	}
	s, fail, mend := c.opts.Failing(c.t)
	v := c.vault(s)
	rev, err := v.put("testkit", "value", 0)
	if err != nil {
		return err
	}
	fail()
	const size = 1 << 20
	for range 3 {
		_, err := v.write(v.context(), "testkit", make([]byte, size), rev)
		if err := notConflict("Put of a store that cannot write", err); err != nil {
			return err
		}
		if s, err := v.read(v.context(), "testkit"); isMishap(err) || err == nil && (s.rev != rev || string(s.value) != "value") {
			return fmt.Errorf("after a Put that failed Get returned %v and %v, want %q at revision %d", s, err, "value", rev)
		}
	}
	mend()
	if err := v.holds("testkit", "value", rev); err != nil {
		return fmt.Errorf("mended: %w", err)
	}
	if rev, err = v.put("testkit", strings.Repeat("x", size), rev); err != nil {
		return fmt.Errorf("mended: %w", err)
	}
	return v.holds("testkit", strings.Repeat("x", size), rev)
}
