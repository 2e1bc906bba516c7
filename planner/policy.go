package planner

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// handled is a key of the contexts that handling returns. The value is the planner.
type handled struct{}

// handling returns a context for handlers of a failure outside of transfers.
func (p *Planner) handling() context.Context { return context.WithValue(p.hard, handled{}, p) }

// Failed is part of [link.Host]: it decides whether to go on.
func (e *entry) Failed(ctx context.Context, l *link.Link, failure *link.Error) (left error) {
	p := e.p
	if ctx == nil {
		ctx = p.handling()
	}
	if p.opts.OnError == nil {
		switch {
		case e.keepsFailure(failure): // who waits for the link returns it
		case failure.Fatal():
			p.logFailure(ctx, slog.LevelError, "a failure stops the planner", failure)
			p.fail(failure)
		default:
			msg := "failed; the records are kept and offered again"
			if !failure.Kept {
				msg = "failed; the records are dead letters or dropped"
			}
			p.logFailure(ctx, slog.LevelWarn, msg, failure)
		}
		return failure
	}
	returned := false
	defer func() {
		if !returned {
			cause := caught(recover())
			left = errors.Join(failure, &link.Error{Op: link.OpReport, Link: l.Name(), Node: "OnError", Number: failure.Number, Err: cause})
			if !e.keepsFailure(left) {
				p.fail(left)
			}
		}
	}()
	verdict := p.opts.OnError(ctx, failure)
	_ = errors.Is(verdict, errGoexit) // panics if it is an error that cannot be used, as a nil pointer
	returned = true
	if errors.Is(failure, link.ErrFenced) || errors.Is(failure, link.ErrTooManyDeadLetters) {
		p.mu.Lock()
		e.fenced = true
		p.mu.Unlock()
	}
	if verdict != nil && !failure.Optional && !e.keepsFailure(verdict) {
		p.fail(verdict)
	}
	return verdict
}

// keepsFailure reports whether a failure is the business of somebody who waits for
// the link: of Remove, to which it is given, or of Force on a planner that is not
// running, which gets it from the link.
func (e *entry) keepsFailure(err error) bool {
	e.p.mu.Lock()
	defer e.p.mu.Unlock()
	if e.removal != nil {
		e.removal.failures = append(e.removal.failures, err)
		return true
	}
	return e.p.state != running && e.p.state != stopping
}

// Reported is part of [link.Host].
func (e *entry) Reported(ctx context.Context, l *link.Link, r link.Report) {
	p := e.p
	wait := true
	if r.Reason == record.Flush || p.opts.OnReport != nil {
		p.mu.Lock()
		wait = e.stage == active
		p.mu.Unlock()
	}
	if r.Reason != record.Flush || wait { // else it is what a stop has flushed
		e.book.reported(r)
	}
	if p.opts.OnReport != nil {
		r.Lanes = slices.Clone(r.Lanes)
		p.reporter.add(delivery{ctx, e, r}, wait)
	}
}
