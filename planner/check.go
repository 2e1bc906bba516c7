package planner

import (
	"context"
	"errors"
	"sync"

	"github.com/databay-go/databay/link"
)

// Check asks the nodes and stores of all links whether they reach what they are there
// for; see [link.Link.Check]. Nothing is started or moved. It may be called at any time.
// The error joins the failures of all links, in their order.
func (p *Planner) Check(ctx context.Context) error {
	links := p.Links()
	failures := make([]error, len(links))
	places := make(chan struct{}, sideBySide)
	var all sync.WaitGroup
	for i, l := range links {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			failures[i] = l.Check(ctx)
		})
	}
	all.Wait()
	return errors.Join(failures...)
}

// DryRun makes a dry run of each link, of all links if none is given, one after another;
// see [link.Link.DryRun]. The previews come in the order of the links, and the error
// joins what has failed. An unknown link is [ErrUnknownLink], and nothing is done then.
// It is [link.ErrRunning] for links that are running.
func (p *Planner) DryRun(ctx context.Context, links ...*link.Link) ([]link.Preview, error) {
	p.mu.Lock()
	entries, err := p.findAll(links)
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	previews := make([]link.Preview, len(entries))
	errs := make([]error, len(entries))
	for i, e := range entries {
		previews[i], errs[i] = e.link.DryRun(ctx)
	}
	return previews, errors.Join(errs...)
}
