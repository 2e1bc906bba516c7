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

var password = regexp.MustCompile(`://[^/\s@:]*:([^/\s@]+)@`)

// nodeChecks are the rules about the name of a node, and its Start and Shutdown.
func nodeChecks[C any](fresh func(C) *subject) []check[C] {
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
	}
}

// updateCheck is the rule about the update that pulls and pushes get.
func updateCheck[C any](fresh func(C) *subject) check[C] {
	return check[C]{
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
	}
}

func withStarter(s *subject, f func(*subject) error) error {
	if s.starter == nil {
		return skipped("it has no Start")
	}
	return f(s)
}
