package stdininlet

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/databay-go/databay/record"
)

// Options are the options of an [Inlet]. The zero value of each field is a good
// default.
type Options struct {
	// Reader is what is read. If nil, os.Stdin. It is never closed.
	Reader io.Reader

	// Decode makes records of a line. If nil, JSON[any].
	Decode Decoder

	// Wait is how long a pull waits for a line if there is none. If 0, a second; if
	// -1, until its context ends.
	Wait time.Duration

	// MaxRecords is how many records a pull returns, or a few more if Decode makes
	// several of one line. If 0, 1000; if -1, any number.
	MaxRecords int

	// MaxLine is how many bytes a line may have. A longer one is an error, and no
	// more than that is kept in memory of it. If 0, 1 MiB; if -1, any number.
	MaxLine int
}

const (
	defaultWait       = time.Second
	defaultMaxRecords = 1000
	defaultMaxLine    = 1 << 20
)

// Decoder makes records of a line, which has no line end and belongs to it.
type Decoder func(line []byte) ([]record.Record, error)

// JSON is a [Decoder] whose records carry Ts. There is none of an empty line or a
// null. A line that is an array is one T like any other.
func JSON[T any](line []byte) ([]record.Record, error) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 || string(line) == "null" {
		return nil, nil
	}
	var value T
	if err := json.Unmarshal(line, &value); err != nil {
		return nil, err
	}
	return []record.Record{record.New(value)}, nil
}

// Text is a [Decoder] that makes one record of each line, a string, also of an
// empty one.
func Text(line []byte) ([]record.Record, error) {
	return []record.Record{record.New(string(line))}, nil
}

// resolve returns a copy with the defaults filled in.
func (o *Options) resolve() Options {
	if o == nil {
		o = &Options{}
	}
	c := *o
	if c.Reader == nil {
		c.Reader = os.Stdin
	}
	if c.Decode == nil {
		c.Decode = JSON[any]
	}
	c.Wait = cmp.Or(c.Wait, defaultWait)
	c.MaxRecords = cmp.Or(c.MaxRecords, defaultMaxRecords)
	c.MaxLine = cmp.Or(c.MaxLine, defaultMaxLine)
	return c
}

// validate returns everything that is wrong with the options.
func (o *Options) validate() error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("stdininlet: "+format, args...))
	}
	if o.Wait < -1 {
		wrong("Wait is %v, want more than 0, or 0 for %v, or -1 for until the context ends", o.Wait, defaultWait)
	}
	if o.MaxRecords < -1 {
		wrong("MaxRecords is %d, want more than 0, or 0 for %d, or -1 for any number", o.MaxRecords, defaultMaxRecords)
	}
	if o.MaxLine < -1 {
		wrong("MaxLine is %d, want more than 0 bytes, or 0 for %d, or -1 for any number", o.MaxLine, defaultMaxLine)
	}
	return errors.Join(errs...)
}
