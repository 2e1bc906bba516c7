package sqlinlet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/internal/sqldb"
	"github.com/databay-go/databay/record"
)

// Inlet reads new rows. It has a position and belongs to one link.
type Inlet struct {
	db     *sql.DB
	table  string
	cursor string
	opts   Options

	at      []value // cursor and key of the last row read; nil: the beginning
	alone   bool    // it is known that no row which is not read has the same
	horizon horizon
}

var (
	_ inlet.Inlet      = (*Inlet)(nil)
	_ inlet.Validator  = (*Inlet)(nil)
	_ inlet.Checker    = (*Inlet)(nil)
	_ inlet.Seeker     = (*Inlet)(nil)
	_ inlet.Positioner = (*Inlet)(nil)
	_ fmt.Stringer     = (*Inlet)(nil)
)

// New returns an inlet that reads the rows of a table in the order of the column
// cursor. With [Options].Query, table is the name of that query. The options may be
// nil. Mistakes are what Validate reports.
//
// The database stays the caller's, who opens and closes it. An inlet uses one
// connection at a time, and none between pulls.
func New(db *sql.DB, table, cursor string, opts *Options) *Inlet {
	return &Inlet{db: db, table: table, cursor: cursor, opts: opts.resolve(), horizon: horizon{reached: true}}
}

// String returns "sqlinlet(table)".
func (in *Inlet) String() string { return "sqlinlet(" + in.table + ")" }

// Validate reports every mistake of the arguments and the options. It does not ask
// the database.
func (in *Inlet) Validate() error {
	var errs []error
	wrong := func(field string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("sqlinlet: %s%w", field, err))
		}
	}
	if in.db == nil {
		wrong("", errors.New("db is nil, want an open *sql.DB"))
	} else {
		_, err := in.opts.Dialect.Resolve(in.db)
		wrong("", err)
	}
	if in.opts.Query == "" {
		wrong("table ", sqldb.CheckTable(in.table))
	} else {
		wrong("table, the name of the query, ", sqldb.CheckName(in.table))
	}
	wrong("cursor ", sqldb.CheckName(in.cursor))
	return errors.Join(append(errs, in.opts.validate(in.cursor))...)
}

// Check asks the database for no rows, to see that it answers and has what is asked
// for.
func (in *Inlet) Check(ctx context.Context) error {
	q, err := in.query()
	if err != nil {
		return err
	}
	rows, err := sqldb.Query(ctx, in.db, q.none(), q.args...)
	if err == nil {
		rows.Next()
		err = errors.Join(rows.Err(), rows.Close())
	}
	return in.failed(ctx, err)
}

// Pull returns the next rows that are due.
func (in *Inlet) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	q, err := in.query()
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := in.unique(ctx, q); err != nil {
		return nil, in.failed(ctx, err)
	}
	due, err := in.due(ctx, q, u)
	if err != nil || !due {
		return nil, in.failed(ctx, err)
	}
	records, err := in.read(ctx, q)
	return records, in.failed(ctx, err)
}

// failed returns err as one of the inlet, or the end of ctx that is behind it.
func (in *Inlet) failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("sqlinlet: %w", err)
}

// read returns the rows behind the position, up to the horizon.
func (in *Inlet) read(ctx context.Context, q *query) ([]record.Record, error) {
	statement, args := q.page(in.at, in.horizon.upTo, in.opts.Limit+1)
	rows, err := sqldb.Query(ctx, in.db, statement, args...)
	if err != nil {
		return nil, err
	}
	records, err := in.take(rows, q)
	return records, errors.Join(err, rows.Close())
}

// take returns the records of rows, and moves the position along.
func (in *Inlet) take(rows *sql.Rows, q *query) (records []record.Record, err error) {
	s, err := newScanner(rows, q)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		if len(records) == in.opts.Limit { // there is more, and the horizon stays
			at, err := s.placeAlone()
			if err == nil {
				err = in.follows(at)
			}
			return records, err
		}
		payload, at, err := s.row(in.opts.Decode)
		if err == nil {
			err = in.follows(at)
		}
		if err != nil {
			return records, err
		}
		records = append(records, record.New(payload).WithID(in.id(at)))
		in.at, in.alone = at, false
	}
	in.horizon.reached = rows.Err() == nil
	in.alone = in.horizon.reached
	return records, rows.Err()
}

// unique returns an error if another row stands where the last one does, as the
// database compares: it would be passed over. Unequal texts may be equal for it, by
// their collation, and unequal texts of a number are.
func (in *Inlet) unique(ctx context.Context, q *query) error {
	loose := func(v value) bool { return v.kind == kindText || v.kind == kindDecimal || v.kind == kindFloat }
	if in.alone || !slices.ContainsFunc(in.at, loose) {
		return nil
	}
	statement, args := q.same(in.at)
	rows, err := sqldb.Query(ctx, in.db, statement, args...)
	if err != nil {
		return err
	}
	err = in.othersOf(rows, q)
	err = errors.Join(err, rows.Close())
	in.alone = err == nil
	return err
}

// othersOf returns an error if rows are others than the last one that was read.
func (in *Inlet) othersOf(rows *sql.Rows, q *query) error {
	s, err := newScanner(rows, q)
	if err != nil {
		return err
	}
	for n := 1; rows.Next(); n++ {
		at, err := s.placeAlone()
		if err != nil {
			return err
		}
		if n > 1 || !equal(in.at, at) {
			return fmt.Errorf("two rows with %s are equal for the database, and one of them would be passed over: want a Key that makes rows unique, and columns whose values compare exactly", in.show(in.at))
		}
	}
	return rows.Err()
}

// follows returns an error unless a row at that place may come behind the last one.
func (in *Inlet) follows(at []value) error {
	if in.at == nil || !equal(in.at, at) {
		return nil
	}
	return fmt.Errorf("a row with %s comes again behind the one with it: want a Key that makes rows unique, and columns whose values compare exactly", in.show(at))
}

// show returns the cursor and the key of a row as text.
func (in *Inlet) show(at []value) string { return describe(in.order(), at) }

// order returns the columns that say where a row stands.
func (in *Inlet) order() []string { return append([]string{in.cursor}, in.opts.Key...) }

// id returns the ID of the row at a place: table/key@cursor, or table/cursor.
func (in *Inlet) id(at []value) string {
	var b strings.Builder
	b.WriteString(in.table)
	sep := byte('/')
	for _, v := range at[1:] {
		b.WriteByte(sep)
		b.WriteString(v.id())
		sep = ','
	}
	if len(at) > 1 {
		sep = '@'
	}
	b.WriteByte(sep)
	b.WriteString(at[0].id())
	return b.String()
}
