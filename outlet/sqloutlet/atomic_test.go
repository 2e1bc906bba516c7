package sqloutlet_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/sqloutlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state"
	"github.com/databay-go/databay/state/sqlstate"
	"github.com/databay-go/databay/testkit"
)

// newState returns a store in the database.
func newState(t testing.TB, d *database, db *sql.DB) *sqlstate.Store {
	t.Helper()
	s := sqlstate.New(db, map[sqloutlet.Dialect]sqlstate.Dialect{
		sqloutlet.PostgreSQL: sqlstate.PostgreSQL, sqloutlet.MariaDB: sqlstate.MariaDB, sqloutlet.SQLite: sqlstate.SQLite,
	}[d.dialect], &sqlstate.Options{Create: true})
	require.NoError(t, s.Check(t.Context()))
	return s
}

// A push with a commit writes both or neither.
func atomicPush(t *testing.T, d *database) {
	db := d.fresh(t)
	db.SetMaxOpenConns(1) // more are not needed at a time
	d.table(t, db)
	store := newState(t, d, db)
	o := sqloutlet.New(db, "t", &sqloutlet.Options{State: store})
	assert.Same(t, store, o.Store())
	with := func(value string, revision int64) record.Update {
		return record.Update{Commit: &record.Commit{Key: "link/x", Value: []byte(value), Revision: revision}}
	}
	stored := func() string {
		t.Helper()
		value, rev, err := store.Get(t.Context(), "link/x")
		require.NoError(t, err)
		return fmt.Sprintf("%s at %d", value, rev)
	}
	require.NoError(t, o.Push(t.Context(), records(row{"n": 1}, row{"n": 2}), with("first", 0)))
	assert.Equal(t, "first at 1", stored())

	// The same again: it was written, and the answer got lost.
	require.NoError(t, o.Push(t.Context(), records(row{"n": 1}, row{"n": 2}), with("first", 0)))
	assert.Equal(t, []string{"1", "2"}, read(t, db, "SELECT n FROM t ORDER BY n"))

	// Somebody else has written: this one writes nothing, and blames no record.
	err := o.Push(t.Context(), records(row{"n": 3}), with("fenced", 0))
	assert.ErrorIs(t, err, state.ErrConflict)
	assert.Nil(t, record.AsPartial(err))
	assert.Equal(t, "first at 1", stored())

	// A record is refused: the others wait for it.
	for i, bad := range []any{row{"n": 1}, "no row"} {
		err = o.Push(t.Context(), records(row{"n": 3}, bad, row{"n": 4}), with("second", 1))
		partial := record.AsPartial(err)
		require.NotNil(t, partial, "%d: %v", i, err)
		assert.Equal(t, []int{0, 1, 2}, partial.Indices())
		assert.True(t, record.IsPermanent(partial.Failed[1]))
		assert.False(t, record.IsPermanent(partial.Failed[0]))
		assert.EqualError(t, partial.Failed[2], "waits for record 1, which is refused and goes in the same transaction")
	}
	assert.Equal(t, []string{"1", "2"}, read(t, db, "SELECT n FROM t ORDER BY n"))
	assert.Equal(t, "first at 1", stored())
	require.NoError(t, o.Push(t.Context(), records(row{"n": 3}, row{"n": 4}), with("second", 1)))
	assert.Equal(t, "second at 2", stored())
	require.NoError(t, o.Push(t.Context(), nil, with("third", 2)), "a position alone")
	assert.Equal(t, "third at 3", stored())
	assert.Len(t, read(t, db, "SELECT n FROM t"), 4)

	// What halving finds out to be nobody's fault is written with the position.
	upsert := sqloutlet.New(db, "t", &sqloutlet.Options{Mode: sqloutlet.Upsert, Key: []string{"n"}, State: store})
	require.NoError(t, upsert.Push(t.Context(), records(row{"n": int8(5)}, row{"n": "5"}), with("fourth", 3)))
	assert.Equal(t, "fourth at 4", stored())

	assert.ErrorContains(t, sqloutlet.New(sql.OpenDB(nil), "t", &sqloutlet.Options{State: store, Dialect: d.dialect}).Validate(), "State has another *sql.DB")
	assert.Nil(t, sqloutlet.New(db, "t", nil).Store())
}

