package httpclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-resty/resty/v2"
)

// Client makes the requests of one node to one URL. It is safe for concurrent use,
// and keeps its connections between requests.
type Client struct {
	// Name is the scheme, host and path of the URL.
	Name string

	pkg     string
	url     *url.URL // with the Params; nil: there is none that can be read
	opts    Options
	errs    []error
	secrets *Secrets

	starting sync.Mutex
	session  atomic.Pointer[session] // nil: not started
}

// session is what a client has between Start and Shutdown.
type session struct {
	resty  *resty.Client
	tokens *tokens
}

var (
	errNotStarted = errors.New("not started")
	errTooLarge   = errors.New("the MaxBody")
)

// New returns the client of a node of the package pkg, whose name begins mistakes.
func New(pkg, rawURL string, opts Options) *Client {
	c := &Client{Name: bare(rawURL), pkg: pkg, opts: opts.resolve()}
	u, err := parse(rawURL)
	if err != nil {
		c.errs = append(c.errs, fmt.Errorf("%s: %w", pkg, err))
	} else {
		c.url, c.Name = withParams(u, c.opts.Params), display(u)
	}
	c.secrets = newSecrets(u, &c.opts)
	return c
}

// Validate returns every mistake of the URL and the options.
func (c *Client) Validate() []error {
	return append(slices.Clip(c.errs), c.mistakes()...)
}

// Start makes what makes the requests. It connects to nothing.
func (c *Client) Start() error {
	c.starting.Lock()
	defer c.starting.Unlock()
	if c.session.Load() != nil {
		return errors.New(c.pkg + ": already started")
	}
	s, err := c.open()
	if err == nil {
		c.session.Store(s)
	}
	return err
}

func (c *Client) open() (*session, error) {
	s := &session{resty: c.opts.Client, tokens: newTokens(c)}
	if s.resty == nil {
		s.resty = resty.New().SetLogger(silent{}).SetRedirectPolicy(resty.RedirectPolicyFunc(c.redirect))
		if c.opts.CACert != "" {
			pool, err := readCertificates(c.pkg, c.opts.CACert)
			if err != nil {
				return nil, err
			}
			s.resty.SetTLSClientConfig(&tls.Config{RootCAs: pool})
		}
	}
	return s, nil
}

func (c *Client) close(s *session) {
	if s.resty != c.opts.Client {
		s.resty.GetClient().CloseIdleConnections()
	}
}

// Shutdown closes the connections that were kept, and forgets the token.
func (c *Client) Shutdown() {
	c.starting.Lock()
	defer c.starting.Unlock()
	if s := c.session.Swap(nil); s != nil {
		c.close(s)
	}
}

// Check asks with a HEAD, which moves nothing, whether the server is there and lets the
// client in. It needs no Start. The answer is one that says otherwise, or nil. Found says
// that the URL is one for GET, of which a HEAD has to find something.
func (c *Client) Check(ctx context.Context, found bool) (refusal *Answer, err error) {
	s := c.session.Load()
	if s == nil {
		if s, err = c.open(); err != nil {
			return nil, err
		}
		defer c.close(s)
	}
	answer, err := c.do(ctx, s, Request{Method: http.MethodHead})
	if answer != nil && refuses(answer.Code, found) {
		return answer, err
	}
	return nil, err
}

// Request is what is asked of the server.
type Request struct {
	Method string
	URL    *url.URL    // from [Client.URL] or [Client.Resolve]; nil: the client's
	Header http.Header // those of Options win
	Body   []byte      // nil: none
}

// Answer is what a server has answered.
type Answer struct {
	*Secrets // of the request
	Code     int
	Header   http.Header
	Body     []byte
	Method   string   // of the request after redirects
	URL      *url.URL // the same
}

// Do makes a request and reads its answer. An answer that comes with an error has a
// status, but a part of its body at most. The error's text has no secrets.
//
// A token that the server answers with a 401 is given up: the request is made once
// more, with another one.
func (c *Client) Do(ctx context.Context, r Request) (*Answer, error) {
	s := c.session.Load()
	if s == nil {
		return nil, fmt.Errorf("%s: %w", c.pkg, errNotStarted)
	}
	return c.do(ctx, s, r)
}

