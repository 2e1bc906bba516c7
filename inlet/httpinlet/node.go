package httpinlet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/databay-go/databay/internal/httpclient"
	"github.com/databay-go/databay/record"
)

// node is what all inlets of this package are made of.
type node struct {
	client *httpclient.Client
	opts   Options
}

func newNode(rawURL string, opts *Options) node {
	o := opts.resolve()
	return node{opts: o, client: httpclient.New("httpinlet", rawURL, httpclient.Options{
		Params: o.Params, Headers: o.Headers, CACert: o.CACert, Timeout: o.Timeout, MaxBody: o.MaxBody, Client: o.Client,
		Auth:       httpclient.Auth{User: o.User, Password: o.Password, Bearer: o.Bearer, Token: o.Token},
		KeepMethod: o.Method != http.MethodGet, KeepHost: o.Body != "", NoRedirects: o.NoRedirects,
		Secrets: httpclient.BodyValues(o.Body),
	})}
}

func (n *node) String() string { return "httpinlet(" + n.client.Name + ")" }

func (n *node) Validate() error {
	return errors.Join(append(n.client.Validate(), n.opts.mistakes()...)...)
}

func (n *node) Start(context.Context) error {
	if err := n.Validate(); err != nil {
		return err
	}
	return n.client.Start()
}

func (n *node) Shutdown(context.Context) error {
	n.client.Shutdown()
	return nil
}

func (n *node) Check(ctx context.Context) error {
	if err := n.Validate(); err != nil {
		return err
	}
	if n.opts.Limit != nil {
		if err := n.opts.Limit.Wait(ctx); err != nil {
			return err
		}
	}
	refusal, err := n.client.Check(ctx, n.opts.Method == http.MethodGet)
	if refusal != nil {
		return &StatusError{Code: refusal.Code, Err: err}
	}
	return err
}

// page is a [Page] with what the node makes of it.
type page struct {
	Page
	answer  *httpclient.Answer
	records []record.Record
}

// page asks for a page and decodes it. Without news, a 304, it has no records.
func (n *node) page(ctx context.Context, at *url.URL, header http.Header) (*page, error) {
	answer, err := n.ask(ctx, at, header)
	if err != nil {
		return nil, err
	}
	p := &page{Page: Page{URL: at, Header: answer.Header, Body: answer.Body}, answer: answer}
	if answer.Code == http.StatusNotModified {
		return p, nil
	}
	if p.records, err = n.opts.Decode(answer.Body); err != nil {
		return nil, fmt.Errorf("cannot decode the body: %w; it has %d bytes and begins with %q", answer.Clean(err), len(answer.Body), answer.Excerpt(answer.Body))
	}
	p.Records = len(p.records)
	return p, nil
}

// find returns what f finds in the page.
func (p *page) find(f Finder) (string, error) {
	found, err := f(p.Page)
	if err != nil {
		return "", fmt.Errorf("cannot find the next page: %w", p.answer.Clean(err))
	}
	return found, nil
}

// ask makes a request, again if it has to, and returns an answer whose status is 2xx
// or 304.
func (n *node) ask(ctx context.Context, at *url.URL, header http.Header) (*httpclient.Answer, error) {
	r := httpclient.Request{Method: n.opts.Method, URL: at, Header: header}
	if n.opts.Body != "" {
		r.Body = []byte(n.opts.Body)
		r.Header = http.Header{"Content-Type": {"application/json"}}
	}
	var answer *httpclient.Answer
	err := n.opts.Retry.do(ctx, n.opts.Method, func() (again bool, err error) {
		if n.opts.Limit != nil {
			if err := n.opts.Limit.Wait(ctx); err != nil {
				return false, err
			}
		}
		answer, err = n.client.Do(ctx, r)
		return httpclient.Passing(answer, err), n.meaning(answer, err)
	})
	return answer, err
}

// meaning returns what an answer means that is none, incomplete, or no news.
func (n *node) meaning(answer *httpclient.Answer, err error) error {
	if answer != nil && answer.Method != n.opts.Method {
		return fmt.Errorf("the request was redirected, and became a %s; want the URL that it was redirected to", answer.Method)
	}
	if answer == nil || answer.Code == http.StatusNotModified || answer.Code < http.StatusMultipleChoices {
		return err
	}
	status := &StatusError{Code: answer.Code, Body: answer.Excerpt(answer.Body), Err: err}
	if d := after(answer); d > 0 {
		return record.RetryAfter(d, status)
	}
	return status
}

// after returns how long the server asks to wait, or 0.
func after(answer *httpclient.Answer) time.Duration {
	if answer.Code != http.StatusTooManyRequests && answer.Code != http.StatusServiceUnavailable {
		return 0
	}
	return httpclient.RetryAfter(answer.Header)
}

// StatusError is the error of an answer whose status is neither 2xx nor 304.
type StatusError struct {
	Code int    // the status
	Body string // the beginning of the body, without secrets
	Err  error  // what prevented the body from being read, or nil
}

// Error returns the status and the beginning of the body.
func (e *StatusError) Error() string { return httpclient.StatusText(e.Code, e.Body, e.Err) }

// Unwrap returns Err.
func (e *StatusError) Unwrap() error { return e.Err }
