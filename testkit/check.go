package testkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	// patience is how soon is "soon after": what a node may take to return once
	// its context has ended, and its goroutines once it is shut down.
	patience = 3 * time.Second

	// limit is what any call may take.
	limit = 20 * time.Second

	// midway is when a context ends that is to end during a call.
	midway = 20 * time.Millisecond
)

// errEnded is the cause of every context that ends in a suite.
var errEnded = errors.New("testkit: the context was ended")

// check is one rule of a suite. It answers with what happened if the rule is
// broken, and with a skipped if it does not apply. C holds what it needs.
type check[C any] struct {
	name   string
	why    string // the rule in words
	bubble bool   // it is run in a synctest bubble
	run    func(c C) error
}

// skipped is the answer of a check that does not apply, or cannot be made. It
// says why.
type skipped string

func (s skipped) Error() string { return string(s) }

// suite runs every check as a subtest.
func suite[C any](t *testing.T, checks []check[C], skip map[string]string, prepare func(t *testing.T) C) {
	t.Helper()
	if err := validSkip(checks, skip); err != nil {
		t.Error(err)
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			t.Helper()
			if reason := skip[c.name]; reason != "" {
				t.Skipf("skipped by the options: %s", reason)
			}
			if c.bubble {
				synctest.Test(t, func(t *testing.T) { report(t, c.why, c.run(prepare(t))) })
			} else {
				report(t, c.why, c.run(prepare(t)))
			}
		})
	}
}

func report(t *testing.T, why string, err error) {
	t.Helper()
	if reason, ok := errors.AsType[skipped](err); ok {
		t.Skip(reason)
	}
	if err != nil {
		t.Errorf("%v\nthe rule: %s", err, why)
	}
}

func validSkip[C any](checks []check[C], skip map[string]string) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(skip)) {
		if !slices.ContainsFunc(checks, func(c check[C]) bool { return c.name == name }) {
			var known []string
			for _, c := range checks {
				known = append(known, c.name)
			}
			errs = append(errs, fmt.Errorf("options: Skip has %q, which is no rule; the rules are: %s",
				name, strings.Join(known, ", ")))
		} else if skip[name] == "" {
			errs = append(errs, fmt.Errorf("options: Skip has %q without a reason", name))
		}
	}
	return errors.Join(errs...)
}

// trial is one run of one check.
type trial struct {
	t  *testing.T
	id string // labels the goroutines of the node
}

func newTrial(t *testing.T) *trial {
	tr := &trial{t: t}
	tr.id = fmt.Sprintf("%p", tr)
	return tr
}

// context returns the context of ordinary calls. It lasts as long as the test.
func (tr *trial) context() context.Context {
	return pprof.WithLabels(tr.t.Context(), pprof.Labels("testkit", tr.id))
}

// ended returns a context that has ended.
func (tr *trial) ended() context.Context {
	ctx, cancel := context.WithCancelCause(tr.context())
	cancel(errEnded)
	return ctx
}

// isEnd reports whether err tells that a context of the suite has ended.
func isEnd(err error) bool { return errors.Is(err, context.Canceled) || errors.Is(err, errEnded) }

// mishap is what no call may do: panic, end its goroutine, or not return.
type mishap struct{ what string }

func (m *mishap) Error() string { return m.what }

func isMishap(err error) bool {
	_, ok := errors.AsType[*mishap](err)
	return ok
}

// try calls f on a goroutine of its own, which bears the trial's label, and
// waits for it at most d. It returns f's error, or a mishap. What is the name of
// the call.
func (tr *trial) try(ctx context.Context, d time.Duration, what string, f func(ctx context.Context) error) error {
	done := make(chan error, 1)
	go func() {
		pprof.SetGoroutineLabels(ctx)
		var err error = &mishap{what + " called runtime.Goexit"}
		returned := false
		defer func() {
			if !returned {
				if v := recover(); v != nil {
					err = &mishap{fmt.Sprintf("%s panicked: %v\n%s", what, v, debug.Stack())}
				}
			}
			done <- err
		}()
		err = f(ctx)
		returned = true
	}()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return &mishap{fmt.Sprintf("%s did not return within %v", what, d)}
	}
}

// do is an ordinary call. Any error is one that should not be.
func (tr *trial) do(what string, f func(ctx context.Context) error) error {
	err := tr.try(tr.context(), limit, what, f)
	if err != nil && !isMishap(err) {
		err = fmt.Errorf("%s failed: %w", what, err)
	}
	return err
}

// left returns the stacks of goroutines that the node started and that are still
// there after the patience is over.
func (tr *trial) left() string {
	for end := time.Now().Add(patience); ; time.Sleep(midway) {
		stacks := tr.goroutines()
		if len(stacks) == 0 || time.Now().After(end) {
			return strings.Join(stacks, "\n")
		}
	}
}

// goroutines returns the stacks of all goroutines that bear the trial's label.
func (tr *trial) goroutines() []string {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return []string{err.Error()}
	}
	var stacks []string
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(stack, fmt.Sprintf("%q:%q", "testkit", tr.id)) {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}
