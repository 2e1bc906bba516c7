package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/databay-go/databay/link"
)

// Run starts links with a planner of default [Options], transfers until ctx ends or
// a failure stops it, and stops them. See [Planner.Run].
func Run(ctx context.Context, links ...*link.Link) error {
	p, err := New(nil, links...)
	if err != nil {
		return err
	}
	err = p.Run(ctx)
	_, _ = p.Shutdown(ctx) // of a planner that could not start: gives the links back
	return err
}

// Run starts the planner, waits until ctx ends or a failure stops it, and shuts it
// down. It returns nil if nothing has failed but what was settled or was put right
// later; else it joins what could not be started, what has stopped the planner, and
// what has failed or was given up at the end.
//
// The end of ctx is a soft stop: transfers go on until [Options.ShutdownTimeout].
func (p *Planner) Run(ctx context.Context) error {
	if err := p.Start(ctx); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-p.quit.Done():
	}
	_, err := p.Shutdown(context.Background())
	return err
}

// Start starts the links one after another, in order, and returns when their nodes
// are up and their schedules have begun. It does not wait for their first transfers.
// ctx is for starting only.
//
// If a link does not start, those that have are shut down again, in reverse order,
// and the planner is as it was before. Starting it twice is [ErrRunning], after a
// Shutdown [ErrClosed].
func (p *Planner) Start(ctx context.Context) error {
	if p.inside(ctx) {
		return ErrInside
	}
	if err := p.enter(ctx); err != nil {
		return err
	}
	defer p.release()
	p.mu.Lock()
	switch p.state {
	case fresh:
	case stopping, closed:
		p.mu.Unlock()
		return ErrClosed
	default:
		p.mu.Unlock()
		return ErrRunning
	}
	p.state = starting
	entries := slices.Clone(p.links)
	p.mu.Unlock()

	err := p.startAll(ctx, entries, p.opts.Trigger.Start)
	p.mu.Lock()
	defer p.mu.Unlock()
	untold := p.untold
	p.untold = nil
	if err != nil {
		if p.state < stopping {
			p.state = fresh
		}
		return err
	}
	for _, tell := range untold {
		p.tasks.spawn(tell)
	}
	return nil
}

// Add adds links, all or none. On a planner that is running it starts them as Start
// does, while the others go on: their schedules begin now, and each makes its first
// transfer at once.
//
// A nil link, one without a schedule, a name that is taken ([ErrDuplicateLink]), a
// link that belongs to another planner, and a node that keeps a state and is used by
// another link ([link.ErrDuplicateNode]) are errors. From inside the start of a node, or
// a transfer of a planner that is not started, the error is [ErrInside].
func (p *Planner) Add(ctx context.Context, links ...*link.Link) error {
	if err := p.enter(ctx); err != nil {
		return err
	}
	defer p.release()
	p.mu.Lock()
	state := p.state
	p.mu.Unlock()
	if state >= stopping {
		return ErrClosed
	}
	from := joining
	if state == fresh {
		from = idle
	}
	added, err := p.admit(links, from, nil)
	if err != nil || from == idle {
		return err
	}
	if err := p.startAll(ctx, added, nil); err != nil {
		p.dismiss(added)
		return err
	}
	return nil
}

// startAll starts links and their schedules, and then the trigger if it is given. If
// something fails, all is undone. p.life is held.
func (p *Planner) startAll(ctx context.Context, entries []*entry, trigger func(func(Tick)) error) (err error) {
	ctx, cancel := until(ctx, p.quit, ErrClosed)
	defer cancel()
	var up []*entry
	defer func() {
		if err != nil {
			err = errors.Join(err, p.undo(up))
		}
	}()
	for i, e := range entries {
		if err := e.link.Start(ctx); err != nil {
			return err
		}
		up = entries[:i+1]
	}
	if err := p.schedule(ctx, up, time.Now()); err != nil {
		return err
	}
	p.mu.Lock()
	if p.state >= stopping {
		p.mu.Unlock()
		return ErrClosed
	}
	p.state = running
	for _, e := range up {
		e.stage = active
	}
	p.mu.Unlock()
	if trigger != nil {
		if err := trigger(p.emit); err != nil {
			if p.quit.Err() != nil { // a Shutdown has stopped the trigger
				return ErrClosed
			}
			return fmt.Errorf("planner: start the trigger: %w", err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range up {
		e.immediate = !p.opts.SkipImmediate && !e.link.SkipImmediate()
		e.rearm()
		e.wanted()
	}
	return nil
}

// schedule begins the schedules of entries. It leaves them behind if one does not return
// soon after ctx has ended.
func (p *Planner) schedule(ctx context.Context, entries []*entry, anchor time.Time) error {
	begun := make(chan error, 1)
	var settled atomic.Bool // they have begun, or are left behind
	var at atomic.Int64     // the one that is beginning
	var work func(i int)
	work = func(i int) {
		ended := false
		defer func() {
			if !ended { // runtime.Goexit, of which the timetable has told
				go work(i + 1)
			}
		}()
		var err error
		for ; i < len(entries) && err == nil && !settled.Load(); i++ {
			at.Store(int64(i))
			err = p.begin(entries[i], anchor, &settled)
		}
		ended = true
		if settled.CompareAndSwap(false, true) {
			begun <- err
		}
	}
	go work(0)
	select {
	case err := <-begun:
		return err
	case <-ctx.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case err := <-begun:
		return err
	case <-timer.C:
	}
	p.mu.Lock() // no timetable is set behind this
	left := settled.CompareAndSwap(false, true)
	p.mu.Unlock()
	if !left {
		return <-begun
	}
	return scheduleError(entries[at.Load()].link, fmt.Errorf("abandoned: it has not returned: %w", context.Cause(ctx)))
}

// begin makes the timetable of e and adds it to the trigger, unless that is settled
// meanwhile.
func (p *Planner) begin(e *entry, anchor time.Time, settled *atomic.Bool) error {
	e.book.opens()
	table := newTimetable(e, anchor)
	next := table.Next(anchor)
	e.clock.Lock()
	p.mu.Lock()
	late := settled.Load()
	if !late {
		e.table, e.next = table, next
	}
	p.mu.Unlock()
	e.clock.Unlock()
	if late {
		return nil
	}
	err := p.opts.Trigger.Add(e.link.Name(), table, anchor)
	if err == nil && settled.Load() {
		p.opts.Trigger.Remove(e.link.Name())
	}
	return err
}

// undo shuts links down that were started together, the last one first.
func (p *Planner) undo(up []*entry) error {
	var errs []error
	for i := len(up) - 1; i >= 0; i-- {
		e := up[i]
		p.opts.Trigger.Remove(e.link.Name())
		p.mu.Lock()
		if e.stage == active { // the trigger has not started
			e.stage = idle
			e.drop(ErrClosed)
		}
		p.mu.Unlock()
		errs = append(errs, p.shutLink(e))
	}
	return errors.Join(errs...)
}
