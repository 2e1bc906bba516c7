// Package sqloutlet writes records as rows of SQL tables.
//
//	sqloutlet.New(db, "quotes", nil)
//
// The database is any that database/sql opens, with the driver of your choice. It is
// tested on PostgreSQL (pgx), MariaDB (go-sql-driver/mysql, InnoDB tables) and SQLite
// (modernc.org/sqlite).
//
// # Payloads
//
// A record is a row. Its payload is one of
//
//   - a map with string keys: the keys are the columns;
//   - a struct or a pointer to one: its exported fields are, named by a tag
//     `db:"name"` or else by the field; `db:"-"` leaves one out. The fields of an
//     embedded struct without a tag count as fields of the outer one.
//
// Anything else fails for good, alone. A name means the column that equals it or, if
// there is none, the one that does but for the case of letters. Numbers, strings,
// bools, []byte, [time.Time] and [driver.Valuer] are given to the driver as they are,
// nil and nil pointers as null, an [encoding.TextMarshaler] as its text, and lists,
// maps and structs as JSON.
//
// # Columns
//
// The columns that are written are [Options].Columns or, without them, those of the
// table. What becomes of a record with others is up to OtherColumns. A column that a
// record does not have is left to the table's default; rows with unlike columns go in
// separate statements.
//
// # Tables
//
// A record with the metadata [Table] goes to that table, all others to the outlet's.
// Rows are written in the order of the records, whatever their tables: a parent before
// its child. Neighbours with equal table and columns share a statement, so sort by
// table where order does not matter. Names are quoted, and so cannot do harm, but say
// where rows go: do not make them of text that is not trusted.
//
// # Delivery
//
// A push is one transaction, and returns when it is committed. If a row is refused,
// the push is done again with savepoints, which halve the statement until the rows at
// fault are found: those are named by a [record.Partial], and all others are written.
// What the row is to blame for, a constraint, a type, a length, a null, fails for
// good; a table that does not exist too. Deadlocks, failures to serialize, timeouts,
// full disks and lost connections fail the whole push, to be offered again. So does a
// constraint that is deferred to the end of the transaction.
//
// If the connection is lost while a transaction is being committed, the rows may be
// written although the push fails; offered again they are written twice, unless that
// is prevented in one of two ways:
//
//   - By ID, with [Options].IDColumn: rows whose ID is there are not written again.
//     This holds for whatever is offered again, also by another process. The mode
//     Upsert has the same effect for tables that have one row a key.
//   - By position, with [Options].State: where the link has the position of its inlets
//     in the same database, rows and position are written in one transaction. Each
//     record is there exactly once, without an ID. For that the link has one lane, no
//     groupers, which would make several pushes of a transfer, and nothing that holds
//     records back; where it has, delivery is at least once. A push with a position is
//     written as a whole or not at all: as long as one row is refused, the others wait
//     for it.
//
// On MariaDB, the mode Upsert takes a row to be there already if any unique index says
// so. The mode InsertIgnore checks the key, unless the driver's clientFoundRows hides
// that there is something to check.
//
// The wait of SQLite for a lock, its busy timeout, does not heed the context.
//
// # Errors
//
// Errors are the driver's, and may show values of rows, as "duplicate entry 'x'". The
// outlet knows no data source name and shows none. MariaDB closes the connection at
// statements above max_allowed_packet, of which a single row could be one: let its
// driver ask for the bound (maxAllowedPacket=0), and such a row fails alone.
package sqloutlet
