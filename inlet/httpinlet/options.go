package httpinlet

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/databay-go/databay/internal/httpclient"
)

// Options are the options of an inlet. The zero value of each field is a good
// default.
type Options struct {
	// Decode makes records of a body. If nil, JSON[any].
	Decode Decoder

	// Method is that of the requests. If empty, GET, or POST if there is a Body. A
	// redirect that would change it is a failure.
	Method string

	// Body is sent with every request. Its Content-Type is application/json if
	// Headers has none. A request with a body is redirected only by a 307 or 308, and
	// not to another host. A GET has none.
	Body string

	// Params are added to the query of the URL.
	Params url.Values

	// Headers are sent with every request.
	Headers http.Header

	// User and Password are for basic authentication, Bearer is a token, and Token is
	// a source of tokens: it is called for the first request, never side by side. What
	// it returns is kept until the server answers with a 401; the request is then made
	// once more, with another token. Use one of the three.
	User     string
	Password string
	Bearer   string
	Token    func(ctx context.Context) (string, error)

	// Next finds the page after a page, [LinkHeader] for instance. If nil, a pull is
	// one page.
	Next Finder

	// MaxPages is how many pages one pull may ask for. If 0, 100; if -1, any number.
	MaxPages int

	// Retry says how a request that fails is repeated within a pull.
	Retry Retry

	// Limit bounds how often requests are made, [Every] for instance. Inlets may share
	// one. If nil, nothing does.
	Limit Limiter

	// NoRedirects makes a redirect a failure. Else 10 in a row are followed.
	NoRedirects bool

	// CACert is the path of a PEM file. The server's certificate must be signed by
	// one of those in it, instead of one that the system trusts. The file is read
	// at every Start.
	CACert string

	// Timeout bounds one request, from connecting to the last byte of the body,
	// redirects included. If 0, 30 seconds; if -1, only the context does.
	Timeout time.Duration

	// MaxBody is how many bytes a body may have, decompressed. A longer one is an
	// error, and no more than that is kept in memory. If 0, 10 MiB; if -1, any
	// number.
	MaxBody int

	// Client makes the requests. It keeps its own settings, and the inlet never
	// closes its connections. It excludes CACert and NoRedirects. If nil, every Start
	// makes a client that logs nothing.
	Client *resty.Client
}

const defaultMaxPages = 100

// resolve returns a copy with the defaults filled in that are not the client's.
func (o *Options) resolve() Options {
	if o == nil {
		o = &Options{}
	}
	c := *o
	if c.Decode == nil {
		c.Decode = JSON[any]
	}
	if c.Method == "" {
		c.Method = http.MethodGet
		if c.Body != "" {
			c.Method = http.MethodPost
		}
	}
	c.MaxPages = cmp.Or(c.MaxPages, defaultMaxPages)
	c.Retry = c.Retry.resolve()
	return c
}

// mistakes returns everything that is wrong with the options, but for what is the
// client's.
func (o *Options) mistakes() []error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("httpinlet: "+format, args...))
	}
	silent := []string{http.MethodHead, http.MethodTrace, http.MethodConnect}
	bodiless := []string{http.MethodGet, http.MethodDelete, http.MethodOptions}
	if !httpclient.ValidName(o.Method) || strings.ToUpper(o.Method) != o.Method || slices.Contains(silent, o.Method) {
		wrong("Method is %.100q, want GET, POST or another one whose answer has a body, in capitals", o.Method)
	} else if o.Body != "" && slices.Contains(bodiless, o.Method) {
		wrong("Method is %q, which has no Body; want POST, PUT or another one that has, or no Body", o.Method)
	}
	if o.MaxPages < -1 {
		wrong("MaxPages is %d, want more than 0, or 0 for %d, or -1 for any number", o.MaxPages, defaultMaxPages)
	}
	if o.NoRedirects && o.Client != nil {
		wrong("NoRedirects is set, want it not together with Client, which has a redirect policy of its own")
	}
	return append(errs, o.Retry.mistakes()...)
}
