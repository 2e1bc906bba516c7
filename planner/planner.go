package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/schedule"
)

// Planner runs links on their schedules. Its methods are safe for concurrent use,
// from inside transfers too unless they say otherwise. See the package
// documentation.
type Planner struct {
	opts  Options // with default values
	nodes link.Nodes
	life  chan struct{} // held by who starts links, adds them, or runs them without a start

	quit    context.Context // ends when the planner begins to stop
	quitNow context.CancelFunc
	hard    context.Context // ends when it is to stop without waiting for anything
	hardNow context.CancelFunc
	past    context.Context // has ended
	done    chan struct{}   // closed when the planner has stopped

	reporter reporter
	tasks    tasks

	index  sync.RWMutex      // held shortly, also with mu
	byName map[string]*entry // written with mu held

	mu     sync.Mutex
	state  state
	links  []*entry // in the order in which they were added
	paused bool
	causes []error  // why the planner stops
	untold []func() // failures of schedules while the planner starts
	report Report   // set before done is closed
	err    error    // the same
	pool   pool
}

// state is where a planner is in its life.
type state uint8

const (
	fresh state = iota
	starting
	running
	stopping
	closed
)

// New returns a planner of links. Its error joins all mistakes; each names what is
// wrong. opts may be nil.
//
// Links and the trigger belong to the planner until they are removed or the planner
// is shut down.
func New(opts *Options, links ...*link.Link) (*Planner, error) {
	full, m := opts.withDefaults()
	p := &Planner{
		opts:   full,
		life:   make(chan struct{}, 1),
		done:   make(chan struct{}),
		byName: make(map[string]*entry, len(links)),
	}
	p.quit, p.quitNow = context.WithCancel(context.Background())
	p.hard, p.hardNow = context.WithCancel(context.Background())
	past, cancel := context.WithCancel(context.Background())
	cancel()
	p.past = past
	p.pool.init(p, full.Concurrency)
	p.reporter.init(full.OnReport)
	_, err := p.admit(links, idle, m)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Links returns the links, in the order in which they were added.
func (p *Planner) Links() []*link.Link {
	p.mu.Lock()
	defer p.mu.Unlock()
	links := make([]*link.Link, 0, len(p.links))
	for _, e := range p.links {
		if e.stage != joining {
			links = append(links, e.link)
		}
	}
	return links
}

// Running reports whether the planner is started and not being shut down. A planner
// that is paused is running.
func (p *Planner) Running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state == running
}

// Done returns a channel that is closed when the planner has been shut down.
func (p *Planner) Done() <-chan struct{} { return p.done }

// find returns the entry of l. p.mu is held.
func (p *Planner) find(l *link.Link) (*entry, error) {
	if l == nil {
		return nil, fmt.Errorf("nil link: %w", ErrUnknownLink)
	}
	e := p.byName[l.Name()]
	if e == nil || e.link != l || e.stage == joining {
		return nil, fmt.Errorf("link %q: %w", l.Name(), ErrUnknownLink)
	}
	return e, nil
}

// findAll returns the entries of links, of all if there are none. p.mu is held.
func (p *Planner) findAll(links []*link.Link) (entries []*entry, err error) {
	if len(links) == 0 {
		for _, e := range p.links {
			if e.stage != joining && e.stage != leaving {
				entries = append(entries, e)
			}
		}
		return entries, nil
	}
	var errs []error
	for i, l := range links {
		e, err := p.find(l)
		switch {
		case err != nil:
		case e.stage == leaving:
			err = fmt.Errorf("link %q is being removed: %w", l.Name(), ErrUnknownLink)
		case slices.Contains(links[:i], l):
			err = fmt.Errorf("link %q is named twice: %w", l.Name(), ErrDuplicateLink)
		}
		if err != nil {
			errs = append(errs, err)
		}
		entries = append(entries, e)
	}
	return entries, errors.Join(errs...)
}

