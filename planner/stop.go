package planner

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/databay-go/databay/link"
)

// grace is how long after the end of its time a stop waits for what is about to
// end.
const grace = time.Second

// Report is what a Shutdown has to say.
type Report struct {
	// Links has the last Report of every link, in the order in which they were
	// added: what happened since the one before, and what was abandoned.
	Links []link.Report
}

// Shutdown stops the planner for good: no instant is taken any more, transfers end,
// holders are flushed, pending records offered, positions committed and nodes shut
// down, all links side by side. Instants that wait are interrupted.
//
// Until [Options.ShutdownTimeout] or ctx ends, nodes are called with a live context;
// then it ends, and calls that do not return within a second are left behind and
// named in the error. The error also joins what has stopped the planner.
//
// All callers wait for the same end and get the same result. A planner that is not
// started is closed. From inside a transfer of this planner, or of its OnError or
// OnReport, Shutdown begins the stop and returns at once.
func (p *Planner) Shutdown(ctx context.Context) (Report, error) {
	inside := p.inside(ctx) || ctx.Value(handled{}) == p
	p.mu.Lock()
	p.beginStop()
	p.mu.Unlock()
	if inside {
		return Report{}, nil
	}
	defer context.AfterFunc(ctx, p.hardNow)()
	<-p.done
	return p.report, p.err
}

// fail stops the planner, if it is running, because of err.
func (p *Planner) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == running || p.state == stopping {
		p.causes = append(p.causes, err)
		p.beginStop()
	}
}

// beginStop begins to stop, once. p.mu is held.
func (p *Planner) beginStop() {
	if p.state < stopping {
		p.state = stopping
		p.quitNow()
		go p.stop()
	}
}

// stop is the goroutine that stops the planner.
func (p *Planner) stop() {
	untriggered := make(chan struct{})
	go func() { // a schedule may hang
		defer close(untriggered)
		p.opts.Trigger.Stop()
	}()
	p.mu.Lock()
	for _, e := range p.links {
		if e.stage == active {
			e.stage = leaving
			e.drop(ErrClosed)
		}
	}
	p.pool.close()
	p.mu.Unlock()

	ctx, cancel := p.deadline(context.Background())
	defer cancel()
	late, cancelLate := after(ctx, grace)
	defer cancelLate()
	p.life <- struct{}{} // links that are being started are not, and say so
	p.mu.Lock()
	entries := slices.Clone(p.links)
	p.mu.Unlock()
	stopped := entries[:0]
	for _, e := range entries {
		switch {
		case e.removal != nil:
			<-e.removal.done // whoever removes it has the same deadline, or an earlier one
		case e.stage == leaving:
			stopped = append(stopped, e)
		}
	}
	reports, errs := p.shutAll(ctx, stopped)
	for i := range errs {
		errs[i] = open(reports[i], errs[i:i+1])
	}
	select {
	case <-untriggered:
	case <-late.Done():
		errs = append(errs, errors.New("planner: the Trigger has not stopped, as when a schedule does not return: abandoned"))
	}
	if !p.reporter.close(late) {
		errs = append(errs, errors.New("planner: OnReport has not returned: abandoned"))
	}
	if !p.tasks.wait(late) {
		errs = append(errs, errors.New("planner: OnError or the Logger has not returned: abandoned"))
	}
	p.mu.Lock()
	p.pool.drain(late, func(*entry) bool { return true })
	for _, e := range stopped {
		p.leave(e, ErrClosed)
	}
	for _, e := range p.links {
		_ = e.link.Attach(nil, nil)
	}
	p.report = Report{Links: reports}
	p.err = errors.Join(unique(append(p.causes, errs...))...)
	p.state = closed
	p.mu.Unlock()
	p.release()
	p.hardNow()
	close(p.done)
}

// Remove removes links, all or none: their schedules end, and on a planner that is
// running they are shut down as Shutdown does. It returns what has failed meanwhile
// or was given up; the links are removed all the same. Removing no link does
// nothing.
//
// A link that is not there is [ErrUnknownLink]. From inside a transfer of one of
// the links, the start of a node, or a transfer of a planner that is not started, the
// error is [ErrInside].
func (p *Planner) Remove(ctx context.Context, links ...*link.Link) error {
	if len(links) == 0 {
		return nil
	}
	return p.remove(ctx, links)
}

// Purge removes all links.
func (p *Planner) Purge(ctx context.Context) error { return p.remove(ctx, nil) }

func (p *Planner) remove(ctx context.Context, links []*link.Link) error {
	if l := link.FromContext(ctx); l != nil && p.inside(ctx) && (len(links) == 0 || slices.Contains(links, l)) {
		return ErrInside
	}
	entries, started, err := p.expel(ctx, links)
	if err != nil || !started {
		return err
	}
	for _, e := range entries {
		p.opts.Trigger.Remove(e.link.Name())
	}
	ctx, cancel := p.deadline(ctx)
	defer cancel()
	late, cancelLate := after(ctx, grace)
	defer cancelLate()
	reports, errs := p.shutAll(ctx, entries)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pool.drain(late, func(e *entry) bool { return slices.Contains(entries, e) })
	p.forget(entries)
	var all []error
	for i, e := range entries {
		all = append(all, open(reports[i], append(e.removal.failures, errs[i])))
		p.leave(e, ErrUnknownLink)
		_ = e.link.Attach(nil, nil)
		close(e.removal.done)
	}
	return errors.Join(unique(all)...)
}

