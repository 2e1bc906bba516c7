package sqloutlet_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/sqloutlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

// onAny are the tests that run on every database.
var onAny = map[string]func(t *testing.T, d *database){
	"conforms":       conforms,
	"faults":         faults,
	"many faults":    manyFaults,
	"payloads":       payloads,
	"columns":        columns,
	"new column":     newColumn,
	"upsert":         upsert,
	"insert-ignore":  insertIgnore,
	"by ID":          byID,
	"tables":         tables,
	"names":          names,
	"large":          large,
	"missing table":  missingTable,
	"other index":    otherIndex,
	"check":          check,
	"rolled back":    rolledBack,
	"case of letter": caseOfLetters,
	"atomic":         atomicPush,
	"atomic link":    atomicLink,
	"dead letters":   deadLetters,
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
	tests := map[string]*sqloutlet.Options{
		"insert": nil,
		"by ID":  {IDColumn: "id", Batch: 7},
		"upsert": {Mode: sqloutlet.Upsert, Key: []string{"n"}},
	}
	for name, opts := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.TestOutlet(t, func(t *testing.T) (outlet.Outlet, func() []record.Record) {
				db := d.fresh(t)
				execute(t, db, fmt.Sprintf("CREATE TABLE t (seq %s, n %s, text %s, id %s)", d.kind("serial"), d.kind("int"), d.kind("text"), d.kind("id")))
				execute(t, db, map[bool]string{true: "CREATE UNIQUE INDEX by_n ON t (n)", false: "CREATE INDEX by_n ON t (n)"}[name == "upsert"])
				return sqloutlet.New(db, "t", opts), func() (written []record.Record) {
					rows, err := db.Query("SELECT n, text, id FROM t ORDER BY seq")
					require.NoError(t, err)
					defer rows.Close()
					for rows.Next() {
						var n int
						var text string
						var id sql.NullString
						require.NoError(t, rows.Scan(&n, &text, &id))
						written = append(written, record.New(row{"n": n, "text": text}).WithID(id.String))
					}
					require.NoError(t, rows.Err())
					return written
				}
			}, func(i int) record.Record {
				return record.New(row{"n": i, "text": "some 'text' \\ \"é\""}).WithID(fmt.Sprint("id/", i))
			}, hung(d))
		})
	}
}

// hung makes outlets whose table is locked, where the wait for a lock heeds the context.
func hung(d *database) *testkit.OutletOptions {
	if d.dialect == sqloutlet.SQLite {
		return nil
	}
	return &testkit.OutletOptions{Hung: func(t *testing.T) outlet.Outlet {
		db := d.fresh(t)
		execute(t, db, fmt.Sprintf("CREATE TABLE t (n %s, text %s)", d.kind("int"), d.kind("text")))
		t.Cleanup(lockTable(t, d, db, "t"))
		return sqloutlet.New(db, "t", &sqloutlet.Options{Columns: []string{"n", "text"}})
	}}
}

// Every fault of a row is found, whatever stands around it, and nothing else fails.
func faults(t *testing.T, d *database) {
	bad := map[string]any{
		"unique":   row{"n": 1},
		"null":     row{"n": nil},
		"too long": row{"n": 50, "text": strings.Repeat("x", 101)},
		"check":    row{"n": -5},
		"parent":   row{"n": 51, "parent": 99},
		"value":    row{"n": 52, "text": func() {}},
		"payload":  17,
	}
	if d.dialect != sqloutlet.SQLite {
		bad["type"] = row{"n": "no number"}
	}
	for name, payload := range bad {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := d.fresh(t)
			execute(t, db, fmt.Sprintf("CREATE TABLE t (seq %s, n %s NOT NULL UNIQUE CHECK (n >= 0), text %s, parent %s, FOREIGN KEY (parent) REFERENCES t (n))",
				d.kind("serial"), d.kind("int"), d.kind("text"), d.kind("int")))
			o := sqloutlet.New(db, "t", &sqloutlet.Options{Batch: 5})
			push(t, o, records(row{"n": 1})...)
			var rs []record.Record
			want := []string{"1"}
			for n := range 20 {
				if n == 7 || n == 13 {
					rs = append(rs, record.New(payload))
					continue
				}
				rs = append(rs, record.New(row{"n": 100 + n}))
				want = append(want, fmt.Sprint(100+n))
			}
			causes := failed(t, o, rs...)
			assert.Equal(t, []int{7, 13}, slices.Sorted(maps.Keys(causes)))
			for _, err := range causes {
				assert.True(t, record.IsPermanent(err), "%v", err)
			}
			assert.Equal(t, want, read(t, db, "SELECT n FROM t ORDER BY seq"), "in their order")
		})
	}
}

