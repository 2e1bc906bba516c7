package buffer

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
)

// Controller is a rule that decides whether what a buffer holds is released. The
// records are all that are held, oldest first; they and the slice are read-only,
// and the slice may not be kept. There is at least one.
//
// What becomes of a controller's error or panic is said at
// Options.OnControllerError. A controller is never called concurrently with
// itself. It may call Holding and Flush of its buffer, not its Process.
type Controller func(held []record.Record) (release bool, err error)

// Options are the rules of a [Buffer]. The zero value has none.
type Options struct {
	// Count releases when at least so many records are held. Zero is no rule.
	Count int

	// MaxBytes releases when the held records have at least this size. It is not
	// an upper bound: the record that reaches it leaves with the others. Zero is
	// no rule.
	MaxBytes int

	// Size returns the size of a record, in bytes, for MaxBytes. If nil, it is the
	// length of the payload, which then must be a string or a byte slice. A
	// record of any other payload, or with a negative size, fails alone, for
	// good.
	Size func(record.Record) int

	// MaxAge releases when the oldest held record has been held for so long. Zero
	// is no rule.
	MaxAge time.Duration

	// Controllers are rules of your own. They are asked before the others, in
	// order. There are none with a Spool, since they are given all that is held.
	Controllers []Controller

	// All demands that every rule agrees to release. Otherwise one is enough.
	All bool

	// Spool is where what is held overflows to: see "Overflow" in the package
	// documentation. If nil, all is held in memory.
	Spool spool.Spool

	// Pending is how many records may be held in memory if there is a Spool. With as
	// many, and no release, all of them are moved there; with 1, every record is. If
	// zero, 10,000.
	Pending int

	// OnDamage is told of every record that cannot be read from the Spool, which is
	// then left out. If nil, the default logger is.
	OnDamage func(error)

	// OnReset is called whenever the buffer has become empty: after every release,
	// every Reset, and a Start that found records held. Then the next round
	// begins; a controller that counts can start anew. It may call Holding and
	// Flush, not Process or Reset. A release whose OnReset panics has not
	// happened: Process panics, what was held stays held.
	OnReset func()

	// OnControllerError is told the error of a controller that fails or panics,
	// which then counts as a no. A panic is reported as an error with its stack.
	//
	// If OnControllerError is nil, nobody would know. So Process returns the
	// error, or panics, itself: it has then taken nothing of what it was given,
	// keeps what it held, and the link gives it the same records again.
	OnControllerError func(error)
}

// Buffer is a [record.Processor] that holds records until its rules release them.
// The zero value has no rules and lets everything pass.
//
// Process is called by one goroutine at a time. Its other methods may be called
// at any time, from any goroutine.
type Buffer struct {
	opts    Options
	invalid error
	calls   sync.Mutex                // of calls that change what is in the spool, if there is one
	origins map[string]*record.Origin // of records that were read from it, by inlet

	mu       sync.Mutex
	round    round
	flush    bool
	discards int     // how often held records were discarded
	room     int     // to make for the records of a round
	away     []int64 // what was released and is in the spool still, in order
}

var (
	_ record.Processor = (*Buffer)(nil)
	_ record.Settler   = (*Buffer)(nil)
	_ spool.User       = (*Buffer)(nil)
)

// New returns a buffer with the given rules. Nil is none of them. The options are
// copied. Mistakes in them are errors of [Buffer.Validate] and of Process.
func New(opts *Options) *Buffer {
	b := new(Buffer)
	if opts != nil {
		b.opts = *opts
		b.opts.Controllers = slices.Clone(opts.Controllers)
		b.invalid = b.opts.validate()
	}
	return b
}

// Validate reports all mistakes in the options.
func (b *Buffer) Validate() error { return b.invalid }

func (o *Options) validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("buffer: "+format, args...)) }
	if o.Count < 0 {
		wrong("Count is %d, want at least 1, or 0 for none", o.Count)
	}
	if o.MaxBytes < 0 {
		wrong("MaxBytes is %d, want at least 1, or 0 for none", o.MaxBytes)
	}
	if o.MaxBytes == 0 && o.Size != nil {
		wrong("MaxBytes is 0, want at least 1 since Size is set")
	}
	if o.MaxAge < 0 {
		wrong("MaxAge is %v, want more than 0, or 0 for none", o.MaxAge)
	}
	for i, c := range o.Controllers {
		if c == nil {
			wrong("Controllers[%d] is nil, want a function", i)
		}
	}
	if o.Pending < 0 {
		wrong("Pending is %d, want at least 1, or 0 for %d", o.Pending, defaultPending)
	}
	if o.Spool == nil {
		if o.Pending > 0 {
			wrong("Pending is %d without a Spool, want one", o.Pending)
		}
		if o.OnDamage != nil {
			wrong("OnDamage is set without a Spool, want one")
		}
		return errors.Join(errs...)
	}
	if len(o.Controllers) > 0 {
		wrong("Controllers and Spool are set, want one of them: a controller is given all that is held")
	}
	if v := reflect.ValueOf(o.Spool); v.Kind() == reflect.Pointer && v.IsNil() {
		wrong("Spool is a nil %T", o.Spool)
	} else if v, ok := o.Spool.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			wrong("Spool: %w", err)
		}
	}
	return errors.Join(errs...)
}

// String returns the rules, as in "buffer(count 1000 or age 1m0s)".
func (b *Buffer) String() string {
	var rules []string
	rule := func(set bool, format string, v any) {
		if set {
			rules = append(rules, fmt.Sprintf(format, v))
		}
	}
	o := &b.opts
	if o.unruly() {
		return "buffer"
	}
	for range o.Controllers {
		rules = append(rules, "controller")
	}
	rule(o.Count != 0, "count %d", o.Count)
	rule(o.MaxBytes != 0, "bytes %d", o.MaxBytes)
	rule(o.MaxAge != 0, "age %v", o.MaxAge)
	between := " or "
	if o.All {
		between = " and "
	}
	return "buffer(" + strings.Join(rules, between) + ")"
}

// unruly reports whether there is no rule.
func (o *Options) unruly() bool {
	return len(o.Controllers) == 0 && o.Count == 0 && o.MaxBytes == 0 && o.MaxAge == 0
}
