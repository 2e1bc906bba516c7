package fileinlet

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/databay-go/databay/record"
)

// pullWhole is one pull of a whole file.
func (in *Inlet) pullWhole(ctx context.Context) ([]record.Record, error) {
	c, err := in.openCursor(in.path)
	if errors.Is(err, os.ErrNotExist) && in.opts.Wait {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer c.close()
	is := version{Modified: c.info.ModTime().UnixNano(), Size: c.info.Size()}
	if was := in.seen; in.opts.Changed && in.old && was != nil && was.Modified == is.Modified && was.Size == is.Size {
		return nil, nil
	}
	content, err := in.readAll(ctx, c)
	bad := &LineError{Path: in.path, Line: 1, Err: err}
	if err != nil && !errors.Is(err, ErrTooLong) {
		return nil, fmt.Errorf("%s: %w", in.path, err)
	}
	is.Digest = digest(content)
	var payload any
	switch {
	case in.opts.Changed && in.seen != nil && in.seen.Digest == is.Digest && in.seen.Size == is.Size:
		err = nil // whatever it is, it was seen
	case err != nil:
		bad.Text = string(content)
	case len(content) > 0:
		payload, bad.Text, bad.Err = in.wholePayload(content)
		err = bad.Err
	}
	if err != nil {
		if payload, err = in.onBad(ctx, bad); err != nil {
			return nil, err
		}
	}
	if in.opts.Changed {
		// What is written again in the same tick of the file system's clock has the
		// same time.
		in.seen, in.old = &is, time.Since(c.info.ModTime()) > 2*time.Second
	}
	if payload == nil {
		return nil, nil
	}
	r := record.New(payload, in.about)
	if in.opts.Changed {
		r = r.WithID(in.path + ":" + is.Digest + "@" + strconv.FormatInt(is.Modified, 10))
	}
	return []record.Record{r}, nil
}

// readAll reads the content, and no more of it than it may have.
func (in *Inlet) readAll(ctx context.Context, c *cursor) ([]byte, error) {
	var r io.Reader = c.file
	if in.gzipped {
		z, err := gzip.NewReader(c.file)
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("compressed content: %w", err)
		}
		r = z
	}
	var content []byte
	for {
		if ctx.Err() != nil {
			return nil, ended(ctx)
		}
		c.scratch = grown(c.scratch, min(max(len(content), minChunk), maxChunk))
		n, err := r.Read(c.scratch)
		content = append(content, c.scratch[:n]...)
		switch {
		case in.opts.MaxLine >= 0 && len(content) > in.opts.MaxLine:
			return content[:in.opts.MaxLine], in.errTooLong()
		case err == io.EOF:
			return content, nil
		case err != nil:
			return nil, err
		}
	}
}

// wholePayload returns the payload of a whole file, and its text if it has none.
func (in *Inlet) wholePayload(content []byte) (payload any, text string, err error) {
	chars, err := in.chars.of(content)
	if err == nil {
		content, err = chars.text(content, 0)
	}
	switch {
	case err != nil:
		return nil, string(content), err
	case in.opts.Decode == nil:
		return string(content), "", nil
	}
	text = string(content)
	payload, err = in.opts.Decode(content)
	return payload, text, err
}
