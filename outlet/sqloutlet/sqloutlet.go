package sqloutlet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/databay-go/databay/internal/sqldb"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// Table is the metadata key of the table that a record goes to, instead of the
// outlet's.
var Table = record.NewKey[string]("sqloutlet.table")

// Outlet writes records as rows. It is safe for concurrent use.
type Outlet struct {
	db    *sql.DB
	table string
	opts  Options

	mu    sync.Mutex
	known map[string][]string // the columns of each table, as the database has told
}

var (
	_ outlet.Outlet    = (*Outlet)(nil)
	_ outlet.Validator = (*Outlet)(nil)
	_ outlet.Checker   = (*Outlet)(nil)
	_ outlet.Reader    = (*Outlet)(nil)
	_ outlet.Atomic    = (*Outlet)(nil)
	_ fmt.Stringer     = (*Outlet)(nil)
)

// New returns an outlet that writes to a table those records that name no [Table].
// The options may be nil. Mistakes are what Validate reports.
//
// The database stays the caller's, who opens and closes it. A push uses one
// connection, and a second one before it to ask for columns.
func New(db *sql.DB, table string, opts *Options) *Outlet {
	return &Outlet{db: db, table: table, opts: opts.resolve(), known: make(map[string][]string)}
}

// String returns "sqloutlet(table)".
func (o *Outlet) String() string { return "sqloutlet(" + o.table + ")" }

// ReadOnly returns true.
func (o *Outlet) ReadOnly() bool { return true }

// Store returns [Options].State, in whose transactions positions are written.
func (o *Outlet) Store() any {
	if o.opts.State == nil {
		return nil
	}
	return o.opts.State
}

// Validate reports every mistake of the arguments and the options. It does not ask
// the database.
func (o *Outlet) Validate() error {
	var errs []error
	if o.db == nil {
		errs = append(errs, errors.New("sqloutlet: db is nil, want an open *sql.DB"))
	} else if _, err := o.opts.Dialect.Resolve(o.db); err != nil {
		errs = append(errs, fmt.Errorf("sqloutlet: %w", err))
	}
	if err := sqldb.CheckTable(o.table); err != nil {
		errs = append(errs, fmt.Errorf("sqloutlet: table %w", err))
	}
	if o.opts.State != nil && o.db != nil && o.opts.State.DB() != o.db {
		errs = append(errs, errors.New("sqloutlet: State has another *sql.DB, want the outlet's: one transaction is of one database"))
	}
	return errors.Join(append(errs, o.opts.validate())...)
}

// Check asks the database for the columns of the outlet's table, to see that it
// answers and has those that are to be written.
func (o *Outlet) Check(ctx context.Context) error {
	if err := o.Validate(); err != nil {
		return err
	}
	p, err := o.plan()
	if err == nil {
		var t *table
		if t, err = p.load(ctx, o.table); err == nil {
			err = t.err
		}
	}
	return o.failed(ctx, err)
}

// failed returns err as one of the outlet, or the end of ctx that is behind it.
func (o *Outlet) failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("sqloutlet: %w", err)
}

// Push writes the records in one transaction, and with them u.Commit if there is one
// and Options.State is set.
func (o *Outlet) Push(ctx context.Context, records []record.Record, u record.Update) error {
	var commit *record.Commit
	if o.opts.State != nil {
		commit = u.Commit
	}
	if len(records) == 0 && commit == nil {
		return nil
	}
	if err := o.Validate(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var failures record.Failures
	p, err := o.plan()
	if err == nil {
		err = p.addAll(ctx, records, &failures)
	}
	if err != nil {
		return o.failed(ctx, err)
	}
	w := writer{outlet: o, dialect: p.dialect, commit: commit, failures: &failures}
	if commit != nil && failures.Err() != nil {
		return w.together(len(records))
	}
	if len(p.runs) > 0 || commit != nil {
		if err := w.write(ctx, p.runs); err != nil {
			return o.failed(ctx, err)
		}
	}
	if commit != nil && failures.Err() != nil {
		return w.together(len(records))
	}
	return failures.Err()
}

// together answers a push with a commit of which a record is refused: then none is
// written.
func (w *writer) together(n int) error {
	first := record.AsPartial(w.failures.Err()).Indices()[0]
	for i := range n {
		if !w.failures.Has(i) {
			w.failures.Add(i, fmt.Errorf("waits for record %d, which is refused and goes in the same transaction", first))
		}
	}
	return w.failures.Err()
}
