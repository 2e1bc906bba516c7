package sqloutlet_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/sqloutlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state/sqlstate"
)

// exampleDatabase opens a new database and executes statements.
func exampleDatabase(statements ...string) (db *sql.DB, remove func()) {
	folder, _ := os.MkdirTemp("", "sqloutlet")
	db, err := sql.Open("sqlite", "file:"+filepath.Join(folder, "shop.db"))
	for _, s := range statements {
		if err == nil {
			_, err = db.Exec(s)
		}
	}
	if err != nil {
		fmt.Println(err)
	}
	return db, func() {
		_ = db.Close()
		_ = os.RemoveAll(folder)
	}
}

// write pushes records as a link does.
func write(o *sqloutlet.Outlet, records ...record.Record) {
	if err := o.Push(context.Background(), records, record.Update{}); err != nil {
		fmt.Println(err)
	}
}

// show prints the two columns of a table.
func show(db *sql.DB, table string) {
	rows, err := db.Query("SELECT * FROM " + table)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rows.Close()
	for rows.Next() {
		var a, b any
		if err := rows.Scan(&a, &b); err != nil {
			fmt.Println(err)
		}
		fmt.Println(a, b)
	}
}

func ExampleNew() {
	db, remove := exampleDatabase("CREATE TABLE quotes (symbol TEXT NOT NULL, price REAL)")
	defer remove()

	type Quote struct {
		Symbol string
		Amount float64 `db:"price"`
	}
	write(sqloutlet.New(db, "quotes", nil),
		record.New(Quote{"ACME", 12.5}),
		record.New(map[string]any{"symbol": "INIT", "market": "XETR"}),
		record.New(map[string]any{"symbol": "INIT"}),
	)
	show(db, "quotes")
	// Output:
	// 1 failed: record 1: column "market" is not written: table quotes is written with "symbol", "price"; want OtherColumns: Ignore to leave such out
	// ACME 12.5
	// INIT <nil>
}

// One row a symbol, the latest.
func ExampleOptions() {
	db, remove := exampleDatabase("CREATE TABLE latest (symbol TEXT PRIMARY KEY, price REAL)")
	defer remove()

	o := sqloutlet.New(db, "latest", &sqloutlet.Options{Mode: sqloutlet.Upsert, Key: []string{"symbol"}})
	write(o,
		record.New(map[string]any{"symbol": "ACME", "price": 12.5}),
		record.New(map[string]any{"symbol": "INIT", "price": 3}),
		record.New(map[string]any{"symbol": "ACME", "price": 13}),
	)
	show(db, "latest")
	// Output:
	// ACME 13
	// INIT 3
}

// A record that is offered again, after a crash for instance, is not written again.
func ExampleOptions_iDColumn() {
	db, remove := exampleDatabase("CREATE TABLE events (what TEXT, source_id TEXT UNIQUE)")
	defer remove()

	o := sqloutlet.New(db, "events", &sqloutlet.Options{IDColumn: "source_id"})
	first := record.New(map[string]any{"what": "login"}).WithID("app.log@0")
	write(o, first)
	write(o, first, record.New(map[string]any{"what": "logout"}).WithID("app.log@17"))
	show(db, "events")
	// Output:
	// login app.log@0
	// logout app.log@17
}

// Rows and the position of the link are written in one transaction: every record is
// there once, though no key would refuse it for the second time.
func ExampleOptions_state() {
	db, remove := exampleDatabase("CREATE TABLE numbers (n INTEGER, square INTEGER)")
	defer remove()

	store := sqlstate.New(db, sqlstate.SQLite, &sqlstate.Options{Create: true})
	for range 2 { // as after a restart
		numbers, err := link.New(link.Config{
			Name: "numbers",
			Inlets: []inlet.Inlet{inlet.Since("counter", func(_ context.Context, after int) ([]map[string]any, int, error) {
				n := after + 1
				return []map[string]any{{"n": n, "square": n * n}}, n, nil
			})},
			Outlets: []outlet.Outlet{sqloutlet.New(db, "numbers", &sqloutlet.Options{State: store})},
			State:   store,
		})
		if err == nil {
			_, err = numbers.Once(context.Background())
		}
		if err != nil {
			fmt.Println(err)
		}
	}
	show(db, "numbers")
	// Output:
	// 1 1
	// 2 4
}

// A record may name the table that it goes to.
func ExampleOutlet_Push_table() {
	db, remove := exampleDatabase("CREATE TABLE orders (id INTEGER, customer TEXT)", "CREATE TABLE refused (id INTEGER, why TEXT)")
	defer remove()

	write(sqloutlet.New(db, "orders", nil),
		record.New(map[string]any{"id": 1, "customer": "Ada"}),
		record.New(map[string]any{"id": 2, "why": "no customer"}, sqloutlet.Table.Of("refused")),
	)
	show(db, "refused")
	// Output:
	// 2 no customer
}
