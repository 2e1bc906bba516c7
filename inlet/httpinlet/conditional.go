package httpinlet

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/internal/httpclient"
	"github.com/databay-go/databay/record"
)

// NewConditional returns a resumable inlet of a document that changes now and then. A
// pull yields its records only if it is another one than the document of the pull
// before, by the ETag or the Last-Modified of that: the server answers with a 304
// otherwise. A document without these is yielded by every pull.
//
// ETag and Last-Modified are the inlet's position: the link commits them once the
// records are delivered, so that a document which is not is asked for again after a
// restart, whole. If the URL or Params are others then, the position is the beginning.
//
// The method is GET, and Options.Next stays nil: a page that has not changed says
// nothing about the next. An inlet belongs to one link, and there its name,
// "httpinlet(https://host/path)", keys the stored position: use [inlet.Named] for two
// with the same URL.
func NewConditional(rawURL string, opts *Options) inlet.Inlet {
	return &conditional{node: newNode(rawURL, opts)}
}

type conditional struct {
	node
	seen version
}

var (
	_ inlet.Starter    = (*conditional)(nil)
	_ inlet.Shutdowner = (*conditional)(nil)
	_ inlet.Validator  = (*conditional)(nil)
	_ inlet.Checker    = (*conditional)(nil)
	_ inlet.Positioner = (*conditional)(nil)
	_ inlet.Seeker     = (*conditional)(nil)
	_ fmt.Stringer     = (*conditional)(nil)
)

// version is the version of a document, and the position of its inlet.
type version struct {
	Document     string `json:"document"` // which one
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"lastModified,omitempty"`
}

func (c *conditional) Validate() error {
	errs := []error{c.node.Validate()}
	if c.opts.Method != http.MethodGet {
		errs = append(errs, fmt.Errorf("httpinlet: Method is %.100q, want GET for NewConditional, and no Body", c.opts.Method))
	}
	if c.opts.Next != nil {
		errs = append(errs, errors.New("httpinlet: Next is given, want none for NewConditional: a page that has not changed says nothing about the next"))
	}
	for _, name := range []string{"If-None-Match", "If-Modified-Since"} {
		if httpclient.HasHeader(c.opts.Headers, name) {
			errs = append(errs, fmt.Errorf("httpinlet: Headers has %s, want it not for NewConditional, which sends it", name))
		}
	}
	return errors.Join(errs...)
}

func (c *conditional) Start(ctx context.Context) error {
	if err := c.Validate(); err != nil {
		return err
	}
	return c.node.Start(ctx)
}

func (c *conditional) Pull(ctx context.Context, _ record.Update) ([]record.Record, error) {
	header := make(http.Header)
	if c.seen.ETag != "" {
		header.Set("If-None-Match", c.seen.ETag)
	}
	if c.seen.LastModified != "" {
		header.Set("If-Modified-Since", c.seen.LastModified)
	}
	p, err := c.page(ctx, c.client.URL(), header)
	if err != nil {
		return nil, err
	}
	if p.answer.Code != http.StatusNotModified {
		c.seen = version{c.document(), p.Header.Get("ETag"), p.Header.Get("Last-Modified")}
	}
	return p.records, nil
}

func (c *conditional) Position() []byte {
	if c.seen == (version{}) {
		return nil
	}
	position, _ := json.Marshal(c.seen) // a struct of strings can be marshalled
	return position
}

func (c *conditional) Seek(_ context.Context, position []byte) error {
	var to version
	if position != nil {
		if err := json.Unmarshal(position, &to); err != nil || to.Document == "" {
			return fmt.Errorf("httpinlet: the stored position %.100q has no version of a document", position)
		}
		if to.Document != c.document() {
			to = version{}
		}
	}
	c.seen = to
	return nil
}

// document returns what tells the document from others, without its secrets.
func (c *conditional) document() string {
	sum := sha256.Sum256([]byte(c.client.URL().String()))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}
