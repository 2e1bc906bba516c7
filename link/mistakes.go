package link

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// mistakes collects what is wrong with a configuration.
type mistakes []error

func (m *mistakes) add(format string, args ...any) { *m = append(*m, fmt.Errorf(format, args...)) }

// node asks a node for its own mistakes, and reports whether it has none.
func (m *mistakes) node(field string, node any) bool {
	if v, ok := capability[interface{ Validate() error }](node); ok {
		if err := alone(v.Validate); err != nil {
			m.add("%s: %w", field, err)
			return false
		}
	}
	for {
		decorated, ok := inner(node)
		if !ok {
			return true
		}
		if isNil(decorated) {
			m.add("%s: %T decorates nil", field, node)
			return false
		}
		node = decorated
	}
}

func (m mistakes) err() error {
	if len(m) == 0 {
		return nil
	}
	return errors.Join(m...)
}

// check returns all mistakes in c but those that come from nodes or names being used
// twice.
func (c *Config) check() (m mistakes) {
	if c.Name == "" && c.State != nil {
		m.add("Name is empty, want one that stays the same over restarts, since State is set")
	}
	for i, tag := range c.Tags {
		if tag == "" {
			m.add("Tags[%d] is empty", i)
		}
	}
	if len(c.Inlets) == 0 {
		m.add("Inlets is empty, want at least one")
	}
	for i, in := range c.Inlets {
		m.inlet(fmt.Sprintf("Inlets[%d]", i), in)
	}
	if c.InletConcurrency < -1 {
		m.add("InletConcurrency is %d, want more than 0, or 0 or -1 for no bound", c.InletConcurrency)
	}
	if c.MaxUncommitted < -1 {
		m.add("MaxUncommitted is %d, want more than 0, 0 for %d or -1 for no bound", c.MaxUncommitted, defaultMaxUncommitted)
	}
	if c.ShutdownTimeout < -1 {
		m.add("ShutdownTimeout is %v, want more than 0, 0 for %v or -1 for no bound", c.ShutdownTimeout, defaultShutdownTimeout)
	}
	m.processors("Processors", c.Processors)
	for i, g := range c.Groupers {
		if field := fmt.Sprintf("Groupers[%d]", i); isNil(g) {
			m.add("%s is nil", field)
		} else {
			m.node(field, g)
		}
	}
	if len(c.Outlets)+len(c.Lanes) == 0 {
		m.add("Outlets and Lanes are empty, want at least one outlet")
	}
	for i, o := range c.Outlets {
		m.lane(fmt.Sprintf("Outlets[%d]", i), "", Lane{Outlet: o}, c.DeadLetter)
	}
	for i, lane := range c.Lanes {
		field := fmt.Sprintf("Lanes[%d].", i)
		m.lane(field+"Outlet", field, lane, c.DeadLetter)
	}
	if c.DeadLetter != nil {
		m.outlet("DeadLetter", c.DeadLetter)
	}
	m.limit("DeadLetterLimit", c.DeadLetterLimit)
	if !isNil(c.Schedule) {
		m.node("Schedule", c.Schedule)
	} else if c.Schedule != nil {
		m.add("Schedule is a nil %T", c.Schedule)
	}
	m.timing(c)
	if !isNil(c.State) {
		m.node("State", c.State)
	} else if c.State != nil {
		m.add("State is a nil %T", c.State)
	}
	if c.Isolation > SharePayloads {
		m.add("Isolation is %d, want Isolate, CopyAlways or SharePayloads", c.Isolation)
	}
	return m
}

func (m *mistakes) inlet(field string, in inlet.Inlet) {
	if isNil(in) {
		m.add("%s is nil", field)
		return
	}
	valid := m.node(field, in)
	_, seek := inlet.As[inlet.Seeker](in)
	_, commit := inlet.As[inlet.Committer](in)
	_, pos := inlet.As[inlet.Positioner](in)
	if seek && !pos {
		m.add("%s: %s has Seek and no Position, want both", field, nameOf(in))
	}
	if commit && !pos {
		m.add("%s: %s has Commit and no Position, want both", field, nameOf(in))
	}
	if _, ok := saidName(in); pos && !ok && valid {
		m.add("%s: %T has a position and no name to keep it under: wrap it with inlet.Named", field, in)
	}
}

func (m *mistakes) processors(field string, processors []record.Processor) {
	for i, p := range processors {
		if field := fmt.Sprintf("%s[%d]", field, i); isNil(p) {
			m.add("%s is nil", field)
		} else {
			m.node(field, p)
		}
	}
}

func (m *mistakes) outlet(field string, out outlet.Outlet) {
	if isNil(out) {
		m.add("%s is nil", field)
	} else {
		m.node(field, out)
	}
}

// lane checks a lane. letters is the outlet of dead letters that it falls back on.
func (m *mistakes) lane(field, prefix string, lane Lane, letters outlet.Outlet) {
	m.outlet(field, lane.Outlet)
	m.processors(prefix+"Processors", lane.Processors)
	if lane.Timeout < -1 {
		m.add("%sTimeout is %v, want more than 0, or 0 or -1 for no bound", prefix, lane.Timeout)
	}
	m.policy(prefix, lane, letters)
	if isNil(lane.Spool) && lane.Spool != nil {
		m.add("%sSpool is a nil %T", prefix, lane.Spool)
	} else if lane.Spool != nil {
		m.node(prefix+"Spool", lane.Spool)
	}
	if lane.Pending < -1 {
		m.add("%sPending is %d, want more than 0, 0 for %d or -1 for no bound", prefix, lane.Pending, defaultPending)
	}
}

// isNil reports whether v is nil or holds a nil pointer, function or the like.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Func:
		return r.IsNil()
	}
	return false
}
