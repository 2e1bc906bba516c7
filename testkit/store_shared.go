package testkit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/databay-go/databay/state"
)

// How many goroutines call a store at once, and how often each writes.
const (
	writers = 8
	writes  = 20
)

// sharedStoreChecks are the rules of contexts and of several callers.
func sharedStoreChecks() []check[*storeTrial] {
	return []check[*storeTrial]{
		{
			name: "ended context",
			why:  "with a context that has ended Get and Put fail at once, with its error (errors.Is), and write nothing",
			run: func(c *storeTrial) error {
				v := c.fresh()
				rev, err := v.put("testkit", "value", 0)
				if err != nil {
					return err
				}
				fails := func(what string, f func(ctx context.Context) error) error {
					err := v.try(v.ended(), patience, what, f)
					if isMishap(err) || isEnd(err) {
						return onlyMishap(err)
					}
					return fmt.Errorf("%s with an ended context answered with %v, want its error", what, err)
				}
				return errors.Join(
					fails("Get", func(ctx context.Context) error { _, _, err := v.Get(ctx, "testkit"); return err }),
					fails("Put", func(ctx context.Context) error { _, err := v.Put(ctx, "testkit", []byte("other"), rev); return err }),
					fails("Put", func(ctx context.Context) error {
						_, err := v.Put(ctx, "testkit absent", []byte("other"), 0)
						return err
					}),
					v.holds("testkit", "value", rev),
					v.holds("testkit absent", "", 0),
				)
			},
		},
		{
			name: "context ending during the call",
			why:  "a Put whose context ends meanwhile returns soon and has written all or nothing; all if it returns nil; it is no conflict",
			run: func(c *storeTrial) error {
				if err := interrupted(c.fresh()); err != nil || c.opts.Hung == nil {
					return err
				}
				v := c.vault(c.opts.Hung(c.t))
				ctx, cancel := context.WithCancelCause(v.context())
				defer cancel(nil)
				time.AfterFunc(midway, func() { cancel(errEnded) })
				err := v.try(ctx, midway+patience, "Put during which the context ended", func(ctx context.Context) error {
					_, err := v.Put(ctx, "testkit", []byte("value"), 0)
					return err
				})
				return notConflict("Put of a hung store", err)
			},
		},
		{
			name: "context of others",
			why:  "a Put does not fail since the context of another one has ended",
			run: func(c *storeTrial) error {
				v := c.fresh()
				return v.together(func(i int) error {
					key := fmt.Sprint("testkit ", i)
					if i%2 == 0 {
						_, err := v.put(key, "value", 0)
						if errors.Is(err, state.ErrConflict) {
							return nil // other rules are about these
						}
						return err
					}
					ctx, cancel := context.WithCancelCause(v.context())
					time.AfterFunc(time.Duration(i)*100*time.Microsecond, func() { cancel(errEnded) })
					_, err := v.write(ctx, key, []byte("value"), 0)
					return onlyMishap(err)
				})
			},
		},
		{
			name: "lost update",
			why:  "of several that write at one revision one succeeds, and the others get state.ErrConflict: nothing that was counted is lost",
			run: func(c *storeTrial) error {
				v := c.fresh()
				if _, err := v.put("testkit", "0", 0); err != nil {
					return err
				}
				err := v.together(func(int) error {
					for range writes {
						if err := v.increment("testkit"); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					return err
				}
				s, err := v.get("testkit")
				if want := strconv.Itoa(writers * writes); err == nil && string(s.value) != want {
					err = fmt.Errorf("%d goroutines counted to %s, want %s", writers, s.value, want)
				}
				return err
			},
		},
		{
			name: "first write",
			why:  "of several that write a key that is absent one succeeds, and the others get state.ErrConflict",
			run: func(c *storeTrial) error {
				v := c.fresh()
				var mu sync.Mutex
				won := make(map[string]string)
				err := v.together(func(i int) error {
					for n := range writes {
						key, value := fmt.Sprint("testkit ", n), fmt.Sprint("of ", i)
						_, err := v.write(v.context(), key, []byte(value), 0)
						switch {
						case errors.Is(err, state.ErrConflict):
							continue
						case err != nil:
							return fmt.Errorf("Put of an absent key failed: %w", err)
						}
						mu.Lock()
						other, twice := won[key]
						won[key] = value
						mu.Unlock()
						if twice {
							return fmt.Errorf("two Puts of an absent key succeeded: %q and %q", other, value)
						}
					}
					return nil
				})
				if err == nil && len(won) != writes {
					err = fmt.Errorf("of %d absent keys %d were written", writes, len(won))
				}
				return err
			},
		},
		{
			name: "writers of different keys",
			why:  "those that write different keys are in nobody's way",
			run: func(c *storeTrial) error {
				v := c.fresh()
				return v.together(func(i int) error {
					key := fmt.Sprint("testkit ", i)
					var rev int64
					for n := range writes {
						var err error
						if rev, err = v.put(key, strconv.Itoa(n), rev); err != nil {
							return err
						}
						if err := v.holds(key, strconv.Itoa(n), rev); err != nil {
							return err
						}
					}
					return nil
				})
			},
		},
	}
}

// together runs f in several goroutines at once, and waits for them.
func (v *vault) together(f func(i int) error) error {
	errs := make([]error, writers)
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() { errs[i] = f(i) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// increment adds 1 to the value of a key, as often as it takes to succeed.
func (v *vault) increment(key string) error {
	for {
		s, err := v.get(key)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(s.value))
		if err != nil {
			return fmt.Errorf("Get returned %v, want a number: %w", s, err)
		}
		_, err = v.put(key, strconv.Itoa(n+1), s.rev)
		if !errors.Is(err, state.ErrConflict) {
			return err
		}
		time.Sleep(100 * time.Microsecond) // in bubbles, too, others get on
	}
}

// interrupted puts values during which the context ends, sooner or later. What has
// failed may be written later.
func interrupted(v *vault) error {
	value := func(i int) string { return strings.Repeat(string(rune('A'+i)), 50_000) }
	rev, err := v.keeps("testkit", value(0))
	if err != nil {
		return err
	}
	may := map[string]bool{value(0): true} // be there
	for i := 1; i <= 20; i++ {
		ctx, cancel := context.WithCancelCause(v.context())
		timer := time.AfterFunc(time.Duration(i*i)*25*time.Microsecond, func() { cancel(errEnded) })
		now, err := v.write(ctx, "testkit", []byte(value(i)), rev)
		timer.Stop()
		cancel(nil)
		switch {
		case isMishap(err):
			return err
		case err == nil:
			rev, may = now, map[string]bool{value(i): true}
		case errors.Is(err, state.ErrConflict) && len(may) == 1:
			return fmt.Errorf("Put during which the context ended answered with a conflict: %w", err)
		case !errors.Is(err, state.ErrConflict):
			may[value(i)] = true
		}
		found, getErr := v.get("testkit")
		if getErr != nil {
			return getErr
		}
		if !may[string(found.value)] || found.rev < rev || err == nil && found.rev != rev {
			return fmt.Errorf("after a Put during which the context ended, which answered with %v, Get returned %v", err, found)
		}
		if found.rev > rev {
			rev, may = found.rev, map[string]bool{string(found.value): true}
		}
	}
	return nil
}
