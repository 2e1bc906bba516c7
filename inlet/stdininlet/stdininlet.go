package stdininlet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/record"
)

// Inlet pulls lines. It is safe for concurrent use; each line is pulled once.
type Inlet struct {
	opts Options
	name string
	pump *pump

	starting sync.Mutex // held by Start and Shutdown
	started  bool
}

var (
	_ inlet.Inlet      = (*Inlet)(nil)
	_ inlet.Starter    = (*Inlet)(nil)
	_ inlet.Shutdowner = (*Inlet)(nil)
	_ inlet.Validator  = (*Inlet)(nil)
	_ fmt.Stringer     = (*Inlet)(nil)
)

// New returns an inlet of lines. The options may be nil. Mistakes are what Validate
// reports. Let no other inlet read the same reader.
func New(opts *Options) *Inlet {
	in := &Inlet{opts: opts.resolve(), name: "stdininlet"}
	if in.opts.Reader != os.Stdin {
		in.name = fmt.Sprintf("stdininlet(%T)", in.opts.Reader)
	}
	in.pump = newPump(in.opts.Reader, in.opts.MaxLine)
	return in
}

// String returns "stdininlet", and the type of a reader that is not os.Stdin.
func (in *Inlet) String() string { return in.name }

// Validate reports every mistake of the options.
func (in *Inlet) Validate() error { return in.opts.validate() }

// Done returns a channel that is closed when the input has ended and all of it was
// pulled. What the last pull returned may be on its way still: stop the planner
// gracefully.
func (in *Inlet) Done() <-chan struct{} { return in.pump.done }

// Start starts to read, in a goroutine that goes on a little ahead of the pulls.
func (in *Inlet) Start(context.Context) error {
	in.starting.Lock()
	defer in.starting.Unlock()
	if err := in.Validate(); err != nil {
		return err
	}
	if in.started {
		return errors.New("stdininlet: already started")
	}
	in.started = true
	in.pump.start()
	return nil
}

// Shutdown stops to read. Standard input cannot be told to stop: a Read that waits
// for it, and the goroutine in it, are left until something arrives or the input
// ends. A reader that has a SetReadDeadline, as connections do, is interrupted. What
// was read and not pulled is there after another Start.
func (in *Inlet) Shutdown(context.Context) error {
	in.starting.Lock()
	defer in.starting.Unlock()
	if in.started {
		in.started = false
		in.pump.stop()
	}
	return nil
}

// Pull returns the lines that have arrived. If there are none it waits for one, for
// as long as Options.Wait says.
func (in *Inlet) Pull(ctx context.Context, _ record.Update) ([]record.Record, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	p := in.pump
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.change() // there is room
	var late <-chan time.Time
	for {
		if p.stopped {
			return nil, errors.New("stdininlet: not started")
		}
		there := len(p.data)
		records, err := in.lines()
		if len(records) > 0 || err != nil || p.err != nil && len(p.data) == 0 {
			return records, err
		}
		if late == nil && in.opts.Wait > 0 {
			timer := time.NewTimer(in.opts.Wait)
			defer timer.Stop()
			late = timer.C
		}
		if len(p.data) < there {
			p.change() // there is room, without which nothing may come
		}
		if !p.wait(ctx.Done(), late) {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, nil
		}
	}
}

// lines decodes what is there.
func (in *Inlet) lines() (records []record.Record, err error) {
	for most := in.opts.MaxRecords; most < 0 || len(records) < most; {
		line, ok, err := in.pump.take()
		if err != nil {
			return records, fmt.Errorf("stdininlet: %w", err)
		}
		if !ok {
			break
		}
		decoded, err := in.decode(bytes.Clone(line))
		records = append(records, decoded...)
		if err != nil {
			return records, fmt.Errorf("stdininlet: cannot decode line %d: %w; it has %d bytes and begins with %q", in.pump.line, err, len(line), excerpt(line))
		}
	}
	return records, nil
}

// decode decodes a line. A panic is an error of the line, or those before it were lost.
func (in *Inlet) decode(line []byte) (records []record.Record, err error) {
	defer func() {
		if v := recover(); v != nil {
			records, err = nil, fmt.Errorf("decoding panicked: %v", v)
		}
	}()
	return in.opts.Decode(line)
}

const maxExcerpt = 300 // bytes of a line that are shown

func excerpt(line []byte) string {
	if len(line) <= maxExcerpt {
		return string(line)
	}
	return strings.ToValidUTF8(string(line[:maxExcerpt]), "") + "…"
}
