package link

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/databay-go/databay/record"
)

// linkKey is the context key of the link that calls a node.
type linkKey struct{}

// FromContext returns the link that calls a node with ctx, or nil.
func FromContext(ctx context.Context) *Link {
	l, _ := ctx.Value(linkKey{}).(*Link)
	return l
}

// lasting is a context of calls that l makes: it has the values of the one that Start
// was given, and does not end with it.
type lasting struct {
	values context.Context
	link   *Link
}

func (lasting) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }
func (lasting) Done() <-chan struct{}                   { return nil }
func (lasting) Err() error                              { return nil }

func (c lasting) Value(key any) any {
	if key == (linkKey{}) {
		return c.link
	}
	return c.values.Value(key)
}

// fail notes an error and asks the handlers. Until they have answered it is in no
// report but that of a Shutdown.
func (l *Link) fail(err *Error) {
	err.asked = true
	l.note(err)
	l.judge(err)
	l.mu.Lock()
	err.asked = false
	l.mu.Unlock()
}

// failUnlocked is fail for who holds l.mu, which is not held meanwhile.
func (l *Link) failUnlocked(err *Error) {
	l.mu.Unlock()
	l.fail(err)
	l.mu.Lock()
}

// note notes an error for the next report. What fails after a Shutdown, in a call
// that was left behind, is nobody's business any more.
func (l *Link) note(err *Error) {
	err.Link = l.name
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.phase != stopped {
		l.errs = append(l.errs, err)
	}
}

// judge asks the link's handler and then the host what to do about err, one call
// at a time. They are called in goroutines of their own, so that a runtime.Goexit ends
// nothing else: a stage, for instance, whose records are on their way.
func (l *Link) judge(err *Error) {
	l.mu.Lock()
	host, ctx := l.host, l.ctx
	if l.onError == nil && host == nil {
		l.mu.Unlock()
		return
	}
	gone := func() bool { return l.phase == stopped || l.phase == stopping && l.stop.gone }
	for l.judging && !gone() {
		l.idle.Wait()
	}
	if gone() { // the other call hangs, or this is what one that hung had to say
		l.mu.Unlock()
		return
	}
	l.judging = true
	l.mu.Unlock()
	settled, handed := false, err
	defer func() {
		l.mu.Lock()
		err.settled, err.handed = settled, handed
		l.judging = false
		l.idle.Broadcast()
		l.mu.Unlock()
	}()
	if l.onError != nil {
		verdict := error(err)
		caught := alone(func() error {
			verdict = sound(l.onError(ctx, err))
			return nil
		})
		if caught != nil {
			l.callbackFailed(ctx, host, err.Number, "OnError", caught)
		}
		if verdict == nil {
			settled = true
			return
		}
		if e, ok := verdict.(*Error); !ok || e != err {
			other := *err
			other.Err, handed = verdict, &other
		}
	}
	settled = l.handOn(ctx, host, handed) == nil
}

// handOn hands err on to the host and returns what is left of it.
func (l *Link) handOn(ctx context.Context, host Host, err *Error) (left error) {
	left = err
	if host != nil && !l.isStopped() {
		_ = alone(func() error { left = host.Failed(ctx, l, err); return nil })
	}
	return left
}

// callbackFailed tells the host that a handler of the link has failed itself.
func (l *Link) callbackFailed(ctx context.Context, host Host, number int64, name string, cause error) {
	err := &Error{Op: OpReport, Node: name, Number: number, Err: cause}
	l.note(err)
	_ = l.handOn(ctx, host, err)
}

// deliver gives the reports that are made to OnReport and the host, in order and
// one at a time: whoever finds nobody doing it does.
func (l *Link) deliver() {
	l.mu.Lock()
	if l.delivering != nil || l.outbox == nil {
		l.mu.Unlock()
		return
	}
	host, ctx := l.host, l.ctx
	defer func() {
		t := l.delivering // not nil if OnReport has called runtime.Goexit: then others are left
		if t != nil {
			l.delivering = nil
			t.finish()
		}
		l.idle.Broadcast()
		l.mu.Unlock()
		if t != nil {
			l.deliver()
		}
	}()
	for l.outbox != nil {
		t := l.outbox
		l.outbox, t.next = t.next, nil
		l.delivering = t
		t.lent = t.lent || l.onReport != nil
		l.mu.Unlock()
		l.publish(ctx, host, t)
		l.delivering = nil
		t.finish()
	}
}

// publish gives the report of t to OnReport and the host. It returns, or unwinds,
// with l.mu held.
func (l *Link) publish(ctx context.Context, host Host, t *Transfer) {
	defer l.mu.Lock()
	r := t.report()
	defer func() {
		if host != nil && !l.isStopped() {
			host.Reported(ctx, l, r)
		}
	}()
	if t.unbalanced != nil {
		l.judge(t.unbalanced)
	}
	if l.onReport != nil {
		failed := func(cause error) { l.callbackFailed(ctx, host, r.Number, "OnReport", cause) }
		if err := guard(func() error { l.onReport(ctx, r); return nil }, failed); err != nil {
			failed(err)
		}
	}
}

func (l *Link) isStopped() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.phase == stopped
}

// finish tells those who wait for t that it has ended. l.mu is held.
func (t *Transfer) finish() {
	if t.finished {
		return
	}
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
			// Joined, a Partial is none: all records are grouped again.
			return nil, errors.Join(fmt.Errorf("%s: %w", nameOf(grouper), err))
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
