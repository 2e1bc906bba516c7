package testkit

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// Sink is an outlet that accepts everything and keeps it. The zero value is empty
// and ready to use. What it returns are copies that it does not change later;
// payloads are those that it was given.
type Sink struct {
	// Name is the name, or "" for "sink".
	Name string

	mu      sync.Mutex
	batches [][]record.Record
	updates []record.Update
	count   int
	grown   chan struct{} // closed when something comes; nil while nobody waits
}

var _ outlet.Reader = (*Sink)(nil)

// Push keeps the records, heeding no context.
func (s *Sink) Push(_ context.Context, records []record.Record, u record.Update) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches = append(s.batches, slices.Clone(records))
	s.updates = append(s.updates, u)
	s.count += len(records)
	if s.grown != nil {
		close(s.grown)
		s.grown = nil
	}
	return nil
}

// ReadOnly returns true.
func (s *Sink) ReadOnly() bool { return true }

// String returns the name.
func (s *Sink) String() string {
	if s.Name == "" {
		return "sink"
	}
	return s.Name
}

// Len returns how many records have come.
func (s *Sink) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// Records returns all records in the order in which they came.
func (s *Sink) Records() []record.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Concat(s.batches...)
}

// Payloads returns the payloads of all records in the order in which they came.
func (s *Sink) Payloads() []any {
	var all []any
	for _, r := range s.Records() {
		all = append(all, r.Payload)
	}
	return all
}

// Batches returns the records of each push, empty ones too.
func (s *Sink) Batches() [][]record.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([][]record.Record, len(s.batches))
	for i, batch := range s.batches {
		all[i] = slices.Clone(batch)
	}
	return all
}

// Updates returns the update of each push.
func (s *Sink) Updates() []record.Update {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.updates)
}

// Wait returns when n records have come since the sink was made or Reset. If ctx
// ends before, it returns an error that says how many have.
func (s *Sink) Wait(ctx context.Context, n int) error {
	for {
		s.mu.Lock()
		count := s.count
		if count < n && s.grown == nil {
			s.grown = make(chan struct{})
		}
		grown := s.grown
		s.mu.Unlock()
		if count >= n {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return fmt.Errorf("%s: %d of %d records have come: %w", s, count, n, context.Cause(ctx))
		}
	}
}

// Reset forgets everything.
func (s *Sink) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches, s.updates, s.count = nil, nil, 0
}
