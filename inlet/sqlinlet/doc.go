// Package sqlinlet reads rows of a SQL database that are new since the last time, by
// a column whose values grow.
//
//	sqlinlet.New(db, "orders", "updated_at", &sqlinlet.Options{Key: []string{"id"}})
//
// The database is any that database/sql opens, with the driver of your choice. It is
// tested on PostgreSQL (pgx), MariaDB (go-sql-driver/mysql) and SQLite
// (modernc.org/sqlite).
//
// # What is read
//
// Rows come in the order of the cursor column and, of rows with an equal cursor
// value, in that of [Options].Key. Cursor and key together must be unique, and an
// index on them makes every pull cheap. Of a cursor that is unique by itself, an ID
// that counts up for instance, no key is needed. Two rows that neither tells apart, as
// the database compares them, by a collation for instance, are an error where one of
// them would be passed over.
//
// A row is read again when its cursor value grows: with a time that every update of
// a row sets, updates are read; with an ID, only new rows are. Rows that are deleted
// are not seen.
//
// A null in the cursor or the key is an error that names a row which has one, since
// a query by that column never finds the row. With [Options].SkipNulls they are
// passed over. A cursor that is a time more than 24 h ahead of this machine's clock
// is an error too: reading it would pass over everything that comes until then. So are
// infinity, NaN, and years before 0 or after 9999.
//
// Times without a zone are a cursor if they are those of a clock that is never put back,
// UTC for instance: else what is written in the hour that comes twice is passed over. On
// MariaDB, let time_zone be '+00:00' where the cursor is a TIMESTAMP, and loc=UTC in the
// data source name with parseTime: another location whose clocks change is refused.
//
// # Late commits
//
// A transaction takes the value of a cursor, from a clock or a sequence, some time
// before it commits, and another that began later may commit earlier. A reader that
// goes on behind the greatest value it sees passes over what is committed late.
// Therefore a row is not read before [Options].Lag has passed since its cursor value,
// or a greater one, was first seen. Nothing is passed over as long as every
// transaction commits within Lag of taking its value. With clocks on several
// machines, add their difference; with a clock that has coarse steps, a DATE for
// instance, add a step. Numbers that are dealt out in blocks, by a sequence with a
// CACHE for instance, may be used at any later time: they are no cursor.
//
// Lag is measured by this process, from what it has seen: neither the database's
// clock nor a time zone plays a part. A pull that finds something new waits for Lag
// to pass if it is the first, or if pulls are Lag or more apart. Otherwise it returns
// nothing, and a later pull returns what has become due.
//
// No lag is needed where values are taken and committed in the same order: with one
// writer, or in SQLite, where writers take turns, with an INTEGER PRIMARY KEY.
//
// # Position
//
// The position of the inlet is the cursor and the key of the last row it has read,
// each with its type: whole numbers, decimals, texts, bytes and times come back as
// they were. It names the table and the columns; that of an inlet with others is
// refused. A query is named by its name, not its text.
//
// The ID of a record is made of the table, the key and the cursor value: a row read
// again bears the same one, an updated row another.
//
// # Errors
//
// A row that cannot be decoded, and a connection that breaks, end a pull with an
// error; rows before it are delivered, and the next pull goes on behind those. Errors
// are the driver's and may show values of rows. The inlet knows no data source name
// and shows none.
package sqlinlet
