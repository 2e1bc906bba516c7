package csvoutlet

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// Options are the options of an [Outlet]. The zero value of each field is a good
// default.
type Options struct {
	// Columns are the columns, in the order for new files. If empty, those of the
	// first record. A file that has a header without one of them is an error,
	// unless OtherColumns is Ignore.
	Columns []string

	// OtherColumns says what becomes of a record that has other columns than its
	// file, or than Columns.
	OtherColumns OtherColumns

	// Truncate empties each file, once after a start, when its first record comes: a
	// start that fails, or brings nothing, leaves it as it is.
	Truncate bool

	// CRLF ends lines with \r\n instead of \n. Line ends inside of values stay as
	// they are.
	CRLF bool

	// Comma separates the fields. If 0, it is a comma.
	Comma rune

	// Sync says when what was written is forced to the disk: [SyncNever], which is the
	// zero value, [SyncPush] or [SyncInterval].
	Sync Sync

	// SyncEvery is the time between two syncs of [SyncInterval]. If 0, a second.
	SyncEvery time.Duration

	// MaxOpen is how many files are kept open; of more, those not used for longest
	// are closed and opened again when needed. If 0, 64; if -1, any number.
	MaxOpen int
}

// OtherColumns says what becomes of a record with columns that its file does not
// have.
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

// Sync says when what was written is forced to the disk, by fsync. Else the system
// does that when it sees fit, commonly within half a minute.
type Sync uint8

// The values of [Sync].
const (
	SyncNever    Sync = iota // rows survive the end of the process, not of the machine
	SyncPush                 // before a push is answered: rows survive the machine, too
	SyncInterval             // every Options.SyncEvery; an error of that fails the next push to the file
)

// String returns "never", "push" or "interval".
func (s Sync) String() string {
	switch s {
	case SyncNever:
		return "never"
	case SyncPush:
		return "push"
	case SyncInterval:
		return "interval"
	}
	return fmt.Sprintf("Sync(%d)", uint8(s))
}

const (
	defaultMaxOpen   = 64
	defaultSyncEvery = time.Second
)

// resolve returns a copy with the defaults filled in.
func (o *Options) resolve() Options {
	if o == nil {
		o = &Options{}
	}
	c := *o
	c.Columns = slices.Clone(c.Columns)
	c.Comma = cmp.Or(c.Comma, ',')
	c.MaxOpen = cmp.Or(c.MaxOpen, defaultMaxOpen)
	if c.Sync == SyncInterval {
		c.SyncEvery = cmp.Or(c.SyncEvery, defaultSyncEvery)
	}
	return c
}

// validate returns everything that is wrong with the options.
func (o *Options) validate() error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("csvoutlet: "+format, args...))
	}
	for i, c := range o.Columns {
		if c == "" {
			wrong("Columns[%d] is empty, want a name", i)
		} else if slices.Index(o.Columns, c) < i {
			wrong("Columns[%d] is %q for a second time, want each name once", i, c)
		}
	}
	if o.OtherColumns > Ignore {
		wrong("OtherColumns is %d, want Refuse or Ignore", o.OtherColumns)
	}
	if c := o.Comma; c == '"' || c == '\r' || c == '\n' || c == '\uFEFF' || c == utf8.RuneError || !utf8.ValidRune(c) {
		wrong("Comma is %q, want a character that is neither a quote nor a line end", o.Comma)
	}
	switch {
	case o.Sync > SyncInterval:
		wrong("Sync is %d, want SyncNever, SyncPush or SyncInterval", o.Sync)
	case o.Sync != SyncInterval && o.SyncEvery != 0:
		wrong("SyncEvery is %v, want 0 unless Sync is SyncInterval", o.SyncEvery)
	case o.SyncEvery < 0:
		wrong("SyncEvery is %v, want more than 0, or 0 for %v", o.SyncEvery, defaultSyncEvery)
	}
	if o.MaxOpen < -1 {
		wrong("MaxOpen is %d, want more than 0, or 0 for %d, or -1 for any number", o.MaxOpen, defaultMaxOpen)
	}
	return errors.Join(errs...)
}
