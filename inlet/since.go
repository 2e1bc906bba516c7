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
	read     C
	position []byte
}

// Since returns a resumable inlet. Every pull calls f with the cursor up to which
// it has read, at first the zero C, and f returns what comes after it together
// with the new cursor. A cursor is stored as JSON, so a C must survive a round
// trip through it, as numbers, strings, times and structs of exported fields do.
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
		errs = append(errs, errors.New("inlet.Since: the name is empty"))
	}
	if s.pull == nil {
		errs = append(errs, fmt.Errorf("inlet.Since %q: the function is nil", s.name))
	}
	return errors.Join(errs...)
}

func (s *since[C, T]) Pull(ctx context.Context, _ record.Update) ([]record.Record, error) {
	values, next, err := s.pull(ctx, s.read)
	if err != nil && len(values) == 0 {
		return nil, err
	}
	position, jsonErr := json.Marshal(next)
	if jsonErr != nil {
		return nil, errors.Join(err, fmt.Errorf("inlet %q: cursor %v cannot be stored: %w", s.name, next, jsonErr))
	}
	s.read, s.position = next, position
	return wrap(values), err
}

func (s *since[C, T]) Seek(_ context.Context, position []byte) error {
	var read C
	if position != nil {
		if err := json.Unmarshal(position, &read); err != nil {
			return fmt.Errorf("inlet %q: stored position %.100q is no %T: %w", s.name, position, read, err)
		}
	}
	s.read, s.position = read, position
	return nil
}

func (s *since[C, T]) Position() []byte { return s.position }
