package link

import (
	"context"
	"fmt"

	"github.com/databay-go/databay/record"
)

// offer offers records, the head of the queue, to the outlet and returns its answer.
func (ln *lane) offer(ctx context.Context, records []record.Record, u *record.Update) error {
	return guard(func() error { return ln.push(ctx, records, u) }, func(err error) {
		ln.link.mu.Lock()
		ln.answer(records, err)
		ln.link.mu.Unlock()
	})
}

func (ln *lane) push(ctx context.Context, records []record.Record, u *record.Update) error {
	var uncopied error
	n := len(records)
	if ln.copier != nil {
		records, uncopied = ln.copier.Records(make([]record.Record, 0, n), records)
		if len(records) == 0 && uncopied != nil {
			return uncopied
		}
	}
	if uncopied != nil && u.Commit != nil { // it would pass what is left out
		less := *u
		less.Commit = nil
		u = &less
	}
	if ln.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, ln.timeout)
		defer cancel()
	}
	err := ln.out.Push(ctx, records, *u)
	if uncopied != nil {
		return merge(record.AsPartial(uncopied), n, err)
	}
	return err
}

// merge returns the error about n records of which those in missing were left out
// before the rest was answered with err.
func merge(missing *record.Partial, n int, err error) error {
	p := record.AsPartial(err)
	if err != nil && p == nil {
		return err
	}
	if p != nil {
		if wrong := p.Check(n - len(missing.Failed)); wrong != nil {
			return fmt.Errorf("it answered with %w", wrong)
		}
	}
	var failures record.Failures
	at := 0
	for i := range n {
		if missing.Failed[i] != nil {
			failures.Add(i, missing.Failed[i])
			continue
		}
		if p != nil {
			failures.Add(i, p.Failed[at])
		}
		at++
	}
	return failures.Err()
}
