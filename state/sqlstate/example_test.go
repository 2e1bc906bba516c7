package sqlstate_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	"github.com/databay-go/databay/state/sqlstate"
)

func Example() {
	db, err := sql.Open("sqlite", "file:example?mode=memory&cache=shared")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // of a database in memory

	ctx := context.Background()
	store := sqlstate.New(db, sqlstate.SQLite, &sqlstate.Options{Create: true})
	rev, err := store.Put(ctx, "link/todos", []byte("position 17"), 0)
	fmt.Println(rev, err)
	value, rev, err := store.Get(ctx, "link/todos")
	fmt.Printf("%s, revision %d, %v\n", value, rev, err)
	// Output:
	// 1 <nil>
	// position 17, revision 1, <nil>
}

// Rows and position are written together, or neither is.
func ExampleStore_PutTx() {
	db, err := sql.Open("sqlite", "file:together?mode=memory&cache=shared")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)

	ctx := context.Background()
	store := sqlstate.New(db, sqlstate.SQLite, nil)
	for _, statement := range []string{store.Schema(), "CREATE TABLE orders (id INTEGER)"} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			log.Fatal(err)
		}
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO orders VALUES (17)"); err != nil {
		log.Fatal(err)
	}
	if _, err := store.PutTx(ctx, tx, "link/orders", []byte("17"), 0); err != nil {
		log.Fatal(err) // after tx.Rollback
	}
	fmt.Println(tx.Commit())
	_, rev, err := store.Get(ctx, "link/orders")
	fmt.Println(rev, err)
	// Output:
	// <nil>
	// 1 <nil>
}

func ExampleStore_Schema() {
	store := sqlstate.New(new(sql.DB), sqlstate.SQLite, &sqlstate.Options{Table: "positions"})
	fmt.Println(store.Schema())
	// Output:
	// CREATE TABLE IF NOT EXISTS "positions" (name BLOB NOT NULL PRIMARY KEY, revision INTEGER NOT NULL, value BLOB NOT NULL) WITHOUT ROWID
}

// New asks the database for nothing. Mistakes are what Validate reports, all at once;
// a link does so before it starts.
func ExampleNew() {
	store := sqlstate.New(nil, 0, &sqlstate.Options{Table: "my positions"})
	fmt.Println(store.Validate())
	// Output:
	// sqlstate: db is nil, want an open database
	// sqlstate: dialect is Dialect(0), want PostgreSQL, MariaDB or SQLite
	// sqlstate: Table is "my positions", want letters, digits and underscores, at most 63, that do not begin with a digit, perhaps after those of a schema and a dot
}
