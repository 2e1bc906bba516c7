package planner

import (
	"runtime/debug"

	"github.com/databay-go/databay/link"
)

// caught makes an error of what ended a call of user code: a deferred function
// calls it with the result of recover if the call has not returned.
func caught(value any) error { return &link.PanicError{Value: value, Stack: debug.Stack()} }

// guard calls f, and returns an error if it panics. If it calls runtime.Goexit, the
// goroutine ends: guard does not return then.
func guard(f func()) (err error) {
	returned := false
	defer func() {
		if !returned {
			if v := recover(); v != nil {
				err = caught(v)
			}
		}
	}()
	f()
	returned = true
	return nil
}
