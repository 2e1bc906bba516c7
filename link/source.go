package link

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/record"
)

// source is an inlet in its place in a link.
type source struct {
	in     inlet.Inlet
	name   string // unique in the link
	origin *record.Origin
	pos    inlet.Positioner // nil: it has no position
	seek   inlet.Seeker     // nil: it cannot be set to one
	commit inlet.Committer  // nil: it need not know

	calling atomic.Bool

	// Of the transfer that is before its hand-over.
	from     time.Time // end of the last window
	position []byte    // where it has read to
	records  []record.Record
	err      error
}

func newSource(in inlet.Inlet, name string) *source {
	s := &source{in: in, name: name, origin: &record.Origin{Inlet: name}}
	s.pos, _ = inlet.As[inlet.Positioner](in)
	if s.pos != nil {
		s.seek, _ = inlet.As[inlet.Seeker](in)
		s.commit, _ = inlet.As[inlet.Committer](in)
	}
	return s
}

// resumable reports whether the inlet will return again what was not committed.
func (s *source) resumable() bool { return s.seek != nil || s.commit != nil }

// pull pulls and keeps the result.
func (s *source) pull(ctx context.Context, u record.Update) {
	s.records, s.err = nil, nil
	u.From = s.from
	s.calling.Store(true)
	returned := false
	defer func() {
		if !returned {
			s.err = caught(recover())
		}
		s.calling.Store(false)
	}()
	s.records, s.err = s.in.Pull(ctx, u)
	if s.pos != nil {
		s.locate()
	}
	returned = true
}

// locate asks where the inlet stands. If it cannot say, it stands where it did.
func (s *source) locate() {
	failed := func(err error) { s.err = fmt.Errorf("Position: %w", err) }
	err := guard(func() error {
		s.position = s.pos.Position()
		return nil
	}, failed)
	if err != nil {
		failed(err)
	}
}

// take returns what the last pull gave, which was made for due.
func (s *source) take(due time.Time) ([]record.Record, error) {
	records, err := s.records, s.err
	s.records, s.err = nil, nil
	if err == nil {
		s.from = due
	}
	record.Stamp(records, s.origin)
	return records, err
}

// rewind sets the inlet to what is committed.
func (s *source) rewind(ctx context.Context, at point) error {
	s.from, s.position = at.from, at.position
	if s.seek == nil {
		return nil
	}
	return apart(ctx.Done(), fmt.Errorf("still seeking when the start ended: %w", context.Cause(ctx)), func() error {
		return s.seek.Seek(ctx, at.position)
	})
}
