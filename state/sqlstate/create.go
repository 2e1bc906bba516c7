package sqlstate

import (
	"context"
	"errors"
	"fmt"
)

// createTable makes the table if it is not there.
func (s *Store) createTable(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, s.words.schema)
	if err == nil || ctx.Err() != nil {
		return err
	}
	// Another process may have made it at the same moment, which PostgreSQL takes
	// for an error; or this user may use it and not make it.
	rows, readErr := s.db.QueryContext(ctx, s.words.get, []byte{})
	if readErr != nil {
		return err
	}
	return rows.Close()
}

// failed names the table and the key.
func (s *Store) failed(ctx context.Context, verb, key string, err error) error {
	return fmt.Errorf("sqlstate: %s %q in %s: %w", verb, key, s.table, because(ctx, err))
}

// because adds to the error of a driver that the context has ended, where the driver
// does not say so.
func because(ctx context.Context, err error) error {
	if end := ctx.Err(); end != nil && !errors.Is(err, end) {
		return fmt.Errorf("%w (%w)", end, err)
	}
	return err
}
