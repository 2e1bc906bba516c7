package sqlinlet_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/sqlinlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

// onAny are the tests that run on every database.
var onAny = map[string]func(t *testing.T, d *database){
	"conforms":    conforms,
	"ties":        ties,
	"fidelity":    fidelity,
	"updates":     updates,
	"nulls":       nulls,
	"future":      future,
	"names":       names,
	"columns":     otherColumns,
	"query":       query,
	"struct":      structs,
	"types":       types,
	"collations":  collations,
	"other place": otherPlace,
	"check":       check,
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	run(t, sqlite)
}

func run(t *testing.T, d *database) {
	for name, test := range onAny {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, d)
		})
	}
}

func conforms(t *testing.T, d *database) {
	made := make(map[*testing.T]func() inlet.Inlet)
	testkit.TestInlet(t, func(t *testing.T) inlet.Inlet {
		if made[t] == nil { // the inlets of one t read the same rows
			db := d.fresh(t)
			d.table(t, db, "n", "int")
			for i := range 12 {
				d.exec(t, db, "INSERT INTO t (n) VALUES (?)", i/5)
			}
			made[t] = func() inlet.Inlet {
				return sqlinlet.New(db, "t", "n", &sqlinlet.Options{Key: []string{"id"}, Limit: 3, Lag: -1})
			}
		}
		return made[t]()
	}, &testkit.InletOptions{Hung: func(t *testing.T) inlet.Inlet {
		query := "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c" // has no end
		switch d.dialect {
		case sqlinlet.PostgreSQL:
			query = "SELECT 1 AS n FROM pg_sleep(60)"
		case sqlinlet.MariaDB:
			query = "SELECT SLEEP(60) AS n"
		}
		return sqlinlet.New(d.fresh(t), "endless", "n", &sqlinlet.Options{Query: query, SkipNulls: true})
	}})
}

// Many rows with equal cursor values, more than a pull returns, come once each, in
// order, also when every pull is made by a new inlet.
func ties(t *testing.T, d *database) {
	db := d.fresh(t)
	d.table(t, db, "n", "int")
	for i := range 30 {
		d.exec(t, db, "INSERT INTO t (n) VALUES (?)", i/10)
	}
	for _, limit := range []int{1, 3, 10, 29, 30, 31} {
		opts := &sqlinlet.Options{Key: []string{"id"}, Limit: limit, Lag: -1}
		in := sqlinlet.New(db, "t", "n", opts)
		assert.Equal(t, numbers(1, 30), column(all(t, in), "id"), "limit %d", limit)

		var records []record.Record
		var position []byte
		for {
			in := sqlinlet.New(db, "t", "n", opts)
			require.NoError(t, in.Seek(t.Context(), position))
			more := pull(t, in)
			if len(more) == 0 {
				break
			}
			assert.LessOrEqual(t, len(more), limit)
			records, position = append(records, more...), in.Position()
		}
		assert.Equal(t, numbers(1, 30), column(records, "id"), "limit %d, a new inlet for every pull", limit)
	}

	in := sqlinlet.New(db, "t", "n", &sqlinlet.Options{Limit: 4, Lag: -1})
	records, err := in.Pull(t.Context(), record.Update{})
	assert.Len(t, records, 1)
	assert.ErrorContains(t, err, "a row with n = 0 comes again behind the one with it: want a Key")
}

