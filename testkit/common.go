package testkit

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// subject is a node as the rules see it that hold for all kinds of nodes.
type subject struct {
	*trial
	verb     string // "Pull", "Push", "Process"
	node     any    // where capabilities are found
	starter  interface{ Start(context.Context) error }
	closer   interface{ Shutdown(context.Context) error }
	validate func() error
	name     func() string
	ready    func() error // what is to be done between Start and the first call, or nil

	// call makes one ordinary call. A nil update stands for one like any other.
	call func(ctx context.Context, u *record.Update) error
}

func (s *subject) start() error {
	if s.starter != nil {
		if err := s.do("Start", s.starter.Start); err != nil {
			return err
		}
	}
	if s.ready != nil {
		return s.ready()
	}
	return nil
}

func (s *subject) shutdown() error {
	if s.closer == nil {
		return nil
	}
	return s.do("Shutdown", s.closer.Shutdown)
}

func (s *subject) ordinary() error {
	return s.do(s.verb, func(ctx context.Context) error { return s.call(ctx, nil) })
}

// used runs f between Start and Shutdown.
func (s *subject) used(f func() error) error {
	if err := s.start(); err != nil {
		return err
	}
	if err := f(); err != nil {
		s.shutdown() //nolint:errcheck // the test has failed already
		return err
	}
	return s.shutdown()
}

var password = regexp.MustCompile(`://[^/\s@:]*:([^/\s@]+)@`)

// callChecks are the rules of everything that is called, which is what verb says.
func callChecks[C any](verb string, fresh func(C) *subject, hung func(C) *subject) []check[C] {
	return []check[C]{
		{
			name: "valid",
			why:  "Validate finds no mistake in what is used correctly, at the first call and at the second",
			run: func(c C) error {
				s := fresh(c)
				if s.validate == nil {
					return skipped("it has no Validate")
				}
				for range 2 {
					if err := s.do("Validate", func(context.Context) error { return s.validate() }); err != nil {
						return err
					}
				}
				return nil
			},
		},
		{
			name: "ended context",
			why:  verb + " returns soon after its context has ended; here it had ended before",
			run: func(c C) error {
				s := fresh(c)
				return s.used(func() error {
					return onlyMishap(s.try(s.ended(), patience, verb+" with an ended context", func(ctx context.Context) error {
						return s.call(ctx, nil)
					}))
				})
			},
		},
		{
			name: "error of the context",
			why:  verb + " gives up with an error that is that of its context (errors.Is), if with any: others are for what went wrong",
			run: func(c C) error {
				s := fresh(c)
				return s.used(func() error {
					err := s.try(s.ended(), limit, verb+" with an ended context", func(ctx context.Context) error {
						return s.call(ctx, nil)
					})
					if err == nil || isMishap(err) || isEnd(err) {
						return nil
					}
					return fmt.Errorf("%s with an ended context failed with: %w", verb, err)
				})
			},
		},
		{
			name: "context ending during the call",
			why:  verb + " returns soon after its context has ended; here it ended meanwhile",
			run: func(c C) error {
				if err := cutShort(fresh(c), false); err != nil {
					return err
				}
				if s := hung(c); s != nil {
					return cutShort(s, true)
				}
				return nil
			},
		},
		{
			name: "context of an earlier call",
			why:  "the context of a call ends with the call: nothing that comes later may depend on it",
			run: func(c C) error {
				s := fresh(c)
				return s.used(func() error {
					ctx, cancel := context.WithCancelCause(s.context())
					err := s.try(ctx, limit, verb, func(ctx context.Context) error { return s.call(ctx, nil) })
					cancel(errEnded)
					if err != nil {
						return fmt.Errorf("%s failed: %w", verb, err)
					}
					if err := s.ordinary(); isEnd(err) {
						return fmt.Errorf("the context of the %s before had ended, and this one: %w", verb, err)
					}
					return nil
				})
			},
		},
		{
			name: "goroutines",
			why:  "every goroutine that a node starts is gone when it is shut down, or after the call if it has no Shutdown",
			run: func(c C) error {
				s := fresh(c)
				err := s.used(func() error { return errors.Join(s.ordinary(), s.ordinary()) })
				if err != nil {
					return err
				}
				if stacks := s.left(); stacks != "" {
					return fmt.Errorf("goroutines are left:\n%s", stacks)
				}
				return nil
			},
		},
	}
}

// cutShort ends the context of a call during it. Blocks says that the call would
// not return otherwise.
func cutShort(s *subject, blocks bool) error {
	return s.used(func() error {
		ctx, cancel := context.WithCancelCause(s.context())
		defer cancel(nil)
		early := false
		err := s.try(ctx, midway+patience, s.verb+" during which the context ended", func(ctx context.Context) error {
			timer := time.AfterFunc(midway, func() { cancel(errEnded) })
			err := s.call(ctx, nil)
			early = timer.Stop()
			return err
		})
		if !isMishap(err) && blocks && early {
			return fmt.Errorf("the options' Hung is to make one whose %s blocks, but it returned before its context ended", s.verb)
		}
		return onlyMishap(err)
	})
}

