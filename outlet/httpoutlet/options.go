package httpoutlet

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/databay-go/databay/internal/httpclient"
	"github.com/databay-go/databay/record"
)

// Options are the options of an [Outlet]. The zero value of each field is a good
// default.
type Options struct {
	// Body says what a request carries: an Array, Lines, or a Single record.
	Body Body

	// Encode makes the JSON of a record. If nil, [JSON].
	Encode Encoder

	// Method is that of the requests. If empty, POST.
	Method string

	// Params are added to the query of the URL.
	Params url.Values

	// Headers are sent with every request. A Content-Type among them stands for that
	// of Body.
	Headers http.Header

	// User and Password are for basic authentication, Bearer is a token, and Token is
	// a source of tokens: it is called for the first request, never side by side. What
	// it returns is kept until the server answers with a 401; the request is then made
	// once more, with another token. Use one of the three.
	User     string
	Password string
	Bearer   string
	Token    func(ctx context.Context) (string, error)

	// IdempotencyHeader is the name of a header, Idempotency-Key for instance, that
	// bears the [record.BatchKey] of the records of the request. A server that knows
	// it again accepts them once, however often they are offered. Batches may be cut
	// in another way after a restart and then have another key; with Single, a record
	// has the same one always. A record without an ID fails for good. If empty, there
	// is no such header.
	IdempotencyHeader string

	// Gzip compresses the bodies of requests, for servers that take such.
	Gzip bool

	// Status decides what an answer means, if it is not what Answer.Err says. Its
	// result is taken for that of a push of the records of the request: nil, a
	// [*record.Partial] of their indices in it, or another error. It is called
	// concurrently if pushes are. If nil, Answer.Err counts. One that looks for failures
	// of single records in the body returns BodyErr if there is one: what it cannot see
	// may have failed.
	Status func(a Answer) error

	// CACert is the path of a PEM file. The server's certificate must be signed by
	// one of those in it, instead of one that the system trusts. The file is read
	// at every Start.
	CACert string

	// Timeout bounds one request, from connecting to the last byte of the answer,
	// redirects included. If 0, 30 seconds; if -1, only the context does.
	Timeout time.Duration

	// MaxBody is how many bytes the body of an answer may have, decompressed; no
	// more than that is kept in memory. If 0, 10 MiB; if -1, any number.
	MaxBody int

	// Client makes the requests. It keeps its own settings, and the outlet never
	// closes its connections. It excludes CACert. If nil, every Start makes a client
	// that logs nothing.
	Client *resty.Client
}

// Answer is what a server has answered to a request.
type Answer struct {
	Code    int
	Header  http.Header
	Body    []byte // empty or cut off if BodyErr is not nil
	BodyErr error  // what prevented the body from being read to its end
	Records int    // in the request
	Err     error  // what the outlet makes of it: nil if the records are accepted
}

// Body says what a request carries.
type Body uint8

// The values of [Body].
const (
	Array  Body = iota // a JSON array of all records of a push
	Lines              // a line of JSON a record, of all records of a push
	Single             // one record, as JSON
)

// String returns "array", "lines" or "single".
func (b Body) String() string {
	switch b {
	case Array:
		return "array"
	case Lines:
		return "lines"
	case Single:
		return "single"
	}
	return fmt.Sprintf("Body(%d)", uint8(b))
}

// contentType returns what the body is, for the server.
func (b Body) contentType() string {
	if b == Lines {
		return "application/x-ndjson"
	}
	return "application/json"
}

// Encoder returns what a request carries of a record. It may append it to buf, which
// is empty and its own until it returns. It must not change the payload. An error, or
// a panic, fails the record for good. With [Lines] the outlet adds a line end; a
// record may have several lines.
type Encoder func(buf []byte, r record.Record) ([]byte, error)

// JSON is an [Encoder] of the payload as encoding/json marshals it. Characters that
// mean something in HTML are not escaped.
func JSON(buf []byte, r record.Record) ([]byte, error) {
	text := bytes.NewBuffer(buf)
	e := json.NewEncoder(text)
	e.SetEscapeHTML(false)
	err := e.Encode(r.Payload)
	return bytes.TrimRight(text.Bytes(), "\n"), err
}

// resolve returns a copy with the defaults filled in that are not the client's.
func (o *Options) resolve() Options {
	if o == nil {
		o = &Options{}
	}
	c := *o
	c.Method = cmp.Or(c.Method, http.MethodPost)
	if c.Encode == nil {
		c.Encode = JSON
	}
	return c
}

// mistakes returns everything that is wrong with the options, but for what is the
// client's.
func (o *Options) mistakes() []error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("httpoutlet: "+format, args...))
	}
	if o.Body > Single {
		wrong("Body is %d, want Array, Lines or Single", o.Body)
	}
	bodiless := []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodConnect, http.MethodDelete}
	if !httpclient.ValidName(o.Method) || strings.ToUpper(o.Method) != o.Method || slices.Contains(bodiless, o.Method) {
		wrong("Method is %.100q, want POST, PUT or another one with a body, in capitals", o.Method)
	}
	if h := o.IdempotencyHeader; h != "" {
		if !httpclient.ValidName(h) {
			wrong("IdempotencyHeader is %.100q, want the name of a header: letters, digits and hyphens", h)
		} else if httpclient.HasHeader(o.Headers, h) {
			wrong("IdempotencyHeader is %q, which is among the Headers; want one that is not", h)
		}
	}
	return errs
}
