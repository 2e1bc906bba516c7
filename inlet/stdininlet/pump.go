package stdininlet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

const (
	chunk = 64 << 10 // bytes of one read
	ahead = 1 << 20  // bytes that are read ahead of the pulls
)

// pump reads in a goroutine of its own, ahead of the pulls.
type pump struct {
	reader  io.Reader
	maxLine int // -1: none

	mu      sync.Mutex    // of everything below
	data    []byte        // read and not taken
	ends    int           // line ends in data
	line    int64         // number of the last line that was taken
	skip    bool          // what is left of a line that was too long
	err     error         // why there is no more to read
	alive   bool          // the goroutine is there
	reading bool          // and in a Read
	stopped bool          // and is to end
	changed chan struct{} // closed when something has changed
	done    chan struct{} // closed when everything is taken
	isDone  bool
}

// deadliner is a reader whose Read can be interrupted: a connection, some pipes.
type deadliner interface{ SetReadDeadline(t time.Time) error }

func newPump(reader io.Reader, maxLine int) *pump {
	return &pump{reader: reader, maxLine: maxLine, stopped: true, changed: make(chan struct{}), done: make(chan struct{})}
}

// change wakes everybody who waits.
func (p *pump) change() {
	close(p.changed)
	p.changed = make(chan struct{})
	p.finish()
}

// finish says so when everything is taken.
func (p *pump) finish() {
	if errors.Is(p.err, io.EOF) && len(p.data) == 0 && !p.isDone {
		p.isDone = true
		close(p.done)
	}
}

// start starts the goroutine, unless one of before is still there.
func (p *pump) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = false
	if p.alive || p.err != nil {
		return
	}
	if d, ok := p.reader.(deadliner); ok {
		_ = d.SetReadDeadline(time.Time{})
	}
	p.alive = true
	go p.run()
}

// stop ends the goroutine and waits for it, unless it is in a Read that cannot be
// interrupted: then it ends when that returns, and keeps what it has read.
func (p *pump) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	p.change()
	for p.alive {
		if p.reading {
			d, ok := p.reader.(deadliner)
			if !ok || d.SetReadDeadline(time.Unix(1, 0)) != nil {
				return
			}
		}
		p.wait(nil, nil)
	}
}

// wait waits, without the lock, until something has changed or one of the channels
// is ready. It reports whether something has changed.
func (p *pump) wait(ended <-chan struct{}, late <-chan time.Time) bool {
	changed := p.changed
	p.mu.Unlock()
	defer p.mu.Lock()
	select {
	case <-changed:
		return true
	case <-ended:
	case <-late:
	}
	return false
}

func (p *pump) run() {
	buf := make([]byte, chunk)
	p.mu.Lock()
	defer p.mu.Unlock()
	defer func() {
		p.alive = false
		p.change()
	}()
	for !p.stopped && p.err == nil {
		if len(p.data) >= ahead && (p.ends > 0 || p.maxLine >= 0 && len(p.data) > p.maxLine) {
			p.wait(nil, nil)
			continue
		}
		n, err := p.read(buf)
		p.data = append(p.data, buf[:n]...)
		p.ends += bytes.Count(buf[:n], []byte{'\n'})
		if err != nil && (!p.stopped || !errors.Is(err, os.ErrDeadlineExceeded)) {
			p.err = err
		}
		p.change()
	}
}

// read reads once, without the lock. A reader that panics ends the input.
func (p *pump) read(buf []byte) (n int, err error) {
	p.reading = true
	p.mu.Unlock()
	defer func() {
		if v := recover(); v != nil {
			n, err = 0, fmt.Errorf("the reader panicked: %v", v)
		}
		p.mu.Lock()
		p.reading = false
	}()
	return p.reader.Read(buf)
}

// take returns the next line without its end, a part of data that is good until the
// lock is given up; ok is false if there is none at present. An error is one of a line,
// which is passed over, or of the reader.
func (p *pump) take() (line []byte, ok bool, err error) {
	for {
		end := -1
		if p.ends > 0 {
			end = bytes.IndexByte(p.data, '\n')
		}
		switch {
		case end >= 0 && p.skip:
			p.drop(end + 1)
			p.ends--
			p.skip = false
			continue
		case end >= 0:
			line = p.data[:end]
			p.drop(end + 1)
			p.ends--
		case p.skip && len(p.data) > 0:
			p.drop(len(p.data))
			continue
		case p.err != nil && !errors.Is(p.err, io.EOF):
			n := len(p.data)
			err = fmt.Errorf("reading line %d, after %d bytes of it: %w", p.line+1, n, p.err)
			p.drop(n)
			p.err = fmt.Errorf("%w, after an error", io.EOF)
			return nil, false, err
		case p.err != nil && len(p.data) > 0:
			line = p.data
			p.drop(len(p.data))
		case p.maxLine >= 0 && len(p.data) > p.maxLine+1: // with a \r
			line = p.data
			p.drop(len(p.data))
			p.skip = true
		default:
			return nil, false, nil
		}
		p.line++
		line = bytes.TrimSuffix(line, []byte{'\r'})
		if p.line == 1 {
			line = bytes.TrimPrefix(line, []byte("\uFEFF"))
		}
		if p.maxLine >= 0 && len(line) > p.maxLine {
			return nil, false, fmt.Errorf("line %d has more than %d bytes, the MaxLine; it begins with %q", p.line, p.maxLine, excerpt(line))
		}
		return line, true, nil
	}
}

// drop forgets the first n bytes.
func (p *pump) drop(n int) {
	p.data = p.data[n:]
	if len(p.data) == 0 {
		p.data = nil
	}
}
