package httpinlet

import (
	"context"
	"fmt"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/record"
)

// Inlet pulls over HTTP. It is safe for concurrent use, and keeps its connections
// between pulls.
type Inlet struct{ node }

var (
	_ inlet.Inlet      = (*Inlet)(nil)
	_ inlet.Starter    = (*Inlet)(nil)
	_ inlet.Shutdowner = (*Inlet)(nil)
	_ inlet.Validator  = (*Inlet)(nil)
	_ inlet.Checker    = (*Inlet)(nil)
	_ fmt.Stringer     = (*Inlet)(nil)
)

// New returns an inlet that asks rawURL, an absolute http or https URL. The options
// may be nil. Mistakes are what Validate reports.
func New(rawURL string, opts *Options) *Inlet {
	return &Inlet{newNode(rawURL, opts)}
}

// String returns "httpinlet(https://host/path)".
func (in *Inlet) String() string { return in.node.String() }

// Validate reports every mistake of the URL and the options.
func (in *Inlet) Validate() error { return in.node.Validate() }

// Start makes the client. It connects to nothing: that is up to the first Pull.
func (in *Inlet) Start(ctx context.Context) error { return in.node.Start(ctx) }

// Shutdown closes the connections that the inlet has kept. It does nothing if the
// inlet is not started.
func (in *Inlet) Shutdown(ctx context.Context) error { return in.node.Shutdown(ctx) }

// Check makes a HEAD request, within the Limit, to see that the server answers and lets
// the inlet in: a status of 401, 403, 407 or 5xx is an error, and 404 and 410 are if the
// method is GET. It needs no Start.
func (in *Inlet) Check(ctx context.Context) error { return in.node.Check(ctx) }

// Pull asks for all pages and decodes them. It yields all of their records, or none.
func (in *Inlet) Pull(ctx context.Context, _ record.Update) ([]record.Record, error) {
	var all []record.Record
	at := in.client.URL()
	for n := 1; ; n++ {
		p, err := in.page(ctx, at, nil)
		if err != nil {
			return nil, onPage(n, err)
		}
		if all == nil {
			all = p.records
		} else {
			all = append(all, p.records...)
		}
		if in.opts.Next == nil {
			return all, nil
		}
		next, err := p.find(in.opts.Next)
		if err != nil {
			return nil, onPage(n, err)
		}
		if next == "" {
			return all, nil
		}
		to, err := in.client.Resolve(p.answer, next)
		switch {
		case err != nil:
			return nil, onPage(n, err)
		case to.String() == at.String():
			return nil, onPage(n, errSamePage)
		case n == in.opts.MaxPages:
			return nil, fmt.Errorf("there are more than %d pages, the MaxPages", n)
		}
		at = to
	}
}

// onPage says on which page err came up, but for the first.
func onPage(n int, err error) error {
	if n == 1 {
		return err
	}
	return fmt.Errorf("page %d: %w", n, err)
}