// expel takes links out of what is done. On a planner that is not started they are
// removed then.
func (p *Planner) expel(ctx context.Context, links []*link.Link) (entries []*entry, started bool, err error) {
	if err := p.enter(ctx); err != nil {
		return nil, false, err
	}
	defer p.release()
	p.mu.Lock()
	if p.state >= stopping {
		p.mu.Unlock()
		return nil, false, ErrClosed
	}
	entries, err = p.findAll(links)
	started = p.state == running
	if err == nil && started {
		for _, e := range entries {
			e.stage = leaving
			e.removal = &removal{done: make(chan struct{})}
			e.drop(fmt.Errorf("link %q was removed: %w", e.link.Name(), ErrUnknownLink))
		}
	}
	p.mu.Unlock()
	if err == nil && !started {
		p.dismiss(entries)
	}
	return entries, started, err
}

// leave is the end of an entry whose link has been shut down. p.mu is held.
func (p *Planner) leave(e *entry, err error) {
	e.stage = idle
	e.book.closes()
	if e.forced != nil { // it hangs
		e.forced.settle(nil, err)
	}
}

// deadline returns a context that ends when ctx, ShutdownTimeout or a hard stop
// does.
func (p *Planner) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := until(ctx, p.hard, ErrClosed)
	if p.opts.ShutdownTimeout < 0 {
		return ctx, cancel
	}
	ctx, cancelTimeout := context.WithTimeout(ctx, p.opts.ShutdownTimeout)
	return ctx, func() {
		cancelTimeout()
		cancel()
	}
}

// after returns a context that ends when ctx has ended d ago.
func after(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-late.Done():
		}
	})
	return late, func() {
		stop()
		cancel()
	}
}

// Links that are shut down side by side. There are more if none of these ends for a
// moment.
const (
	sideBySide = 64
	aMoment    = 50 * time.Millisecond
)

// shutAll shuts links down, side by side, and returns their Reports and errors.
func (p *Planner) shutAll(ctx context.Context, entries []*entry) ([]link.Report, []error) {
	reports := make([]link.Report, len(entries))
	errs := make([]error, len(entries))
	ended := make(chan struct{}, len(entries))
	var next atomic.Int64
	shut := func(i int64) {
		defer func() { ended <- struct{}{} }()
		reports[i], errs[i] = entries[i].link.Shutdown(ctx)
	}
	places := 0
	add := func(n int) {
		n = min(n, len(entries)-places)
		places += n
		for range n {
			go func() {
				for i := next.Add(1) - 1; i < int64(len(entries)); i = next.Add(1) - 1 {
					shut(i)
				}
			}()
		}
	}
	add(sideBySide)
	timer := time.NewTimer(aMoment)
	defer timer.Stop()
	for left := len(entries); left > 0; {
		select {
		case <-ended:
			left--
		case <-timer.C:
			add(places)
		}
		timer.Reset(aMoment)
	}
	return reports, errs
}

// shutLink shuts one link down.
func (p *Planner) shutLink(e *entry) error {
	ctx, cancel := p.deadline(context.Background())
	defer cancel()
	reports, errs := p.shutAll(ctx, []*entry{e})
	return open(reports[0], errs)
}

// open joins the failures of a link that has been shut down, the last Report of which
// is r. Those whose records were delivered in the end are none.
func open(r link.Report, failures []error) error {
	lost := abandoned(r.Account)
	var open []error
	for _, err := range unique(failures) {
		if failure, ok := errors.AsType[*link.Error](err); !ok || !failure.Kept || lost {
			open = append(open, err)
		}
	}
	return errors.Join(open...)
}

// abandoned reports whether records were given up.
func abandoned(a link.Account) bool {
	return a.Abandoned > 0 || slices.ContainsFunc(a.Lanes, func(l link.LaneAccount) bool { return l.Abandoned > 0 })
}

// parts returns the errors of which errors.Join has made err, or err.
func parts(err error) []error {
	if reflect.TypeOf(err) == reflect.TypeOf(errors.Join(ErrClosed)) {
		return err.(interface{ Unwrap() []error }).Unwrap()
	}
	return []error{err}
}

// unique returns the parts of errs that do not occur in one before.
func unique(errs []error) []error {
	var all []error
	for _, err := range errs {
		if err == nil {
			continue
		}
		for _, part := range parts(err) {
			known := func(other error) bool { return errors.Is(other, part) }
			if !reflect.ValueOf(part).Comparable() || !slices.ContainsFunc(all, known) {
				all = append(all, part)
			}
		}
	}
	return all
}
