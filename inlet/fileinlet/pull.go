package fileinlet

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"strconv"

	"github.com/databay-go/databay/record"
)

// Pull returns a record of every line that was finished since the last one, up to
// the bounds of the options. If its context ends meanwhile it returns the records
// of the lines read so far together with the error.
func (in *Inlet) Pull(ctx context.Context, _ record.Update) ([]record.Record, error) {
	if ctx.Err() != nil {
		return nil, ended(ctx)
	}
	if err := in.take(ctx); err != nil {
		return nil, err
	}
	defer in.leave()
	if !in.started {
		return nil, errNotStarted
	}
	if in.opts.Whole {
		records, err := in.pullWhole(ctx)
		in.locate()
		return records, err
	}
	if err := in.settle(ctx); err != nil {
		return nil, err
	}
	start, first := in.last, in.c
	done := false
	defer func() {
		if !done { // a function of the user panicked: nothing was pulled
			for _, c := range append(in.trail, in.c) {
				if c != first {
					c.close()
				}
			}
			in.trail, in.c, in.undo = nil, first, &start
		}
	}()
	p := pull{Inlet: in, looked: start.Modified, written: start.Modified}
	err := p.run(ctx)
	if errors.Is(err, errMoving) {
		err = nil // what comes next is found out at another time
	}
	done = true
	in.closeTrail()
	if in.c != first || in.c.Offset != start.Offset || in.c.Inside != start.Inside {
		in.locate()
	}
	return p.records, err
}

// settle makes the cursor ready for a pull.
func (in *Inlet) settle(ctx context.Context) error {
	if !in.sought {
		c, err := in.at(ctx, nil)
		if err != nil {
			return err
		}
		in.c, in.sought = c, true
		in.locate()
	}
	if in.undo != nil {
		if err := in.back(ctx, *in.undo); err != nil {
			return err
		}
		in.undo = nil
	}
	if in.gzipped {
		return in.refresh(ctx)
	}
	return nil
}

// back sets the cursor back to a place before it in its file.
func (in *Inlet) back(ctx context.Context, p place) error {
	c := in.c
	if p.Offset >= c.base && c.base <= max(p.Offset-memory, 0) {
		if c.Generation == p.Generation {
			c.place = p
		}
		return nil
	}
	if c.file == nil {
		return nil // what was read is all there is
	}
	again, err := in.reopen(ctx, c.file, &p)
	switch {
	case err != nil:
		return err
	case again == nil:
		c.close() // it was truncated
	default:
		in.c = again
	}
	return nil
}

// pull is one pull of lines.
type pull struct {
	*Inlet
	records []record.Record
	bytes   int64
	looked  int64  // when the file had last been written, before it was read
	written int64  // the same, of what was read of it
	buf     []byte // for IDs
	sum     [4]byte
}

// run reads until there is no more, or a bound is reached.
func (p *pull) run(ctx context.Context) error {
	if p.c.file != nil {
		if info, err := p.c.file.Stat(); err == nil {
			p.looked = info.ModTime().UnixNano()
		}
	}
	last := false // nothing comes after what was read of the file
	for n := 1; !p.full(); n++ {
		if n%64 == 0 && ctx.Err() != nil {
			return ended(ctx)
		}
		u, ok, err := p.next(p.c, last)
		if err != nil {
			return err
		}
		if ok {
			if err := p.add(ctx, u); err != nil {
				return err
			}
			continue
		}
		if last {
			if moved, err := p.move(ctx); err != nil || !moved {
				return err
			}
			p.looked, p.written, last = p.c.Modified, p.c.Modified, false
			continue
		}
		came, err := p.fill(ctx)
		if err != nil {
			return err
		}
		if came {
			continue
		}
		over, err := p.over(ctx)
		if err != nil || !over {
			return err
		}
		// What came before the other file was seen, but after the last look at this one?
		if came, err = p.fill(ctx); err != nil {
			return err
		}
		last = !came
	}
	return nil
}

func (p *pull) full() bool {
	return p.opts.MaxRecords >= 0 && len(p.records) >= p.opts.MaxRecords ||
		p.opts.MaxBytes >= 0 && p.bytes >= p.opts.MaxBytes
}