// Rows that a collation takes to be equal are an error, and not passed over, where a pull
// ends between them.
func collations(t *testing.T, d *database) {
	kind := map[sqlinlet.Dialect]string{
		sqlinlet.PostgreSQL: "TEXT COLLATE nocase",
		sqlinlet.MariaDB:    "VARCHAR(100) COLLATE utf8mb4_general_ci",
		sqlinlet.SQLite:     "TEXT COLLATE NOCASE",
	}[d.dialect]
	db := d.fresh(t)
	if d.dialect == sqlinlet.PostgreSQL {
		d.exec(t, db, "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
	}
	d.exec(t, db, "CREATE TABLE t (id INT, n INT, c "+kind+")")
	d.exec(t, db, "INSERT INTO t VALUES (1, 1, 'a'), (2, 1, 'B'), (3, 1, 'b'), (4, 2, 'b'), (5, 2, 'C')")

	in := sqlinlet.New(db, "t", "n", &sqlinlet.Options{Key: []string{"c"}, Limit: 2, Lag: -1})
	assert.Len(t, pull(t, in), 2)
	for range 2 {
		_, err := in.Pull(t.Context(), record.Update{})
		require.ErrorContains(t, err, "sqlinlet: two rows with n = 1, c = ")
		require.ErrorContains(t, err, "want a Key that makes rows unique")
	}
	again := sqlinlet.New(db, "t", "n", &sqlinlet.Options{Key: []string{"c"}, Limit: 2, Lag: -1})
	require.NoError(t, again.Seek(t.Context(), in.Position()))
	d.exec(t, db, "DELETE FROM t WHERE n = 2") // nothing is behind the position
	_, err := again.Pull(t.Context(), record.Update{})
	require.ErrorContains(t, err, "sqlinlet: two rows with n = 1, c = ")

	in = sqlinlet.New(db, "t", "n", &sqlinlet.Options{Key: []string{"c", "id"}, Limit: 2, Lag: -1})
	assert.Len(t, all(t, in), 3)
}

// A value that no position can have, as only PostgreSQL has, is an error of the row that
// has it.
func noPosition(t *testing.T, d *database) {
	tests := map[string][3]string{ // type, value, and what the error says
		"a number that is none": {"NUMERIC", "'NaN'", `"NaN" is no decimal number`},
		"an endless number":     {"DOUBLE PRECISION", "'Infinity'", "infinity is no place to go on behind"},
		"a time before Christ":  {"TIMESTAMP", "'0044-03-15 12:00:00 BC'", "want the years 0 to 9999"},
		"an endless time":       {"TIMESTAMPTZ", "'infinity'", "infinity is no place to go on behind"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			db := d.fresh(t)
			d.exec(t, db, "CREATE TABLE t (c "+test[0]+")")
			d.exec(t, db, "INSERT INTO t VALUES ("+test[1]+")")
			in := sqlinlet.New(db, "t", "c", &sqlinlet.Options{Lag: -1})
			_, err := in.Pull(t.Context(), record.Update{})
			require.ErrorContains(t, err, "sqlinlet: column c: ")
			require.ErrorContains(t, err, test[2])
			assert.Nil(t, in.Position())
		})
	}
}

// Positions of every type come back as they were: of close values none is passed over
// and none read twice, by a new inlet for every row.
func fidelity(t *testing.T, d *database) {
	at := time.Date(2026, 3, 29, 2, 30, 0, 0, time.UTC)
	tests := map[string][]any{ // ascending, each twice
		"int":     {int64(-9223372036854775808), int64(-1), int64(0), int64(9007199254740993), int64(9007199254740994), int64(9223372036854775807)},
		"text":    {"", " ", "'; DROP TABLE t --", "A", "a", "a/b,c@d\"", "é", "日本"},
		"time":    {at, at.Add(time.Microsecond), at.Add(2 * time.Microsecond), at.Add(time.Hour), at.Add(2 * time.Hour)},
		"decimal": {"-5.000000000000000000000000000001", "0.100000000000000000000000000001", "0.100000000000000000000000000002", "90071992547409930000.000000000000000000000000000001"},
		"bytes":   {[]byte{}, []byte{0}, []byte{0, 0}, []byte{0, 255}, []byte("a"), []byte{254}},
		"float":   {-1e300, -0.1, 0.0, 0.1, 0.30000000000000004, 1e300},
		"date":    {"2026-01-01", "2026-01-02"},
		"huge":    {"-1234567890123456789012345678901234567890123456789012345678901234", "1234567890123456789012345678901234567890123456789012345678901234", "1234567890123456789012345678901234567890123456789012345678901235"},
		"stamp":   {"2026-03-28 02:30:00", "2026-03-28 02:30:00.000001", "2026-03-29 02:30:00", "2026-03-29 03:30:00"},
		"uuid":    {"0190b8f0-0000-7000-8000-000000000001", "0190b8f0-0000-7000-8000-00000000000a", "f190b8f0-0000-7000-8000-000000000001"},
	}
	for kind, values := range tests {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			db := d.fresh(t)
			d.table(t, db, "c", kind)
			if d.dialect == sqlinlet.PostgreSQL && kind == "text" {
				d.exec(t, db, `ALTER TABLE t ALTER COLUMN c TYPE TEXT COLLATE "C"`)
			}
			var want []string
			for _, v := range values {
				for range 2 {
					d.exec(t, db, "INSERT INTO t (c) VALUES (?)", v)
					want = append(want, fmt.Sprint(len(want)+1))
				}
			}
			var records []record.Record
			var position []byte
			for range len(want) + 1 {
				in := sqlinlet.New(db, "t", "c", &sqlinlet.Options{Key: []string{"id"}, Limit: 1, Lag: -1})
				require.NoError(t, in.Seek(t.Context(), position))
				records, position = append(records, pull(t, in)...), in.Position()
			}
			assert.Equal(t, want, column(records, "id"))
			ids := make(map[string]bool)
			for _, r := range records {
				assert.False(t, ids[r.ID()], "the ID %q comes twice", r.ID())
				ids[r.ID()] = true
			}
		})
	}
}

