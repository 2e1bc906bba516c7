package httpinlet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/record"
)

// NewFeed returns a resumable inlet of pages that lead on by a cursor. The first
// request has the URL as it is; the others have the cursor that find has found in the
// page before, as a parameter of the query. A pull goes on where the one before has
// ended, until a page has no records, or for MaxPages pages.
//
// The cursor is the inlet's position: the link commits it once the records before it
// are delivered and gives the committed cursor back after a restart. A pull that fails
// yields the pages before the failure. A page without records may have no cursor, and
// is then asked for again; one with records that has none, or the one that led to it,
// is an error, since its records would come for ever.
//
// Options.Next stays nil. An inlet belongs to one link, and there its name,
// "httpinlet(https://host/path)", keys the stored cursor: use [inlet.Named] for two
// with the same URL.
func NewFeed(rawURL, param string, find Finder, opts *Options) inlet.Inlet {
	return &feed{node: newNode(rawURL, opts), param: param, find: find}
}

type feed struct {
	node
	param  string
	find   Finder
	cursor string // "": the beginning
}

var (
	_ inlet.Starter    = (*feed)(nil)
	_ inlet.Shutdowner = (*feed)(nil)
	_ inlet.Validator  = (*feed)(nil)
	_ inlet.Checker    = (*feed)(nil)
	_ inlet.Positioner = (*feed)(nil)
	_ inlet.Seeker     = (*feed)(nil)
	_ fmt.Stringer     = (*feed)(nil)
)

// feedPosition is the position of a feed that has a cursor.
type feedPosition struct {
	Cursor string `json:"cursor"`
}

func (f *feed) Validate() error {
	errs := []error{f.node.Validate()}
	if f.param == "" {
		errs = append(errs, errors.New("httpinlet: param of NewFeed is empty, want the name of the parameter that the cursor is"))
	}
	if f.find == nil {
		errs = append(errs, errors.New("httpinlet: find of NewFeed is nil, want what finds the cursor, Field for instance"))
	}
	if f.opts.Next != nil {
		errs = append(errs, errors.New("httpinlet: Next is given, want none for NewFeed: its cursor leads to the next page"))
	}
	return errors.Join(errs...)
}

func (f *feed) Start(ctx context.Context) error {
	if err := f.Validate(); err != nil {
		return err
	}
	return f.node.Start(ctx)
}

func (f *feed) Pull(ctx context.Context, _ record.Update) ([]record.Record, error) {
	all, cursor, err := f.pages(ctx, f.cursor)
	f.cursor = cursor // not before: if a function of the user panics, nothing was pulled
	return all, err
}

// pages returns the records of the pages after a cursor, and up to which they go.
func (f *feed) pages(ctx context.Context, cursor string) (all []record.Record, last string, err error) {
	for n := 1; ; n++ {
		at := f.client.URL()
		if cursor != "" {
			at = withParam(at, f.param, cursor)
		}
		p, err := f.page(ctx, at, nil)
		if err != nil {
			return all, cursor, onPage(n, err)
		}
		found, err := p.find(f.find)
		if err != nil {
			return all, cursor, onPage(n, err)
		}
		if len(p.records) > 0 && (found == "" || found == cursor) {
			return all, cursor, onPage(n, fmt.Errorf("the page has %d records and no new cursor: they would come for ever", len(p.records)))
		}
		if found != "" {
			cursor = found
		}
		all = append(all, p.records...)
		if len(p.records) == 0 || n == f.opts.MaxPages {
			return all, cursor, nil
		}
	}
}

func (f *feed) Position() []byte {
	if f.cursor == "" {
		return nil
	}
	position, _ := json.Marshal(feedPosition{f.cursor}) // a struct of a string can be marshalled
	return position
}

func (f *feed) Seek(_ context.Context, position []byte) error {
	var to feedPosition
	if position != nil {
		if err := json.Unmarshal(position, &to); err != nil || to.Cursor == "" {
			return fmt.Errorf("httpinlet: the stored position %.100q has no cursor of a feed", position)
		}
	}
	f.cursor = to.Cursor
	return nil
}
