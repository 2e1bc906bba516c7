package sqldb

import (
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Dialect is how a database wants its SQL. The zero value stands for the one that
// the driver tells.
type Dialect uint8

// The dialects.
const (
	Auto       Dialect = iota // that of the driver
	PostgreSQL                // $1 and "names"
	MariaDB                   // ? and `names`; MySQL too
	SQLite                    // ? and `names`
)

// String returns "auto", "PostgreSQL", "MariaDB" or "SQLite".
func (d Dialect) String() string {
	switch d {
	case Auto:
		return "auto"
	case PostgreSQL:
		return "PostgreSQL"
	case MariaDB:
		return "MariaDB"
	case SQLite:
		return "SQLite"
	}
	return fmt.Sprintf("Dialect(%d)", uint8(d))
}

// Resolve returns d or, for Auto, the dialect of the driver of db, which is told by
// the package of its type: pgx, pq, go-sql-driver/mysql, and drivers with sqlite in
// their path.
func (d Dialect) Resolve(db *sql.DB) (Dialect, error) {
	switch {
	case d > SQLite:
		return d, fmt.Errorf("Dialect is %d, want PostgreSQL, MariaDB or SQLite", d)
	case d != Auto:
		return d, nil
	case db == nil:
		return d, errors.New("db is nil, want an open *sql.DB")
	}
	t := reflect.TypeOf(db.Driver())
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch path := t.PkgPath(); {
	case strings.Contains(path, "/pgx/"), strings.HasSuffix(path, "/pq"):
		return PostgreSQL, nil
	case strings.HasSuffix(path, "go-sql-driver/mysql"):
		return MariaDB, nil
	case strings.Contains(path, "sqlite"):
		return SQLite, nil
	}
	return d, fmt.Errorf("Dialect is auto, and the driver %v does not tell: want PostgreSQL, MariaDB or SQLite", t)
}

// Quote returns name as an identifier. SQLite takes backquotes too, and what stands
// in those is never taken for a string.
func (d Dialect) Quote(name string) string {
	q := "`"
	if d == PostgreSQL {
		q = `"`
	}
	return q + strings.ReplaceAll(name, q, q+q) + q
}

// Table returns name as a table: the parts between dots are quoted each.
func (d Dialect) Table(name string) string {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		parts[i] = d.Quote(p)
	}
	return strings.Join(parts, ".")
}

// Append appends the placeholder of the argument n, counted from 1.
func (d Dialect) Append(dst []byte, n int) []byte {
	if d == PostgreSQL {
		return strconv.AppendInt(append(dst, '$'), int64(n), 10)
	}
	return append(dst, '?')
}

// MaxArgs is how many arguments a statement may have.
func (d Dialect) MaxArgs() int {
	if d == SQLite {
		return 32_766
	}
	return 65_535
}

// CheckName returns what is wrong with the name of a column.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("is empty, want a name")
	case strings.ContainsRune(name, 0):
		return fmt.Errorf("is %q, want a name without a zero byte", name)
	}
	return nil
}

// CheckTable returns what is wrong with the name of a table.
func CheckTable(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	for p := range strings.SplitSeq(name, ".") {
		if p == "" {
			return fmt.Errorf("is %q, want a name, or schema.name", name)
		}
	}
	return nil
}

// CheckNames returns what is wrong with a list of columns, which is in a field of
// options.
func CheckNames(field string, names []string) (errs []error) {
	for i, n := range names {
		if err := CheckName(n); err != nil {
			errs = append(errs, fmt.Errorf("%s[%d] %w", field, i, err))
		} else if slices.Index(names, n) < i {
			errs = append(errs, fmt.Errorf("%s[%d] is %q for a second time, want each name once", field, i, n))
		}
	}
	return errs
}
