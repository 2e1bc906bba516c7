package link

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// withInlets returns the link's sources and those of inlets.
func (l *Link) withInlets(m *mistakes, field func(int) string, inlets []inlet.Inlet) []*source {
	all := slices.Clip(l.inlets)
	for i, in := range inlets {
		name := nameOf(in)
		taken := func(name string) bool {
			return slices.ContainsFunc(all, func(s *source) bool { return s.name() == name })
		}
		s := newSource(in, name)
		if taken(name) {
			if s.at != nil {
				m.add("%s: another inlet has the name %q: one with a position needs one of its own", field(i), name)
			}
			s = newSource(in, another(name, taken))
		}
		all = append(all, s)
	}
	return all
}

// withLanes returns the link's lanes and those of configs.
func (l *Link) withLanes(m *mistakes, field func(int) string, configs []Lane) []*lane {
	all := slices.Clip(l.lanes)
	boxes := l.letterboxes(l.allLanes())
	given := make(map[string]bool) // names that need not give way
	for _, c := range configs {
		given[c.Name] = true
	}
	for i, c := range configs {
		has := func(name string) bool {
			return slices.ContainsFunc(all, func(ln *lane) bool { return ln.account.Name == name })
		}
		taken := func(name string) bool { return given[name] || has(name) }
		name := c.Name
		if name == "" {
			if name = nameOf(c.Outlet); taken(name) {
				name = another(name, taken)
			}
		} else if has(name) {
			m.add("%sName is %q, which is that of another lane", field(i), name)
		}
		ln := &lane{
			link: l, out: c.Outlet, limit: small(bound(c.Pending, defaultPending)), given: -1, passed: -1,
			policy: l.policy(&c, boxes), window: l.letterWindow(c.Optional), optional: c.Optional,
		}
		if b := ln.rules().box; b != nil && !slices.Contains(boxes, b) {
			boxes = append(boxes, b)
		}
		if l.copies(c.Outlet) {
			ln.copier = new(record.Copier)
		}
		if c := newChain(slices.Clone(c.Processors), nil); c != nil {
			c.bury(l, ln.rules().box, name, ln.optional, ln.window)
			ln.in = &intake{chain: c}
		}
		ln.account.Name = name
		if c.Spool != nil {
			ln.spill = &spill{spool: c.Spool}
		}
		if a, ok := c.Outlet.(outlet.Atomic); ok && l.journal != nil {
			alone(func() error { // stores that cannot be compared panic
				if a.Store() == any(l.journal.store) {
					ln.atomic = true
				}
				return nil
			})
		}
		all = append(all, ln)
	}
	return all
}

// copies reports whether out gets copies of records.
func (l *Link) copies(out outlet.Outlet) bool {
	switch l.isolation {
	case CopyAlways:
		return true
	case SharePayloads:
		return false
	}
	readOnly := false
	if r, ok := out.(outlet.Reader); ok {
		alone(func() error { readOnly = r.ReadOnly(); return nil })
	}
	return !readOnly
}

// another returns name with the first number from 2 that makes it unique.
func another(name string, taken func(string) bool) string {
	for n := 2; ; n++ {
		if s := fmt.Sprintf("%s#%d", name, n); !taken(s) {
			return s
		}
	}
}

// place is a node and the field of a configuration that it is in. A node that is in
// the link already has no field.
type place struct {
	field string
	node  any
}

// unique checks that no node is there twice, but for the outlets of letters, which are
// nothing else.
func (m *mistakes) unique(places, letters []place) {
	seen := make(map[any]string)
	for _, p := range places {
		id, ok := identity(p.node)
		if !ok || isNil(p.node) {
			continue
		}
		if first, ok := seen[id]; !ok {
			seen[id] = p.field
		} else if first == "" {
			m.add("%s: %s is in the link already: %w", p.field, nameOf(p.node), ErrDuplicateNode)
		} else {
			m.add("%s: %s is %s already: %w", p.field, nameOf(p.node), first, ErrDuplicateNode)
		}
	}
	for _, p := range letters {
		id, ok := identity(p.node)
		if !ok || isNil(p.node) {
			continue
		}
		if first, ok := seen[id]; ok {
			m.add("%s: %s is %s: a dead-letter outlet is nothing else: %w", cmp.Or(p.field, "a dead-letter outlet"), nameOf(p.node),
				cmp.Or(first, "in the link already"), ErrDuplicateNode)
		}
	}
}

// letters returns the dead-letter outlet of a lane. field is where the lane is.
func (c *Lane) letters(field string) []place {
	if c.DeadLetter == nil {
		return nil
	}
	return []place{{field + "DeadLetter", c.DeadLetter}}
}

// places returns the nodes of a lane. field is where the lane is, and the outlet.
func (c *Lane) places(field, outlet string) []place {
	places := []place{{outlet, c.Outlet}}
	if c.Spool != nil {
		places = append(places, place{field + "Spool", c.Spool})
	}
	return append(places, processorPlaces(field, c.Processors)...)
}

func (ln *lane) nodes() []any {
	nodes := []any{ln.out}
	if ln.spill != nil {
		nodes = []any{ln.spill.spool, ln.out}
	}
	if ln.in != nil {
		nodes = append(nodes, ln.in.chain.nodes()...)
	}
	return nodes
}
