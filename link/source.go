package link

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/record"
)

// source is an inlet in its place in a link.
type source struct {
	in     inlet.Inlet
	origin record.Origin // its Inlet is unique in the link
	at     *positioned   // nil: it has no position

	// Of a pull: untouched, calling or returned. It is atomic while several inlets are
	// pulled from, and otherwise guarded by Link.mu.
	state int32

	// Of the transfer that is before its hand-over.
	from    time.Time // end of the last window
	records []record.Record
	err     error
}

// positioned is how a link deals with the position of an inlet.
type positioned struct {
	pos    inlet.Positioner
	seek   inlet.Seeker    // nil: it cannot be set to one
	commit inlet.Committer // nil: it need not know
	read   []byte          // where it has read to, with the last transfer
}

// The states of a source.
const (
	untouched int32 = iota
	calling
	returned // its records are there to be taken
)

func newSource(in inlet.Inlet, name string) *source {
	s := &source{in: in, origin: record.Origin{Inlet: name}}
	if pos, ok := inlet.As[inlet.Positioner](in); ok {
		s.at = &positioned{pos: pos}
		s.at.seek, _ = inlet.As[inlet.Seeker](in)
		s.at.commit, _ = inlet.As[inlet.Committer](in)
	}
	return s
}

// name returns the name of the inlet, which is unique in the link.
func (s *source) name() string { return s.origin.Inlet }

// point returns where the inlet stands.
func (s *source) point() point {
	p := point{name: s.name(), from: s.from}
	if s.at != nil {
		p.position = s.at.read
	}
	return p
}

// resumable reports whether the inlet will return again what was not committed.
func (s *source) resumable() bool { return s.at != nil && (s.at.seek != nil || s.at.commit != nil) }

// positionType says what the inlet's positions are.
func (s *source) positionType() string {
	if t, ok := inlet.As[inlet.PositionTyper](s.in); ok {
		return t.PositionType()
	}
	return fmt.Sprintf("%T", s.at.pos)
}

// calling reports whether the inlet is being pulled from. l.mu is held.
func (s *source) calling() bool { return atomic.LoadInt32(&s.state) == calling }

// pullAside is pull beside others.
func (s *source) pullAside(t *Transfer) {
	atomic.StoreInt32(&s.state, calling)
	defer atomic.StoreInt32(&s.state, returned)
	u := t.update()
	u.From = s.from
	s.pull(t.ctx, &u)
}

// pull pulls and keeps the result, unless ctx has ended already.
func (s *source) pull(ctx context.Context, u *record.Update) {
	if s.records != nil || s.err != nil { // of one that was left behind
		s.records, s.err = nil, nil
	}
	ok := false
	defer func() {
		if !ok {
			if v := recover(); v != nil || s.err == nil { // else Position has called runtime.Goexit
				s.err = caught(v)
			}
		}
		record.Stamp(s.records, &s.origin)
	}()
	if ctx.Err() != nil {
		s.err, ok = context.Cause(ctx), true
		return
	}
	records, err := s.in.Pull(ctx, *u)
	if s.records = records; err != nil {
		s.err = cut(ctx, sound(err))
	}
	if s.at != nil {
		s.locate()
	}
	ok = true
}

// locate asks where the inlet stands. If it cannot say, it stands where it did.
func (s *source) locate() {
	failed := func(err error) { s.err = errors.Join(s.err, fmt.Errorf("position: %w", err)) }
	err := guard(func() error {
		s.at.read = s.at.pos.Position()
		return nil
	}, failed)
	if err != nil {
		failed(err)
	}
}

// take takes what the last pull gave, which was made for due, and returns its
// error.
func (s *source) take(due time.Time) error {
	err := s.err
	s.records, s.err = nil, nil
	if err == nil {
		s.from = due
	}
	return err
}

// rewind sets the inlet to what is committed.
func (s *source) rewind(ctx context.Context, l *Link, at point) error {
	s.from = at.from
	if s.at == nil {
		return nil
	}
	s.at.read = at.position
	if s.at.seek == nil {
		return nil
	}
	return l.try(ctx, s.name(), func() error { return s.at.seek.Seek(ctx, at.position) })
}
