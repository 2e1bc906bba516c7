package httpoutlet

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/databay-go/databay/internal/httpclient"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// Outlet pushes over HTTP. It is safe for concurrent use, and keeps its connections
// between pushes.
type Outlet struct {
	opts   Options
	client *httpclient.Client
}

var (
	_ outlet.Outlet     = (*Outlet)(nil)
	_ outlet.Starter    = (*Outlet)(nil)
	_ outlet.Shutdowner = (*Outlet)(nil)
	_ outlet.Validator  = (*Outlet)(nil)
	_ outlet.Checker    = (*Outlet)(nil)
	_ outlet.Reader     = (*Outlet)(nil)
	_ fmt.Stringer      = (*Outlet)(nil)
)

// New returns an outlet that sends records to rawURL, an absolute http or https URL.
// The options may be nil. Mistakes are what Validate reports.
func New(rawURL string, opts *Options) *Outlet {
	o := opts.resolve()
	return &Outlet{opts: o, client: httpclient.New("httpoutlet", rawURL, httpclient.Options{
		Params: o.Params, Headers: o.Headers, CACert: o.CACert, Timeout: o.Timeout, MaxBody: o.MaxBody, Client: o.Client,
		Auth:       httpclient.Auth{User: o.User, Password: o.Password, Bearer: o.Bearer, Token: o.Token},
		KeepMethod: true,
	})}
}

// String returns "httpoutlet(https://host/path)".
func (o *Outlet) String() string { return "httpoutlet(" + o.client.Name + ")" }

// ReadOnly returns true.
func (o *Outlet) ReadOnly() bool { return true }

// Validate reports every mistake of the URL and the options.
func (o *Outlet) Validate() error {
	return errors.Join(append(o.client.Validate(), o.opts.mistakes()...)...)
}

// Start makes the client. It connects to nothing: that is up to the first Push.
func (o *Outlet) Start(context.Context) error {
	if err := o.Validate(); err != nil {
		return err
	}
	return o.client.Start()
}

// Shutdown closes the connections that the outlet has kept. It does nothing if the
// outlet is not started.
func (o *Outlet) Shutdown(context.Context) error {
	o.client.Shutdown()
	return nil
}

// Check makes a HEAD request, to see that the server answers and lets the outlet in: a
// status of 401, 403, 407 or 5xx is an error. What the server does with records it does
// not show. It needs no Start.
func (o *Outlet) Check(ctx context.Context) error {
	if err := o.Validate(); err != nil {
		return err
	}
	refusal, err := o.client.Check(ctx, false)
	if refusal != nil {
		return &StatusError{Code: refusal.Code, Err: err}
	}
	return err
}

// Push sends the records.
func (o *Outlet) Push(ctx context.Context, records []record.Record, _ record.Update) error {
	if len(records) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var failures record.Failures
	if o.opts.Body == Single {
		o.each(ctx, records, &failures)
		return failures.Err()
	}
	b := o.newBody()
	for i, r := range records {
		if err := b.add(i, r); err != nil {
			failures.Add(i, record.Permanent(err))
		}
	}
	if len(b.indices) > 0 {
		_ = o.send(ctx, b, records, &failures)
	}
	return failures.Err()
}

// each sends the records one after another.
func (o *Outlet) each(ctx context.Context, records []record.Record, failures *record.Failures) {
	var stopped error
	b := o.newBody()
	for i, r := range records {
		if stopped != nil {
			failures.Add(i, stopped)
			continue
		}
		b.reset()
		if err := b.add(i, r); err != nil {
			failures.Add(i, record.Permanent(err))
			continue
		}
		if err := o.send(ctx, b, records, failures); err != nil && !record.IsPermanent(err) {
			stopped = fmt.Errorf("not sent, since record %d failed: %w", i, err)
		}
	}
}

