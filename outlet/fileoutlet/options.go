package fileoutlet

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"golang.org/x/text/encoding"
)

// Options are the options of an [Outlet]. The zero value of each field is a good
// default.
type Options struct {
	// Encode makes the text of a line. If nil, [Text].
	Encode Encoder

	// Encoding is what the text is written in, charmap.ISO8859_1 for instance, or
	// unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), whose byte order mark
	// begins each file and no line. A record with a character that it does not have
	// fails for good. If nil, the text is written as it is: in UTF-8.
	Encoding encoding.Encoding

	// CRLF ends lines with \r\n instead of \n.
	CRLF bool

	// Truncate empties each file, once after a start, when its first record comes: a
	// start that fails, or brings nothing, leaves it as it is.
	Truncate bool

	// Replace makes the file anew with every push, see the package's page. It
	// excludes Truncate and Rotate.
	Replace bool

	// Idempotent leaves out records that were written before, also by another run of
	// the program: see the package's page. It excludes Truncate, Replace and
	// Encoding.
	Idempotent bool

	// IDOf returns the ID that Encode has put into a line, which comes without its
	// end, or "" if there is none: for [JSONWithID], [IDInJSON]. It must not keep the
	// line. If nil, an idempotent outlet begins each line with the ID and a tab.
	IDOf func(line []byte) string

	// Window is how many records, those written last to a file, an idempotent outlet
	// knows. It has to be more than may be offered again: more than a link has
	// uncommitted at a time. If 0, 100,000.
	Window int

	// Rotate says when a file is renamed and a new one begun. If zero, never.
	Rotate Rotate

	// Sync says when what was written is forced to the disk: [SyncNever], which is the
	// zero value, [SyncPush] or [SyncInterval].
	Sync Sync

	// SyncEvery is the time between two syncs of [SyncInterval]. If 0, a second.
	SyncEvery time.Duration

	// MaxOpen is how many files are kept open; of more, those not used for longest
	// are closed and opened again when needed. If 0, 64; if -1, any number.
	MaxOpen int
}

// Rotate says when a file is full: it is then renamed to its path with a dot and a
// number of six digits or more, as in events.log.000001, and a new one is begun. The
// numbers grow, whatever was removed of the older ones, as long as the newest is
// there: a file that was renamed is never renamed again, and sorting by name sorts by
// age. Files are rotated when records come, by no clock of their own, and never when
// they are empty.
type Rotate struct {
	// Size is how many bytes a file may have. A line that is longer has a file of
	// its own. If 0, any number.
	Size int64

	// Every begins a new file at each multiple of this time, in UTC: with an hour at
	// every full hour, with 24 hours at midnight, with 7 days on Mondays. What counts
	// is when the last record was written, after a restart the time at which the file
	// was changed last. If 0, files may have any age.
	Every time.Duration

	// Keep is how many of the renamed files are kept; older ones are removed. If 0,
	// all.
	Keep int
}

// Sync says when what was written is forced to the disk, by fsync. Else the system
// does that when it sees fit, commonly within half a minute.
type Sync uint8

// The values of [Sync].
const (
	SyncNever    Sync = iota // lines survive the end of the process, not of the machine
	SyncPush                 // before a push is answered: lines survive the machine, too
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
	defaultWindow    = 100_000
)

// resolve returns a copy with the defaults filled in, but for those that are a
// mistake without another option.
func (o *Options) resolve() Options {
	if o == nil {
		o = &Options{}
	}
	c := *o
	c.MaxOpen = cmp.Or(c.MaxOpen, defaultMaxOpen)
	if c.Sync == SyncInterval {
		c.SyncEvery = cmp.Or(c.SyncEvery, defaultSyncEvery)
	}
	if c.Encode == nil {
		c.Encode = Text
	}
	return c
}

// validate returns everything that is wrong with the options.
func (o *Options) validate() error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("fileoutlet: "+format, args...))
	}
	if _, err := newCodec(o.Encoding, o.CRLF); err != nil {
		wrong("Encoding: %w", err)
	}
	if o.Replace && o.Truncate {
		wrong("Truncate is true, want false together with Replace, which makes the file anew with every push")
	}
	if o.Replace && o.Rotate != (Rotate{}) {
		wrong("Rotate is %+v, want none together with Replace, which makes the file anew with every push", o.Rotate)
	}
	errs = append(errs, o.validateIdempotent()...)
	if o.Rotate.Size < 0 {
		wrong("Rotate.Size is %d, want more than 0 bytes, or 0 for any number", o.Rotate.Size)
	}
	if o.Rotate.Every < 0 {
		wrong("Rotate.Every is %v, want more than 0, or 0 for any age", o.Rotate.Every)
	}
	switch {
	case o.Rotate.Keep < 0:
		wrong("Rotate.Keep is %d, want more than 0 files, or 0 for all", o.Rotate.Keep)
	case o.Rotate.Keep > 0 && o.Rotate.Size == 0 && o.Rotate.Every == 0:
		wrong("Rotate.Keep is %d, want 0 without Rotate.Size and Rotate.Every, for nothing is rotated", o.Rotate.Keep)
	}
	switch {
	case o.Sync > SyncInterval:
		wrong("Sync is %d, want SyncNever, SyncPush or SyncInterval", o.Sync)
	case o.Sync == SyncInterval && o.Replace:
		wrong("Sync is %v, want SyncNever or SyncPush together with Replace, which leaves no file open", o.Sync)
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

// validateIdempotent returns what is wrong with the options of idempotent outlets.
func (o *Options) validateIdempotent() []error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("fileoutlet: "+format, args...))
	}
	if o.Window < 0 {
		wrong("Window is %d, want more than 0 records, or 0 for %d", o.Window, defaultWindow)
	}
	if !o.Idempotent {
		if o.Window > 0 {
			wrong("Window is %d, want 0 unless Idempotent is true", o.Window)
		}
		if o.IDOf != nil {
			wrong("IDOf is set, want nil unless Idempotent is true")
		}
		return errs
	}
	if o.Truncate || o.Replace {
		wrong("Idempotent is true, want false together with Truncate or Replace, which remove what was written before")
	}
	if o.Encoding != nil {
		wrong("Encoding is %v, want nil together with Idempotent, which reads lines back in UTF-8", o.Encoding)
	}
	return errs
}
