package sqlstate

import (
	"fmt"
	"strings"
)

// Dialect is the SQL that a database speaks.
type Dialect uint8

// The dialects. MySQL speaks that of MariaDB.
const (
	PostgreSQL Dialect = iota + 1
	MariaDB
	SQLite
)

func (d Dialect) known() bool { return d >= PostgreSQL && d <= SQLite }

// String returns the name of the database.
func (d Dialect) String() string {
	switch d {
	case PostgreSQL:
		return "PostgreSQL"
	case MariaDB:
		return "MariaDB"
	case SQLite:
		return "SQLite"
	}
	return fmt.Sprintf("Dialect(%d)", uint8(d))
}

// statements are what a store says to its database.
type statements struct {
	schema string
	get    string // of a name
	insert string // a name and a value, at revision 1; no row if there is one
	update string // to a value that of a name at a revision
}

func (d Dialect) statements(table string) statements {
	t := d.quote(table)
	switch d {
	case PostgreSQL:
		return statements{
			schema: "CREATE TABLE IF NOT EXISTS " + t + " (name bytea PRIMARY KEY, revision bigint NOT NULL, value bytea NOT NULL)",
			get:    "SELECT value, revision FROM " + t + " WHERE name = $1",
			insert: "INSERT INTO " + t + " (name, revision, value) VALUES ($1, 1, $2) ON CONFLICT (name) DO NOTHING",
			update: "UPDATE " + t + " SET value = $1, revision = revision + 1 WHERE name = $2 AND revision = $3",
		}
	case MariaDB:
		return statements{
			schema: fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (name VARBINARY(%d) PRIMARY KEY, revision BIGINT NOT NULL, value LONGBLOB NOT NULL) ENGINE=InnoDB ROW_FORMAT=DYNAMIC", t, MaxKey),
			get:    "SELECT value, revision FROM " + t + " WHERE name = ?",
			insert: "INSERT IGNORE INTO " + t + " (name, revision, value) VALUES (?, 1, ?)",
			update: "UPDATE " + t + " SET value = ?, revision = revision + 1 WHERE name = ? AND revision = ?",
		}
	default: // SQLite
		return statements{
			schema: "CREATE TABLE IF NOT EXISTS " + t + " (name BLOB NOT NULL PRIMARY KEY, revision INTEGER NOT NULL, value BLOB NOT NULL) WITHOUT ROWID",
			get:    "SELECT value, revision FROM " + t + " WHERE name = ?",
			insert: "INSERT INTO " + t + " (name, revision, value) VALUES (?, 1, ?) ON CONFLICT (name) DO NOTHING",
			update: "UPDATE " + t + " SET value = ?, revision = revision + 1 WHERE name = ? AND revision = ?",
		}
	}
}

// quote returns a valid table name in quotation marks.
func (d Dialect) quote(table string) string {
	mark := `"`
	if d == MariaDB {
		mark = "`"
	}
	return mark + strings.ReplaceAll(table, ".", mark+"."+mark) + mark
}
