package outlet

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/databay-go/databay/record"
)

// Printer is an outlet that writes a line a record: the update, the payload and,
// if there is any, the metadata. The zero value is ready to use. The lines of a
// push are written with one call, and one call at a time, so links may share a
// Printer.
type Printer struct {
	// W is written to. If nil, os.Stdout.
	W io.Writer

	// OnlyPayload leaves the metadata out.
	OnlyPayload bool

	// SkipUpdate leaves the update out.
	SkipUpdate bool

	mu sync.Mutex // held while writing
}

var (
	_ Outlet = (*Printer)(nil)
	_ Reader = (*Printer)(nil)
)

// Print returns a [Printer] to w. If w is nil, it prints to os.Stdout.
func Print(w io.Writer) *Printer { return &Printer{W: w} }

// Push writes the records. An error of the writer fails all of them.
func (p *Printer) Push(_ context.Context, records []record.Record, u record.Update) error {
	if len(records) == 0 {
		return nil
	}
	var b bytes.Buffer
	for _, r := range records {
		if !p.SkipUpdate {
			b.WriteString(u.String())
			b.WriteByte(' ')
		}
		if p.OnlyPayload {
			fmt.Fprintln(&b, r.Payload)
		} else {
			fmt.Fprintln(&b, r)
		}
	}
	var w io.Writer = os.Stdout
	if p.W != nil {
		w = p.W
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// ReadOnly returns true.
func (p *Printer) ReadOnly() bool { return true }

// String returns "print".
func (p *Printer) String() string { return "print" }

// Discard returns an outlet that accepts everything and does nothing with it.
func Discard() Outlet { return &discard{} }

type discard struct{ _ byte } // of a size, so that no two are equal

func (*discard) Push(context.Context, []record.Record, record.Update) error { return nil }
func (*discard) ReadOnly() bool                                             { return true }
func (*discard) String() string                                             { return "discard" }
