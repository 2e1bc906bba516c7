package sqlinlet

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

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

// Options are the options of an [Inlet]. The zero value of each field is a good
// default.
type Options struct {
	// Query is a SELECT whose rows are read instead of those of a table. It
	// becomes a part of a larger one, so it has no ORDER BY, LIMIT or semicolon
	// at its end. It is text of the program: never make it of values.
	Query string

	// Args are the arguments of Query's placeholders.
	Args []any

	// Columns are the columns that records have. If empty, all.
	Columns []string

	// Key is what rows with equal cursor values are told apart by, the primary key
	// for instance. It may be empty if the cursor is unique.
	Key []string

	// SkipNulls passes over rows with a null in the cursor or the key. By default
	// they are an error, which costs a query for such at every pull.
	SkipNulls bool

	// Limit is how many rows a pull returns at most; the next one goes on behind
	// them. If 0, 10,000.
	Limit int

	// Lag is how long every row is left alone, so that others that are committed
	// late are not passed over. If 0, 5 s; if -1, none. See the package comment.
	Lag time.Duration

	// Decode makes the payload of a row. If nil, it is a map[string]any of the
	// columns. See [Struct].
	Decode Decoder

	// Dialect is that of the database.
	Dialect Dialect
}

const (
	defaultLimit = 10_000
	defaultLag   = 5 * time.Second
)

// resolve returns a copy with the defaults filled in.
func (o *Options) resolve() Options {
	if o == nil {
		o = &Options{}
	}
	c := *o
	c.Args, c.Columns, c.Key = slices.Clone(c.Args), slices.Clone(c.Columns), slices.Clone(c.Key)
	c.Limit = cmp.Or(c.Limit, defaultLimit)
	c.Lag = cmp.Or(c.Lag, defaultLag)
	if c.Decode == nil {
		c.Decode = decodeMap
	}
	return c
}

// validate returns everything that is wrong with the options of an inlet with the
// given cursor.
func (o *Options) validate(cursor string) error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("sqlinlet: "+format, args...))
	}
	if o.Query == "" && len(o.Args) > 0 {
		wrong("Args has %d values and Query is empty, want a query with placeholders", len(o.Args))
	}
	for _, err := range append(sqldb.CheckNames("Columns", o.Columns), sqldb.CheckNames("Key", o.Key)...) {
		wrong("%w", err)
	}
	if i := slices.Index(o.Key, cursor); i >= 0 && cursor != "" {
		wrong("Key[%d] is %q, the cursor, want what tells rows with an equal cursor apart", i, cursor)
	}
	if o.Limit < 1 {
		wrong("Limit is %d, want more than 0, or 0 for %d", o.Limit, defaultLimit)
	}
	if o.Lag < -1 {
		wrong("Lag is %v, want more than 0, or 0 for %v, or -1 for none", o.Lag, defaultLag)
	}
	return errors.Join(errs...)
}
