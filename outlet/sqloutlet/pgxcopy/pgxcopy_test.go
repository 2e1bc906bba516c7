package pgxcopy_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // a driver that is not pgx

	"github.com/databay-go/databay/internal/testserver"
	"github.com/databay-go/databay/outlet/sqloutlet"
	"github.com/databay-go/databay/outlet/sqloutlet/pgxcopy"
	"github.com/databay-go/databay/record"
)

func records(payloads ...map[string]any) (rs []record.Record) {
	for _, p := range payloads {
		rs = append(rs, record.New(p))
	}
	return rs
}

// Rows go in by COPY, in the transaction of the push; what COPY refuses is inserted,
// and the row at fault found.
func TestCopy(t *testing.T) {
	testserver.Require(t, "COPY into PostgreSQL")
	db, err := sql.Open("pgx", testserver.Postgres(t))
	require.NoError(t, err)
	defer db.Close()
	exec := func(statement string) {
		t.Helper()
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	count := func(of string) (n int) {
		t.Helper()
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+of).Scan(&n))
		return n
	}
	exec("CREATE SCHEMA s")
	exec("CREATE TABLE s.t (n BIGINT UNIQUE, text VARCHAR(5), amount NUMERIC)")
	exec("CREATE FUNCTION how() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.text = (SELECT left(query, 4) FROM pg_stat_activity WHERE pid = pg_backend_pid()); RETURN NEW; END $$")
	exec("CREATE TRIGGER how BEFORE INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION how()")

	o := sqloutlet.New(db, "s.t", &sqloutlet.Options{Copy: pgxcopy.Copy})
	var rs []record.Record
	for n := range 2500 {
		rs = append(rs, record.New(map[string]any{"n": n, "amount": "1.5"}))
	}
	require.NoError(t, o.Push(t.Context(), rs, record.Update{}))
	assert.Equal(t, 2500, count("s.t WHERE text = 'copy'"), "all by COPY")

	partial := record.AsPartial(o.Push(t.Context(), records(
		map[string]any{"n": 3000}, map[string]any{"n": 3}, map[string]any{"n": 3001}, map[string]any{"n": "3002"}), record.Update{}))
	require.NotNil(t, partial)
	assert.Equal(t, []int{1}, partial.Indices())
	assert.Equal(t, 3, count("s.t WHERE n >= 3000 AND text = 'INSE'"), "the others by INSERT")
	assert.Equal(t, 2503, count("s.t"))

	require.Error(t, sqloutlet.New(db, "s.t", &sqloutlet.Options{Copy: pgxcopy.Copy, Mode: sqloutlet.Upsert, Key: []string{"n"}}).Validate())
}

func TestAnotherDriver(t *testing.T) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "test.db"))
	require.NoError(t, err)
	defer db.Close()
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	assert.ErrorContains(t, pgxcopy.Copy(t.Context(), conn, "t", []string{"n"}, [][]any{{1}}), "pgxcopy: the connection is a *sqlite.conn, want one of pgx")
}
