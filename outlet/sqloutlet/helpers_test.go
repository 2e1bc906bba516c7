package sqloutlet_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the driver

	"github.com/databay-go/databay/outlet/sqloutlet"
	"github.com/databay-go/databay/record"
)

type row = map[string]any

// database is one that tests run on.
type database struct {
	dialect sqloutlet.Dialect
	fresh   func(t testing.TB) *sql.DB // opens a new, empty one
}

// sqlite is SQLite, a file for each database.
var sqlite = &database{sqloutlet.SQLite, func(t testing.TB) *sql.DB {
	t.Helper()
	return openSQLite(t, filepath.Join(t.TempDir(), "test.db"), 20*time.Second)
}}

// openSQLite opens a file. A writer waits for others as long as busy says.
func openSQLite(t testing.TB, file string, busy time.Duration) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", fmt.Sprintf("file:%s?_pragma=busy_timeout(%d)&_pragma=journal_mode(wal)&_pragma=foreign_keys(1)&_txlock=immediate", file, busy.Milliseconds()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// kind returns the type that a column of the given kind has.
func (d *database) kind(kind string) string {
	types := map[string][3]string{ // PostgreSQL, MariaDB, SQLite
		"serial":  {"BIGSERIAL PRIMARY KEY", "BIGINT AUTO_INCREMENT PRIMARY KEY", "INTEGER PRIMARY KEY"},
		"int":     {"BIGINT", "BIGINT", "INTEGER"},
		"text":    {"VARCHAR(100)", "VARCHAR(100) COLLATE utf8mb4_bin", "TEXT CHECK (length(text) <= 100)"},
		"id":      {"VARCHAR(100) UNIQUE", "VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin UNIQUE", "TEXT UNIQUE"},
		"time":    {"TIMESTAMPTZ", "DATETIME(6)", "DATETIME"},
		"decimal": {"NUMERIC", "DECIMAL(60,30)", "TEXT"},
		"bytes":   {"BYTEA", "BLOB", "BLOB"},
		"float":   {"DOUBLE PRECISION", "DOUBLE", "REAL"},
		"bool":    {"BOOLEAN", "BOOLEAN", "BOOLEAN"},
		"json":    {"JSONB", "JSON", "TEXT"},
	}
	return types[kind][d.dialect-sqloutlet.PostgreSQL]
}

// execute executes a statement.
func execute(t testing.TB, db *sql.DB, statement string) {
	t.Helper()
	_, err := db.ExecContext(context.Background(), statement)
	require.NoError(t, err, statement)
}

// table makes a table t of seq, a serial, and n, an int that is not null and unique,
// and text.
func (d *database) table(t testing.TB, db *sql.DB) {
	t.Helper()
	execute(t, db, fmt.Sprintf("CREATE TABLE t (seq %s, n %s NOT NULL UNIQUE, text %s)", d.kind("serial"), d.kind("int"), d.kind("text")))
}

// read returns what a query yields, each row as text.
func read(t testing.TB, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(context.Background(), query)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	columns, err := rows.Columns()
	require.NoError(t, err)
	all := []string{}
	for rows.Next() {
		values, dest := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		require.NoError(t, rows.Scan(dest...))
		var line strings.Builder
		for i, v := range values {
			if i > 0 {
				line.WriteString(" ")
			}
			if v.Valid {
				line.WriteString(v.String)
			} else {
				line.WriteString("null")
			}
		}
		all = append(all, line.String())
	}
	require.NoError(t, rows.Err())
	return all
}

// records returns a record for every payload.
func records(payloads ...any) (rs []record.Record) {
	for _, p := range payloads {
		rs = append(rs, record.New(p))
	}
	return rs
}

// push pushes records, all of which must be accepted.
func push(t testing.TB, o *sqloutlet.Outlet, rs ...record.Record) {
	t.Helper()
	require.NoError(t, o.Push(t.Context(), rs, record.Update{}))
}

// failed pushes records and returns the causes of those not accepted, by index.
func failed(t testing.TB, o *sqloutlet.Outlet, rs ...record.Record) map[int]error {
	t.Helper()
	err := o.Push(t.Context(), rs, record.Update{})
	partial, ok := errors.AsType[*record.Partial](err)
	require.True(t, ok, "the error is a Partial: %v", err)
	return partial.Failed
}

var errEnded = errors.New("the context was ended")

// contextThatEnds returns a context that ends soon.
func contextThatEnds(t testing.TB) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errEnded)
}

// lockTable keeps others from writing to a table until the function returned is
// called.
func lockTable(t testing.TB, d *database, db *sql.DB, table string) func() {
	t.Helper()
	conn, err := db.Conn(context.Background())
	require.NoError(t, err)
	begin, end := "BEGIN IMMEDIATE", "ROLLBACK"
	switch d.dialect {
	case sqloutlet.PostgreSQL:
		begin = "BEGIN; LOCK TABLE " + table
	case sqloutlet.MariaDB:
		begin, end = "LOCK TABLES "+table+" READ", "UNLOCK TABLES"
	}
	_, err = conn.ExecContext(context.Background(), begin)
	require.NoError(t, err)
	return func() {
		_, err := conn.ExecContext(context.Background(), end)
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	}
}