func manyFaults(t *testing.T, d *database) {
	db := d.fresh(t)
	d.table(t, db)
	o := sqloutlet.New(db, "t", nil)
	var rs []record.Record
	for n := range 400 {
		rs = append(rs, record.New(row{"n": n / 2}))
	}
	causes := failed(t, o, rs...)
	assert.Len(t, causes, 200)
	for n := range 200 {
		assert.Contains(t, causes, 2*n+1, "the second of each two")
	}
	assert.Len(t, read(t, db, "SELECT n FROM t"), 200)
}

type base struct {
	N int64 `db:"n"`
}

type level string

type point struct{ X, Y int }

func payloads(t *testing.T, d *database) {
	db := d.fresh(t)
	execute(t, db, fmt.Sprintf("CREATE TABLE t (n %s, text %s, at %s, amount %s, data %s, size %s, ok %s, more %s)", d.kind("int"), d.kind("text"),
		d.kind("time"), d.kind("decimal"), d.kind("bytes"), d.kind("float"), d.kind("bool"), d.kind("json")))
	type all struct {
		base
		Text   *level
		At     sql.Null[time.Time] `db:"at,omitempty"`
		Amount *big.Int
		Data   json.RawMessage `db:"-"`
		Bytes  []byte          `db:"data"`
		Size   float32
		OK     bool
		More   []point
		note   string // not a column
	}
	at := time.Date(2026, 11, 25, 14, 0, 0, 123456000, time.UTC)
	push(t, sqloutlet.New(db, "t", nil),
		record.New(all{base: base{1}, Text: new(level("high")), At: sql.Null[time.Time]{V: at, Valid: true}, Amount: big.NewInt(5), Bytes: []byte{0, 255}, Size: 0.1, OK: true, More: []point{{1, 2}}}),
		record.New(&all{base: base{2}, note: "not written"}),
		record.New(map[string]string{"n": "3", "text": "three"}),
		record.New(map[level]any{"n": uint8(4), "more": row{"a": nil}}),
	)
	assert.Equal(t, []string{"1 high 0.1 2", "2 null 0 null", "3 three null null", "4 null null null"},
		read(t, db, "SELECT n, text, size, "+map[bool]string{true: "octet_length(data)", false: "length(data)"}[d.dialect != sqloutlet.SQLite]+" FROM t ORDER BY n"))
	assert.Equal(t, []string{"1"}, read(t, db, "SELECT n FROM t WHERE ok AND amount = 5 OR ok AND amount = '5'"))
	more := read(t, db, "SELECT more FROM t ORDER BY n")
	assert.JSONEq(t, `[{"X":1,"Y":2}]`, more[0])
	assert.JSONEq(t, `{"a":null}`, more[3])
	assert.Equal(t, "null", more[1], "a nil list is a null")
	var got time.Time
	require.NoError(t, db.QueryRow("SELECT at FROM t WHERE n = 1").Scan(&got))
	assert.True(t, got.Equal(at), "%v", got)
}

func columns(t *testing.T, d *database) {
	db := d.fresh(t)
	execute(t, db, fmt.Sprintf("CREATE TABLE t (n %s, m %s DEFAULT 5, o %s)", d.kind("int"), d.kind("int"), d.kind("int")))
	refusing := sqloutlet.New(db, "t", &sqloutlet.Options{Columns: []string{"n", "m"}})
	causes := failed(t, refusing, records(row{"n": 1}, row{"n": 2, "o": 2}, row{"n": 3, "m": 3}, struct{ N, Other int }{4, 4}, row{}, row{"n": 5, "N": 5})...)
	assert.Len(t, causes, 4)
	assert.EqualError(t, causes[1], `column "o" is not written: table t is written with "n", "m"; want OtherColumns: Ignore to leave such out`)
	assert.EqualError(t, causes[3], `column "Other" is not written: table t is written with "n", "m"; want OtherColumns: Ignore to leave such out`)
	assert.EqualError(t, causes[4], `the payload has no columns`)
	assert.EqualError(t, causes[5], `the payload has two values for the column "n": "N" and "n"`)
	ignoring := sqloutlet.New(db, "t", &sqloutlet.Options{OtherColumns: sqloutlet.Ignore})
	push(t, ignoring, records(row{"n": 6, "x": 1}, struct{ N, Other int }{7, 7}, row{"o": 8})...)
	assert.Equal(t, []string{"1 5 null", "3 3 null", "6 5 null", "7 5 null", "null 5 8"}, read(t, db, "SELECT n, m, o FROM t ORDER BY COALESCE(n, o)"))
}

