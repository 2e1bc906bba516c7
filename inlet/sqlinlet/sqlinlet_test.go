package sqlinlet_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/sqlinlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	db := sqlite.fresh(t)
	unknown := sql.OpenDB(connector{})
	tests := map[string]struct {
		in   *sqlinlet.Inlet
		want []string
	}{
		"nothing":          {sqlinlet.New(nil, "", "", nil), []string{"db is nil, want an open *sql.DB", "table is empty, want a name", "cursor is empty, want a name"}},
		"table":            {sqlinlet.New(db, "a..b", "id", nil), []string{`table is "a..b", want a name, or schema.name`}},
		"zero byte":        {sqlinlet.New(db, "a\x00", "b\x00", nil), []string{`table is "a\x00"`, `cursor is "b\x00", want a name without a zero byte`}},
		"name of a query":  {sqlinlet.New(db, "", "id", &sqlinlet.Options{Query: "SELECT 1"}), []string{"table, the name of the query, is empty"}},
		"unknown driver":   {sqlinlet.New(unknown, "t", "id", nil), []string{"Dialect is auto, and the driver sqlinlet_test.connector does not tell: want PostgreSQL, MariaDB or SQLite"}},
		"dialect":          {sqlinlet.New(db, "t", "id", &sqlinlet.Options{Dialect: 9}), []string{"Dialect is 9, want PostgreSQL, MariaDB or SQLite"}},
		"args":             {sqlinlet.New(db, "t", "id", &sqlinlet.Options{Args: []any{1}}), []string{"Args has 1 values and Query is empty"}},
		"columns and keys": {sqlinlet.New(db, "t", "id", &sqlinlet.Options{Columns: []string{"a", "", "a"}, Key: []string{"id", ""}}), []string{"Columns[1] is empty", `Columns[2] is "a" for a second time`, `Key[0] is "id", the cursor`, "Key[1] is empty"}},
		"bounds":           {sqlinlet.New(db, "t", "id", &sqlinlet.Options{Limit: -1, Lag: -2}), []string{"Limit is -1, want more than 0, or 0 for 10000", "Lag is -2ns, want more than 0, or 0 for 5s, or -1 for none"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.in.Validate()
			require.Error(t, err)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
			assert.Len(t, strings.Split(err.Error(), "\n"), len(test.want))
			_, pulled := test.in.Pull(t.Context(), record.Update{})
			assert.EqualError(t, pulled, err.Error())
		})
	}
	assert.NoError(t, sqlinlet.New(unknown, "t", "id", &sqlinlet.Options{Dialect: sqlinlet.PostgreSQL}).Validate())
}

// connector is a driver that nobody knows.
type connector struct{}

func (connector) Connect(context.Context) (driver.Conn, error) {
	return nil, errors.New("no connection")
}
func (c connector) Driver() driver.Driver          { return c }
func (connector) Open(string) (driver.Conn, error) { return nil, errors.New("no connection") }

