package buffer

import (
	"fmt"
	"math"
	"reflect"
	"runtime/debug"
	"time"

	"github.com/databay-go/databay/record"
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
		if yes := len(r.held) >= o.Count; yes != o.All {
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

// measure returns the records that have a size, the sum of these sizes, and a
// Partial of those that have none.
func (o *Options) measure(records []record.Record) (sized []record.Record, sum int, failed error) {
	if o.MaxBytes == 0 {
		return records, 0, nil
	}
	size := o.Size
	if size == nil {
		size = payloadSize
	}
	var failures record.Failures
	for i, r := range records {
		n := size(r)
		if n < 0 {
			failures.Add(i, o.sizeless(r, n))
			continue
		}
		sum = plus(sum, n)
	}
	failed = failures.Err()
	if failed == nil {
		return records, sum, nil
	}
	for i, r := range records {
		if !failures.Has(i) {
			sized = append(sized, r)
		}
	}
	return sized, sum, failed
}

func (o *Options) sizeless(r record.Record, n int) error {
	if o.Size == nil {
		return record.Permanent(fmt.Errorf("buffer: payload is a %T, whose size is not known: "+
			"want a string or a byte slice, or Size to be set", r.Payload))
	}
	return record.Permanent(fmt.Errorf("buffer: Size is %d, want at least 0", n))
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