// A link writes its positions by the outlet: when it comes to write one, it is there.
func atomicLink(t *testing.T, d *database) {
	db := d.fresh(t)
	execute(t, db, fmt.Sprintf("CREATE TABLE t (n %s)", d.kind("int")))
	store := &watched{Store: newState(t, d, db)}
	rows := &testkit.Rows{PerPull: 10, Payload: func(n int) any { return row{"n": n} }}
	for i := range 5 {
		rows.Add(10)
		in := rows.Again() // as after a restart
		l, err := link.New(link.Config{
			Name:    "numbers",
			Inlets:  []inlet.Inlet{in},
			Outlets: []outlet.Outlet{sqloutlet.New(db, "t", &sqloutlet.Options{State: store})},
			State:   store,
		})
		require.NoError(t, err)
		report, err := l.Once(t.Context())
		require.NoError(t, err)
		require.NoError(t, l.Account().Balance())
		assert.EqualValues(t, 10, report.Lanes[0].Delivered, "transfer %d", i)
	}
	assert.Equal(t, 5, store.there)
	var n, sum int
	require.NoError(t, db.QueryRow("SELECT COUNT(*), SUM(n) FROM t").Scan(&n, &sum))
	assert.Equal(t, 50, n)
	assert.Equal(t, 49*50/2, sum)
}

// A record that is refused for good becomes a dead letter, and what waited for it is
// then written with the position.
func deadLetters(t *testing.T, d *database) {
	db := d.fresh(t)
	d.table(t, db)
	store := &watched{Store: newState(t, d, db)}
	rows := &testkit.Rows{PerPull: 10, Payload: func(n int) any {
		if n%7 == 3 {
			return row{"n": nil}
		}
		return row{"n": n}
	}}
	rows.Add(50)
	dead := new(testkit.Sink)
	l, err := link.New(link.Config{
		Name: "numbers", Inlets: []inlet.Inlet{rows}, State: store,
		Lanes: []link.Lane{{
			Outlet: sqloutlet.New(db, "t", &sqloutlet.Options{State: store}), DeadLetter: dead, Retry: link.Retry{Backoff: time.Millisecond},
		}},
		OnError: func(_ context.Context, err *link.Error) error {
			assert.False(t, err.Fatal(), "%v", err)
			return nil
		},
	})
	require.NoError(t, err)
	require.NoError(t, l.Start(t.Context()))
	for range 5 {
		_, err := l.Transfer(t.Context(), link.Tick{})
		require.NoError(t, err)
	}
	_, err = l.Shutdown(t.Context())
	require.NoError(t, err)
	require.NoError(t, l.Account().Balance())
	assert.Equal(t, 7, dead.Len(), "3, 10, … 45")
	assert.Equal(t, []string{"43 43"}, read(t, db, "SELECT COUNT(*), COUNT(DISTINCT n) FROM t"))
	assert.Equal(t, 5, store.there, "every position was written with its rows")
}

// watched is a store that counts the puts of what is there already.
type watched struct {
	*sqlstate.Store
	there int
}

func (w *watched) Put(ctx context.Context, key string, value []byte, rev int64) (int64, error) {
	if found, _, err := w.Get(ctx, key); err == nil && bytes.Equal(found, value) {
		w.there++
	}
	return w.Store.Put(ctx, key, value, rev)
}

// The answer to COMMIT gets lost now and then, whether or not it was done: a link with
// positions in the transaction has every row once, one by ID too.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]sqloutlet.Options{"by position": {}, "by ID": {IDColumn: "id"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "test.db")
			plain := openSQLite(t, file, 20*time.Second)
			execute(t, plain, "CREATE TABLE t (n INTEGER, id TEXT UNIQUE)")
			lossy := &lossyConnector{driver: plain.Driver(), dsn: "file:" + file + "?_pragma=busy_timeout(20000)&_txlock=immediate"}
			db := sql.OpenDB(lossy)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			opts.Dialect = sqloutlet.SQLite
			var store state.Store = new(state.Memory)
			if opts.IDColumn == "" {
				s := newState(t, sqlite, db)
				opts.State, store = s, s
			}
			rows := &testkit.Rows{PerPull: 10, Payload: func(n int) any { return row{"n": n} }}
			rows.Add(400)
			l, err := link.New(link.Config{
				Name: "numbers", Inlets: []inlet.Inlet{rows}, State: store,
				Lanes:   []link.Lane{{Outlet: sqloutlet.New(db, "t", &opts), Retry: link.Retry{Backoff: time.Millisecond}}},
				OnError: func(context.Context, *link.Error) error { return nil },
			})
			require.NoError(t, err)
			require.NoError(t, l.Start(t.Context()))
			for range 100 {
				_, err := l.Transfer(t.Context(), link.Tick{})
				require.NoError(t, err)
			}
			_, err = l.Shutdown(t.Context())
			require.NoError(t, err)
			require.NoError(t, l.Account().Balance())
			assert.Greater(t, lossy.lost, 10)
			var want []string
			for n := range 400 {
				want = append(want, fmt.Sprint(n))
			}
			assert.Equal(t, want, read(t, plain, "SELECT n FROM t ORDER BY rowid"), "each once, in order")
		})
	}
}
