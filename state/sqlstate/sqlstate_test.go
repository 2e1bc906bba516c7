package sqlstate_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/databay-go/databay/state"
	"github.com/databay-go/databay/state/sqlstate"
	"github.com/databay-go/databay/testkit"
)

// connect opens a database, which is closed with the test.
func connect(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() }) // it fails where the server was killed
	return db
}

// inFile opens a database in a file. Parameters are added to the address.
func inFile(t *testing.T, file, parameters string) *sql.DB {
	t.Helper()
	return connect(t, "sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_txlock=immediate"+parameters)
}

func sqlite(t *testing.T) *sql.DB {
	t.Helper()
	return inFile(t, filepath.Join(t.TempDir(), "state.db"), "&_pragma=busy_timeout(10000)")
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	conforms(t, sqlstate.SQLite, func(t *testing.T) func() *sql.DB {
		file := filepath.Join(t.TempDir(), "state.db")
		return func() *sql.DB { return inFile(t, file, "&_pragma=busy_timeout(10000)") }
	})
	atomic(t, sqlstate.SQLite, sqlite(t))
}

// closing is a store that closes its database, so that the suite can close it.
type closing struct {
	*sqlstate.Store
	again func() *sqlstate.Store
}

func (c closing) Close() error { return c.DB().Close() }

var tables int // that were made, since the stores of one server share nothing

// conforms runs the suite. Database returns a function that opens one database again
// and again.
func conforms(t *testing.T, dialect sqlstate.Dialect, database func(t *testing.T) func() *sql.DB) {
	t.Helper()
	fresh := func(t *testing.T) state.Store {
		tables++
		opts, open := &sqlstate.Options{Table: fmt.Sprint("state_", tables), Create: true}, database(t)
		store := func() *sqlstate.Store { return sqlstate.New(open(), dialect, opts) }
		return closing{store(), store}
	}
	opts := &testkit.StoreOptions{
		MaxKey: sqlstate.MaxKey,
		Reopen: func(t *testing.T, s state.Store) state.Store {
			old := s.(closing)
			require.NoError(t, old.Close())
			return closing{old.again(), old.again}
		},
		Hung: func(t *testing.T) state.Store { return hung(t, fresh(t).(closing).Store) },
		Skip: map[string]string{"cannot write": "TestReadOnly, and those of the servers, have databases that cannot"},
	}
	if dialect == sqlstate.SQLite {
		opts.Hung = nil // its driver waits for a lock as long as it is told, whatever the context
	}
	t.Run("conforms", func(t *testing.T) { testkit.TestStore(t, fresh, opts) })
}

// hung returns a store whose row "testkit" is locked by another transaction.
func hung(t *testing.T, s *sqlstate.Store) state.Store {
	t.Helper()
	require.NoError(t, s.Check(t.Context()))
	tx, err := s.DB().BeginTx(context.Background(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tx.Rollback()) })
	_, err = s.PutTx(t.Context(), tx, "testkit", nil, 0)
	require.NoError(t, err)
	return s
}

