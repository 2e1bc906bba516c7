package httpinlet

import (
	"net/http"
	"net/url"
	"time"

	"github.com/go-resty/resty/v2"
)

// Options are the options of an [Inlet]. The zero value of each field is a good
// default.
type Options struct {
	// Decode makes records of a body. If nil, JSON[any].
	Decode Decoder

	// Params are added to the query of the URL.
	Params url.Values

	// Headers are sent with every request.
	Headers http.Header

	// CACert is the path of a PEM file. The server's certificate must be signed by
	// one of those in it, instead of one that the system trusts. The file is read
	// at every Start.
	CACert string

	// Timeout bounds one pull, from connecting to the last byte of the body,
	// redirects included. If 0, 30 seconds; if -1, only the context does.
	Timeout time.Duration

	// MaxBody is how many bytes a body may have, decompressed. A longer one is an
	// error, and no more than that is kept in memory. If 0, 10 MiB; if -1, any
	// number.
	MaxBody int

	// Client makes the requests. It keeps its own settings, and the inlet never
	// closes its connections. It excludes CACert. If nil, every Start makes a
	// client that logs nothing.
	Client *resty.Client
}

// resolve returns a copy with the defaults filled in that are not the client's.
func (o *Options) resolve() Options {
	if o == nil {
		o = &Options{}
	}
	c := *o
	if c.Decode == nil {
		c.Decode = JSON[any]
	}
	return c
}
