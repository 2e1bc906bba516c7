package sqlinlet_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver

	"github.com/databay-go/databay/inlet/sqlinlet"
	"github.com/databay-go/databay/record"
)

// exampleDatabase opens a new database and executes statements.
func exampleDatabase(statements ...string) (db *sql.DB, remove func()) {
	folder, _ := os.MkdirTemp("", "sqlinlet")
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

// printNew pulls from an inlet as a link does.
func printNew(in *sqlinlet.Inlet) {
	records, err := in.Pull(context.Background(), record.Update{})
	for _, r := range records {
		fmt.Println(r.ID(), r.Payload)
	}
	if err != nil {
		fmt.Println(err)
	}
}

func ExampleNew() {
	db, remove := exampleDatabase(
		"CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT)",
		"INSERT INTO orders (item) VALUES ('bread'), ('cheese')")
	defer remove()

	in := sqlinlet.New(db, "orders", "id", &sqlinlet.Options{Lag: -1}) // SQLite commits its IDs in their order
	printNew(in)
	_, _ = db.Exec("INSERT INTO orders (item) VALUES ('wine')")
	printNew(in)
	fmt.Printf("%s\n", in.Position())
	// Output:
	// orders/1 map[id:1 item:bread]
	// orders/2 map[id:2 item:cheese]
	// orders/3 map[id:3 item:wine]
	// {"of":"orders","by":["id"],"at":[["int","3"]]}
}

// Rows that are updated are read again, with another ID. The key tells rows with equal
// times apart.
func ExampleOptions() {
	db, remove := exampleDatabase(
		"CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT, state TEXT, updated TEXT)",
		"INSERT INTO orders VALUES (1, 'bread', 'new', '2026-11-25T10:00:00Z'), (2, 'cheese', 'new', '2026-11-25T10:00:00Z')")
	defer remove()

	in := sqlinlet.New(db, "open orders", "updated", &sqlinlet.Options{
		Query:   "SELECT id, item, state, updated FROM orders WHERE state <> ?",
		Args:    []any{"done"},
		Columns: []string{"item", "state"},
		Key:     []string{"id"},
		Lag:     -1, // with several writers: longer than any transaction
	})
	printNew(in)
	_, _ = db.Exec("UPDATE orders SET state = 'sent', updated = '2026-11-25T11:30:00Z' WHERE id = 1")
	printNew(in)
	// Output:
	// open orders/1@2026-11-25T10:00:00Z map[item:bread state:new]
	// open orders/2@2026-11-25T10:00:00Z map[item:cheese state:new]
	// open orders/1@2026-11-25T11:30:00Z map[item:bread state:sent]
}

func ExampleStruct() {
	db, remove := exampleDatabase(
		"CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT, note TEXT)",
		"INSERT INTO orders (item) VALUES ('bread')")
	defer remove()

	type Order struct {
		ID   int64
		Name string  `db:"item"`
		Note *string // may be null
	}
	printNew(sqlinlet.New(db, "orders", "id", &sqlinlet.Options{Decode: sqlinlet.Struct[Order](), Lag: -1}))
	// Output:
	// orders/1 {1 bread <nil>}
}