// A column that is added while the outlet is in use is written.
func newColumn(t *testing.T, d *database) {
	db := d.fresh(t)
	d.table(t, db)
	o := sqloutlet.New(db, "t", nil)
	push(t, o, records(row{"n": 1})...)
	assert.Len(t, failed(t, o, records(row{"n": 2, "late": 1})...), 1)
	execute(t, db, "ALTER TABLE t ADD COLUMN late "+d.kind("int"))
	push(t, o, records(row{"n": 2, "late": 1})...)
	execute(t, db, "ALTER TABLE t DROP COLUMN late")
	assert.Len(t, failed(t, o, records(row{"n": 3, "late": 1}, row{"n": 4})...), 1)
	assert.ErrorContains(t, failed(t, o, records(row{"n": 5, "late": 1})...)[0], `column "late" is not written`)
	assert.Equal(t, []string{"1", "2", "4"}, read(t, db, "SELECT n FROM t ORDER BY n"))
}

func upsert(t *testing.T, d *database) {
	db := d.fresh(t)
	execute(t, db, fmt.Sprintf("CREATE TABLE t (a %s NOT NULL, b %s NOT NULL, x %s, y %s, PRIMARY KEY (a, b))", d.kind("int"), d.kind("int"), d.kind("int"), d.kind("int")))
	o := sqloutlet.New(db, "t", &sqloutlet.Options{Mode: sqloutlet.Upsert, Key: []string{"a", "b"}})
	push(t, o, records(
		row{"a": 1, "b": 1, "x": 1, "y": 1}, row{"a": 1, "b": 2, "x": 2, "y": 2}, row{"a": 1, "b": 1, "x": 3, "y": 3}, // one row twice
		row{"a": 1, "b": 1, "x": 4}, row{"a": 1, "b": 1}, row{"a": 2, "b": 2}, row{"a": 2, "b": 2})...)
	push(t, o, records(row{"a": 1, "b": 2, "y": 5})...)
	assert.Equal(t, []string{"1 1 4 3", "1 2 2 5", "2 2 null null"}, read(t, db, "SELECT a, b, x, y FROM t ORDER BY a, b"))
	causes := failed(t, o, records(row{"a": 3, "x": 1}, row{"a": 3, "b": 3})...)
	assert.EqualError(t, causes[0], `the payload has no column "b", which is one of Key`)
	assert.Len(t, causes, 1)
}

func insertIgnore(t *testing.T, d *database) {
	db := d.fresh(t)
	d.table(t, db)
	o := sqloutlet.New(db, "t", &sqloutlet.Options{Mode: sqloutlet.InsertIgnore, Key: []string{"n"}})
	push(t, o, records(row{"n": 1, "text": "first"}, row{"n": 2, "text": "first"}, row{"n": 1, "text": "second"})...)
	push(t, o, records(row{"n": 2, "text": "second"}, row{"n": 3, "text": "second"})...)
	causes := failed(t, o, records(row{"n": 3, "text": strings.Repeat("x", 101)}, row{"n": nil}, row{"n": 4})...)
	assert.Contains(t, causes, 1, "faults are not passed over")
	assert.Equal(t, []string{"1 first", "2 first", "3 second", "4 null"}, read(t, db, "SELECT n, text FROM t ORDER BY n"))
}

func byID(t *testing.T, d *database) {
	db := d.fresh(t)
	execute(t, db, fmt.Sprintf("CREATE TABLE t (n %s, id %s)", d.kind("int"), d.kind("id")))
	o := sqloutlet.New(db, "t", &sqloutlet.Options{IDColumn: "id"})
	var rs []record.Record
	for n := range 10 {
		rs = append(rs, record.New(row{"n": n}).WithID(fmt.Sprint("a", n)))
	}
	push(t, o, rs[:6]...)
	push(t, o, rs[3:]...)
	push(t, o, rs...)
	push(t, o, record.New(row{"n": 10}).WithID("A1"))
	causes := failed(t, o, record.New(row{"n": 11}), record.New(row{"n": 12}).WithID("x"), record.New(row{"id": "y"}).WithID("y"))
	assert.True(t, record.IsPermanent(causes[0]))
	assert.EqualError(t, causes[0], `the record has no ID for the column "id", want an inlet that gives IDs`)
	assert.ErrorContains(t, causes[2], `column "id" is not written`)
	assert.Len(t, causes, 2)
	assert.Equal(t, []string{"0 a0", "1 a1", "2 a2", "3 a3", "4 a4", "5 a5", "6 a6", "7 a7", "8 a8", "9 a9", "10 A1", "12 x"}, read(t, db, "SELECT n, id FROM t ORDER BY n"))

	chosen := sqloutlet.New(db, "t", &sqloutlet.Options{IDColumn: "id", Columns: []string{"n"}})
	require.NoError(t, chosen.Check(t.Context()))
	push(t, chosen, record.New(row{"n": 13}).WithID("z"))
	assert.ErrorContains(t, failed(t, sqloutlet.New(db, "t", &sqloutlet.Options{IDColumn: "absent"}), rs[0])[0], `table t has no column "absent", which is the IDColumn`)
}

