package sqldb

import (
	"context"
	"database/sql"
	"errors"
)

// Query queries db. PostgreSQL refuses a statement that it has planned before a table
// got other columns; drivers forget the plan then, and the second try succeeds.
func Query(ctx context.Context, db *sql.DB, statement string, args ...any) (*sql.Rows, error) {
	rows, err := db.QueryContext(ctx, statement, args...)
	if state, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err); ok && state.SQLState() == "0A000" {
		return db.QueryContext(ctx, statement, args...)
	}
	return rows, err
}