// nodeChecks are the rules of inlets and outlets besides.
func nodeChecks[C any](verb string, fresh func(C) *subject) []check[C] {
	return []check[C]{
		{
			name: "name",
			why:  "logs, errors and stored positions go by the name: it is never empty and stays as it is",
			run: func(c C) error {
				s := fresh(c)
				names := []string{s.name()}
				err := s.used(func() error {
					names = append(names, s.name())
					err := s.ordinary()
					names = append(names, s.name())
					return err
				})
				for _, name := range append(names, s.name()) {
					if name == "" {
						return errors.New("the name is empty")
					}
					if name != names[0] {
						return fmt.Errorf("the name was %q and is %q", names[0], name)
					}
				}
				return err
			},
		},
		{
			name: "name without password",
			why:  "names are logged and stored: a password in one is for everybody (see url.URL.Redacted)",
			run: func(c C) error {
				name := fresh(c).name()
				if m := password.FindStringSubmatch(name); m != nil && m[1] != "xxxxx" {
					return fmt.Errorf("the name %q shows a password", name)
				}
				return nil
			},
		},
		{
			name: "start again",
			why:  "after a Shutdown a node may be started again, and works",
			run: func(c C) error {
				s := fresh(c)
				if s.starter == nil && s.closer == nil {
					return skipped("it has neither Start nor Shutdown")
				}
				for _, round := range []string{"first", "second"} {
					if err := s.used(s.ordinary); err != nil {
						return fmt.Errorf("at the %s time: %w", round, err)
					}
				}
				return nil
			},
		},
		{
			name: "start with an ended context",
			why:  "Start gives up soon after its context has ended",
			run: func(c C) error {
				return withStarter(fresh(c), func(s *subject) error {
					err := s.try(s.ended(), patience, "Start with an ended context", s.starter.Start)
					if err == nil {
						return s.shutdown()
					}
					return onlyMishap(err)
				})
			},
		},
		{
			name: "failed start",
			why:  "a node whose Start failed is not shut down, so Start itself ends what it has begun",
			run: func(c C) error {
				return withStarter(fresh(c), func(s *subject) error {
					err := s.try(s.ended(), limit, "Start with an ended context", s.starter.Start)
					if err == nil || isMishap(err) {
						s.shutdown() //nolint:errcheck // not what is checked here
						return skipped("Start does not fail when its context has ended")
					}
					if stacks := s.left(); stacks != "" {
						return fmt.Errorf("Start failed (%w) and left goroutines:\n%s", err, stacks)
					}
					return nil
				})
			},
		},
		{
			name: "context of the start",
			why:  "the context of Start is for starting only, and ends when it returns",
			run: func(c C) error {
				return withStarter(fresh(c), func(s *subject) error {
					ctx, cancel := context.WithCancelCause(s.context())
					err := s.try(ctx, limit, "Start", s.starter.Start)
					cancel(errEnded)
					if err != nil {
						return fmt.Errorf("Start failed: %w", err)
					}
					if s.ready != nil {
						err = s.ready()
					}
					if err == nil {
						err = s.ordinary()
					}
					if isEnd(err) {
						err = fmt.Errorf("the context of Start had ended, and then %w", err)
					}
					return errors.Join(err, s.shutdown())
				})
			},
		},
		{
			name: "shutdown with an ended context",
			why:  "Shutdown returns soon after its context has ended",
			run: func(c C) error {
				s := fresh(c)
				if s.closer == nil {
					return skipped("it has no Shutdown")
				}
				if err := s.start(); err != nil {
					return err
				}
				return onlyMishap(s.try(s.ended(), patience, "Shutdown with an ended context", s.closer.Shutdown))
			},
		},
		{
			name: "update",
			why:  "nodes read the slices and pointers of an Update; they do not change what is behind them",
			run: func(c C) error {
				s := fresh(c)
				return s.used(func() error {
					u := record.Update{Link: "testkit", Tags: []string{"a", "b"}, Number: 3, Due: time.Now()}
					if _, atomic := s.node.(outlet.Atomic); s.verb == "Push" && !atomic {
						u.Commit = &record.Commit{Key: "link/testkit", Value: []byte("value"), Revision: 7}
					}
					err := s.do(s.verb, func(ctx context.Context) error { return s.call(ctx, &u) })
					switch {
					case err != nil:
						return err
					case u.Tags[0] != "a" || u.Tags[1] != "b":
						return fmt.Errorf("%s changed the tags of its update from [a b] to %v", s.verb, u.Tags)
					case u.Commit != nil && (u.Commit.Key != "link/testkit" || string(u.Commit.Value) != "value" || u.Commit.Revision != 7):
						return fmt.Errorf("%s changed the commit of its update to %+v", s.verb, *u.Commit)
					}
					return nil
				})
			},
		},
	}
}

func withStarter(s *subject, f func(*subject) error) error {
	if s.starter == nil {
		return skipped("it has no Start")
	}
	return f(s)
}

// onlyMishap returns err if it is a mishap.
func onlyMishap(err error) error {
	if isMishap(err) {
		return err
	}
	return nil
}
