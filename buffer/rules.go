package buffer

import (
	"fmt"
	"math"
	"reflect"
	"runtime/debug"
	"time"

	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
)

// decide asks the rules whether everything in r is released.
func (b *Buffer) decide(r round) (bool, error) {
	o := &b.opts
	for i := range o.Controllers {
		yes, err := o.ask(i, r.held)
		if err != nil {
			return false, err
		}
		if yes != o.All {
			return yes, nil
		}
	}
	if o.Count > 0 {
		if yes := r.records() >= o.Count; yes != o.All {
			return yes, nil
		}
	}
	if o.MaxBytes > 0 {
		if yes := r.bytes >= o.MaxBytes; yes != o.All {
			return yes, nil
		}
	}
	if o.MaxAge > 0 {
		if yes := time.Since(r.since) >= o.MaxAge; yes != o.All {
			return yes, nil
		}
	}
	return o.All || o.unruly(), nil
}

// ask asks a controller. If somebody is told its failures, a failure is a no.
func (o *Options) ask(i int, held []record.Record) (yes bool, err error) {
	held = held[:len(held):len(held)]
	if o.OnControllerError == nil {
		if yes, err = o.Controllers[i](held); err != nil {
			return false, fmt.Errorf("buffer: Controllers[%d]: %w", i, err)
		}
		return yes, nil
	}
	if yes, err = o.guarded(i, held); err != nil {
		o.OnControllerError(fmt.Errorf("buffer: Controllers[%d]: %w", i, err))
		return false, nil
	}
	return yes, nil
}

// guarded asks a controller and makes an error of its panic.
func (o *Options) guarded(i int, held []record.Record) (yes bool, err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case error:
			err = fmt.Errorf("panic: %w\n%s", v, debug.Stack())
		default:
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return o.Controllers[i](held)
}

// batch is what a call is given.
type batch struct {
	records  []record.Record // that can be held
	places   []int           // of these in what was given; nil: the same
	size     int             // of them all, if MaxBytes is set
	failures map[int]error   // of the others
}

// measure returns which of records can be held: they have a size, and the spool, if it
// can say so, will take them.
func (o *Options) measure(records []record.Record) (g batch) {
	g.records = records
	fitter, _ := o.Spool.(spool.Fitter)
	if o.MaxBytes == 0 && fitter == nil {
		return g
	}
	for i, r := range records {
		n, err := o.size(r)
		if err == nil && fitter != nil {
			err = fitter.Fits(r)
		}
		if err != nil {
			g.refuse(i, err)
			continue
		}
		g.size = plus(g.size, n)
	}
	if g.failures == nil {
		return g
	}
	g.records = nil
	for i, r := range records {
		if g.failures[i] == nil {
			g.records, g.places = append(g.records, r), append(g.places, i)
		}
	}
	return g
}

// refuse notes that the record at index i failed for good.
func (g *batch) refuse(i int, err error) {
	if g.failures == nil {
		g.failures = make(map[int]error)
	}
	g.failures[i] = record.Permanent(err)
}

// failed returns the error of what was given, after some of records were refused.
func (g *batch) failed(refused map[int]error) error {
	for i, err := range refused {
		if g.places != nil {
			i = g.places[i]
		}
		g.refuse(i, err)
	}
	if g.failures == nil {
		return nil
	}
	return &record.Partial{Failed: g.failures}
}

// size returns the size of r, or 0 if it does not matter.
func (o *Options) size(r record.Record) (int, error) {
	if o.MaxBytes == 0 {
		return 0, nil
	}
	if o.Size != nil {
		n := o.Size(r)
		if n < 0 {
			return 0, fmt.Errorf("buffer: Size is %d, want at least 0", n)
		}
		return n, nil
	}
	n := payloadSize(r)
	if n < 0 {
		return 0, fmt.Errorf("buffer: payload is a %T, whose size is not known: "+
			"want a string or a byte slice, or Size to be set", r.Payload)
	}
	return n, nil
}

// payloadSize returns the length of a string or byte slice, and -1 of others.
func payloadSize(r record.Record) int {
	switch p := r.Payload.(type) {
	case string:
		return len(p)
	case []byte:
		return len(p)
	}
	v := reflect.ValueOf(r.Payload)
	if v.Kind() == reflect.String || v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
		return v.Len()
	}
	return -1
}

// plus adds sizes without overflow.
func plus(a, b int) int {
	if a > math.MaxInt-b {
		return math.MaxInt
	}
	return a + b
}
