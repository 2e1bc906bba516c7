package httpinlet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/internal/httpclient"
	"github.com/databay-go/databay/record"
)

// Inlet pulls over HTTP. It is safe for concurrent use, and keeps its connections
// between pulls.
type Inlet struct {
	client *httpclient.Client
	decode Decoder
}

var (
	_ inlet.Inlet      = (*Inlet)(nil)
	_ inlet.Starter    = (*Inlet)(nil)
	_ inlet.Shutdowner = (*Inlet)(nil)
	_ inlet.Validator  = (*Inlet)(nil)
	_ fmt.Stringer     = (*Inlet)(nil)
)

// New returns an inlet that gets rawURL, an absolute http or https URL. The
// options may be nil. Mistakes are what Validate reports.
func New(rawURL string, opts *Options) *Inlet {
	o := opts.resolve()
	return &Inlet{decode: o.Decode, client: httpclient.New("httpinlet", rawURL, httpclient.Options{
		Params: o.Params, Headers: o.Headers, CACert: o.CACert, Timeout: o.Timeout, MaxBody: o.MaxBody, Client: o.Client,
	})}
}

// String returns "httpinlet(https://host/path)".
func (in *Inlet) String() string { return "httpinlet(" + in.client.Name + ")" }

// Validate reports every mistake of the URL and the options.
func (in *Inlet) Validate() error { return errors.Join(in.client.Validate()...) }

// Start makes the client. It connects to nothing: that is up to the first Pull.
func (in *Inlet) Start(context.Context) error {
	if err := in.Validate(); err != nil {
		return err
	}
	return in.client.Start()
}

// Shutdown closes the connections that the inlet has kept. It does nothing if the
// inlet is not started.
func (in *Inlet) Shutdown(context.Context) error {
	in.client.Shutdown()
	return nil
}

// Pull makes one request and decodes its answer.
func (in *Inlet) Pull(ctx context.Context, _ record.Update) ([]record.Record, error) {
	answer, err := in.get(ctx)
	if err != nil {
		return nil, err
	}
	records, err := in.decode(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("cannot decode the body: %w; it has %d bytes and begins with %q", answer.Clean(err), len(answer.Body), answer.Excerpt(answer.Body))
	}
	return records, nil
}

// get returns an answer whose status is below 400.
func (in *Inlet) get(ctx context.Context) (*httpclient.Answer, error) {
	answer, err := in.client.Do(ctx, http.MethodGet, nil, nil)
	if answer != nil && answer.Code >= http.StatusBadRequest {
		status := &StatusError{Code: answer.Code, Body: answer.Excerpt(answer.Body), Err: err}
		if d := after(answer); d > 0 {
			return nil, record.RetryAfter(d, status)
		}
		return nil, status
	}
	return answer, err
}

// after returns how long the server asks to wait, or 0.
func after(answer *httpclient.Answer) time.Duration {
	if answer.Code != http.StatusTooManyRequests && answer.Code != http.StatusServiceUnavailable {
		return 0
	}
	return httpclient.RetryAfter(answer.Header)
}

// StatusError is the error of an answer whose status is 400 or above.
type StatusError struct {
	Code int    // the status
	Body string // the beginning of the body, without secrets
	Err  error  // what prevented the body from being read, or nil
}

// Error returns the status and the beginning of the body.
func (e *StatusError) Error() string { return httpclient.StatusText(e.Code, e.Body, e.Err) }

// Unwrap returns Err.
func (e *StatusError) Unwrap() error { return e.Err }