// send makes one request, and adds the records of it that fail to the failures. It
// returns what was answered.
func (o *Outlet) send(ctx context.Context, b *body, records []record.Record, failures *record.Failures) error {
	err := o.request(ctx, b, records)
	p := record.AsPartial(err)
	if p != nil {
		if wrong := p.Check(len(b.indices)); wrong != nil {
			err, p = fmt.Errorf("Options.Status returned %w", wrong), nil
		}
	}
	for n, i := range b.indices {
		if p == nil {
			failures.Add(i, err)
		} else {
			failures.Add(i, p.Failed[n])
		}
	}
	if p != nil && len(b.indices) == 1 {
		return p.Failed[0]
	}
	return err
}

func (o *Outlet) request(ctx context.Context, b *body, records []record.Record) error {
	headers := http.Header{"Content-Type": {o.opts.Body.contentType()}}
	if name := o.opts.IdempotencyHeader; name != "" {
		sent := make([]record.Record, len(b.indices))
		for n, i := range b.indices {
			sent[n] = records[i]
		}
		key, _ := record.BatchKey(sent)
		headers.Set(name, key)
	}
	text := b.end()
	if o.opts.Gzip {
		headers.Set("Content-Encoding", "gzip")
		text = compressed(text)
	}
	answer, err := o.client.Do(ctx, httpclient.Request{Method: o.opts.Method, Header: headers, Body: text})
	if answer == nil {
		return err
	}
	a := Answer{Code: answer.Code, Header: answer.Header, Body: answer.Body, BodyErr: err, Records: len(b.indices)}
	a.Err = o.meaning(answer, err)
	if o.opts.Status == nil {
		return a.Err
	}
	return o.ask(a, answer.Secrets)
}

func compressed(text []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(text) // a buffer takes everything
	_ = w.Close()
	return b.Bytes()
}

// meaning returns what an answer means, of which err says why its body could not be
// read.
func (o *Outlet) meaning(answer *httpclient.Answer, err error) error {
	code := answer.Code
	if answer.Method != o.opts.Method {
		return record.Permanent(fmt.Errorf("the request was redirected, and became a %s without the records; want the URL that it was redirected to", answer.Method))
	}
	if code >= 200 && code < 300 {
		return nil
	}
	status := &StatusError{Code: code, Body: answer.Excerpt(answer.Body), Err: err}
	if code == http.StatusUnauthorized && o.opts.Token != nil {
		return status
	}
	if d := httpclient.RetryAfter(answer.Header); d > 0 && httpclient.PassingStatus(code) {
		return record.RetryAfter(d, status)
	}
	return classified(status)
}

// Meaning returns what the outlet makes of a status that has no Retry-After: nil if it
// is 2xx, else a [StatusError], which is permanent or not. It is for an Options.Status
// that finds a status for each record.
func Meaning(code int, body string) error {
	if code >= 200 && code < 300 {
		return nil
	}
	return classified(&StatusError{Code: code, Body: body})
}

func classified(status *StatusError) error {
	if httpclient.PassingStatus(status.Code) {
		return status
	}
	return record.Permanent(status)
}

// ask asks the user what an answer means. What comes back has no secrets.
func (o *Outlet) ask(a Answer, secrets *httpclient.Secrets) error {
	err := o.opts.Status(a)
	if err == nil {
		return nil
	}
	if p := record.AsPartial(err); p != nil {
		clean := &record.Partial{Failed: make(map[int]error, len(p.Failed))}
		for i, err := range p.Failed {
			if err != nil {
				err = secrets.Clean(err)
			}
			clean.Failed[i] = err
		}
		return clean
	}
	return secrets.Clean(err)
}

// StatusError is the error of an answer whose status means that nothing was
// accepted.
type StatusError struct {
	Code int    // the status
	Body string // the beginning of the body, without secrets
	Err  error  // what prevented the body from being read, or nil
}

// Error returns the status and the beginning of the body.
func (e *StatusError) Error() string { return httpclient.StatusText(e.Code, e.Body, e.Err) }

// Unwrap returns Err.
func (e *StatusError) Unwrap() error { return e.Err }