// fill reads on, also in the copy of a file that was truncated.
func (p *pull) fill(ctx context.Context) (came bool, err error) {
	c := p.c
	first := c.end() == 0 && !p.gzipped
	n, err := c.fill(ctx, p.gzipped)
	if errors.Is(err, errTruncated) {
		return p.truncated(ctx)
	}
	if err == nil {
		p.written = p.looked
	}
	if first && n > 0 {
		if over, err := p.overtaken(ctx, c); over || err != nil {
			c.buf = nil
			if over {
				c.close()
				c.copied = true
				c.Modified++
			}
			return false, err
		}
	}
	return n > 0, err
}

// add moves the cursor over a unit, and makes a record of it.
func (p *pull) add(ctx context.Context, u unit) error {
	c := p.c
	if p.isHeader(c, u) {
		if err := p.header(c, u); err != nil {
			return &stayError{err, ""}
		}
		u.blank = true
	}
	if !u.blank {
		payload, err := p.payload(c, u)
		if err != nil {
			if payload, err = p.onBad(ctx, p.badUnit(c, u, err)); err != nil {
				return err
			}
		}
		if payload != nil {
			p.records = append(p.records, p.record(c, u, payload))
		}
	}
	p.bytes += u.size
	c.advance(u)
	c.Modified = p.written
	return nil
}

// payload returns the payload of a unit.
func (in *Inlet) payload(c *cursor, u unit) (any, error) {
	switch {
	case u.err != nil:
		return nil, u.err
	case in.opts.CSV != nil:
		return in.rows.payload(c.columns, u.text)
	}
	text := u.text
	if !in.opts.KeepEnds {
		text = cut(text)
	}
	if in.opts.Decode == nil {
		return string(text), nil
	}
	return in.opts.Decode(append(make([]byte, 0, len(text)), text...))
}

// badUnit returns the error of a unit.
func (in *Inlet) badUnit(c *cursor, u unit, err error) *LineError {
	return &LineError{Path: in.path, Line: c.Line + 1, Offset: c.Offset, Err: err, Text: string(cut(u.text))}
}

// onBad decides about a bad line.
func (in *Inlet) onBad(ctx context.Context, bad *LineError) (any, error) {
	if in.opts.OnBad == nil {
		return nil, &stayError{bad, "OnBad"}
	}
	payload, err := in.opts.OnBad(ctx, bad)
	if err != nil {
		return nil, &stayError{err, ""}
	}
	return payload, nil
}

// stayError says that the inlet stays where it is.
type stayError struct {
	err    error
	option string // that lets it go on; or ""
}

func (e *stayError) Error() string {
	s := e.err.Error() + "; the inlet stays there"
	if e.option != "" {
		s += ", unless Options." + e.option + " decides otherwise"
	}
	return s
}

func (e *stayError) Unwrap() error { return e.err }

// record makes the record of a unit. Its ID has a checksum of the text, so that
// files that begin alike have different ones where they differ, also for an inlet
// that has lost its position and counts the files anew.
func (p *pull) record(c *cursor, u unit, payload any) record.Record {
	if c.ID == "" {
		c.ID = c.identify(c.Offset + u.size)
	}
	b := append(append(append(p.buf[:0], p.path...), ':'), c.ID...)
	b = strconv.AppendInt(append(b, '@'), c.Offset, 10)
	sum := crc32.Checksum(cut(u.text), crc32.MakeTable(crc32.Castagnoli)) // that processors know
	b = hex.AppendEncode(append(b, '-'), binary.BigEndian.AppendUint32(p.sum[:0], sum))
	p.buf = b
	return record.New(payload, p.about, Offset.Of(c.Offset), Line.Of(c.Line+1)).WithID(string(b))
}

// identify returns what tells the file from others in the IDs of records. It does
// not change: it is made of what the file has up to the offset at, the end of the
// first record.
func (c *cursor) identify(at int64) string {
	id := digest(c.beginning(at))
	if c.Generation > 0 {
		id += "-" + strconv.Itoa(c.Generation)
	}
	return id
}