// inside reports whether ctx is that of a call which a link of the planner makes.
func (p *Planner) inside(ctx context.Context) bool {
	l := link.FromContext(ctx)
	if l == nil {
		return false
	}
	p.index.RLock()
	defer p.index.RUnlock()
	e := p.byName[l.Name()]
	return e != nil && e.link == l
}

// enter waits for p.life, unless it is held until the call that ctx is of has returned,
// or the planner is shut down.
func (p *Planner) enter(ctx context.Context) error {
	if p.quit.Err() != nil {
		return ErrClosed
	}
	if l := link.FromContext(ctx); l != nil {
		p.mu.Lock()
		e := p.byName[l.Name()]
		held := e != nil && e.link == l && (e.stage == idle || e.stage == joining)
		p.mu.Unlock()
		if held {
			return ErrInside
		}
	}
	ctx, cancel := until(ctx, p.quit, ErrClosed)
	defer cancel()
	return p.acquire(ctx)
}

// acquire waits for p.life.
func (p *Planner) acquire(ctx context.Context) error {
	select {
	case p.life <- struct{}{}:
		return nil
	default:
	}
	select {
	case p.life <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *Planner) release() { <-p.life }

// fits asks the trigger whether it serves the schedules of links.
func (p *Planner) fits(links []*link.Link, m *mistakes) {
	t, ok := p.opts.Trigger.(interface {
		Fits(id string, s schedule.Schedule) error
	})
	for _, l := range links {
		if !ok || l == nil || l.Schedule() == nil {
			continue
		}
		panicked := guard(func() {
			if err := t.Fits(l.Name(), l.Schedule()); err != nil {
				m.add("%w", err)
			}
		})
		if panicked != nil {
			m.add("planner: link %q: Config.Schedule: %w", l.Name(), panicked)
		}
	}
}

// admit makes entries of links, all or none: none if there is a mistake, as in m.
func (p *Planner) admit(links []*link.Link, s stage, m mistakes) ([]*entry, error) {
	p.fits(links, &m)
	p.mu.Lock()
	defer p.mu.Unlock()
	var added []*entry
	for i, l := range links {
		if l == nil {
			m.add("planner: link %d of %d is nil", i, len(links))
			continue
		}
		if l.Schedule() == nil {
			m.add("planner: link %q: Config.Schedule is nil, want one", l.Name())
		}
		if e := p.byName[l.Name()]; e != nil {
			if e.link == l {
				m.add("planner: link %q is given twice: %w", l.Name(), ErrDuplicateLink)
			} else {
				m.add("planner: two links have the name %q, want Config.Name to be unique: %w", l.Name(), ErrDuplicateLink)
			}
			continue
		}
		e := &entry{p: p, link: l, stage: s, slot: -1}
		if err := l.Attach(e, &p.nodes); err != nil {
			m.add("planner: %w", err)
			continue
		}
		p.index.Lock()
		p.byName[l.Name()] = e
		p.index.Unlock()
		p.links = append(p.links, e)
		added = append(added, e)
	}
	if len(m) > 0 {
		p.expunge(added)
		return nil, errors.Join(m...)
	}
	return added, nil
}

// dismiss gives back links that are not running.
func (p *Planner) dismiss(entries []*entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expunge(entries)
}

// expunge is dismiss for who holds p.mu.
func (p *Planner) expunge(entries []*entry) {
	p.forget(entries)
	for _, e := range entries {
		_ = e.link.Attach(nil, nil)
	}
}

// forget removes entries. p.mu is held.
func (p *Planner) forget(entries []*entry) {
	if len(entries) == 0 {
		return
	}
	p.index.Lock()
	defer p.index.Unlock()
	for _, e := range entries {
		delete(p.byName, e.link.Name())
		e.stage = gone
	}
	left := p.links[:0]
	for _, e := range p.links {
		if e.stage != gone {
			left = append(left, e)
		}
	}
	clear(p.links[len(left):])
	p.links = left
}
