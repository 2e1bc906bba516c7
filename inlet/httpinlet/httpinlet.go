package httpinlet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/record"
)

// Inlet pulls over HTTP. It is safe for concurrent use, and keeps its connections
// between pulls.
type Inlet struct {
	url     *url.URL
	name    string
	opts    Options
	errs    []error
	secrets *strings.Replacer

	starting sync.Mutex
	client   atomic.Pointer[resty.Client] // nil: not started
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
	in := &Inlet{opts: opts.resolve(), name: bare(rawURL)}
	u, err := parse(rawURL)
	if err != nil {
		in.errs = append(in.errs, err)
	} else {
		in.url, in.name = u, display(u)
	}
	in.secrets = secrets(u, in.opts.Params, in.opts.Headers)
	return in
}

// String returns "httpinlet(https://host/path)".
func (in *Inlet) String() string { return "httpinlet(" + in.name + ")" }

// Validate reports every mistake of the URL and the options.
func (in *Inlet) Validate() error {
	return errors.Join(append(in.errs[:len(in.errs):len(in.errs)], in.opts.mistakes()...)...)
}

// Start makes the client. It connects to nothing: that is up to the first Pull.
func (in *Inlet) Start(context.Context) error {
	in.starting.Lock()
	defer in.starting.Unlock()
	if err := in.Validate(); err != nil {
		return err
	}
	if in.client.Load() != nil {
		return errors.New("httpinlet: already started")
	}
	if in.opts.Client != nil {
		in.client.Store(in.opts.Client)
		return nil
	}
	client := resty.New().SetLogger(silent{}).SetRedirectPolicy(resty.RedirectPolicyFunc(in.redirect))
	if in.opts.CACert != "" {
		pool, err := readCertificates(in.opts.CACert)
		if err != nil {
			return err
		}
		client.SetTLSClientConfig(&tls.Config{RootCAs: pool})
	}
	in.client.Store(client)
	return nil
}

// Shutdown closes the connections that the inlet has kept. It does nothing if the
// inlet is not started.
func (in *Inlet) Shutdown(context.Context) error {
	in.starting.Lock()
	defer in.starting.Unlock()
	if client := in.client.Swap(nil); client != nil && client != in.opts.Client {
		client.GetClient().CloseIdleConnections()
	}
	return nil
}

// Pull makes one request and decodes its answer.
func (in *Inlet) Pull(ctx context.Context, _ record.Update) ([]record.Record, error) {
	client := in.client.Load()
	if client == nil {
		return nil, errors.New("httpinlet: not started")
	}
	body, err := in.get(ctx, client)
	if err != nil {
		return nil, err
	}
	records, err := in.opts.Decode(body)
	if err != nil {
		return nil, fmt.Errorf("cannot decode the body: %w; it has %d bytes and begins with %q", in.clean(err), len(body), in.excerpt(body))
	}
	return records, nil
}

// get returns the body of an answer whose status is below 400.
func (in *Inlet) get(ctx context.Context, client *resty.Client) ([]byte, error) {
	bounded := ctx
	if in.opts.Timeout > 0 {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, in.opts.Timeout)
		defer cancel()
	}
	req := client.R().SetContext(bounded).SetResponseBodyLimit(in.opts.MaxBody).SetQueryParamsFromValues(in.opts.Params)
	for name, values := range in.opts.Headers {
		for _, v := range values {
			req.Header.Add(name, v)
		}
	}
	resp, err := req.Get(in.url.String())
	if err != nil {
		err = in.explain(ctx, bounded, err)
	}
	if resp != nil && resp.StatusCode() >= http.StatusBadRequest {
		status := &StatusError{Code: resp.StatusCode(), Body: in.excerpt(resp.Body()), Err: err}
		if d := after(resp); d > 0 {
			return nil, record.RetryAfter(d, status)
		}
		return nil, status
	}
	if err != nil {
		return nil, err
	}
	return resp.Body(), nil
}

// explain says what an error of resty means. The request was made with bounded,
// which the timeout ends before ctx.
func (in *Inlet) explain(ctx, bounded context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
			return fmt.Errorf("%w: %w", ctx.Err(), cause)
		}
		return ctx.Err()
	case bounded.Err() != nil:
		return fmt.Errorf("no complete answer within %v, the Timeout: %w", in.opts.Timeout, bounded.Err())
	case errors.Is(err, resty.ErrResponseBodyTooLarge):
		return fmt.Errorf("the body has more than %d bytes, the MaxBody", in.opts.MaxBody)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the answer ends too early: %w", io.ErrUnexpectedEOF)
	case errors.Is(err, io.EOF):
		return errors.New("the server closed the connection without an answer")
	}
	// The text of an url.Error has the URL.
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return in.clean(err)
}

// StatusError is the error of an answer whose status is 400 or above.
type StatusError struct {
	Code int    // the status
	Body string // the beginning of the body, without secrets
	Err  error  // what prevented the body from being read, or nil
}

// Error returns the status and the beginning of the body.
func (e *StatusError) Error() string {
	s := "status " + strconv.Itoa(e.Code)
	if text := http.StatusText(e.Code); text != "" {
		s += " " + text
	}
	switch {
	case e.Err != nil:
		return s + ": " + e.Err.Error()
	case e.Body == "":
		return s
	}
	return s + ": " + strconv.Quote(e.Body)
}

// Unwrap returns Err.
func (e *StatusError) Unwrap() error { return e.Err }

// after returns how long the server asks to wait, or 0.
func after(resp *resty.Response) time.Duration {
	code := resp.StatusCode()
	if code != http.StatusTooManyRequests && code != http.StatusServiceUnavailable {
		return 0
	}
	header := resp.Header().Get("Retry-After")
	if seconds, err := strconv.ParseInt(header, 10, 64); err == nil {
		const most = int64(365 * 24 * time.Hour / time.Second)
		return time.Duration(min(max(seconds, 0), most)) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

// redirect lets a request be redirected 10 times, and keeps what the user has set
// from other hosts.
func (in *Inlet) redirect(req *http.Request, via []*http.Request) error {
	const most = 10
	if len(via) >= most {
		return fmt.Errorf("redirected more than %d times", most)
	}
	first := via[0].URL
	if req.URL.Host != first.Host || first.Scheme == "https" && req.URL.Scheme == "http" {
		for name := range in.opts.Headers {
			req.Header.Del(name)
		}
		req.Header.Del("Referer") // it has the query
	}
	return nil
}

// silent is a logger for resty, whose own writes to standard error.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}
