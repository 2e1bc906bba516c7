package sqloutlet_test

import (
	"context"
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

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/internal/testserver"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet/sqloutlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

func TestPostgreSQL(t *testing.T) {
	testserver.Require(t, "writing rows to PostgreSQL, and a server that is killed")
	server := testserver.NewPostgres(t)
	server.Start(t)
	name := func(name string) string { return server.DSN + "&search_path=" + name }
	d := &database{sqloutlet.PostgreSQL, func(t testing.TB) *sql.DB {
		t.Helper()
		db, _ := newDatabase(t, "pgx", server.DSN, name)
		return db
	}}
	onServer(t, d)
	t.Run("deferred", func(t *testing.T) { deferred(t, d) })
	t.Run("passing", func(t *testing.T) { passing(t, d) })
	t.Run("kill", func(t *testing.T) {
		db, dsn := newDatabase(t, "pgx", server.DSN, name)
		killOn(t, d, db, "pgx", dsn)
	})
	restart(t, d, server)
	crashes(t, d, server)
}

func TestMariaDB(t *testing.T) {
	testserver.Require(t, "writing rows to MariaDB, and a server that is killed")
	server := testserver.NewMariaDB(t)
	server.Start(t)
	name := func(name string) string {
		return strings.Replace(server.DSN, "/databay", "/"+name+"?parseTime=true", 1)
	}
	d := &database{sqloutlet.MariaDB, func(t testing.TB) *sql.DB {
		t.Helper()
		db, _ := newDatabase(t, "mysql", server.DSN, name)
		return db
	}}
	onServer(t, d)
	t.Run("passing", func(t *testing.T) { passing(t, d) })
	t.Run("kill", func(t *testing.T) {
		db, dsn := newDatabase(t, "mysql", server.DSN, name)
		killOn(t, d, db, "mysql", dsn)
	})
	restart(t, d, server)
	crashes(t, d, server)
}

func onServer(t *testing.T, d *database) {
	t.Run("all", func(t *testing.T) {
		run(t, d)
		t.Run("deadlock", func(t *testing.T) {
			t.Parallel()
			deadlock(t, d)
		})
	})
}

var databases atomic.Int64

// newDatabase makes a database, or a schema of the one there is, and opens it.
func newDatabase(t testing.TB, driver, admin string, of func(name string) string) (db *sql.DB, dsn string) {
	t.Helper()
	name := fmt.Sprint("test", databases.Add(1))
	dsn = of(name)
	server, err := sql.Open(driver, admin)
	require.NoError(t, err)
	_, err = server.ExecContext(t.Context(), "CREATE SCHEMA "+name)
	require.NoError(t, err)
	require.NoError(t, server.Close())
	db, err = sql.Open(driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() }) // it fails where the server was killed
	return db, dsn
}

// A server that is killed between pushes: pushes fail as a whole and may be repeated,
// and succeed once there is a server again.
func restart(t *testing.T, d *database, server *testserver.Database) {
	db := d.fresh(t)
	d.table(t, db)
	o := sqloutlet.New(db, "t", nil)
	push(t, o, records(row{"n": 1})...)
	server.Kill()
	for range 3 {
		err := o.Push(t.Context(), records(row{"n": 2}), record.Update{})
		require.Error(t, err)
		assert.Nil(t, record.AsPartial(err))
		assert.False(t, record.IsPermanent(err), "%v", err)
	}
	server.Start(t)
	require.Eventually(t, func() bool { return o.Push(t.Context(), records(row{"n": 2}), record.Update{}) == nil }, time.Minute, 50*time.Millisecond)
	assert.Equal(t, []string{"1", "2"}, read(t, db, "SELECT n FROM t ORDER BY n"))
}

// Two pushes that wait for each other: one is refused as a whole, with no record to
// blame, and succeeds when it is repeated.
func deadlock(t *testing.T, d *database) {
	db := d.fresh(t)
	d.table(t, db)
	o := sqloutlet.New(db, "t", &sqloutlet.Options{Mode: sqloutlet.Upsert, Key: []string{"n"}, Batch: 1})
	push(t, o, records(row{"n": 1}, row{"n": 2})...)
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.Exec("UPDATE t SET text = 'tx' WHERE n = 2")
	require.NoError(t, err)
	answer := make(chan error, 1)
	go func() {
		answer <- o.Push(context.Background(), records(row{"n": 1, "text": "push"}, row{"n": 2, "text": "push"}), record.Update{})
	}()
	require.Eventually(t, func() bool { return waiting(t, d, db) }, 20*time.Second, 250*time.Millisecond) // MariaDB's view of it is that of 100 ms ago, and asking renews it
	_, other := tx.Exec("UPDATE t SET text = 'tx' WHERE n = 1")                                           // the other way round
	if other == nil {
		other = tx.Commit()
	} else {
		_ = tx.Rollback()
	}
	pushed := <-answer
	require.True(t, (other == nil) != (pushed == nil), "one of two: %v, %v", other, pushed)
	if pushed != nil {
		assert.Nil(t, record.AsPartial(pushed), "%v", pushed)
		assert.False(t, record.IsPermanent(pushed), "%v", pushed)
		push(t, o, records(row{"n": 1, "text": "push"}, row{"n": 2, "text": "push"})...)
	}
	assert.Equal(t, []string{"push", "push"}, read(t, db, "SELECT text FROM t"))
}