func TestSeek(t *testing.T) {
	t.Parallel()
	db := sqlite.fresh(t)
	in := sqlinlet.New(db, "orders", "updated", &sqlinlet.Options{Key: []string{"id"}})
	tests := map[string]struct{ position, want string }{
		"another table":   {`{"of":"invoices","by":["updated","id"],"at":[["int","1"],["int","2"]]}`, `the stored position is one in "invoices" by updated, id, this inlet reads "orders" by updated, id`},
		"another key":     {`{"of":"orders","by":["updated"],"at":[["int","1"]]}`, `is one in "orders" by updated, this inlet reads "orders" by updated, id`},
		"another inlet's": {`17`, "is not one of a sqlinlet"},
		"more fields":     {`{"of":"orders","by":["updated","id"],"at":[],"page":1}`, "is not one of a sqlinlet"},
		"more text":       {`{"of":"orders","by":["updated","id"],"at":[]} x`, "something follows it"},
		"too few":         {`{"of":"orders","by":["updated","id"],"at":[["int","1"]]}`, "has 1 values for 2 columns"},
		"parts":           {`{"of":"orders","by":["updated","id"],"at":[["int","1"],["int"]]}`, "value 1 has 1 parts"},
		"kind":            {`{"of":"orders","by":["updated","id"],"at":[["int","1"],["point","2"]]}`, `value of id: the kind is "point"`},
		"null":            {`{"of":"orders","by":["updated","id"],"at":[["null",""],["int","2"]]}`, `value of updated: the kind is "null"`},
		"int":             {`{"of":"orders","by":["updated","id"],"at":[["int","x"],["int","2"]]}`, "value of updated: "},
		"time":            {`{"of":"orders","by":["updated","id"],"at":[["time","x"],["int","2"]]}`, "value of updated: "},
		"bytes":           {`{"of":"orders","by":["updated","id"],"at":[["bytes","="],["int","2"]]}`, "value of updated: "},
		"decimal":         {`{"of":"orders","by":["updated","id"],"at":[["decimal","1; DROP"],["int","2"]]}`, "is no decimal number"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := sqlinlet.New(db, "orders", "updated", &sqlinlet.Options{Key: []string{"id"}}).Seek(t.Context(), []byte(test.position))
			assert.ErrorContains(t, err, test.want)
			assert.ErrorContains(t, err, "sqlinlet: the stored position")
		})
	}
	good := `{"of":"orders","by":["updated","id"],"at":[["time","2026-01-02T03:04:05.000006Z"],["bytes","AAE="]]}`
	require.NoError(t, in.Seek(t.Context(), []byte(good)))
	assert.Equal(t, good, string(in.Position()))
	require.NoError(t, in.Seek(t.Context(), nil))
	assert.Nil(t, in.Position())
}

func FuzzSeek(f *testing.F) {
	f.Add([]byte(`{"of":"t","by":["n","id"],"at":[["time","2026-01-02T03:04:05.000006Z"],["bytes","AAE="]]}`))
	f.Add([]byte(`{"of":"t","by":["n","id"],"at":[["int","-1"],["decimal","1.5e3"]]}`))
	f.Add([]byte(`{"of":"t","by":["n","id"],"at":[["float","NaN"],["text",""]]}`))
	db := sqlite.fresh(f)
	sqlite.table(f, db, "n", "int")
	sqlite.exec(f, db, "INSERT INTO t (n) VALUES (1), (2)")
	f.Fuzz(func(t *testing.T, position []byte) {
		in := sqlinlet.New(db, "t", "n", &sqlinlet.Options{Key: []string{"id"}, Lag: -1})
		if in.Seek(t.Context(), position) != nil || position == nil {
			return
		}
		again := sqlinlet.New(db, "t", "n", &sqlinlet.Options{Key: []string{"id"}, Lag: -1})
		require.NoError(t, again.Seek(t.Context(), in.Position()), "what one says another reads")
		assert.Equal(t, in.Position(), again.Position())
		_, err := in.Pull(t.Context(), record.Update{})
		assert.NoError(t, err, "whatever is read can be compared")
	})
}

