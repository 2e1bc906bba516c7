package sqloutlet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/databay-go/databay/internal/sqldb"
)

// maxBytes is how many bytes of values one statement has, unless it is one row.
const maxBytes = 1 << 20

// statements cuts a run into what goes in one statement each.
func (w *writer) statements(r *run) []*run {
	limit := max(1, min(w.outlet.opts.Batch, w.dialect.MaxArgs()/len(r.columns)))
	var all []*run
	from, size := 0, 0
	cut := func(to int) {
		part := *r
		part.rows = r.rows[from:to]
		all = append(all, &part)
		from, size = to, 0
	}
	for i, row := range r.rows {
		n := sizeOf(row.values)
		if i > from && (i-from == limit || size+n > maxBytes) {
			cut(i)
		}
		size += n
	}
	cut(len(r.rows))
	return all
}

func sizeOf(values []any) int {
	n := 8 * len(values)
	for _, v := range values {
		switch v := v.(type) {
		case string:
			n += len(v)
		case []byte:
			n += len(v)
		}
	}
	return n
}

// insert executes a statement.
func (w *writer) insert(ctx context.Context, tx *sql.Tx, r *run) error {
	args := make([]any, 0, len(r.rows)*len(r.columns))
	for _, row := range r.rows {
		args = append(args, row.values...)
	}
	result, err := tx.ExecContext(ctx, w.text(r), args...)
	if err != nil || w.dialect != sqldb.MariaDB || w.outlet.opts.Mode != InsertIgnore {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == int64(len(r.rows)) {
		return err
	}
	return w.verify(ctx, tx, r)
}

// text returns the statement for the rows of r.
func (w *writer) text(r *run) string {
	d := w.dialect
	s := append([]byte("INSERT INTO "), d.Table(r.table)...)
	s = append(append(append(s, " ("...), list(d, r.columns)...), ") VALUES "...)
	n := 0
	for i := range r.rows {
		if i > 0 {
			s = append(s, ", "...)
		}
		for j := range r.columns {
			if j == 0 {
				s = append(s, '(')
			} else {
				s = append(s, ", "...)
			}
			n++
			s = d.Append(s, n)
		}
		s = append(s, ')')
	}
	return string(s) + w.onConflict(r)
}

// onConflict returns the end of a statement: what becomes of rows that are there.
func (w *writer) onConflict(r *run) string {
	o := &w.outlet.opts
	if o.Mode == Insert {
		return ""
	}
	from := "excluded.%s"
	if w.dialect == sqldb.MariaDB {
		from = "VALUES(%s)"
	}
	var sets []string
	for _, c := range r.columns {
		if o.Mode == Upsert && !isKey(o.Key, c) {
			c = w.dialect.Quote(c)
			sets = append(sets, c+" = "+fmt.Sprintf(from, c))
		}
	}
	if w.dialect == sqldb.MariaDB {
		if len(sets) == 0 { // INSERT IGNORE would pass over faults of all kinds
			k := w.dialect.Quote(o.Key[0])
			sets = []string{k + " = " + k}
		}
		return " ON DUPLICATE KEY UPDATE " + strings.Join(sets, ", ")
	}
	conflict := " ON CONFLICT (" + list(w.dialect, o.Key) + ") DO "
	if len(sets) == 0 {
		return conflict + "NOTHING"
	}
	return conflict + "UPDATE SET " + strings.Join(sets, ", ")
}

func isKey(key []string, column string) bool {
	_, at := sqldb.Find(column, len(key), func(i int) string { return key[i] })
	return at >= 0
}

// keyOf returns a text that is equal for equal keys.
func keyOf(values []any) string { return fmt.Sprintf("%#v", values) }

// verify returns an error unless every row of r is there by its key. Where MariaDB
// finds a row by another unique index it passes over the new one, too.
func (w *writer) verify(ctx context.Context, tx *sql.Tx, r *run) error {
	d, key := w.dialect, w.outlet.opts.Key
	places := make([]int, len(key))
	for i, k := range key {
		places[i] = slices.IndexFunc(r.columns, func(c string) bool { return isKey([]string{k}, c) })
	}
	var args []any
	distinct := make(map[string]bool, len(r.rows))
	for _, row := range r.rows {
		values := make([]any, len(places))
		for i, at := range places {
			values[i] = row.values[at]
		}
		if k := keyOf(values); !distinct[k] && !slices.Contains(values, nil) { // a null is unlike any other
			distinct[k] = true
			args = append(args, values...)
		}
	}
	if len(distinct) == 0 {
		return nil
	}
	one := ", (" + strings.Repeat(", ?", len(key))[2:] + ")"
	in := strings.Repeat(one, len(distinct))[2:]
	var n int
	err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+d.Table(r.table)+" WHERE ("+list(d, key)+") IN ("+in+")", args...).Scan(&n)
	if err == nil && n < len(distinct) {
		err = errors.New("a row was not written because of another unique index than the Key's")
	}
	return err
}
