package inlet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/databay-go/databay/record"
)

type since[C, T any] struct {
	name     string
	pull     func(ctx context.Context, after C) ([]T, C, error)
	after    C      // what position says
	position []byte // as JSON; nil: the beginning
}

// Since returns a resumable inlet. Every pull calls f with the cursor up to which
// it has read, at first the zero C, and f returns what comes after it together
// with the new cursor. With [record.Record] as T, f gives its records metadata and
// IDs.
//
// A cursor is kept as JSON, and what f gets has been through it also without a
// restart, so a C must survive that, as numbers, strings, times and structs of
// exported fields do. A cursor that does not is an error of the pull.
//
// The cursor moves only if f returns no error, or returns values together with
// one. The link commits it once those values are delivered and gives the
// committed cursor back after a restart.
//
// The name keys the stored cursor. It must be unique in the link and stay the
// same over restarts.
func Since[C, T any](name string, f func(ctx context.Context, after C) ([]T, C, error)) Inlet {
	return &since[C, T]{name: name, pull: f}
}

func (s *since[C, T]) String() string { return s.name }

func (s *since[C, T]) Validate() error {
	var errs []error
	if s.name == "" {
		errs = append(errs, errors.New("inlet.Since: the name is empty, want one that no other inlet of its link has"))
	}
	if s.pull == nil {
		errs = append(errs, fmt.Errorf("inlet.Since %q: the function is nil, want one that returns what comes after a cursor", s.name))
	}
	return errors.Join(errs...)
}

func (s *since[C, T]) Pull(ctx context.Context, _ record.Update) ([]record.Record, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	after := s.after
	moved := false
	defer func() {
		if !moved { // f may have changed what its cursor refers to
			s.after, _ = decode[C](s.position)
		}
	}()
	values, next, err := s.pull(ctx, after)
	if err != nil && len(values) == 0 {
		return nil, err
	}
	position, wrong := json.Marshal(next)
	if wrong == nil {
		after, wrong = decode[C](position)
	}
	if wrong != nil {
		return nil, errors.Join(err, fmt.Errorf("inlet %q: cursor %v cannot be stored as JSON and read again: %w", s.name, next, wrong))
	}
	s.after, s.position, moved = after, position, true
	return wrap(values), err
}

func (s *since[C, T]) Seek(_ context.Context, position []byte) error {
	after, err := decode[C](position)
	if err != nil {
		return fmt.Errorf("inlet %q: stored position %.100q is no %s: %w", s.name, position, typeName[C](), err)
	}
	s.after, s.position = after, position
	return nil
}

func (s *since[C, T]) Position() []byte { return s.position }

// PositionType names the type of the cursor alone: that of the values may change.
func (s *since[C, T]) PositionType() string { return "Since of " + typeName[C]() }

// decode returns the cursor that a position says. Nil is the zero one.
func decode[C any](position []byte) (cursor C, err error) {
	if position != nil {
		err = json.Unmarshal(position, &cursor)
	}
	return cursor, err
}
