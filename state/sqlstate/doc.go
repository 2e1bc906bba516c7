// Package sqlstate keeps state in a table of PostgreSQL, MariaDB (or MySQL) or
// SQLite, over database/sql. It imports no driver: the program opens the database
// with one of its choice, and closes it.
//
//	db, err := sql.Open("pgx", dsn)
//	…
//	store := sqlstate.New(db, sqlstate.PostgreSQL, &sqlstate.Options{Create: true})
//	todos, err := link.New(link.Config{Name: "todos", State: store, …})
//
// # Table
//
// The table has one row a key. It is the one of [Store.Schema]: make it with that,
// or let Options.Create do it before the first call. Keys are bytes, so that case,
// spaces and accents count in every database; to read them, in PostgreSQL,
//
//	SELECT convert_from(name, 'UTF8'), revision FROM databay_state
//
// A Put is one statement, an INSERT for a key that is absent, else an UPDATE of the
// row at the revision given. It is durable when the database says so.
//
// # Rows and position in one transaction
//
// [Store.PutTx] writes in a transaction of the caller. An outlet that writes its
// rows to the same database writes the position of the link with them, so that both
// are there or neither is: it asks [Store.DB] whether it is the same database, and
// its method Store() any returns the *Store that is the link's State.
//
// # SQLite
//
// SQLite has one writer at a time. Let connections wait for it, by a busy timeout,
// and let transactions that will write begin as such. With modernc.org/sqlite the
// name of the database ends with ?_pragma=busy_timeout(10000)&_txlock=immediate.
// That driver waits so long even if the context of the call ends.
// What a crash of the machine costs is said by SQLite's pragma synchronous.
package sqlstate
