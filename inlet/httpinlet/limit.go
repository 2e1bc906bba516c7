package httpinlet

import (
	"context"
	"time"

	"github.com/databay-go/databay/internal/httpclient"
)

// Limiter bounds how often requests are made. Wait returns when the next one may
// be, or soon after its context has ended. It is called before every page and every
// try, side by side if pulls are. A *rate.Limiter of golang.org/x/time/rate is one.
type Limiter interface {
	Wait(ctx context.Context) error
}

// Every returns a [Limiter] that lets one request begin in every d. A d that is not
// positive is no limit.
func Every(d time.Duration) Limiter {
	return &every{d: d, turn: make(chan struct{}, 1)}
}

type every struct {
	d    time.Duration
	turn chan struct{} // has one while somebody waits for next
	next time.Time
}

func (e *every) Wait(ctx context.Context) error {
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return httpclient.Ended(ctx)
	}
	if wait := time.Until(e.next); wait > 0 {
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
	e.next = time.Now().Add(e.d)
	return nil
}