// atomic sees that PutTx is a part of its transaction.
func atomic(t *testing.T, dialect sqlstate.Dialect, db *sql.DB) {
	t.Helper()
	t.Run("a transaction", func(t *testing.T) {
		s := sqlstate.New(db, dialect, &sqlstate.Options{Table: "atomic", Create: true})
		require.NoError(t, s.Check(t.Context()))
		assert.Same(t, db, s.DB())
		assert.Equal(t, dialect, s.Dialect())
		_, err := db.ExecContext(t.Context(), "CREATE TABLE numbers (n INT)")
		require.NoError(t, err)
		within := func(number int, rev int64, commit bool) (int64, error) {
			tx, err := db.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			_, err = tx.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO numbers VALUES (%d)", number))
			require.NoError(t, err)
			next, err := s.PutTx(t.Context(), tx, "link/n", fmt.Append(nil, number), rev)
			if err == nil && commit {
				require.NoError(t, tx.Commit())
			} else {
				require.NoError(t, tx.Rollback())
			}
			return next, err
		}
		has := func(value string, rev int64, rows int) {
			t.Helper()
			got, found, err := s.Get(t.Context(), "link/n")
			require.NoError(t, err)
			assert.Equal(t, value, string(got))
			assert.Equal(t, rev, found)
			var n int
			require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM numbers").Scan(&n))
			assert.Equal(t, rows, n)
		}
		_, err = within(1, 0, false)
		require.NoError(t, err)
		has("", 0, 0)
		rev, err := within(1, 0, true)
		require.NoError(t, err)
		has("1", rev, 1)
		for _, wrong := range []int64{0, -1, rev + 1} {
			_, err = within(2, wrong, true)
			require.ErrorIs(t, err, state.ErrConflict)
		}
		has("1", rev, 1)
		next, err := within(2, rev, true)
		require.NoError(t, err)
		has("2", next, 2)
		// What a link does after an atomic outlet: its write finds an equal value.
		_, err = s.Put(t.Context(), "link/n", []byte("2"), rev)
		require.ErrorIs(t, err, state.ErrConflict)
		has("2", next, 2)
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	db := sqlite(t)
	for name, tt := range map[string]struct {
		db      *sql.DB
		dialect sqlstate.Dialect
		table   string
		want    []string
	}{
		"all at once":  {nil, 9, "a b", []string{"db is nil", "dialect is Dialect(9)", `Table is "a b"`}},
		"no dialect":   {db, 0, "", []string{"dialect is Dialect(0), want PostgreSQL, MariaDB or SQLite"}},
		"injection":    {db, sqlstate.SQLite, `x"; DROP TABLE y; --`, []string{"Table is"}},
		"digit":        {db, sqlstate.SQLite, "1st", []string{`Table is "1st"`}},
		"two dots":     {db, sqlstate.SQLite, "a.b.c", []string{`Table is "a.b.c"`}},
		"empty schema": {db, sqlstate.SQLite, ".b", []string{`Table is ".b"`}},
		"line feed":    {db, sqlstate.SQLite, "a\n", []string{`Table is "a\n"`}},
		"long":         {db, sqlstate.SQLite, strings.Repeat("x", 64), []string{"at most 63"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := sqlstate.New(tt.db, tt.dialect, &sqlstate.Options{Table: tt.table})
			err := s.Validate()
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
			_, getErr := s.Put(t.Context(), "a", nil, 0)
			require.ErrorIs(t, getErr, err)
			_, _, getErr = s.Get(t.Context(), "a")
			require.ErrorIs(t, getErr, err)
			assert.Empty(t, s.Schema())
		})
	}
	for _, table := range []string{"", "t", "_", "Main.T_1", strings.Repeat("x", 63)} {
		require.NoError(t, sqlstate.New(db, sqlstate.SQLite, &sqlstate.Options{Table: table}).Validate())
	}
}

func TestSchema(t *testing.T) {
	t.Parallel()
	db := sqlite(t)
	s := sqlstate.New(db, sqlstate.SQLite, nil)
	_, _, err := s.Get(t.Context(), "link/a")
	require.ErrorContains(t, err, `sqlstate: read "link/a" in databay_state: `, "the table is not made without being asked for")
	_, err = s.Put(t.Context(), "link/a", nil, 0)
	require.ErrorContains(t, err, `sqlstate: write "link/a" in databay_state: `)
	require.NotErrorIs(t, err, state.ErrConflict)
	for range 2 {
		_, err = db.ExecContext(t.Context(), s.Schema())
		require.NoError(t, err)
	}
	require.NoError(t, s.Check(t.Context()))
	_, err = s.Put(t.Context(), "link/a", nil, 0)
	require.NoError(t, err)
	for dialect, want := range map[sqlstate.Dialect]string{
		sqlstate.PostgreSQL: `"db"."T"`, sqlstate.SQLite: `"db"."T"`, sqlstate.MariaDB: "`db`.`T`",
	} {
		assert.Contains(t, sqlstate.New(db, dialect, &sqlstate.Options{Table: "db.T"}).Schema(), want, "%v", dialect)
	}
}

// A table that cannot be made is an error of each call, until it can.
func TestCreateFails(t *testing.T) {
	t.Parallel()
	db := connect(t, "sqlite", "file:"+filepath.Join(t.TempDir(), "no", "such", "folder", "state.db"))
	s := sqlstate.New(db, sqlstate.SQLite, &sqlstate.Options{Create: true})
	for range 2 {
		require.ErrorContains(t, s.Check(t.Context()), "sqlstate: create databay_state: ")
	}
	locked := inFile(t, filepath.Join(t.TempDir(), "state.db"), "&_pragma=busy_timeout(1)")
	s = sqlstate.New(locked, sqlstate.SQLite, &sqlstate.Options{Create: true})
	tx, err := locked.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = s.Put(t.Context(), "link/a", nil, 0)
	require.ErrorContains(t, err, "locked")
	require.NotErrorIs(t, err, state.ErrConflict)
	require.NoError(t, tx.Rollback())
	require.NoError(t, s.Check(t.Context()))
}

// A database that may only be read fails a Put.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.db")
	db := inFile(t, file, "")
	s := sqlstate.New(db, sqlstate.SQLite, &sqlstate.Options{Create: true})
	rev, err := s.Put(t.Context(), "link/a", []byte("x"), 0)
	require.NoError(t, err)
	reader := connect(t, "sqlite", "file:"+file+"?mode=ro")
	s = sqlstate.New(reader, sqlstate.SQLite, &sqlstate.Options{Create: true})
	value, found, err := s.Get(t.Context(), "link/a")
	require.NoError(t, err, "a table that is there need not be made")
	assert.Equal(t, "x", string(value))
	_, err = s.Put(t.Context(), "link/a", nil, found)
	require.ErrorContains(t, err, "readonly")
	require.NotErrorIs(t, err, state.ErrConflict)
	assert.Equal(t, rev, found)
}
