package fileinlet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/encoding"
)

// Options are the options of an [Inlet]. The zero value of each field is a good
// default.
type Options struct {
	// Decode makes the payload of a line, or with Whole of the file. If nil, it is
	// a string.
	Decode Decoder

	// CSV reads rows instead of lines.
	CSV *CSV

	// Whole makes one record of the whole file, at every pull. There is none of an
	// empty file. The path is opened anew each time; a writer that replaces the
	// file by a rename is never seen half-way. The records have no ID, and there
	// is no position.
	Whole bool

	// Changed leaves out the record of Whole if the file is the same as at the
	// last pull, also one before a restart. Then records have an ID.
	Changed bool

	// MaxRecords is how many records a pull returns at most. The next one goes on
	// after them, so it has to come soon enough. If 0, 100,000; if -1, any number.
	MaxRecords int

	// MaxBytes is how many bytes of lines a pull reads at most, but for the last
	// line. If 0, 64 MiB; if -1, any number.
	MaxBytes int64

	// MaxLine is how many bytes a line, a CSV row or, with Whole, the file may
	// have. If 0, 1 MiB, with Whole 10 MiB; if -1, any number.
	MaxLine int

	// KeepEnds leaves \n and \r\n at the ends of lines. Else they are cut off.
	KeepEnds bool

	// FromEnd begins, where there is no position yet, at the end that the file has
	// at the start. A last line that is unfinished then is read once it is
	// finished.
	FromEnd bool

	// Wait accepts that there is no file yet. Else that is an error of Start.
	Wait bool

	// Gzip says that the file is compressed, whatever its name.
	Gzip bool

	// Encoding is that of the text, one of those in golang.org/x/text/encoding. A
	// byte order mark decides about the order of bytes. What is not of the encoding
	// becomes U+FFFD. If nil, UTF-8, and other bytes stay as they are.
	Encoding encoding.Encoding

	// OnBad decides about a bad line. The payload it returns, if not nil, is
	// delivered in place of the line; with neither a payload nor an error the line
	// is passed over; with an error the pull fails and stays before the line. It is
	// asked again when the line is pulled again. If nil, the error is bad.
	OnBad func(ctx context.Context, bad *LineError) (payload any, err error)

	// OnLost is told that the rest of a file may be lost: it is gone, or was
	// truncated, and nothing beside it continues what was read. A file that its
	// writer empties and fills again is lost each time. With an error the pull
	// fails and stays there. If nil, the inlet goes on.
	OnLost func(ctx context.Context, lost *LostError) error
}

// CSV says how rows are read, as encoding/csv does. A row may have line breaks
// within quotes. Empty lines are no rows.
type CSV struct {
	// Comma separates fields. If 0, it is a comma.
	Comma rune

	// Comment begins lines that are no rows. If 0, there are none.
	Comment rune

	// Lazy accepts quotes in places where they do not belong.
	Lazy bool

	// Columns are the names of the columns of files without a header. If nil,
	// the first row of each file has them.
	Columns []string

	// Decode makes the payload of a row, for instance [Struct]. The row, which has
	// as many fields as there are columns, belongs to it; the columns are shared.
	// Without a payload and an error there is no record. If nil, the payload is a
	// map[string]string.
	Decode func(columns, row []string) (payload any, err error)
}

const (
	defaultMaxRecords = 100_000
	defaultMaxBytes   = 64 << 20
	defaultMaxLine    = 1 << 20
	defaultMaxFile    = 10 << 20
)

// resolve returns a copy with the defaults filled in.
func (o *Options) resolve() Options {
	if o == nil {
		o = &Options{}
	}
	c := *o
	c.MaxRecords = cmp.Or(c.MaxRecords, defaultMaxRecords)
	c.MaxBytes = cmp.Or(c.MaxBytes, defaultMaxBytes)
	if c.Whole {
		c.MaxLine = cmp.Or(c.MaxLine, defaultMaxFile)
	}
	c.MaxLine = cmp.Or(c.MaxLine, defaultMaxLine)
	if c.CSV != nil {
		rows := *c.CSV
		rows.Comma = cmp.Or(rows.Comma, ',')
		rows.Columns = slices.Clone(rows.Columns)
		c.CSV = &rows
	}
	return c
}

// mistakes returns everything that is wrong with o, which are the options as they
// were given.
func (o *Options) mistakes() []error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("fileinlet: "+format, args...))
	}
	if o.MaxRecords < -1 {
		wrong("MaxRecords is %d, want more than 0, or 0 for %d, or -1 for any number", o.MaxRecords, defaultMaxRecords)
	}
	if o.MaxBytes < -1 {
		wrong("MaxBytes is %d, want more than 0, or 0 for %d, or -1 for any number", o.MaxBytes, defaultMaxBytes)
	}
	if o.MaxLine < -1 {
		wrong("MaxLine is %d, want more than 0 bytes, or 0 for the default, or -1 for any number", o.MaxLine)
	}
	if o.Changed && !o.Whole {
		wrong("Changed is true without Whole, want both: lines are only read once anyway")
	}
	if o.Whole {
		for _, field := range []struct {
			name string
			set  bool
		}{
			{"CSV", o.CSV != nil},
			{"MaxRecords", o.MaxRecords != 0},
			{"MaxBytes", o.MaxBytes != 0},
			{"KeepEnds", o.KeepEnds},
			{"FromEnd", o.FromEnd},
			{"OnLost", o.OnLost != nil},
		} {
			if field.set {
				wrong("%s is set together with Whole, want it for lines only", field.name)
			}
		}
	}
	if o.CSV != nil {
		if o.Decode != nil {
			wrong("Decode is set together with CSV, want CSV.Decode for rows")
		}
		if o.KeepEnds {
			wrong("KeepEnds is true together with CSV, want it for lines only")
		}
		errs = append(errs, o.CSV.mistakes()...)
	}
	if _, err := newCharset(o.Encoding); err != nil {
		errs = append(errs, err)
	}
	return errs
}

func (c *CSV) mistakes() []error {
	var errs []error
	valid := func(r rune) bool {
		return r != '"' && r != '\r' && r != '\n' && utf8.ValidRune(r) && r != utf8.RuneError
	}
	comma := cmp.Or(c.Comma, ',')
	if !valid(comma) {
		errs = append(errs, fmt.Errorf("fileinlet: CSV.Comma is %q, want a character other than a quote or a line end", comma))
	}
	if !valid(c.Comment) {
		errs = append(errs, fmt.Errorf("fileinlet: CSV.Comment is %q, want a character other than a quote or a line end, or 0 for none", c.Comment))
	}
	if comma == c.Comment {
		errs = append(errs, fmt.Errorf("fileinlet: CSV.Comment is %q, which is CSV.Comma too, want another one", c.Comment))
	}
	if c.Columns != nil {
		if err := checkColumns(c.Columns); err != nil {
			errs = append(errs, fmt.Errorf("fileinlet: CSV.Columns: %w", err))
		}
	}
	return errs
}

// checkColumns returns what is wrong with the names of columns.
func checkColumns(columns []string) error {
	if len(columns) == 0 {
		return errors.New("there are none, want a name for every column")
	}
	for i, c := range columns {
		if j := slices.Index(columns, c); j < i {
			return fmt.Errorf("%.100q is the name of columns %d and %d, want names that differ", c, j+1, i+1)
		}
	}
	return nil
}
