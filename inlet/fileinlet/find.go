package fileinlet

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// find returns a cursor at a place, wherever its file is now. If it is nowhere, the
// cursor has none and goes on with what is newer.
func (in *Inlet) find(ctx context.Context, p *place) (*cursor, error) {
	for range tries {
		live, err := os.Stat(in.path)
		if err == nil {
			c, _, err := in.try(ctx, sibling{path: in.path, info: live}, p, true)
			if c != nil || err != nil {
				return c, err
			}
		} else if !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		siblings, err := in.siblings(ctx, true)
		if err != nil {
			return nil, err
		}
		c, moved, err := in.findAmong(ctx, siblings, p)
		if c != nil || err != nil {
			return c, err
		}
		// The file may have had the path, and got another name, between the two looks.
		if now, err := os.Stat(in.path); !moved && (err == nil) == (live != nil) && (err != nil || os.SameFile(now, live)) {
			return &cursor{place: *p, base: p.Offset}, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", in.path, errMoving)
}

// findAmong looks for the file of a place: by its inode, then by its content. Moved
// says that files are being renamed.
func (in *Inlet) findAmong(ctx context.Context, siblings []sibling, p *place) (c *cursor, moved bool, err error) {
	for _, s := range siblings {
		number := inode(nil, s.info)
		if number != p.Inode && (number != "" || !s.related) {
			continue
		}
		c, away, err := in.try(ctx, s, p, true)
		if c != nil || err != nil {
			return c, false, err
		}
		moved = moved || away
	}
	if p.Offset == 0 || in.gzipped {
		return nil, moved, nil
	}
	for _, s := range newestFirst(siblings) {
		if !s.related || s.info.Size() < p.Offset {
			continue
		}
		c, away, err := in.try(ctx, s, p, false)
		if c != nil || err != nil && ctx.Err() != nil {
			return c, false, err // others may not be readable
		}
		moved = moved || away
	}
	return nil, moved, nil
}

// try returns a cursor at a place in a file, or nil if it is another file. Same says
// that the inode has to be the same. Moved says that the file has another name now.
func (in *Inlet) try(ctx context.Context, s sibling, p *place, same bool) (there *cursor, moved bool, err error) {
	c, err := in.openSibling(s)
	if c == nil {
		return nil, err == nil, err
	}
	if same && c.Inode != p.Inode && c.Inode != "" && p.Inode != "" {
		c.close()
		return nil, false, nil
	}
	there, err = in.reopen(ctx, c.file, p)
	if there == nil {
		c.close()
	}
	return there, false, err
}

// reopen returns a cursor at a place in an open file, which becomes the cursor's, or
// nil if what comes before the place is not in the file.
func (in *Inlet) reopen(ctx context.Context, f *os.File, p *place) (*cursor, error) {
	c, err := in.newCursor(f)
	if err != nil {
		return nil, err
	}
	c, bad, err := in.skipHeader(ctx, c, p.Offset)
	if err != nil {
		return nil, err
	}
	ok, err := c.jump(ctx, p.Offset, in.gzipped)
	if !ok || !c.matches(p) {
		return nil, err
	}
	if bad != nil {
		return nil, bad
	}
	number := c.Inode
	c.place = *p
	c.Inode = number
	return c, nil
}

// skipHeader moves a cursor that stands at the beginning over the header, if there
// is one before an offset. If that is bad, or there is none, it returns a new cursor
// at the beginning.
func (in *Inlet) skipHeader(ctx context.Context, c *cursor, before int64) (_ *cursor, bad, err error) {
	if in.opts.CSV == nil || c.columns != nil {
		return c, nil, nil
	}
	for {
		u, ok, err := in.next(c, false)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			n, err := c.fill(ctx, in.gzipped)
			if err != nil {
				return nil, nil, err
			}
			if n > 0 {
				continue
			}
		}
		if !ok || c.Offset+u.size > before {
			break
		}
		if in.isHeader(c, u) {
			if bad = in.header(c, u); bad != nil {
				break
			}
		}
		c.advance(u)
		if c.columns != nil {
			return c, nil, nil
		}
	}
	c, err = in.newCursor(c.file)
	return c, bad, err
}
