package httpinlet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/databay-go/databay/internal/httpclient"
	"github.com/databay-go/databay/record"
)

// Retry says how often a request is made that fails in a way that may pass: without
// an answer, with one that is cut off, or with status 408, 425, 429 or 5xx. Between
// two tries there is a wait of half its length to all of it, at random; its length
// doubles from try to try, up to a minute. A Retry-After makes it as long as that.
type Retry struct {
	// Tries is how often a request is made at most. If 0, 3; if 1, a failure is not
	// repeated; if -1, only Within bounds it.
	Tries int

	// Within is the time, from the beginning of the first try, after which none
	// begins. A wait that would be longer is not begun. If 0, 30 seconds; if -1, only
	// Tries bounds it.
	Within time.Duration

	// Wait is the length of the wait before the second try. If 0, half a second.
	Wait time.Duration

	// AnyMethod repeats requests of all methods. If false, those that may be made
	// twice: GET, OPTIONS, PUT and DELETE.
	AnyMethod bool
}

const (
	defaultTries  = 3
	defaultWithin = 30 * time.Second
	defaultWait   = 500 * time.Millisecond
	longestWait   = time.Minute
)

func (r Retry) resolve() Retry {
	r.Tries = cmp.Or(r.Tries, defaultTries)
	r.Within = cmp.Or(r.Within, defaultWithin)
	r.Wait = cmp.Or(r.Wait, defaultWait)
	return r
}

func (r Retry) mistakes() (errs []error) {
	if r.Tries < -1 {
		errs = append(errs, fmt.Errorf("httpinlet: Retry.Tries is %d, want more than 0, or 0 for %d, or -1 for any number", r.Tries, defaultTries))
	}
	if r.Within < -1 {
		errs = append(errs, fmt.Errorf("httpinlet: Retry.Within is %v, want more than 0, or 0 for %v, or -1 for none", r.Within, defaultWithin))
	}
	if r.Wait < 0 {
		errs = append(errs, fmt.Errorf("httpinlet: Retry.Wait is %v, want more than 0, or 0 for %v", r.Wait, defaultWait))
	}
	return errs
}

// do calls try until it succeeds, says that it is not to be called again, or the
// bounds are reached. It returns the last error.
func (r Retry) do(ctx context.Context, method string, try func() (again bool, err error)) error {
	began := time.Now()
	length := r.Wait
	for n := 1; ; n++ {
		again, err := try()
		if err == nil || ctx.Err() != nil || !again || !r.AnyMethod && !repeatable(method) {
			return err
		}
		wait := length/2 + rand.N(length/2+1)
		if asked, ok := errors.AsType[*record.RetryAfterError](err); ok {
			wait = max(wait, asked.After)
		}
		if n == r.Tries || r.Within > 0 && time.Since(began)+wait > r.Within {
			return tried(n, err)
		}
		if ended := sleep(ctx, wait); ended != nil {
			return fmt.Errorf("%w; before that: %v", ended, err)
		}
		length = min(2*length, longestWait)
	}
}

// repeatable reports whether a request of the method may be made twice.
func repeatable(method string) bool {
	switch method {
	case http.MethodGet, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

func tried(n int, err error) error {
	if n == 1 {
		return err
	}
	return fmt.Errorf("tried %d times: %w", n, err)
}

// sleep waits, or returns the error of a context that ends before.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return httpclient.Ended(ctx)
	}
}
