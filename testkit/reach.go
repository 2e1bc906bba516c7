package testkit

import (
	"errors"
	"fmt"
)

// reachChecks are the rules about the Check of inlets and outlets.
func reachChecks[C any](fresh func(C) *subject) []check[C] {
	withChecker := func(c C, f func(*subject) error) error {
		s := fresh(c)
		if s.checker == nil {
			return skipped("it has no Check")
		}
		return f(s)
	}
	return []check[C]{
		{
			name: "check",
			why:  "Check reaches what is there, whether the node is started or not",
			run: func(c C) error {
				return withChecker(c, func(s *subject) error {
					ask := func(when string) error { return s.do("Check "+when, s.checker.Check) }
					if err := ask("before Start"); err != nil {
						return err
					}
					err := s.used(func() error { return errors.Join(ask("after Start"), s.ordinary(), ask("after "+s.verb)) })
					if err != nil {
						return err
					}
					return ask("after Shutdown")
				})
			},
		},
		{
			name: "check moves nothing",
			why:  "Check moves nothing: what is written and the position stay as they are",
			run: func(c C) error {
				return withChecker(c, func(s *subject) error {
					if s.moved == nil {
						return skipped("it has no position, or newOutlet returned no function that reads back")
					}
					return s.used(func() error {
						if err := s.ordinary(); err != nil {
							return err
						}
						before := s.moved()
						if err := onlyMishap(s.do("Check", s.checker.Check)); err != nil {
							return err
						}
						if after := s.moved(); after != before {
							return fmt.Errorf("before Check there was %.200s, and then %.200s", before, after)
						}
						return nil
					})
				})
			},
		},
		{
			name: "check leaves no goroutine",
			why:  "Check leaves nothing behind",
			run: func(c C) error {
				return withChecker(c, func(s *subject) error {
					if err := onlyMishap(s.do("Check", s.checker.Check)); err != nil {
						return err
					}
					if stacks := s.left(); stacks != "" {
						return fmt.Errorf("goroutines are left:\n%s", stacks)
					}
					return nil
				})
			},
		},
		{
			name: "check with an ended context",
			why:  "Check returns soon after its context has ended",
			run: func(c C) error {
				return withChecker(c, func(s *subject) error {
					return onlyMishap(s.try(s.ended(), patience, "Check with an ended context", s.checker.Check))
				})
			},
		},
	}
}
