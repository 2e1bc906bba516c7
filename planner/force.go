package planner

import (
	"context"
	"errors"
	"sync"

	"github.com/databay-go/databay/link"
)

// request is one forced transfer that is asked for. What is not said otherwise is
// guarded by Planner.mu.
type request struct {
	e      *entry
	next   *request
	began  bool // it is running: it cannot be withdrawn
	behind int  // how many instants may go ahead of it still

	// Written before done is closed.
	transfer *link.Transfer
	err      error // why there is no transfer
	done     chan struct{}
}

// settle says how the request has ended: with a transfer, or without one because of
// err. p.mu is held.
func (r *request) settle(t *link.Transfer, err error) {
	select {
	case <-r.done:
		return
	default:
	}
	if r.transfer = t; t == nil {
		r.err = err
	}
	close(r.done)
}

// Force makes one transfer of each link, of all links if none is given, and waits
// for their Reports, which come in the order of the links. The error joins what has
// failed, less what a handler has settled.
//
// A forced transfer waits until the link's last one is handed over and there is a
// place for it; it is never skipped, and is made of paused links too. One instant that
// waits goes ahead of it, or those that are made up for, up to the Max of
// [link.Misfire]. When ctx ends, what has not begun is withdrawn. A planner that is not
// started, or has been shut down, does [link.Link.Once] with each link.
//
// An unknown link is [ErrUnknownLink], and nothing is forced then. From inside a
// transfer of this planner the error is [ErrInside], while the planner is being shut
// down it is [ErrClosed].
func (p *Planner) Force(ctx context.Context, links ...*link.Link) ([]link.Report, error) {
	if p.inside(ctx) {
		return nil, ErrInside
	}
	for {
		p.mu.Lock()
		switch p.state {
		case running:
			requests, err := p.request(links)
			p.mu.Unlock()
			if err != nil {
				return nil, err
			}
			return p.collect(ctx, requests)
		case stopping:
			p.mu.Unlock()
			return nil, ErrClosed
		}
		p.mu.Unlock()
		if reports, done, err := p.forceOnce(ctx, links); done {
			return reports, err
		}
	}
}

// request asks for transfers of links. p.mu is held.
func (p *Planner) request(links []*link.Link) ([]*request, error) {
	entries, err := p.findAll(links)
	if err != nil {
		return nil, err
	}
	requests := make([]*request, len(entries))
	for i, e := range entries {
		most, _ := e.link.Misfire()
		r := &request{e: e, behind: most, done: make(chan struct{})}
		at := &e.first
		for *at != nil {
			at = &(*at).next
		}
		*at = r
		requests[i] = r
		e.wanted()
	}
	return requests, nil
}

// collect waits for the Reports.
func (p *Planner) collect(ctx context.Context, requests []*request) ([]link.Report, error) {
	reports := make([]link.Report, len(requests))
	errs := make([]error, len(requests))
	for i, r := range requests {
		select {
		case <-r.done:
		case <-ctx.Done():
			if !p.withdraw(r, context.Cause(ctx)) {
				errs[i] = context.Cause(ctx)
				continue
			}
		}
		if errs[i] = r.err; r.transfer != nil {
			reports[i], errs[i] = r.transfer.Wait(ctx)
		}
	}
	return reports, errors.Join(errs...)
}

// withdraw takes a request back, because err, and reports whether it is settled. It
// is not if its transfer is running.
func (p *Planner) withdraw(r *request, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := r.e; !r.began {
		at := &e.first
		for *at != nil && *at != r {
			at = &(*at).next
		}
		if *at == r {
			*at = r.next
		}
		r.settle(nil, err)
	}
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// forceOnce makes the transfers of a planner that is not running. It is not done if
// the planner has been started meanwhile.
func (p *Planner) forceOnce(ctx context.Context, links []*link.Link) (_ []link.Report, done bool, _ error) {
	if err := p.acquire(ctx); err != nil {
		return nil, true, err
	}
	defer p.release()
	p.mu.Lock()
	state := p.state
	entries, err := p.findAll(links)
	p.mu.Unlock()
	if state != fresh && state != closed {
		return nil, false, nil
	}
	if err != nil {
		return nil, true, err
	}
	if state == fresh { // a Shutdown does not wait longer than it has to
		var cancel context.CancelFunc
		ctx, cancel = until(ctx, p.quit, ErrClosed)
		defer cancel()
		over := make(chan struct{})
		stop := context.AfterFunc(p.quit, func() {
			defer close(over)
			bound, cancel := p.deadline(context.Background())
			defer cancel()
			p.shutAll(bound, entries) // bounds those that Once makes
		})
		defer func() {
			if !stop() {
				<-over
			}
		}()
	}
	reports := make([]link.Report, len(entries))
	errs := make([]error, len(entries))
	places := make(chan struct{}, min(p.opts.Concurrency, len(entries)))
	var transfers sync.WaitGroup
	for i, e := range entries {
		places <- struct{}{}
		transfers.Go(func() {
			defer func() { <-places }()
			reports[i], errs[i] = e.once(ctx, state == closed)
		})
	}
	transfers.Wait()
	return reports, true, errors.Join(errs...)
}

// once does Once with a link, which was given back if the planner is closed.
func (e *entry) once(ctx context.Context, attach bool) (link.Report, error) {
	if attach {
		if err := e.link.Attach(e, &e.p.nodes); err != nil {
			return link.Report{}, err
		}
		defer func() { _ = e.link.Attach(nil, nil) }()
	}
	return e.link.Once(ctx)
}

// until returns a context that ends with ctx, or with other because cause.
func until(ctx, other context.Context, cause error) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(other, func() { cancel(cause) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}
