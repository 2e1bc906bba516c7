package sqloutlet_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/outlet/sqloutlet"
	"github.com/databay-go/databay/record"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	db := sqlite.fresh(t)
	unknown := sql.OpenDB(&lossyConnector{driver: nobody{}})
	noCopy := func(context.Context, *sql.Conn, string, []string, [][]any) error { return nil }
	tests := map[string]struct {
		o    *sqloutlet.Outlet
		want []string
	}{
		"nothing":         {sqloutlet.New(nil, "", nil), []string{"db is nil, want an open *sql.DB", "table is empty, want a name"}},
		"table":           {sqloutlet.New(db, ".t", nil), []string{`table is ".t", want a name, or schema.name`}},
		"unknown driver":  {sqloutlet.New(unknown, "t", nil), []string{"Dialect is auto, and the driver sqloutlet_test.nobody does not tell: want PostgreSQL, MariaDB or SQLite"}},
		"values":          {sqloutlet.New(db, "t", &sqloutlet.Options{Dialect: 4, OtherColumns: 2, Batch: -1}), []string{"Dialect is 4", "OtherColumns is 2, want Refuse or Ignore", "Batch is -1, want more than 0, or 0 for 1000"}},
		"mode":            {sqloutlet.New(db, "t", &sqloutlet.Options{Mode: 3}), []string{"Mode is 3, want Insert, InsertIgnore or Upsert"}},
		"no key":          {sqloutlet.New(db, "t", &sqloutlet.Options{Mode: sqloutlet.Upsert}), []string{"Key is empty, want the columns of a unique index for the mode upsert"}},
		"a key":           {sqloutlet.New(db, "t", &sqloutlet.Options{Key: []string{"a"}}), []string{`Key is ["a"], want none for the mode insert`}},
		"names":           {sqloutlet.New(db, "t", &sqloutlet.Options{Columns: []string{"a", "", "a"}, Mode: sqloutlet.InsertIgnore, Key: []string{"b"}}), []string{"Columns[1] is empty", `Columns[2] is "a" for a second time`, `Key[0] is "b", want one of Columns`}},
		"id":              {sqloutlet.New(db, "t", &sqloutlet.Options{Columns: []string{"id"}, IDColumn: "id"}), []string{`Columns[0] is "id", the IDColumn, which records do not fill`}},
		"zero byte":       {sqloutlet.New(db, "t", &sqloutlet.Options{IDColumn: "\x00"}), []string{`Key[0] is "\x00"`, `IDColumn is "\x00", want a name without a zero byte`}},
		"copy":            {sqloutlet.New(db, "t", &sqloutlet.Options{Copy: noCopy, IDColumn: "id"}), []string{"Copy is set, want none with an IDColumn or in another mode than insert"}},
		"another mistake": {sqloutlet.New(db, "t", &sqloutlet.Options{Copy: noCopy, Mode: sqloutlet.Upsert}), []string{"Key is empty", "Copy is set"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.o.Validate()
			require.Error(t, err)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
			assert.Len(t, strings.Split(err.Error(), "\n"), len(test.want), "%v", err)
			assert.EqualError(t, test.o.Push(t.Context(), records(row{"n": 1}), record.Update{}), err.Error())
		})
	}
}

// nobody is a driver that nobody knows.
type nobody struct{}

func (nobody) Open(string) (driver.Conn, error) { return nil, errors.New("no connection") }

// A full disk refuses pushes as a whole, leaves nothing of them behind, and is no
// record's fault.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	db := sqlite.fresh(t)
	db.SetMaxOpenConns(1) // the bound is the connection's
	sqlite.table(t, db)
	execute(t, db, "CREATE TABLE big (n INTEGER, data BLOB)")
	o := sqloutlet.New(db, "big", nil)
	push(t, o, records(row{"n": 0, "data": make([]byte, 1000)})...)
	execute(t, db, "PRAGMA max_page_count = 20")
	var rs []record.Record
	for n := range 50 {
		rs = append(rs, record.New(row{"n": n + 1, "data": make([]byte, 4000)}))
	}
	for range 2 {
		err := o.Push(t.Context(), rs, record.Update{})
		assert.ErrorContains(t, err, "full")
		assert.Nil(t, record.AsPartial(err))
		assert.False(t, record.IsPermanent(err))
		assert.Equal(t, []string{"1"}, read(t, db, "SELECT COUNT(*) FROM big"))
	}
	execute(t, db, "PRAGMA max_page_count = 100000")
	push(t, o, rs...)
	assert.Equal(t, []string{"51"}, read(t, db, "SELECT COUNT(*) FROM big"))
}