// Records name their tables; rows are written in the order of the records, a parent
// before its child, whatever stands in between.
func tables(t *testing.T, d *database) {
	db := d.fresh(t)
	execute(t, db, fmt.Sprintf("CREATE TABLE parent (n %s NOT NULL UNIQUE)", d.kind("int")))
	execute(t, db, fmt.Sprintf("CREATE TABLE child (n %s, parent %s, FOREIGN KEY (parent) REFERENCES parent (n))", d.kind("int"), d.kind("int")))
	child := sqloutlet.Table.Of("child")
	o := sqloutlet.New(db, "parent", nil)
	push(t, o,
		record.New(row{"n": 1}), record.New(row{"n": 1, "parent": 1}, child),
		record.New(row{"n": 2}), record.New(row{"n": 2, "parent": 2}, child), record.New(row{"n": 3, "parent": 1}, child))
	causes := failed(t, o, record.New(row{"n": 4, "parent": 3}, child), record.New(row{"n": 3}), record.New(row{"n": 5, "parent": 3}, child),
		record.New(row{"n": 1}, sqloutlet.Table.Of("nowhere")), record.New(row{"n": 1}, sqloutlet.Table.Of("")))
	assert.Equal(t, []int{0, 3, 4}, slices.Sorted(maps.Keys(causes)))
	assert.ErrorContains(t, causes[3], "table nowhere: ")
	assert.EqualError(t, causes[4], "sqloutlet.table is empty, want a name")
	assert.Equal(t, []string{"1 1", "2 2", "3 1", "5 3"}, read(t, db, "SELECT n, parent FROM child ORDER BY n"))
}

// Names are names, whatever is in them.
func names(t *testing.T, d *database) {
	db := d.fresh(t)
	table, column := "o'd\"d `tab`; DROP TABLE t --", "select \"`x` ? $1"
	execute(t, db, "CREATE TABLE "+d.dialect.Quote(table)+" ("+d.dialect.Quote(column)+" "+d.kind("int")+" UNIQUE)")
	push(t, sqloutlet.New(db, table, nil), records(row{column: 1})...)
	push(t, sqloutlet.New(db, table, &sqloutlet.Options{Mode: sqloutlet.Upsert, Key: []string{column}}), records(row{column: 1}, row{column: 2})...)
	assert.Equal(t, []string{"1", "2"}, read(t, db, "SELECT "+d.dialect.Quote(column)+" FROM "+d.dialect.Quote(table)))
	causes := failed(t, sqloutlet.New(db, table, nil), records(row{"x) VALUES (1); DROP TABLE t --": 1})...)
	assert.ErrorContains(t, causes[0], "is not written")
}

// More rows, and more bytes, than one statement takes.
func large(t *testing.T, d *database) {
	db := d.fresh(t)
	wide := row{}
	var text strings.Builder
	text.WriteString("CREATE TABLE wide (c0 " + d.kind("int"))
	for i := range 60 {
		wide[fmt.Sprint("c", i)] = i
		if i > 0 {
			text.WriteString(fmt.Sprint(", c", i, " ", d.kind("int")))
		}
	}
	execute(t, db, text.String()+")")
	var rs []record.Record
	for range 1500 {
		rs = append(rs, record.New(wide))
	}
	push(t, sqloutlet.New(db, "wide", &sqloutlet.Options{Batch: 1_000_000}), rs...)
	assert.Equal(t, []string{"1500"}, read(t, db, "SELECT COUNT(*) FROM wide"))

	execute(t, db, "CREATE TABLE big (b "+map[bool]string{true: "BYTEA", false: "LONGBLOB"}[d.dialect == sqloutlet.PostgreSQL]+")")
	rs = nil
	for range 30 {
		rs = append(rs, record.New(row{"b": make([]byte, 300<<10)}))
	}
	push(t, sqloutlet.New(db, "big", nil), rs...)
	assert.Equal(t, []string{fmt.Sprint(30 * 300 << 10)}, read(t, db, "SELECT SUM(LENGTH(b)) FROM big"))
}

