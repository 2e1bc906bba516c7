package httpoutlet

import (
	"errors"
	"fmt"

	"github.com/databay-go/databay/record"
)

// body is that of a request.
type body struct {
	o       *Outlet
	text    []byte
	indices []int // of the records in it
	scratch []byte
}

func (o *Outlet) newBody() *body { return &body{o: o, scratch: make([]byte, 0, 1<<10)} }

// reset makes the body an empty one. The text of before is not used again, since a
// request that has failed may still read it.
func (b *body) reset() { b.text, b.indices = nil, b.indices[:0] }

// add adds the record at index i.
func (b *body) add(i int, r record.Record) error {
	if b.o.opts.IdempotencyHeader != "" && r.ID() == "" {
		return errors.New("the record has no ID, which IdempotencyHeader needs; want an inlet that gives its records IDs")
	}
	text, err := b.encode(r)
	if err != nil {
		return err
	}
	if b.o.opts.Body == Array {
		sep := byte(',')
		if len(b.indices) == 0 {
			sep = '['
		}
		b.text = append(b.text, sep)
	}
	b.text = append(b.text, text...)
	if b.o.opts.Body == Lines {
		b.text = append(b.text, '\n')
	}
	if n := len(text); n > cap(b.scratch) {
		b.scratch = make([]byte, 0, 2*n)
	}
	b.indices = append(b.indices, i)
	return nil
}

func (b *body) encode(r record.Record) (text []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("encoding the record panicked: %v", p)
		}
	}()
	return b.o.opts.Encode(b.scratch[:0], r)
}

// end returns the whole body.
func (b *body) end() []byte {
	if b.o.opts.Body == Array {
		b.text = append(b.text, ']')
	}
	if b.text == nil {
		return []byte{}
	}
	return b.text
}
