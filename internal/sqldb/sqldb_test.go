package sqldb_test

import (
	"database/sql"
	"reflect"
	"testing"

	_ "github.com/go-sql-driver/mysql" // drivers
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/databay-go/databay/internal/sqldb"
)

// The drivers that are well known tell the dialect.
func TestResolve(t *testing.T) {
	t.Parallel()
	for driver, want := range map[string]sqldb.Dialect{"pgx": sqldb.PostgreSQL, "mysql": sqldb.MariaDB, "sqlite": sqldb.SQLite} {
		db, err := sql.Open(driver, map[string]string{"mysql": "tcp(127.0.0.1:1)/"}[driver])
		require.NoError(t, err)
		got, err := sqldb.Auto.Resolve(db)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		got, err = sqldb.SQLite.Resolve(db)
		require.NoError(t, err)
		assert.Equal(t, sqldb.SQLite, got, "what is said counts more")
		require.NoError(t, db.Close())
	}
	_, err := sqldb.Auto.Resolve(nil)
	assert.EqualError(t, err, "db is nil, want an open *sql.DB")
	_, err = sqldb.Dialect(7).Resolve(nil)
	assert.EqualError(t, err, "Dialect is 7, want PostgreSQL, MariaDB or SQLite")
}

func TestNames(t *testing.T) {
	t.Parallel()
	assert.Equal(t, `"a""b`+"`"+`c"`, sqldb.PostgreSQL.Quote("a\"b`c"))
	assert.Equal(t, "`a\"b``c`", sqldb.MariaDB.Quote("a\"b`c"))
	assert.Equal(t, "`a\"b``c`", sqldb.SQLite.Quote("a\"b`c"))
	assert.Equal(t, `"s"."t"`, sqldb.PostgreSQL.Table("s.t"))
	assert.Equal(t, "$12", string(sqldb.PostgreSQL.Append(nil, 12)))
	assert.Equal(t, "?", string(sqldb.SQLite.Append(nil, 12)))
	for d, want := range map[sqldb.Dialect]string{sqldb.Auto: "auto", sqldb.PostgreSQL: "PostgreSQL", sqldb.MariaDB: "MariaDB", sqldb.SQLite: "SQLite", 9: "Dialect(9)"} {
		assert.Equal(t, want, d.String())
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	type Inner struct {
		A int
		B int `db:"bee,omitempty"`
	}
	type tagged struct {
		Inner `db:"inner"`
		C     int `db:"-"`
		D     int `db:",omitempty"`
		e     int // not exported
		*Inner2
	}
	names := func(v any) (all []string) {
		t.Helper()
		fields, err := sqldb.Fields(reflect.TypeOf(v))
		require.NoError(t, err)
		for _, f := range fields {
			all = append(all, f.Name)
		}
		return all
	}
	assert.Equal(t, []string{"A", "bee", "F"}, names(struct {
		Inner
		F string
	}{}))
	assert.Equal(t, []string{"inner", "D"}, names(tagged{e: 1}))
	_, err := sqldb.Fields(reflect.TypeFor[struct{ a int }]())
	assert.ErrorContains(t, err, "has no exported fields")
	_, err = sqldb.Fields(reflect.TypeFor[struct {
		Inner
		X int `db:"A"`
	}]())
	assert.ErrorContains(t, err, `has two fields for the column "A"`)
}

type Inner2 struct{ Z int }
