package sqlinlet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/databay-go/databay/internal/sqldb"
	"github.com/databay-go/databay/record"
)

// ahead is how far a time may be ahead of the clock of this machine. Times without a
// zone may be off by one.
const ahead = 24 * time.Hour

// horizon is up to where rows may be read.
type horizon struct {
	upTo    value // the greatest cursor that may be
	reached bool  // all up to it is read, or there is none yet
	marks   []mark
}

// mark is a cursor value and when it was first seen to be the greatest.
type mark struct {
	cursor value
	seen   time.Time
}

// due reports whether there are rows to be read: it looks for new ones, and moves the
// horizon to what was seen Lag ago.
func (in *Inlet) due(ctx context.Context, q *query, u record.Update) (bool, error) {
	h := &in.horizon
	if !h.reached {
		return true, nil // the last pull did not get there
	}
	if !in.opts.SkipNulls {
		if err := in.nulls(ctx, q); err != nil {
			return false, err
		}
	}
	newest, err := in.newest(ctx, q)
	if err != nil || newest == nil {
		return false, err
	}
	if in.opts.Lag < 0 {
		h.upTo, h.reached = newest[0], false
		return true, nil
	}
	now := time.Now() // later than whatever took a smaller value
	if n := len(h.marks); n == 0 || h.marks[n-1].cursor != newest[0] {
		h.marks = append(h.marks, mark{newest[0], now})
	}
	if now.Sub(h.marks[0].seen) < in.opts.Lag && (u.From.IsZero() || u.Due.Sub(u.From) >= in.opts.Lag) {
		timer := time.NewTimer(in.opts.Lag - now.Sub(h.marks[0].seen))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
	return h.move(time.Now().Add(-in.opts.Lag)), nil
}

// move moves the horizon to the last mark that was seen by then, and reports whether
// there is one.
func (h *horizon) move(then time.Time) bool {
	n := 0
	for n < len(h.marks) && !h.marks[n].seen.After(then) {
		n++
	}
	if n == 0 {
		return false
	}
	h.upTo, h.reached = h.marks[n-1].cursor, false
	h.marks = append(h.marks[:0], h.marks[n:]...)
	return true
}

// nulls returns an error if there is a row without a place.
func (in *Inlet) nulls(ctx context.Context, q *query) error {
	at, err := in.one(ctx, q, q.nulls(), q.args)
	if err != nil || at == nil {
		return err
	}
	return fmt.Errorf("the row with %s has a null where it should have a place, and would never be read: want none, or SkipNulls", in.show(at))
}

// newest returns the last row behind the position, or nil if there is none.
func (in *Inlet) newest(ctx context.Context, q *query) ([]value, error) {
	statement, args := q.last(in.at)
	at, err := in.one(ctx, q, statement, args)
	if err != nil || at == nil {
		return nil, err
	}
	for i, v := range in.at {
		if !v.comparable(at[i], q.dialect) {
			return nil, fmt.Errorf("the position has %s, of the type %s, but the row with %s has the type %s there", in.show(in.at), v.kind, in.show(at), at[i].kind)
		}
	}
	if t, ok := at[0].time(); ok && time.Until(t) > ahead {
		return nil, fmt.Errorf("the row with %s lies more than %v ahead: reading it would pass over all that comes until then", in.show(at), ahead)
	}
	return at, nil
}

// one returns the place of the row that a statement finds, or nil if there is none.
func (in *Inlet) one(ctx context.Context, q *query, statement string, args []any) ([]value, error) {
	rows, err := sqldb.Query(ctx, in.db, statement, args...)
	if err != nil {
		return nil, err
	}
	at, err := oneOf(rows, q)
	return at, errors.Join(err, rows.Close())
}

func oneOf(rows *sql.Rows, q *query) ([]value, error) {
	s, err := newScanner(rows, q)
	if err != nil || !rows.Next() {
		return nil, errors.Join(err, rows.Err())
	}
	return s.placeAlone()
}
