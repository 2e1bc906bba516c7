package sqloutlet

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/databay-go/databay/internal/sqldb"
)

// Dialect is how a database wants its SQL.
type Dialect = sqldb.Dialect

// The values of [Dialect].
const (
	Auto       = sqldb.Auto       // that of the driver, if it is a well-known one
	PostgreSQL = sqldb.PostgreSQL // $1 and "names"
	MariaDB    = sqldb.MariaDB    // ? and `names`; MySQL too
	SQLite     = sqldb.SQLite     // ? and `names`
)

// Options are the options of an [Outlet]. The zero value of each field is a good
// default.
type Options struct {
	// Mode says what becomes of a record whose row is there already.
	Mode Mode

	// Key are the columns that say which row is meant, for the modes InsertIgnore
	// and Upsert. They need a unique index. If empty, it is IDColumn.
	Key []string

	// IDColumn is the column that gets the ID of each record, and makes the outlet
	// idempotent: in the mode Insert, a record whose ID is there already is
	// accepted and not written again. The column needs a unique index, and a
	// collation that tells all IDs apart. A record without an ID fails for good.
	// If empty, IDs are not written.
	IDColumn string

	// Columns are the columns that are written. If empty, those of the table,
	// which is asked. A column that a record does not have gets the table's
	// default.
	Columns []string

	// OtherColumns says what becomes of a record that has other columns.
	OtherColumns OtherColumns

	// Batch is how many rows one statement has at most; the database's bound of
	// arguments holds too. If 0, 1,000.
	Batch int

	// State is the State of the link, over the same *sql.DB: positions are then
	// written in the transaction of the rows. If nil, the link writes them.
	State State

	// Copy writes rows by a faster way than INSERT, within the transaction on
	// conn. It is used in the mode Insert without an IDColumn. If it fails, the
	// same rows are inserted, so that it is known which are at fault. See package
	// pgxcopy. If nil, all rows are inserted.
	Copy func(ctx context.Context, conn *sql.Conn, table string, columns []string, rows [][]any) error

	// Dialect is that of the database.
	Dialect Dialect
}

// State is a [github.com/databay-go/databay/state.Store] that can write in a
// transaction of somebody else. That of package sqlstate is one.
type State interface {
	// DB returns the database, which is the outlet's.
	DB() *sql.DB

	// Get returns the value and the revision of key, outside of any transaction.
	Get(ctx context.Context, key string) (value []byte, rev int64, err error)

	// PutTx is Put within tx: it is undone when tx is rolled back.
	PutTx(ctx context.Context, tx *sql.Tx, key string, value []byte, rev int64) (int64, error)
}

// Mode says what becomes of a record whose row is there already.
type Mode uint8

// The values of [Mode].
const (
	Insert       Mode = iota // it fails, for good
	InsertIgnore             // it is accepted, and the row left as it is
	Upsert                   // the row gets its values
)

// String returns "insert", "insert-ignore" or "upsert".
func (m Mode) String() string {
	switch m {
	case Insert:
		return "insert"
	case InsertIgnore:
		return "insert-ignore"
	case Upsert:
		return "upsert"
	}
	return fmt.Sprintf("Mode(%d)", uint8(m))
}

// OtherColumns says what becomes of a record with columns that are not written.
type OtherColumns uint8

// The values of [OtherColumns].
const (
	Refuse OtherColumns = iota // the record fails, for good
	Ignore                     // the record is written without them
)

// String returns "refuse" or "ignore".
func (o OtherColumns) String() string {
	switch o {
	case Refuse:
		return "refuse"
	case Ignore:
		return "ignore"
	}
	return fmt.Sprintf("OtherColumns(%d)", uint8(o))
}

const defaultBatch = 1000

// resolve returns a copy with the defaults filled in.
func (o *Options) resolve() Options {
	if o == nil {
		o = &Options{}
	}
	c := *o
	c.Columns, c.Key = slices.Clone(c.Columns), slices.Clone(c.Key)
	c.Batch = cmp.Or(c.Batch, defaultBatch)
	if len(c.Key) == 0 && c.IDColumn != "" {
		c.Key = []string{c.IDColumn}
		if c.Mode == Insert {
			c.Mode = InsertIgnore
		}
	}
	return c
}

// chosen returns the columns that are written, or none if those are the table's.
func (o *Options) chosen() []string {
	if len(o.Columns) == 0 || o.IDColumn == "" {
		return o.Columns
	}
	return append(slices.Clone(o.Columns), o.IDColumn)
}

// validate returns everything that is wrong with the options as they were given.
func (o *Options) validate() error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("sqloutlet: "+format, args...))
	}
	for _, err := range append(sqldb.CheckNames("Columns", o.Columns), sqldb.CheckNames("Key", o.Key)...) {
		wrong("%w", err)
	}
	switch {
	case o.Mode > Upsert:
		wrong("Mode is %d, want Insert, InsertIgnore or Upsert", o.Mode)
	case o.Mode != Insert && len(o.Key) == 0:
		wrong("Key is empty, want the columns of a unique index for the mode %v", o.Mode)
	case o.Mode == Insert && len(o.Key) > 0:
		wrong("Key is %q, want none for the mode %v", o.Key, o.Mode)
	}
	for i, k := range o.Key {
		if len(o.Columns) > 0 && k != o.IDColumn && !slices.Contains(o.Columns, k) {
			wrong("Key[%d] is %q, want one of Columns", i, k)
		}
	}
	if o.IDColumn != "" {
		if err := sqldb.CheckName(o.IDColumn); err != nil {
			wrong("IDColumn %w", err)
		}
		if i := slices.Index(o.Columns, o.IDColumn); i >= 0 {
			wrong("Columns[%d] is %q, the IDColumn, which records do not fill", i, o.IDColumn)
		}
	}
	if o.OtherColumns > Ignore {
		wrong("OtherColumns is %d, want Refuse or Ignore", o.OtherColumns)
	}
	if o.Batch < 1 {
		wrong("Batch is %d, want more than 0, or 0 for %d", o.Batch, defaultBatch)
	}
	if o.Copy != nil && (o.Mode != Insert || o.IDColumn != "") {
		wrong("Copy is set, want none with an IDColumn or in another mode than insert")
	}
	return errors.Join(errs...)
}
