package sqlstate_test

import (
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/internal/testserver"
	"github.com/databay-go/databay/state"
	"github.com/databay-go/databay/state/sqlstate"
)

func TestPostgreSQL(t *testing.T) {
	testserver.Require(t, "state in PostgreSQL")
	server(t, "pgx", sqlstate.PostgreSQL, testserver.NewPostgres(t))
}

func TestMariaDB(t *testing.T) {
	testserver.Require(t, "state in MariaDB")
	require.NoError(t, mysql.SetLogger(new(mysql.NopLogger))) // it tells of connections that the test ends
	d := testserver.NewMariaDB(t)
	server(t, "mysql", sqlstate.MariaDB, d)
	d.Start(t)                                    // for the one before it ended with its test
	t.Run("clientFoundRows", func(t *testing.T) { // changes what is counted as affected
		conforms(t, sqlstate.MariaDB, func(t *testing.T) func() *sql.DB {
			return func() *sql.DB { return connect(t, "mysql", d.DSN+"?clientFoundRows=true") }
		})
	})
}

func server(t *testing.T, driver string, dialect sqlstate.Dialect, d *testserver.Database) {
	t.Helper()
	d.Start(t)
	conforms(t, dialect, func(t *testing.T) func() *sql.DB {
		return func() *sql.DB { return connect(t, driver, d.DSN) }
	})
	atomic(t, dialect, connect(t, driver, d.DSN))
	t.Run("made by several at once", func(t *testing.T) { together(t, driver, dialect, d.DSN) })
	t.Run("killed", func(t *testing.T) { killed(t, driver, dialect, d) })
}

// together makes one table from several connections.
func together(t *testing.T, driver string, dialect sqlstate.Dialect, dsn string) {
	for i := range 5 {
		var group sync.WaitGroup
		for range 8 {
			s := sqlstate.New(connect(t, driver, dsn), dialect, &sqlstate.Options{Table: fmt.Sprint("together_", i), Create: true})
			group.Go(func() { assert.NoError(t, s.Check(t.Context())) })
		}
		group.Wait()
	}
}

// killed sees that what a Put has acknowledged survives the server's SIGKILL, and
// that a store goes on when the server is there again.
func killed(t *testing.T, driver string, dialect sqlstate.Dialect, d *testserver.Database) {
	s := sqlstate.New(connect(t, driver, d.DSN), dialect, &sqlstate.Options{Table: "killed", Create: true})
	var rev int64
	for range 3 {
		dead, last := make(chan struct{}), rev+20
		put := func() (err error) {
			for err == nil {
				var next int64
				if next, err = s.Put(t.Context(), "link/a", []byte(strconv.FormatInt(rev+1, 10)), rev); err == nil {
					if rev = next; rev == last {
						go func() {
							d.Kill()
							close(dead)
						}()
					}
				}
			}
			return err
		}
		err := put()
		require.NotErrorIs(t, err, state.ErrConflict)
		<-dead
		_, err = s.Put(t.Context(), "link/a", nil, rev)
		require.Error(t, err)
		require.NotErrorIs(t, err, state.ErrConflict)
		d.Start(t)
		value, found, err := s.Get(t.Context(), "link/a")
		require.NoError(t, err)
		require.GreaterOrEqual(t, found, rev, "%d was acknowledged", rev)
		require.LessOrEqual(t, found, rev+1)
		require.Equal(t, strconv.FormatInt(found, 10), string(value))
		rev = found
	}
}

// A password in the address is in no error.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	addr, _ := testserver.Addr(t) // where nobody listens
	const password = "hunter2"
	for driver, c := range map[string]struct {
		dsn     string
		dialect sqlstate.Dialect
	}{
		"pgx":   {"postgres://user:" + password + "@" + addr + "/db?sslmode=disable", sqlstate.PostgreSQL},
		"mysql": {"user:" + password + "@tcp(" + addr + ")/db", sqlstate.MariaDB},
	} {
		s := sqlstate.New(connect(t, driver, c.dsn), c.dialect, &sqlstate.Options{Create: true})
		for range 2 {
			_, _, err := s.Get(t.Context(), "link/a")
			require.Error(t, err)
			assert.NotContains(t, err.Error(), password)
			_, err = s.Put(t.Context(), "link/a", nil, 0)
			require.Error(t, err)
			assert.NotContains(t, err.Error(), password)
		}
		assert.False(t, strings.Contains(s.String()+fmt.Sprintf("%v", s.Schema()), password))
	}
}