// A table that is not there is no fault of the moment, and of no other table's rows.
func missingTable(t *testing.T, d *database) {
	db := d.fresh(t)
	o := sqloutlet.New(db, "t", nil)
	causes := failed(t, o, records(row{"n": 1}, row{"n": 2})...)
	assert.Len(t, causes, 2)
	assert.True(t, record.IsPermanent(causes[0]))
	d.table(t, db)
	push(t, o, records(row{"n": 1}, row{"n": 2})...)

	given := sqloutlet.New(db, "u", &sqloutlet.Options{Columns: []string{"n"}})
	causes = failed(t, given, record.New(row{"n": 3}), record.New(row{"n": 3}, sqloutlet.Table.Of("t")))
	assert.Len(t, causes, 1)
	assert.True(t, record.IsPermanent(causes[0]))
	assert.Equal(t, []string{"1", "2", "3"}, read(t, db, "SELECT n FROM t ORDER BY n"))
}

// A row that another unique index than the key's refuses is not passed over.
func otherIndex(t *testing.T, d *database) {
	db := d.fresh(t)
	execute(t, db, fmt.Sprintf("CREATE TABLE t (seq %s, n %s UNIQUE, id %s)", d.kind("serial"), d.kind("int"), d.kind("id")))
	o := sqloutlet.New(db, "t", &sqloutlet.Options{IDColumn: "id"})
	rs := []record.Record{record.New(row{"n": 1}).WithID("a"), record.New(row{"n": 2}).WithID("b"), record.New(row{"n": 1}).WithID("c"), record.New(row{"n": 3}).WithID("d")}
	causes := failed(t, o, rs...)
	assert.Equal(t, []int{2}, slices.Sorted(maps.Keys(causes)))
	assert.True(t, record.IsPermanent(causes[2]))
	assert.Equal(t, []int{2}, slices.Sorted(maps.Keys(failed(t, o, rs...))), "offered again")
	assert.Equal(t, []string{"1 a", "2 b", "3 d"}, read(t, db, "SELECT n, id FROM t ORDER BY n"))
}

func check(t *testing.T, d *database) {
	db := d.fresh(t)
	d.table(t, db)
	assert.NoError(t, sqloutlet.New(db, "t", nil).Check(t.Context()))
	assert.ErrorContains(t, sqloutlet.New(db, "nowhere", nil).Check(t.Context()), "sqloutlet: table nowhere: ")
	assert.ErrorContains(t, sqloutlet.New(db, "t", &sqloutlet.Options{Columns: []string{"absent"}}).Check(t.Context()), "absent")
}

// What fails for a reason that passes leaves nothing behind.
func rolledBack(t *testing.T, d *database) {
	db := d.fresh(t)
	if d.dialect == sqloutlet.SQLite {
		db = openSQLite(t, filepath.Join(t.TempDir(), "test.db"), 50*time.Millisecond)
	}
	d.table(t, db)
	execute(t, db, fmt.Sprintf("CREATE TABLE u (n %s)", d.kind("int")))
	ctx, cancel := contextThatEnds(t)
	defer cancel()
	lock := lockTable(t, d, db, "u")
	err := sqloutlet.New(db, "t", &sqloutlet.Options{Columns: []string{"n"}}).Push(ctx,
		[]record.Record{record.New(row{"n": 1}), record.New(row{"n": 1}, sqloutlet.Table.Of("u"))}, record.Update{})
	if d.dialect == sqloutlet.SQLite { // where the wait for a lock has a timeout of its own
		assert.ErrorContains(t, err, "database is locked")
	} else {
		assert.ErrorIs(t, err, errEnded)
	}
	assert.Nil(t, record.AsPartial(err))
	lock()
	assert.Empty(t, read(t, db, "SELECT n FROM t"))
}

// A column is found whatever the case of its letters; the exact one comes first.
func caseOfLetters(t *testing.T, d *database) {
	db := d.fresh(t)
	execute(t, db, "CREATE TABLE t ("+d.dialect.Quote("someName")+" "+d.kind("int")+")")
	push(t, sqloutlet.New(db, "t", nil), records(row{"SOMENAME": 1}, struct{ SomeName int }{2})...)
	assert.Equal(t, []string{"1", "2"}, read(t, db, "SELECT "+d.dialect.Quote("someName")+" FROM t"))
}