// What a Decode does wrong is an error that names the row, and nothing is passed over.
func TestDecode(t *testing.T) {
	t.Parallel()
	db := sqlite.fresh(t)
	sqlite.table(t, db, "name", "text")
	sqlite.exec(t, db, "INSERT INTO t (name) VALUES ('a'), ('b'), ('c')")
	tests := map[string]struct {
		fail func(scan func(...any) error) (any, error)
		want string
	}{
		"error":   {func(func(...any) error) (any, error) { return nil, errors.New("no good") }, "the row with id = 2: no good"},
		"panic":   {func(func(...any) error) (any, error) { panic("oh") }, "the row with id = 2: the Decode panicked: oh"},
		"nil":     {func(scan func(...any) error) (any, error) { return nil, scan(new(any), new(any)) }, "the row with id = 2: the Decode returned nil"},
		"no scan": {func(func(...any) error) (any, error) { return 1, nil }, "the row with id = 2: the Decode did not call scan"},
		"few":     {func(scan func(...any) error) (any, error) { return 1, scan(new(any)) }, "the row with id = 2: 1 destinations for 2 columns"},
		"type":    {func(scan func(...any) error) (any, error) { return 1, scan(new(int), new(int)) }, "the row with id = 2: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, broken := 0, true
			in := sqlinlet.New(db, "t", "id", &sqlinlet.Options{Lag: -1, Decode: func(columns []string, scan func(...any) error) (any, error) {
				assert.Equal(t, []string{"id", "name"}, columns)
				if n++; n == 2 && broken {
					return test.fail(scan)
				}
				var row struct {
					id   int
					name string
				}
				return row, scan(&row.id, &row.name)
			}})
			records, err := in.Pull(t.Context(), record.Update{})
			assert.Len(t, records, 1)
			assert.ErrorContains(t, err, test.want)
			n, broken = 0, false
			assert.Len(t, pull(t, in), 2, "it goes on with the row it could not decode")
		})
	}
	_, err := sqlinlet.New(db, "t", "id", &sqlinlet.Options{Lag: -1, Decode: sqlinlet.Struct[int]()}).Pull(t.Context(), record.Update{})
	assert.ErrorContains(t, err, "sqlinlet.Struct: int is no struct")
	type twins struct {
		A int `db:"id"`
		B int `db:"id"`
	}
	_, err = sqlinlet.New(db, "t", "id", &sqlinlet.Options{Lag: -1, Decode: sqlinlet.Struct[twins]()}).Pull(t.Context(), record.Update{})
	assert.ErrorContains(t, err, `has two fields for the column "id"`)
}

// In a link, a restart goes on behind what was committed; a link whose inlet reads
// another table does not start with that position.
func TestInALink(t *testing.T) {
	t.Parallel()
	db := sqlite.fresh(t)
	sqlite.table(t, db)
	store := new(testkit.FaultyStore)
	once := func(in inlet.Inlet) ([]string, error) {
		sink := new(testkit.Sink)
		l, err := link.New(link.Config{Name: "copy", Inlets: []inlet.Inlet{in}, Outlets: []outlet.Outlet{sink}, State: store})
		require.NoError(t, err)
		_, err = l.Once(t.Context())
		return column(sink.Records(), "id"), err
	}
	opts := &sqlinlet.Options{Lag: time.Millisecond}
	for i := range 3 {
		sqlite.exec(t, db, "INSERT INTO t DEFAULT VALUES")
		got, err := once(sqlinlet.New(db, "t", "id", opts))
		require.NoError(t, err)
		assert.Equal(t, numbers(i+1, i+1), got)
	}
	sqlite.exec(t, db, "CREATE TABLE other (id INTEGER PRIMARY KEY)")
	_, err := once(inlet.Named("sqlinlet(t)", sqlinlet.New(db, "other", "id", opts)))
	assert.ErrorContains(t, err, `the stored position is one in "t" by id, this inlet reads "other" by id`)
}

// A context that ends stops a query that is running.
func TestEndOfContext(t *testing.T) {
	t.Parallel()
	db := sqlite.fresh(t)
	in := sqlinlet.New(db, "endless", "n", &sqlinlet.Options{
		Query: "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c", SkipNulls: true,
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := in.Pull(ctx, record.Update{})
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

// A password in a data source name is in no error, name or position.
func TestNoPasswordShown(t *testing.T) {
	t.Parallel()
	for driver, dsn := range map[string]string{
		"pgx":   "postgres://somebody:sesame@127.0.0.1:1/db?sslmode=disable&connect_timeout=2",
		"mysql": "somebody:sesame@tcp(127.0.0.1:1)/db?timeout=2s",
	} {
		db, err := sql.Open(driver, dsn)
		require.NoError(t, err)
		in := sqlinlet.New(db, "t", "id", nil)
		_, err = in.Pull(t.Context(), record.Update{})
		require.Error(t, err)
		assert.NotContains(t, err.Error()+in.String(), "sesame")
		assert.NoError(t, db.Close())
	}
}