func (c *Client) do(ctx context.Context, s *session, r Request) (*Answer, error) {
	bounded := ctx
	if c.opts.Timeout > 0 {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, c.opts.Timeout)
		defer cancel()
	}
	answer, err := c.once(ctx, bounded, s, r)
	if c.opts.Auth.Token != nil && answer != nil && answer.Code == http.StatusUnauthorized {
		return c.once(ctx, bounded, s, r)
	}
	return answer, err
}

// once makes a request with bounded, which the timeout ends before ctx.
func (c *Client) once(ctx, bounded context.Context, s *session, r Request) (*Answer, error) {
	req := s.resty.R().SetContext(bounded).SetResponseBodyLimit(c.opts.MaxBody)
	for _, h := range []http.Header{r.Header, c.opts.Headers} {
		for name, values := range h {
			req.Header.Del(name)
			for _, v := range values {
				req.Header.Add(name, v)
			}
		}
	}
	target, secrets := *c.url, c.secrets
	if r.URL != nil {
		target = *r.URL
		secrets = secrets.with(queryValues(r.URL)...)
	}
	target.User = nil // net/http would forget it when it is redirected on the host
	token, err := c.authorize(bounded, s, req)
	if err != nil {
		if bounded.Err() != nil {
			err = c.explain(ctx, bounded, secrets, err)
		}
		return nil, err
	}
	if token != nil {
		secrets = secrets.with(token.text)
	}
	if r.Body != nil {
		req.SetBody(r.Body)
	}
	if r.Method == http.MethodHead {
		req.SetDoNotParseResponse(true) // nothing follows, even where the headers speak of compressed content
	}
	resp, err := req.Execute(r.Method, target.String())
	if resp != nil && r.Method == http.MethodHead && resp.RawResponse != nil {
		_ = resp.RawResponse.Body.Close() // there is nothing in it
	}
	if resp != nil && resp.RawResponse != nil {
		if to, wrong := resp.RawResponse.Location(); wrong == nil { // the body repeats it
			secrets = secrets.with(append(queryValues(to), userinfo(to))...)
		}
	}
	if err != nil {
		err = c.explain(ctx, bounded, secrets, err)
	}
	if resp == nil || resp.RawResponse == nil {
		return nil, err
	}
	answer := &Answer{
		Secrets: secrets, Code: resp.StatusCode(), Header: resp.Header(), Body: resp.Body(), Method: r.Method, URL: &target,
	}
	if last := resp.RawResponse.Request; last != nil {
		answer.Method, answer.URL = last.Method, last.URL
	}
	if answer.Code == http.StatusUnauthorized && token != nil {
		s.tokens.refuse(token)
	}
	return answer, err
}

// Ended returns the error of a context that has ended, with its cause.
func Ended(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return ctx.Err()
}

// explain says what an error of resty means. The request was made with bounded,
// which the timeout ends before ctx.
func (c *Client) explain(ctx, bounded context.Context, secrets *Secrets, err error) error {
	switch {
	case ctx.Err() != nil:
		return Ended(ctx)
	case bounded.Err() != nil:
		return fmt.Errorf("no complete answer within %v, the Timeout: %w", c.opts.Timeout, bounded.Err())
	case errors.Is(err, resty.ErrResponseBodyTooLarge):
		return fmt.Errorf("the body has more than %d bytes, %w", c.opts.MaxBody, errTooLarge)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the answer ends too early: %w", io.ErrUnexpectedEOF)
	case errors.Is(err, io.EOF):
		return errors.New("the server closed the connection without an answer")
	}
	// The text of an url.Error has the URL, and that of net/http here the Location.
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if strings.HasPrefix(err.Error(), "failed to parse Location") {
		return errors.New("the Location that the server redirects to is no URL")
	}
	return secrets.Clean(err)
}

// silent is a logger for resty, whose own writes to standard error.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}
