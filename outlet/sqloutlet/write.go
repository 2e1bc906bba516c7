package sqloutlet

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/databay-go/databay/internal/sqldb"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state"
)

// grace is what a COMMIT that has begun may take after the context has ended, so that
// its outcome is known.
const grace = 2 * time.Second

// writer writes the runs of one push.
type writer struct {
	outlet   *Outlet
	dialect  sqldb.Dialect
	commit   *record.Commit // nil: there is none
	failures *record.Failures
}

// write writes runs in one transaction, and the commit with them. First all at once;
// if that fails because of a row, once more, step by step, to find out which. Rows at
// fault are noted as failures. An error means that nothing is written, as far as is
// known.
func (w *writer) write(ctx context.Context, runs []*run) error {
	err := w.transaction(ctx, func(t *transaction) error {
		// The position first: if this push was written before, it says so.
		if err := w.put(ctx, t); err != nil {
			return err
		}
		for _, r := range runs {
			for _, s := range w.statements(r) {
				if err := w.all(ctx, t, s); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	if _, ok := errors.AsType[*finalError](err); ok || faultOf(w.dialect, err) == ofMoment {
		return err
	}
	return w.transaction(ctx, func(t *transaction) error {
		for _, r := range runs {
			for _, s := range w.statements(r) {
				if err := w.halve(ctx, t, s); err != nil {
					return err
				}
			}
		}
		if w.commit != nil && w.failures.Err() != nil {
			return errRefused
		}
		return w.put(ctx, t)
	})
}

// errRefused undoes a push of which a row is refused and that has a commit.
var errRefused = errors.New("sqloutlet: a row is refused")

// finalError is one that another try in the same push does not mend.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }
func (e *finalError) Unwrap() error { return e.err }

// transaction is a transaction and, for Copy, its connection.
type transaction struct {
	*sql.Tx
	conn *sql.Conn
}

// transaction runs f in a transaction and commits it.
func (w *writer) transaction(ctx context.Context, f func(*transaction) error) (err error) {
	// The transaction does not end with ctx while it is being committed.
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, cancel)
	defer stop()

	t := new(transaction)
	if w.outlet.opts.Copy != nil {
		if t.conn, err = w.outlet.db.Conn(inner); err != nil {
			return err
		}
		defer func() { _ = t.conn.Close() }() // it goes back to the pool
		t.Tx, err = t.conn.BeginTx(inner, nil)
	} else {
		t.Tx, err = w.outlet.db.BeginTx(inner, nil)
	}
	if err != nil {
		return err
	}
	if err := f(t); err != nil {
		_ = t.Rollback() // what a broken connection does by itself
		if errors.Is(err, errRefused) {
			return nil
		}
		return w.settled(ctx, err, errors.Is(err, state.ErrConflict))
	}
	if !stop() {
		_ = t.Rollback()
		return context.Cause(ctx)
	}
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })()
	if err := t.Commit(); err != nil {
		return w.settled(ctx, &finalError{fmt.Errorf("commit: %w", err)}, true)
	}
	return nil
}

// put writes the commit.
func (w *writer) put(ctx context.Context, t *transaction) error {
	if w.commit == nil {
		return nil
	}
	_, err := w.outlet.opts.State.PutTx(ctx, t.Tx, w.commit.Key, w.commit.Value, w.commit.Revision)
	if errors.Is(err, state.ErrConflict) {
		err = &finalError{fmt.Errorf("write the position %q: %w", w.commit.Key, err)}
	}
	return err
}

// settled returns err unless the push is written all the same, which its commit tells
// where asked is true: an answer got lost, at this try or at an earlier one.
func (w *writer) settled(ctx context.Context, err error, asked bool) error {
	if w.commit == nil || !asked {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	value, _, wrong := w.outlet.opts.State.Get(ctx, w.commit.Key)
	switch {
	case wrong != nil:
		return errors.Join(err, fmt.Errorf("read the position %q: %w", w.commit.Key, wrong))
	case bytes.Equal(value, w.commit.Value):
		return nil
	}
	return err
}

// all writes a statement's rows at once.
func (w *writer) all(ctx context.Context, t *transaction, r *run) error {
	if w.outlet.opts.Copy == nil {
		return w.insert(ctx, t.Tx, r)
	}
	rows := make([][]any, len(r.rows))
	for i, row := range r.rows {
		rows[i] = row.values
	}
	return w.outlet.opts.Copy(ctx, t.conn, r.table, r.columns, rows)
}

// halve writes a statement's rows, and notes those at fault as failures. An error means
// that the transaction is of no more use.
func (w *writer) halve(ctx context.Context, t *transaction, r *run) error {
	if _, err := t.ExecContext(ctx, "SAVEPOINT databay"); err != nil {
		return err
	}
	err := w.insert(ctx, t.Tx, r)
	fault := faultOf(w.dialect, err)
	if err != nil {
		if ctx.Err() != nil || fault == ofMoment {
			return err
		}
		// It fails where the connection is lost, and then no row is to blame.
		if _, lost := t.ExecContext(ctx, "ROLLBACK TO SAVEPOINT databay"); lost != nil {
			return errors.Join(err, lost)
		}
	}
	if _, err := t.ExecContext(ctx, "RELEASE SAVEPOINT databay"); err != nil {
		return err
	}
	switch {
	case err == nil:
		return nil
	case len(r.rows) == 1, fault == ofStatement && w.dialect != sqldb.SQLite: // whose code for it has other meanings too
		w.outlet.forget(r.table)
		for _, row := range r.rows {
			w.failures.Add(row.index, record.Permanent(fmt.Errorf("table %s: %w", r.table, err)))
		}
		return nil
	}
	first, second := *r, *r
	first.rows, second.rows = r.rows[:len(r.rows)/2], r.rows[len(r.rows)/2:]
	if err := w.halve(ctx, t, &first); err != nil {
		return err
	}
	return w.halve(ctx, t, &second)
}

// forget makes the next push ask for the columns of a table again.
func (o *Outlet) forget(table string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.known, table)
}
