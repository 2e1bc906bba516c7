package link

import (
	"context"
	"fmt"

	"github.com/databay-go/databay/record"
)

// offer offers records, the head of the queue, to the outlet and returns its answer.
func (ln *lane) offer(ctx context.Context, records []record.Record, u *record.Update) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			err = caught(v)
			return
		}
		ln.link.mu.Lock()
		ln.answer(records, caught(nil))
		ln.link.mu.Unlock()
	}()
	if ln.policy != nil && ln.policy.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, ln.policy.timeout)
		defer cancel()
	}
	if ln.copier == nil {
		err = ln.out.Push(ctx, records, *u)
	} else {
		err = ln.pushCopies(ctx, records, *u)
	}
	if err != nil {
		err = sound(err)
	}
	returned = true
	return err
}

// pushCopies offers copies of records.
func (ln *lane) pushCopies(ctx context.Context, records []record.Record, u record.Update) error {
	n := len(records)
	copies, uncopied := ln.copier.Records(make([]record.Record, 0, n), records)
	if uncopied == nil {
		return ln.out.Push(ctx, copies, u)
	}
	if len(copies) == 0 {
		return uncopied
	}
	u.Commit = nil // it would pass what is left out
	return merge(record.AsPartial(uncopied), n, ln.out.Push(ctx, copies, u))
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
