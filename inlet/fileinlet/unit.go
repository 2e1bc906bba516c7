package fileinlet

import (
	"context"
	"fmt"
	"slices"
)

// unit is what may become a record: a line or a row.
type unit struct {
	text  []byte // as UTF-8, with its end
	size  int64  // how many bytes of the content to go on after
	lines int64  // how many lines those are
	err   error  // what is wrong with it

	inside bool // the line goes on after size bytes
	blank  bool // there is nothing in it
}

// next returns the next line or row that is complete in what was read. Last says
// that nothing comes after that, so that what is there is complete. The unit is
// valid until the cursor reads on.
func (in *Inlet) next(c *cursor, last bool) (u unit, ok bool, err error) {
	ahead := c.ahead()
	if len(ahead) == 0 {
		return unit{}, false, nil
	}
	if ok, err := in.know(c, last); !ok {
		return unit{}, false, err
	}
	if c.Inside {
		return in.pass(c, last)
	}
	if in.opts.CSV != nil {
		return in.nextRow(c, ahead, last)
	}
	size := c.chars.lineEnd(ahead)
	switch {
	case in.tooLong(c, ahead, size):
		return in.long(c, ahead, size), true, nil
	case size == 0 && last:
		size = len(ahead)
	case size == 0:
		return unit{}, false, nil
	}
	text, err := c.chars.text(ahead[:size], c.Offset)
	return unit{text: text, size: int64(size), lines: 1, err: err}, true, nil
}

// know finds out how the text of the file is encoded.
func (in *Inlet) know(c *cursor, last bool) (ok bool, err error) {
	if c.chars != nil {
		return true, nil
	}
	head := c.beginning(c.end())
	if len(head) < len(in.chars.newline) && !last {
		return false, nil
	}
	chars, err := in.chars.of(head)
	if err != nil {
		return false, fmt.Errorf("%s: %w", in.path, err)
	}
	c.chars = &chars
	return true, nil
}

// tooLong reports whether a line has too many bytes, its end excepted. Size is that
// of the line with its end, or 0 if there is none in what is ahead.
func (in *Inlet) tooLong(c *cursor, ahead []byte, size int) bool {
	if size == 0 {
		size = len(ahead)
	} else {
		size -= len(c.chars.newline)
	}
	return in.opts.MaxLine >= 0 && size > in.opts.MaxLine
}

// long returns the unit of a line that is too long.
func (in *Inlet) long(c *cursor, ahead []byte, size int) unit {
	u := unit{size: int64(size), lines: 1, err: in.errTooLong()}
	if size == 0 {
		u.size, u.lines, u.inside = int64(len(ahead)-len(ahead)%len(c.chars.newline)), 0, true
	}
	u.text, _ = c.chars.text(ahead[:in.opts.MaxLine], c.Offset)
	return u
}

func (in *Inlet) errTooLong() error {
	what := "line"
	switch {
	case in.opts.Whole:
		what = "file"
	case in.opts.CSV != nil:
		what = "row"
	}
	return fmt.Errorf("%w: the %s has more than %d bytes, the MaxLine", ErrTooLong, what, in.opts.MaxLine)
}

// pass passes over the rest of a line that was too long.
func (in *Inlet) pass(c *cursor, last bool) (unit, bool, error) {
	ahead := c.ahead()
	size := c.chars.lineEnd(ahead)
	u := unit{size: int64(size), lines: 1, blank: true}
	if size == 0 {
		u.size = int64(len(ahead) - len(ahead)%len(c.chars.newline))
		u.lines, u.inside = 0, true
		if last {
			u.size, u.lines, u.inside = int64(len(ahead)), 1, false
		}
	}
	if u.size == 0 && u.inside {
		return unit{}, false, nil
	}
	return u, true, nil
}

// nextRow is next for rows. The first row of a file that has a header is the
// header. Of a row that does not end only the first line is taken, since a quote
// that is not closed makes one row of all that follows.
func (in *Inlet) nextRow(c *cursor, ahead []byte, last bool) (unit, bool, error) {
	var (
		u     unit
		first int64
		q     = quotes{comma: in.opts.CSV.Comma, comment: in.opts.CSV.Comment, lazy: in.opts.CSV.Lazy}
	)
	endless := func(err error) (unit, bool, error) {
		u.size, u.lines, u.err = first, 1, err
		return u, true, nil
	}
	for {
		rest := ahead[u.size:]
		size := c.chars.lineEnd(rest)
		total := 0
		if size > 0 {
			total = int(u.size) + size
		}
		switch {
		case in.tooLong(c, ahead, total) && u.lines == 0:
			return in.long(c, ahead, size), true, nil
		case in.tooLong(c, ahead, total):
			return endless(in.errTooLong())
		case size == 0 && !last:
			return unit{}, false, nil
		case size == 0 && len(rest) == 0:
			return endless(errQuote)
		case size == 0:
			size = len(rest)
		}
		text, err := c.chars.text(rest[:size], c.Offset+u.size)
		switch {
		case u.lines == 0:
			u.text, first = text, int64(size)
		case c.chars.decoder == nil:
			u.text = u.text[:len(u.text)+size] // it follows in what was read
		default:
			u.text = append(slices.Clip(u.text), text...)
		}
		u.size += int64(size)
		u.lines++
		ends, blank := q.line(text)
		if u.err, u.blank = err, blank; ends || err != nil {
			return u, true, nil
		}
	}
}

// scan moves a cursor over all lines that end before an offset.
func (in *Inlet) scan(ctx context.Context, c *cursor, until int64) error {
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ended(ctx)
		}
		u, ok, err := in.next(c, false)
		if err != nil {
			return err
		}
		if !ok {
			if n, err := c.fill(ctx, in.gzipped); err != nil || n == 0 {
				return err
			}
			continue
		}
		if c.Offset+u.size > until {
			return nil
		}
		if in.isHeader(c, u) {
			if err := in.header(c, u); err != nil {
				return err
			}
		}
		c.advance(u)
	}
}

// advance moves the cursor over a unit.
func (c *cursor) advance(u unit) {
	c.Offset += u.size
	c.Line += u.lines
	c.Inside = u.inside
}

// isHeader reports whether a unit is the header of the file.
func (in *Inlet) isHeader(c *cursor, u unit) bool {
	return in.opts.CSV != nil && c.columns == nil && !u.blank
}

// header takes the columns from a unit.
func (in *Inlet) header(c *cursor, u unit) error {
	columns, err := []string(nil), u.err
	if err == nil {
		columns, err = in.rows.read(u.text)
	}
	if err == nil {
		err = checkColumns(columns)
	}
	if err != nil {
		bad := in.badUnit(c, u, err)
		return fmt.Errorf("the header: %w", bad)
	}
	c.columns = columns
	return nil
}