// A row whose cursor grows is read again, with another ID; rows come in any order of
// insertion.
func updates(t *testing.T, d *database) {
	db := d.fresh(t)
	d.table(t, db, "n", "int", "name", "text")
	for _, n := range rand.Perm(9) {
		d.exec(t, db, "INSERT INTO t (id, n, name) VALUES (?, ?, ?)", n+1, n+1, "first")
	}
	in := sqlinlet.New(db, "t", "n", &sqlinlet.Options{Key: []string{"id"}, Lag: -1})
	first := pull(t, in)
	assert.Equal(t, numbers(1, 9), column(first, "id"))
	assert.Equal(t, "t/3@3", first[2].ID())
	assert.Empty(t, pull(t, in))

	d.exec(t, db, "UPDATE t SET n = 20, name = 'second' WHERE id = 3")
	d.exec(t, db, "INSERT INTO t (id, n, name) VALUES (100, 11, 'first')")
	again := pull(t, in)
	assert.Equal(t, []string{"100", "3"}, column(again, "id"))
	assert.Equal(t, []string{"first", "second"}, column(again, "name"))
	assert.Equal(t, "t/3@20", again[1].ID())
}

func nulls(t *testing.T, d *database) {
	db := d.fresh(t)
	d.table(t, db, "n", "int")
	d.exec(t, db, "INSERT INTO t (id, n) VALUES (7, 1)")
	in := sqlinlet.New(db, "t", "n", &sqlinlet.Options{Key: []string{"id"}, Lag: -1})
	assert.Len(t, pull(t, in), 1)

	d.exec(t, db, "INSERT INTO t (id, n) VALUES (8, NULL), (9, 2)")
	_, err := in.Pull(t.Context(), record.Update{})
	assert.ErrorContains(t, err, "sqlinlet: the row with n = null, id = 8 has a null where it should have a place")

	skipping := sqlinlet.New(db, "t", "n", &sqlinlet.Options{Key: []string{"id"}, Lag: -1, SkipNulls: true})
	assert.Equal(t, []string{"7", "9"}, column(all(t, skipping), "id"))

	d.exec(t, db, "UPDATE t SET n = 3 WHERE id = 8")
	assert.Equal(t, []string{"9", "8"}, column(all(t, in), "id"), "after the error the inlet goes on where it stood")
}

func future(t *testing.T, d *database) {
	if d.dialect == sqlinlet.SQLite {
		t.Skip("SQLite has no type for times")
	}
	db := d.fresh(t)
	d.table(t, db, "at", "time")
	d.exec(t, db, "INSERT INTO t (at) VALUES (?), (?)", time.Now().UTC(), time.Now().UTC().Add(100*time.Hour))
	in := sqlinlet.New(db, "t", "at", &sqlinlet.Options{Key: []string{"id"}, Lag: -1})
	_, err := in.Pull(t.Context(), record.Update{})
	assert.ErrorContains(t, err, ", id = 2 lies more than 24h0m0s ahead")
	d.exec(t, db, "DELETE FROM t WHERE id = 2")
	assert.Len(t, pull(t, in), 1)
}

// Names are names, whatever is in them.
func names(t *testing.T, d *database) {
	db := d.fresh(t)
	table, cursor := "o'd\"d `tab`; DROP TABLE t --", "select \"`x` ? $1"
	_, err := db.ExecContext(t.Context(), "CREATE TABLE "+d.quote(table)+" (id "+d.kind("serial")+", "+d.quote(cursor)+" "+d.kind("int")+")")
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), "INSERT INTO "+d.quote(table)+" ("+d.quote(cursor)+") VALUES (1)")
	require.NoError(t, err)
	in := sqlinlet.New(db, table, cursor, &sqlinlet.Options{Lag: -1, Columns: []string{cursor, "id"}})
	records := pull(t, in)
	require.Len(t, records, 1)
	assert.Equal(t, map[string]any{cursor: int64(1), "id": int64(1)}, records[0].Payload)

	for _, wrong := range []*sqlinlet.Inlet{
		sqlinlet.New(db, "absent", "id", nil),
		sqlinlet.New(db, table, "absent", nil),
		sqlinlet.New(db, table, "id", &sqlinlet.Options{Key: []string{"absent"}}),
		sqlinlet.New(db, table, "id", &sqlinlet.Options{Columns: []string{"absent"}}),
	} {
		_, err := wrong.Pull(t.Context(), record.Update{})
		assert.ErrorContains(t, err, "absent")
		assert.ErrorContains(t, wrong.Check(t.Context()), "absent")
	}
}