// waiting reports whether some transaction waits for a lock.
func waiting(t *testing.T, d *database, db *sql.DB) bool {
	if d.dialect == sqloutlet.PostgreSQL {
		return len(read(t, db, "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%ON CONFLICT%'")) > 0
	}
	return len(read(t, db, "SELECT trx_id FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'")) > 0
}

// A constraint that is checked at the end of the transaction refuses the push as a
// whole: it may hold later.
// passing makes the database refuse a row for reasons that are none of the row's: it is
// offered again, and not put aside.
func passing(t *testing.T, d *database) {
	codes := []string{"1036", "1194", "1206", "1243", "1412", "1461", "1615"}
	trigger := "CREATE TRIGGER refuses BEFORE INSERT ON t FOR EACH ROW SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = %s, MESSAGE_TEXT = 'not now'"
	if d.dialect == sqloutlet.PostgreSQL {
		codes = []string{"26000", "42P05", "40001", "53300", "57P01"} // the first two are those of a pooler without prepared statements
		trigger = `CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '%s'; END $$;
			CREATE TRIGGER refuses BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuses()`
	}
	for _, code := range codes {
		t.Run(code, func(t *testing.T) {
			db := d.fresh(t)
			d.table(t, db)
			execute(t, db, fmt.Sprintf(trigger, code))
			err := sqloutlet.New(db, "t", nil).Push(t.Context(), records(row{"n": 1}, row{"n": 2}), record.Update{})
			require.ErrorContains(t, err, "not now")
			assert.False(t, record.IsPermanent(err))
			assert.Nil(t, record.AsPartial(err), "%v", err)
		})
	}
}

func deferred(t *testing.T, d *database) {
	db := d.fresh(t)
	execute(t, db, "CREATE TABLE t (n BIGINT UNIQUE, parent BIGINT REFERENCES t (n) DEFERRABLE INITIALLY DEFERRED)")
	o := sqloutlet.New(db, "t", nil)
	push(t, o, records(row{"n": 2, "parent": 1}, row{"n": 1})...)
	err := o.Push(t.Context(), records(row{"n": 3, "parent": 9}, row{"n": 4}), record.Update{})
	require.Error(t, err)
	assert.Nil(t, record.AsPartial(err))
	assert.False(t, record.IsPermanent(err))
	assert.Equal(t, []string{"1", "2"}, read(t, db, "SELECT n FROM t ORDER BY n"))
}

// A process that writes to the server is killed at any moment.
func killOn(t *testing.T, d *database, db *sql.DB, driver, dsn string) {
	for _, mode := range []string{"position", "id"} {
		execute(t, db, fmt.Sprintf("CREATE TABLE t (n %s, id %s)", d.kind("int"), d.kind("id")))
		killed(t, db, 20, driver, dsn, mode)
		execute(t, db, "DROP TABLE t")
		execute(t, db, "DELETE FROM databay_state")
	}
}

// A server that is killed and started again while a link writes to it: every row is
// there once, by position as by ID.
func crashes(t *testing.T, d *database, server *testserver.Database) {
	for name, opts := range map[string]sqloutlet.Options{"by position": {}, "by ID": {IDColumn: "id"}} {
		db := d.fresh(t)
		execute(t, db, fmt.Sprintf("CREATE TABLE t (n %s, id %s)", d.kind("int"), d.kind("id")))
		store := newState(t, d, db)
		if opts.IDColumn == "" {
			opts.State = store
		}
		rows := &testkit.Rows{PerPull: 3, Payload: func(n int) any { return row{"n": n} }}
		rows.Add(1_000_000_000) // more than it comes to
		failures := 0
		l, err := link.New(link.Config{
			Name: "numbers", Inlets: []inlet.Inlet{rows}, State: store,
			Lanes: []link.Lane{{Outlet: sqloutlet.New(db, "t", &opts), Timeout: 10 * time.Second, Retry: link.Retry{Backoff: 10 * time.Millisecond}}},
			OnError: func(context.Context, *link.Error) error {
				failures++
				time.Sleep(10 * time.Millisecond)
				return nil
			},
		})
		require.NoError(t, err)
		require.NoError(t, l.Start(t.Context()))
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = l.Transfer(context.Background(), link.Tick{}) // OnError counts
				}
			}
		}()
		delivered := func() int64 { return l.Account().Lanes[0].Delivered }
		more := func() {
			t.Helper()
			from := delivered()
			require.Eventually(t, func() bool { return delivered() > from+30 }, time.Minute, 10*time.Millisecond)
		}
		for range 4 {
			more()
			server.Kill()
			time.Sleep(50 * time.Millisecond) // let it fail
			server.Start(t)
		}
		more()
		close(stop)
		<-stopped
		_, err = l.Shutdown(t.Context())
		require.NoError(t, err)
		require.NoError(t, l.Account().Balance())
		there := read(t, db, "SELECT COUNT(*), COUNT(DISTINCT n), MAX(n) + 1 FROM t")
		t.Logf("%s: delivered %d, failures %d, rows, distinct, last: %s", name, delivered(), failures, there)
		assert.NotZero(t, failures)
		n := delivered()
		assert.Equal(t, []string{fmt.Sprint(n, n, n)}, there, name)
	}
}
