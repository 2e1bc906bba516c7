package sqlinlet_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the driver

	"github.com/databay-go/databay/inlet/sqlinlet"
	"github.com/databay-go/databay/record"
)

// database is one that tests run on.
type database struct {
	dialect sqlinlet.Dialect
	fresh   func(t testing.TB) *sql.DB // opens a new, empty one
}

// sqlite is SQLite, a file for each database.
var sqlite = &database{sqlinlet.SQLite, func(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "test.db")+"?_pragma=busy_timeout(20000)&_pragma=journal_mode(wal)&_txlock=immediate")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}}

// kind returns the type that a column of the given kind has.
func (d *database) kind(kind string) string {
	types := map[string][3]string{ // PostgreSQL, MariaDB, SQLite
		"int":     {"BIGINT", "BIGINT", "INTEGER"},
		"serial":  {"BIGSERIAL PRIMARY KEY", "BIGINT AUTO_INCREMENT PRIMARY KEY", "INTEGER PRIMARY KEY"},
		"text":    {"TEXT", "VARCHAR(100) COLLATE utf8mb4_bin", "TEXT"},
		"time":    {"TIMESTAMPTZ", "DATETIME(6)", "DATETIME"},
		"decimal": {"NUMERIC", "DECIMAL(60,30)", "TEXT"}, // SQLite has none that is exact
		"huge":    {"NUMERIC", "DECIMAL(65,0)", "TEXT"},
		"bytes":   {"BYTEA", "VARBINARY(100)", "BLOB"},
		"float":   {"DOUBLE PRECISION", "DOUBLE", "REAL"},
		"date":    {"DATE", "DATE", "TEXT"},
		"stamp":   {"TIMESTAMP", "TIMESTAMP(6)", "TIMESTAMP"},
		"uuid":    {"UUID", "CHAR(36)", "TEXT"},
	}
	return types[kind][d.dialect-sqlinlet.PostgreSQL]
}

func (d *database) quote(name string) string { return d.dialect.Quote(name) }

// exec executes a statement whose arguments are ?1, ?2 and so on.
func (d *database) exec(t testing.TB, db interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}, statement string, args ...any) {
	t.Helper()
	_, err := db.ExecContext(context.Background(), d.bind(statement), args...)
	require.NoError(t, err, statement)
}

// bind replaces each ? by the placeholder of the dialect.
func (d *database) bind(statement string) string {
	var s []byte
	n := 0
	for i := range len(statement) {
		if statement[i] != '?' {
			s = append(s, statement[i])
			continue
		}
		n++
		s = d.dialect.Append(s, n)
	}
	return string(s)
}

// table makes a table t of id, a serial, and the given columns.
func (d *database) table(t testing.TB, db *sql.DB, kinds ...string) {
	t.Helper()
	var text strings.Builder
	text.WriteString("CREATE TABLE t (id " + d.kind("serial"))
	for i := 0; i < len(kinds); i += 2 {
		text.WriteString(", " + d.quote(kinds[i]) + " " + d.kind(kinds[i+1]))
	}
	d.exec(t, db, text.String()+")")
}

// pull pulls once, as a link would whose pulls are far apart.
func pull(t testing.TB, in *sqlinlet.Inlet) []record.Record {
	t.Helper()
	records, err := in.Pull(t.Context(), record.Update{})
	require.NoError(t, err)
	return records
}

// all pulls until nothing comes.
func all(t testing.TB, in *sqlinlet.Inlet) (records []record.Record) {
	t.Helper()
	for {
		more := pull(t, in)
		if len(more) == 0 {
			return records
		}
		records = append(records, more...)
	}
}

// column returns the values that the payloads have in a column, as text.
func column(records []record.Record, name string) []string {
	values := make([]string, 0, len(records))
	for _, r := range records {
		values = append(values, fmt.Sprint(r.Payload.(map[string]any)[name]))
	}
	return values
}

// numbers returns the texts of the numbers from one to another.
func numbers(from, to int) []string {
	all := []string{}
	for i := from; i <= to; i++ {
		all = append(all, fmt.Sprint(i))
	}
	return all
}
