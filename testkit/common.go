package testkit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/databay-go/databay/record"
)

type (
	starter interface {
		Start(ctx context.Context) error
	}
	shutdowner interface {
		Shutdown(ctx context.Context) error
	}
	checker interface {
		Check(ctx context.Context) error
	}
	validator interface{ Validate() error }
)

// subject is a node as the rules see it that hold for all kinds of nodes.
type subject struct {
	*trial
	verb     string // "Pull", "Push", "Process"
	node     any    // where capabilities are found
	starter  starter
	closer   shutdowner
	checker  checker
	validate func() error
	name     func() string
	ready    func() error  // what is to be done between Start and the first call, or nil
	moved    func() string // what only calls change, as text, or nil

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

// onlyMishap returns err if it is a mishap.
func onlyMishap(err error) error {
	if isMishap(err) {
		return err
	}
	return nil
}
