package sqlstate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"regexp"
	"sync/atomic"

	"github.com/databay-go/databay/state"
)

// MaxKey is the length in bytes of the longest key.
const MaxKey = 1024

// Options say which table is used. The zero value is ready to use.
type Options struct {
	// Table is the name of the table, which may be preceded by that of its schema
	// and a dot. Each is of letters, digits and underscores, does not begin with a
	// digit and has at most 63 characters. Empty is "databay_state".
	Table string

	// Create makes the table before the first Get, Put or Check, if it is not
	// there.
	Create bool
}

// Store is a [state.Store] in a table. It is safe for concurrent use. Make one with
// [New]; it needs no closing.
type Store struct {
	db      *sql.DB
	table   string
	dialect Dialect
	words   statements
	invalid error

	create bool          // the table is to be made
	made   atomic.Bool   // it is
	making chan struct{} // full while somebody makes it
}

var _ state.Store = (*Store)(nil)

// New returns a store in a database of the given dialect. It does not ask the
// database anything. Nil options are the default. Mistakes are errors of
// [Store.Validate] and of every call.
func New(db *sql.DB, dialect Dialect, opts *Options) *Store {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Table == "" {
		o.Table = "databay_state"
	}
	s := &Store{db: db, table: o.Table, dialect: dialect, create: o.Create, making: make(chan struct{}, 1)}
	var errs []error
	if db == nil {
		errs = append(errs, errors.New("sqlstate: db is nil, want an open database"))
	}
	if !dialect.known() {
		errs = append(errs, fmt.Errorf("sqlstate: dialect is %v, want PostgreSQL, MariaDB or SQLite", dialect))
	}
	if !identifier.MatchString(o.Table) {
		errs = append(errs, fmt.Errorf("sqlstate: Table is %q, want letters, digits and underscores, at most 63, that do not begin with a digit, perhaps after those of a schema and a dot", o.Table))
	}
	if s.invalid = errors.Join(errs...); s.invalid == nil {
		s.words = dialect.statements(o.Table)
	}
	return s
}

var identifier = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]{0,62}\.)?[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// Validate reports all mistakes in what New was given.
func (s *Store) Validate() error { return s.invalid }

// Schema returns the statement that makes the table if it is not there, or "" if
// New was given something wrong.
func (s *Store) Schema() string { return s.words.schema }

// DB returns the database.
func (s *Store) DB() *sql.DB { return s.db }

// Dialect returns the dialect.
func (s *Store) Dialect() Dialect { return s.dialect }

// String returns "sqlstate" and the name of the table.
func (s *Store) String() string { return "sqlstate(" + s.table + ")" }

// Check reports whether the table can be read.
func (s *Store) Check(ctx context.Context) error {
	_, _, err := s.Get(ctx, "")
	return err
}

// Get returns the value and the revision of key.
func (s *Store) Get(ctx context.Context, key string) (value []byte, rev int64, err error) {
	if err := s.ready(ctx, key, true); err != nil {
		return nil, 0, err
	}
	err = s.db.QueryRowContext(ctx, s.words.get, []byte(key)).Scan(&value, &rev)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, 0, nil
	case err != nil:
		return nil, 0, s.failed(ctx, "read", key, err)
	}
	return value, rev, nil
}

// Put writes value if rev is current. If it fails with another error than
// [state.ErrConflict] or that of a context which had ended before, it is not known
// whether value is written.
func (s *Store) Put(ctx context.Context, key string, value []byte, rev int64) (int64, error) {
	if err := s.ready(ctx, key, true); err != nil {
		return 0, err
	}
	return s.put(ctx, s.db, key, value, rev)
}

// PutTx is Put within tx, a transaction of [Store.DB] that the caller commits or,
// after any error, rolls back. It does not make the table. The revision is the
// current one for others when tx is committed.
func (s *Store) PutTx(ctx context.Context, tx *sql.Tx, key string, value []byte, rev int64) (int64, error) {
	if err := s.ready(ctx, key, false); err != nil {
		return 0, err
	}
	return s.put(ctx, tx, key, value, rev)
}

// execer is a database or a transaction.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (s *Store) put(ctx context.Context, db execer, key string, value []byte, rev int64) (int64, error) {
	if value == nil {
		value = []byte{} // nil is NULL
	}
	var result sql.Result
	var err error
	switch {
	case rev < 0 || rev == math.MaxInt64: // no row has it
		return 0, state.ErrConflict
	case rev == 0:
		result, err = db.ExecContext(ctx, s.words.insert, []byte(key), value)
	default:
		result, err = db.ExecContext(ctx, s.words.update, value, []byte(key), rev)
	}
	if err != nil {
		return 0, s.failed(ctx, "write", key, err)
	}
	n, err := result.RowsAffected()
	switch {
	case err != nil:
		return 0, s.failed(ctx, "write", key, err)
	case n == 0:
		return 0, state.ErrConflict
	}
	return rev + 1, nil
}

// ready says why a call cannot be made. It makes the table if that is to be done.
func (s *Store) ready(ctx context.Context, key string, create bool) error {
	switch {
	case s.invalid != nil:
		return s.invalid
	case ctx.Err() != nil:
		return ctx.Err()
	case len(key) > MaxKey:
		return fmt.Errorf("sqlstate: the key %.30q… has %d bytes, want at most %d", key, len(key), MaxKey)
	case !create || !s.create || s.made.Load():
		return nil
	}
	select {
	case s.making <- struct{}{}:
		defer func() { <-s.making }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.made.Load() {
		return nil
	}
	if err := s.createTable(ctx); err != nil {
		return fmt.Errorf("sqlstate: create %s: %w", s.table, because(ctx, err))
	}
	s.made.Store(true)
	return nil
}
