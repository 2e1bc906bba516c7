package link

import (
	"context"
	"errors"
	"fmt"
)

// Cancel ends the context of the calls that the running transfer makes, with
// [ErrCancelled] as the cause, if a transfer that begins at this moment would have to
// wait, see Ready. Lanes begin no other call before the next transfer; stages of the link
// that are still to come are called with the context that has ended. It does nothing
// unless Overlap is [CancelPrevious].
func (l *Link) Cancel() {
	if l.Overlap() != CancelPrevious {
		return
	}
	l.mu.Lock()
	if l.timing.ctx != nil && l.phase == started && !l.ready() {
		l.timing.cut = true
		l.timing.cancel(ErrCancelled)
		for _, ln := range l.allLanes() {
			if ln.interrupt() { // the next transfer offers again
				ln.start()
			}
		}
	}
	l.mu.Unlock()
}

// context returns what nodes are called with. l.mu is held.
func (l *Link) context() context.Context {
	if t := l.timing; t != nil && t.ctx != nil {
		return t.ctx
	}
	return l.ctx
}

// renewed returns what nodes are called with by a transfer that begins. l.mu is held.
func (l *Link) renewed() context.Context {
	if l.timing == nil {
		return l.ctx
	}
	return l.timing.renewed(l.ctx)
}

// renewed returns a context of one transfer where that can be cancelled, or else life.
func (t *timing) renewed(life context.Context) context.Context {
	switch {
	case t.overlap != CancelPrevious:
		return life
	case t.ctx == nil || t.cut:
		t.ctx, t.cancel = context.WithCancelCause(life)
		t.cut = false
	}
	return t.ctx
}

// cancelled reports whether no call is begun before the next transfer. l.mu is held.
func (l *Link) cancelled() bool { return l.timing != nil && l.timing.cut && l.phase == started }

// cancelled reports whether the calls of t were. One that was refused made none.
func (t *Transfer) cancelled() bool { return t.ctx != nil && context.Cause(t.ctx) == ErrCancelled }

// cut marks err, which a call with ctx has returned, if the call was cancelled.
func cut(ctx context.Context, err error) error {
	if err == nil || context.Cause(ctx) != ErrCancelled {
		return err
	}
	return cancelled(err)
}

// cancelled marks err, which is why a call that was cancelled has failed.
func cancelled(err error) error {
	if errors.Is(err, ErrCancelled) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrCancelled, err)
}
