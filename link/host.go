package link

import (
	"context"
	"fmt"

	"github.com/databay-go/databay/record"
)

// linkKey is the context key of the link that calls a node.
type linkKey struct{}

// FromContext returns the link that calls a node with ctx, or nil.
func FromContext(ctx context.Context) *Link {
	l, _ := ctx.Value(linkKey{}).(*Link)
	return l
}

// fail notes an error and asks the handlers.
func (l *Link) fail(err *Error) {
	l.note(err)
	l.judge(err)
}

// note notes an error for the next report.
func (l *Link) note(err *Error) {
	err.Link = l.name
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

// judge asks the link's handler and then the host what to do about err, one call
// at a time.
func (l *Link) judge(err *Error) {
	l.mu.Lock()
	host, ctx := l.host, l.ctx
	if l.onError == nil && host == nil {
		l.mu.Unlock()
		return
	}
	for l.judging {
		if l.stop != nil && l.stop.over { // the other call hangs
			l.mu.Unlock()
			return
		}
		l.idle.Wait()
	}
	l.judging = true
	l.mu.Unlock()
	settled := false
	defer func() {
		l.mu.Lock()
		err.settled = settled
		l.judging = false
		l.idle.Broadcast()
		l.mu.Unlock()
	}()
	if l.onError != nil {
		failed := func(cause error) { l.callbackFailed(ctx, host, err.Number, "OnError", cause) }
		verdict := err.Err
		caught := guard(func() error {
			verdict = l.onError(ctx, err)
			return nil
		}, failed)
		if caught != nil {
			failed(caught)
		}
		if verdict == nil {
			settled = true
			return
		}
	}
	if host != nil {
		settled = host.Failed(ctx, l, err) == nil
	}
}

// callbackFailed tells the host that a handler of the link has failed itself.
func (l *Link) callbackFailed(ctx context.Context, host Host, number int64, name string, cause error) {
	err := &Error{Op: OpReport, Node: name, Number: number, Err: cause}
	l.note(err)
	if host != nil {
		host.Failed(ctx, l, err)
	}
}

// deliver gives the reports that are made to OnReport and the host, in order and
// one at a time: whoever finds nobody doing it does.
func (l *Link) deliver() {
	l.mu.Lock()
	if l.delivering || len(l.outbox) == 0 {
		l.mu.Unlock()
		return
	}
	l.delivering = true
	host, ctx := l.host, l.ctx
	var t *Transfer
	defer func() { // also when OnReport calls runtime.Goexit: then others are left
		left := t != nil
		l.delivering = false
		if left {
			t.finish()
		}
		l.idle.Broadcast()
		l.mu.Unlock()
		if left {
			l.deliver()
		}
	}()
	for len(l.outbox) > 0 {
		t = l.outbox[0]
		if l.outbox = l.outbox[1:]; len(l.outbox) == 0 {
			l.outbox = nil
		}
		l.mu.Unlock()
		l.publish(ctx, host, t)
		t.finish()
		t = nil
	}
}

// publish gives the report of t to OnReport and the host. It returns, or unwinds,
// with l.mu held.
func (l *Link) publish(ctx context.Context, host Host, t *Transfer) {
	defer l.mu.Lock()
	r := t.report
	if t.unbalanced != nil {
		l.judge(t.unbalanced)
	}
	if l.onReport != nil {
		failed := func(cause error) { l.callbackFailed(ctx, host, r.Number, "OnReport", cause) }
		if err := guard(func() error { l.onReport(ctx, r); return nil }, failed); err != nil {
			failed(err)
		}
	}
	if host != nil {
		host.Reported(ctx, l, r)
	}
}

// finish tells those who wait for t that it has ended. l.mu is held.
func (t *Transfer) finish() {
	t.finished = true
	if t.done != nil {
		close(t.done)
	}
}

// changed tells the host that Ready or Wake may have changed.
func (l *Link) changed() {
	l.mu.Lock()
	host := l.host
	l.mu.Unlock()
	if host != nil {
		host.Changed(l)
	}
}

// grouping is all groupers of a link as the last stage of its chain: it lets
// records through and keeps the batches they were cut into.
type grouping struct {
	groupers []record.Grouper
	batches  [][]record.Record
}

// Process runs the groupers on records.
func (g *grouping) Process(ctx context.Context, records []record.Record) ([]record.Record, error) {
	batches := [][]record.Record{records}
	for _, grouper := range g.groupers {
		var err error
		if batches, err = grouper.Group(ctx, batches); err != nil {
			return nil, fmt.Errorf("%s: %w", nameOf(grouper), err)
		}
		n := 0
		for _, batch := range batches {
			n += len(batch)
		}
		if n != len(records) {
			return nil, record.Permanent(fmt.Errorf("%s: it returned %d records of %d: a grouper only cuts and reorders",
				nameOf(grouper), n, len(records)))
		}
	}
	for _, batch := range batches {
		if len(batch) > 0 {
			g.batches = append(g.batches, batch)
		}
	}
	return records, nil
}

// take returns the batches since it was called last.
func (g *grouping) take() [][]record.Record {
	batches := g.batches
	g.batches = nil
	return batches
}
