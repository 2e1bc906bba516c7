package planner

import "github.com/databay-go/databay/link"

// Pause holds the schedules of links, or that of the whole planner if no link is
// given: no transfer begins because of an instant, until Resume. One that is running
// goes on. The first transfer of a link waits for Resume. Forced transfers, and those
// in which holders release what they hold, are made all the same.
//
// Pausing the planner and pausing its links are two things: Resume has to undo both.
// An unknown link is [ErrUnknownLink], and nothing is paused then; after a Shutdown
// the error is [ErrClosed].
func (p *Planner) Pause(links ...*link.Link) error { return p.hold(links, true) }

// Resume undoes what Pause with the same arguments did. What would have been due
// meanwhile is not made up for.
func (p *Planner) Resume(links ...*link.Link) error { return p.hold(links, false) }

func (p *Planner) hold(links []*link.Link, on bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state >= stopping {
		return ErrClosed
	}
	entries, err := p.findAll(links)
	if err != nil {
		return err
	}
	if len(links) == 0 {
		p.paused = on
	}
	for _, e := range entries {
		if len(links) > 0 {
			e.paused = on
		}
		if on {
			e.forgo(paused)
		}
		e.wanted()
	}
	return nil
}

// Paused reports whether the schedules of all links given are held, by a Pause of the
// link or of the planner, or because the link was fenced. With no link it reports
// whether the planner is paused. Unknown links are not.
func (p *Planner) Paused(links ...*link.Link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(links) == 0 {
		return p.paused
	}
	for _, l := range links {
		if e, err := p.find(l); err != nil || !e.holds() {
			return false
		}
	}
	return true
}