// A column that is added or dropped between pulls is no error.
func otherColumns(t *testing.T, d *database) {
	db := d.fresh(t)
	d.table(t, db)
	in := sqlinlet.New(db, "t", "id", &sqlinlet.Options{Lag: -1})
	for i, change := range []string{"", "ALTER TABLE t ADD COLUMN more INT", "ALTER TABLE t DROP COLUMN more"} {
		if change != "" {
			d.exec(t, db, change)
		}
		d.exec(t, db, "INSERT INTO t (id) VALUES (?)", i+1)
		records := pull(t, in)
		require.Len(t, records, 1)
		assert.Len(t, records[0].Payload, 1+i%2)
	}
}

func query(t *testing.T, d *database) {
	db := d.fresh(t)
	d.table(t, db, "n", "int", "name", "text")
	for i := range 10 {
		d.exec(t, db, "INSERT INTO t (n, name) VALUES (?, ?)", i%2, fmt.Sprint("name", i))
	}
	in := sqlinlet.New(db, "odd ones", "id", &sqlinlet.Options{
		Query: d.bind("SELECT id, name FROM t WHERE n = ? AND name <> ? -- those"), Args: []any{1, "name3"}, Limit: 2, Lag: -1,
	})
	records := all(t, in)
	assert.Equal(t, []string{"name1", "name5", "name7", "name9"}, column(records, "name"))
	assert.Equal(t, "odd ones/2", records[0].ID())
	assert.Equal(t, "sqlinlet(odd ones)", in.String())
}

func structs(t *testing.T, d *database) {
	db := d.fresh(t)
	d.table(t, db, "name", "text", "born", "time", "size", "float")
	d.exec(t, db, "INSERT INTO t (name, born, size) VALUES ('Rex', NULL, 1.5), ('Tom', '2026-01-02 03:04:05', NULL)")
	type base struct {
		ID int
	}
	type pet struct {
		base
		Name   *string
		Weight float64 `db:"size"`
		Born   *string `db:"-"`
		note   string  // not a column
	}
	in := func(columns ...string) *sqlinlet.Inlet {
		return sqlinlet.New(db, "t", "id", &sqlinlet.Options{Columns: columns, Decode: sqlinlet.Struct[pet](), Lag: -1})
	}
	rex, err := in("id", "name", "size").Pull(t.Context(), record.Update{})
	require.Len(t, rex, 1, "the row before the one that cannot be decoded")
	assert.Equal(t, pet{base: base{1}, Name: new("Rex"), Weight: 1.5, note: ""}, rex[0].Payload)
	assert.ErrorContains(t, err, "the row with id = 2: ")
	assert.Len(t, pull(t, in("name", "id")), 2)

	_, err = in().Pull(t.Context(), record.Update{})
	assert.ErrorContains(t, err, `has no field for the column "born"`)
}

// What the payloads of maps are.
func types(t *testing.T, d *database) {
	db := d.fresh(t)
	d.table(t, db, "i", "int", "t", "text", "b", "bytes", "f", "float", "d", "decimal", "nothing", "text")
	d.exec(t, db, "INSERT INTO t (i, t, b, f, d) VALUES (?, ?, ?, ?, ?)", 5, "text", []byte{0, 1}, 1.5, "1.25")
	row := pull(t, sqlinlet.New(db, "t", "id", &sqlinlet.Options{Lag: -1}))[0].Payload.(map[string]any)
	assert.Contains(t, row["d"], "1.25")
	delete(row, "d")
	assert.Equal(t, map[string]any{"id": int64(1), "i": int64(5), "t": "text", "b": []byte{0, 1}, "f": 1.5, "nothing": nil}, row)
}

// A position with values of another type than the columns now have is not compared
// with them.
func otherPlace(t *testing.T, d *database) {
	if d.dialect == sqlinlet.SQLite {
		t.Skip("in SQLite every column has values of any type, and an order of them all")
	}
	db := d.fresh(t)
	d.table(t, db, "n", "int", "s", "text")
	d.exec(t, db, "INSERT INTO t (n, s) VALUES (1, 'a')")
	in := sqlinlet.New(db, "t", "s", &sqlinlet.Options{Lag: -1})
	pull(t, in)
	d.exec(t, db, "ALTER TABLE t DROP COLUMN s")
	d.exec(t, db, "ALTER TABLE t ADD COLUMN s BIGINT")
	d.exec(t, db, "UPDATE t SET s = 5")
	_, err := in.Pull(t.Context(), record.Update{})
	require.Error(t, err)
	if d.dialect == sqlinlet.MariaDB { // which compares texts with numbers in its own way
		assert.ErrorContains(t, err, `the position has s = "a", of the type text, but the row with s = 5 has the type int there`)
	}
}

func check(t *testing.T, d *database) {
	db := d.fresh(t)
	d.table(t, db)
	assert.NoError(t, sqlinlet.New(db, "t", "id", nil).Check(t.Context()))
	assert.ErrorContains(t, sqlinlet.New(db, "t", "nowhere", nil).Check(t.Context()), "nowhere")
}
