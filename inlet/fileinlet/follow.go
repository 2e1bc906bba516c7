package fileinlet

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// over reports whether nothing will come after what was read of the file: it is
// compressed, or another one has taken its place.
func (p *pull) over(ctx context.Context) (bool, error) {
	if p.c.file == nil || p.gzipped {
		return true, nil
	}
	next, err := p.successor(ctx, p.c)
	return next != nil, err
}

// move goes on with the next file. It reports whether there is one.
func (p *pull) move(ctx context.Context) (bool, error) {
	for range tries {
		next, err := p.successor(ctx, p.c)
		if err != nil || next == nil {
			return false, err
		}
		c, err := p.openSibling(*next)
		if err != nil {
			return false, err
		}
		if c == nil {
			continue // files are being renamed
		}
		moved, err := p.moveTo(ctx, c)
		if !moved {
			c.close()
		}
		if moved || err != nil {
			return moved, err
		}
	}
	return false, nil
}

// moveTo goes on with a file, if it is the next one still when it has been read.
// Whether it is truncated later is seen by what was read.
func (p *pull) moveTo(ctx context.Context, c *cursor) (bool, error) {
	if _, err := c.fill(ctx, p.gzipped); err != nil && c.torn == nil {
		return false, ignoreTruncated(err)
	}
	next, err := p.successor(ctx, p.c)
	if err != nil || next == nil || !os.SameFile(c.info, next.info) {
		return false, err
	}
	if err := p.lost(ctx); err != nil {
		return false, err
	}
	c.Generation = p.c.Generation + 1
	p.trail = append(p.trail, p.c)
	p.c = c
	return true, nil
}

func ignoreTruncated(err error) error {
	if errors.Is(err, errTruncated) {
		return nil
	}
	return err
}

// lost tells the user that the rest of a file may be lost.
func (p *pull) lost(ctx context.Context) error {
	c := p.c
	if p.opts.OnLost == nil || c.file != nil || c.copied || c.Generation < 0 {
		return nil
	}
	if err := p.opts.OnLost(ctx, &LostError{Path: p.path, Line: c.Line, Offset: c.Offset}); err != nil {
		return &stayError{err, ""}
	}
	return nil
}

// truncated goes on in a copy of the file, if there is one, and reports whether
// there is. Else what was read of the file is all there is.
func (p *pull) truncated(ctx context.Context) (bool, error) {
	twin, err := p.copyOf(ctx, p.c)
	if err != nil {
		return false, err
	}
	if twin == nil {
		p.c.close()
		return false, nil
	}
	p.trail = append(p.trail, p.c)
	p.c = twin
	return true, nil
}

// copyOf finds the newest file beside the path that has what was read of c.
func (in *Inlet) copyOf(ctx context.Context, c *cursor) (*cursor, error) {
	if c.end() == 0 {
		return nil, nil
	}
	place := c.where()
again:
	for range tries {
		siblings, err := in.siblings(ctx, false)
		if err != nil {
			return nil, err
		}
		for _, s := range newestFirst(siblings) {
			if s.info.Size() < c.end() || os.SameFile(s.info, c.info) {
				continue
			}
			twin, err := in.openSibling(s)
			if err != nil {
				continue // whatever it is, it is not known to be the copy
			}
			if twin == nil {
				continue again
			}
			same, err := c.isIn(twin.file)
			if same {
				var there *cursor
				if there, err = in.reopen(ctx, twin.file, place); there != nil {
					return there, nil
				}
			}
			twin.close()
			if err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
	return nil, fmt.Errorf("%s: %w", in.path, errMoving)
}

// isIn reports whether a file begins with what was read of c, as far as memory goes.
func (c *cursor) isIn(f *os.File) (bool, error) {
	tail := c.before(c.end())
	same, err := has(f, c.beginning(c.end()), 0)
	if same {
		same, err = has(f, tail, c.end()-int64(len(tail)))
	}
	return same, err
}

// refresh looks whether a compressed file has changed in place.
func (in *Inlet) refresh(ctx context.Context) error {
	c := in.c
	if c.file == nil {
		return nil
	}
	info, err := c.file.Stat()
	if err != nil {
		return err
	}
	if c.torn == nil && info.Size() == c.info.Size() && info.ModTime().Equal(c.info.ModTime()) {
		return nil
	}
	again, err := in.reopen(ctx, c.file, c.where())
	switch {
	case err != nil:
		c.torn = err // the file stands somewhere else now
		return err
	case again == nil:
		c.close()
	default:
		in.c = again
	}
	return nil
}
