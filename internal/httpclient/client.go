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
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-resty/resty/v2"
)

// Client makes the requests of one node to one URL. It is safe for concurrent use,
// and keeps its connections between requests.
type Client struct {
	// Name is the scheme, host and path of the URL.
	Name string

	pkg     string
	url     *url.URL
	opts    Options
	errs    []error
	secrets *Secrets

	starting sync.Mutex
	client   atomic.Pointer[resty.Client] // nil: not started
}

// New returns the client of a node of the package pkg, whose name begins mistakes.
func New(pkg, rawURL string, opts Options) *Client {
	c := &Client{Name: bare(rawURL), pkg: pkg, opts: opts.resolve()}
	u, err := parse(rawURL)
	if err != nil {
		c.errs = append(c.errs, fmt.Errorf("%s: %w", pkg, err))
	} else {
		c.url, c.Name = u, display(u)
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
	if c.client.Load() != nil {
		return errors.New(c.pkg + ": already started")
	}
	if c.opts.Client != nil {
		c.client.Store(c.opts.Client)
		return nil
	}
	client := resty.New().SetLogger(silent{}).SetRedirectPolicy(resty.RedirectPolicyFunc(c.redirect))
	if c.opts.CACert != "" {
		pool, err := readCertificates(c.pkg, c.opts.CACert)
		if err != nil {
			return err
		}
		client.SetTLSClientConfig(&tls.Config{RootCAs: pool})
	}
	c.client.Store(client)
	return nil
}

// Shutdown closes the connections that were kept.
func (c *Client) Shutdown() {
	c.starting.Lock()
	defer c.starting.Unlock()
	if client := c.client.Swap(nil); client != nil && client != c.opts.Client {
		client.GetClient().CloseIdleConnections()
	}
}

// Answer is what a server has answered.
type Answer struct {
	*Secrets // of the request
	Code     int
	Header   http.Header
	Body     []byte
	Method   string // of the request after redirects
}

// Do makes a request with further headers and a body, and reads its answer. An answer
// that comes with an error has a status, but a part of its body at most. The error's
// text has no secrets.
func (c *Client) Do(ctx context.Context, method string, headers http.Header, body []byte) (*Answer, error) {
	client := c.client.Load()
	if client == nil {
		return nil, errors.New(c.pkg + ": not started")
	}
	bounded := ctx
	if c.opts.Timeout > 0 {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, c.opts.Timeout)
		defer cancel()
	}
	req := client.R().SetContext(bounded).SetResponseBodyLimit(c.opts.MaxBody).SetQueryParamsFromValues(c.opts.Params)
	for _, h := range []http.Header{headers, c.opts.Headers} {
		for name, values := range h {
			req.Header.Del(name)
			for _, v := range values {
				req.Header.Add(name, v)
			}
		}
	}
	secrets, err := c.authorize(bounded, req)
	if err != nil {
		if bounded.Err() != nil {
			err = c.explain(ctx, bounded, secrets, err)
		}
		return nil, err
	}
	if body != nil {
		req.SetBody(body)
	}
	resp, err := req.Execute(method, c.url.String())
	if err != nil {
		err = c.explain(ctx, bounded, secrets, err)
	}
	if resp == nil || resp.RawResponse == nil {
		return nil, err
	}
	answer := &Answer{Secrets: secrets, Code: resp.StatusCode(), Header: resp.Header(), Body: resp.Body(), Method: method}
	if last := resp.RawResponse.Request; last != nil {
		answer.Method = last.Method
	}
	return answer, err
}

// authorize adds what lets the request in, and returns the secrets of the request.
func (c *Client) authorize(ctx context.Context, req *resty.Request) (*Secrets, error) {
	a := &c.opts.Auth
	switch {
	case a.User != "" || a.Password != "":
		req.SetBasicAuth(a.User, a.Password)
	case a.Bearer != "":
		req.Header.Set("Authorization", "Bearer "+a.Bearer)
	case a.Token != nil:
		token, err := a.Token(ctx)
		if err != nil {
			return c.secrets, fmt.Errorf("%s: no token: %w", c.pkg, c.secrets.Clean(err))
		}
		if token == "" || !validValue(token) {
			return c.secrets, fmt.Errorf("%s: Token returned one that is empty or has a control character, want text of one line", c.pkg)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		return c.secrets.with(token), nil
	}
	return c.secrets, nil
}

// explain says what an error of resty means. The request was made with bounded,
// which the timeout ends before ctx.
func (c *Client) explain(ctx, bounded context.Context, secrets *Secrets, err error) error {
	switch {
	case ctx.Err() != nil:
		if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
			return fmt.Errorf("%w: %w", ctx.Err(), cause)
		}
		return ctx.Err()
	case bounded.Err() != nil:
		return fmt.Errorf("no complete answer within %v, the Timeout: %w", c.opts.Timeout, bounded.Err())
	case errors.Is(err, resty.ErrResponseBodyTooLarge):
		return fmt.Errorf("the body has more than %d bytes, the MaxBody", c.opts.MaxBody)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the answer ends too early: %w", io.ErrUnexpectedEOF)
	case errors.Is(err, io.EOF):
		return errors.New("the server closed the connection without an answer")
	}
	// The text of an url.Error has the URL.
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return secrets.Clean(err)
}

// redirect lets a request be redirected 10 times, and keeps what the user has set
// from other hosts.
func (c *Client) redirect(req *http.Request, via []*http.Request) error {
	const most = 10
	if len(via) >= most {
		return fmt.Errorf("redirected more than %d times", most)
	}
	first := via[0].URL
	downgraded := first.Scheme == "https" && req.URL.Scheme == "http"
	if c.opts.KeepMethod && (req.Method != via[0].Method || downgraded) {
		return http.ErrUseLastResponse
	}
	if req.URL.Host != first.Host || downgraded {
		for name := range c.opts.Headers {
			req.Header.Del(name)
		}
		req.Header.Del("Authorization")
		req.Header.Del("Referer") // it has the query
	}
	return nil
}

// StatusText returns the text of an error of a status: its name and, if there is no
// error in reading the body, the beginning of that.
func StatusText(code int, body string, err error) string {
	s := "status " + strconv.Itoa(code)
	if text := http.StatusText(code); text != "" {
		s += " " + text
	}
	switch {
	case err != nil:
		return s + ": " + err.Error()
	case body == "":
		return s
	}
	return s + ": " + strconv.Quote(body)
}

// RetryAfter returns how long a server asks to wait, or 0.
func RetryAfter(h http.Header) time.Duration {
	header := h.Get("Retry-After")
	if seconds, err := strconv.ParseInt(header, 10, 64); err == nil {
		const most = int64(365 * 24 * time.Hour / time.Second)
		return time.Duration(min(max(seconds, 0), most)) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

// silent is a logger for resty, whose own writes to standard error.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}