// A database that cannot be written to is no record's fault.
func TestReadOnlyFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "test.db")
	sqlite.table(t, openSQLite(t, file, time.Second))
	db, err := sql.Open("sqlite", "file:"+file+"?mode=ro")
	require.NoError(t, err)
	defer db.Close()
	err = sqloutlet.New(db, "t", nil).Push(t.Context(), records(row{"n": 1}), record.Update{})
	assert.ErrorContains(t, err, "readonly")
	assert.Nil(t, record.AsPartial(err))
	assert.False(t, record.IsPermanent(err))
}

// An error of SQLite without a code of its own may be that of a single row.
func TestFaultOfAFunction(t *testing.T) {
	t.Parallel()
	db := sqlite.fresh(t)
	execute(t, db, "CREATE TABLE t (doc TEXT, n INTEGER AS (json_extract(doc, '$.n')) STORED)")
	causes := failed(t, sqloutlet.New(db, "t", &sqloutlet.Options{Columns: []string{"doc"}}),
		records(row{"doc": `{"n":1}`}, row{"doc": "no JSON"}, row{"doc": `{"n":3}`})...)
	assert.Len(t, causes, 1)
	assert.True(t, record.IsPermanent(causes[1]))
	assert.Equal(t, []string{"1", "3"}, read(t, db, "SELECT n FROM t"))
}

// A password in a data source name is in no error and no name.
func TestNoPasswordShown(t *testing.T) {
	t.Parallel()
	for driver, dsn := range map[string]string{
		"pgx":   "postgres://somebody:sesame@127.0.0.1:1/db?sslmode=disable&connect_timeout=2",
		"mysql": "somebody:sesame@tcp(127.0.0.1:1)/db?timeout=2s",
	} {
		db, err := sql.Open(driver, dsn)
		require.NoError(t, err)
		o := sqloutlet.New(db, "t", nil)
		err = o.Push(t.Context(), records(row{"n": 1}), record.Update{})
		require.Error(t, err)
		assert.Nil(t, record.AsPartial(err))
		assert.NotContains(t, err.Error()+o.String(), "sesame")
		assert.NoError(t, db.Close())
	}
}

// What a method of a value does wrong is a failure of its record alone.
func TestValuesThatFail(t *testing.T) {
	t.Parallel()
	db := sqlite.fresh(t)
	sqlite.table(t, db)
	causes := failed(t, sqloutlet.New(db, "t", nil), records(
		row{"n": 1}, row{"n": 2, "text": valuer(0)}, row{"n": 3, "text": valuer(1)}, row{"n": 4, "text": valuer(2)}, row{"n": 5, "text": valuer(3)},
		row{"n": 6, "text": make(chan int)}, row{"n": 7, "text": map[string]any{"f": func() {}}}, (*struct{ N int })(nil), row{"n": 8})...)
	want := map[int]string{
		2: `column "text": no value`,
		3: `column "text": a method of sqloutlet_test.valuer panicked: oh`,
		4: `column "text": the Value of a sqloutlet_test.valuer is a struct {}`,
		5: `column "text": a chan int is no value of a column`,
		6: `column "text": it cannot be written as JSON`,
		7: `payload is a nil *struct { N int }`,
	}
	assert.Len(t, causes, len(want))
	for i, text := range want {
		assert.ErrorContains(t, causes[i], text)
		assert.True(t, record.IsPermanent(causes[i]))
	}
	assert.Equal(t, []string{"1 null", "2 fine", "8 null"}, read(t, db, "SELECT n, text FROM t ORDER BY n"))
}

type valuer int

func (v valuer) Value() (driver.Value, error) {
	switch v {
	case 0:
		return "fine", nil
	case 1:
		return nil, errors.New("no value")
	case 2:
		panic("oh")
	}
	return struct{}{}, nil
}
