package sqlinlet_test

import (
	"database/sql"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver
	_ "github.com/jackc/pgx/v5/stdlib" // the driver
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet/sqlinlet"
	"github.com/databay-go/databay/internal/testserver"
	"github.com/databay-go/databay/record"
)

func TestPostgreSQL(t *testing.T) {
	testserver.Require(t, "reading rows of PostgreSQL, and a server that is killed")
	server := testserver.NewPostgres(t)
	server.Start(t)
	d := &database{sqlinlet.PostgreSQL, func(t testing.TB) *sql.DB {
		t.Helper()
		return newDatabase(t, "pgx", server.DSN, func(name string) string {
			return server.DSN + "&search_path=" + name
		})
	}}
	onServer(t, d)
	t.Run("no position", func(t *testing.T) { noPosition(t, d) })
	restart(t, d, server)
}

func TestMariaDB(t *testing.T) {
	testserver.Require(t, "reading rows of MariaDB, and a server that is killed")
	server := testserver.NewMariaDB(t)
	server.Start(t)
	with := func(parameters string) *database {
		return &database{sqlinlet.MariaDB, func(t testing.TB) *sql.DB {
			t.Helper()
			return newDatabase(t, "mysql", server.DSN, func(name string) string {
				return strings.Replace(server.DSN, "/databay", "/"+name+parameters, 1)
			})
		}}
	}
	d := with("?parseTime=true")
	onServer(t, d)
	t.Run("times as text", func(t *testing.T) {
		for _, parameters := range []string{"", "?interpolateParams=true"} {
			fidelity(t, with(parameters))
			types(t, with(parameters))
		}
	})
	t.Run("a clock that is put forward", func(t *testing.T) { summertime(t, with("?parseTime=true&loc=Europe%2FBerlin")) })
	restart(t, d, server)
}

// summertime reads times that the clock of the driver's location does not have: the
// driver gives another one instead, behind which rows would be passed over.
func summertime(t *testing.T, d *database) {
	db := d.fresh(t)
	d.table(t, db, "at", "time")
	d.exec(t, db, "INSERT INTO t (at) VALUES ('2026-03-29 01:59:00'), ('2026-03-29 02:10:00'), ('2026-03-29 02:20:00'), ('2026-03-29 03:15:00'), ('2026-03-29 04:00:00')")
	in := sqlinlet.New(db, "t", "at", &sqlinlet.Options{Limit: 1, Lag: -1})
	_, err := in.Pull(t.Context(), record.Update{})
	require.ErrorContains(t, err, "sqlinlet: column at: the driver gives times in Europe/Berlin, where clocks are put forward and back: want loc=UTC")
	in = sqlinlet.New(db, "t", "id", &sqlinlet.Options{Lag: -1})
	assert.Len(t, pull(t, in), 5, "they may be read by another cursor")
}

func onServer(t *testing.T, d *database) {
	t.Run("all", func(t *testing.T) {
		run(t, d)
		t.Run("late commit", func(t *testing.T) {
			t.Parallel()
			lateCommit(t, d)
		})
	})
}

var databases atomic.Int64

// newDatabase makes a database, or a schema of the one there is, and opens it.
func newDatabase(t testing.TB, driver, admin string, dsn func(name string) string) *sql.DB {
	t.Helper()
	name := fmt.Sprint("test", databases.Add(1))
	server, err := sql.Open(driver, admin)
	require.NoError(t, err)
	_, err = server.ExecContext(t.Context(), "CREATE SCHEMA "+name)
	require.NoError(t, err)
	require.NoError(t, server.Close())
	db, err := sql.Open(driver, dsn(name))
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() }) // it fails where the server was killed
	return db
}

// A server that is killed between pulls and during one: the inlet fails, and goes on
// where it stood once there is a server again.
func restart(t *testing.T, d *database, server *testserver.Database) {
	const rows = 600 // more than the buffers between here and there hold
	db := d.fresh(t)
	d.table(t, db)
	d.exec(t, db, "ALTER TABLE t ADD COLUMN text TEXT")
	for range rows {
		d.exec(t, db, "INSERT INTO t (text) VALUES (?)", strings.Repeat("x", 60_000))
	}
	in := sqlinlet.New(db, "t", "id", &sqlinlet.Options{Limit: 30, Lag: -1})
	records := pull(t, in)

	server.Kill()
	_, err := in.Pull(t.Context(), record.Update{})
	assert.Error(t, err)
	server.Start(t)
	require.Eventually(t, func() bool { return db.PingContext(t.Context()) == nil }, time.Minute, 50*time.Millisecond)
	records = append(records, pull(t, in)...)

	n := 0
	dying := sqlinlet.New(db, "t", "id", &sqlinlet.Options{Lag: -1, Decode: func(_ []string, scan func(dest ...any) error) (any, error) {
		if n++; n == 5 {
			server.Kill()
		}
		var id, text any
		err := scan(&id, &text)
		return map[string]any{"id": id}, err
	}})
	require.NoError(t, dying.Seek(t.Context(), in.Position()))
	some, err := dying.Pull(t.Context(), record.Update{})
	records = append(records, some...)
	assert.Error(t, err)
	assert.NotEmpty(t, some, "rows that came before")
	assert.Less(t, len(some), rows-30, "those that are delivered count")
	server.Start(t)
	require.Eventually(t, func() bool { return db.PingContext(t.Context()) == nil }, time.Minute, 50*time.Millisecond)
	records = append(records, all(t, dying)...)
	assert.Equal(t, numbers(1, rows), column(records, "id"))
}
