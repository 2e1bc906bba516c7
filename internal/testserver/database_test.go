package testserver_test

import (
	"database/sql"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/internal/testserver"
)

// A database that is killed and started again has what was committed, at the same
// address.
func TestDatabases(t *testing.T) {
	testserver.Require(t, "that database servers can be killed and started again")
	for driver, start := range map[string]func(testing.TB) *testserver.Database{
		"pgx": testserver.NewPostgres, "mysql": testserver.NewMariaDB,
	} {
		t.Run(driver, func(t *testing.T) {
			d := start(t)
			d.Start(t)
			db, err := sql.Open(driver, d.DSN)
			require.NoError(t, err)
			defer db.Close()
			_, err = db.ExecContext(t.Context(), "CREATE TABLE kept (n INT)")
			require.NoError(t, err)
			for n := range 3 {
				_, err = db.ExecContext(t.Context(), "INSERT INTO kept VALUES (1)")
				require.NoError(t, err)
				d.Kill()
				require.Error(t, db.PingContext(t.Context()))
				d.Start(t)
				var count int
				require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM kept").Scan(&count))
				require.Equal(t, n+1, count)
			}
		})
	}
}
