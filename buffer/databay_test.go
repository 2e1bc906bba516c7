package buffer_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/record"
)

// Where a Buffer does as Databay's does or says, and where it does not.
func TestDatabay(t *testing.T) {
	for _, row := range []struct {
		name string
		test func(t *testing.T)
	}{
		{"count_threshold: released at the count", func(t *testing.T) {
			b := buffer.New(&buffer.Options{Count: 10})
			assert.Nil(t, process(t, b, records(1, 4)...))
			assert.Nil(t, process(t, b, records(5, 8)...))
			assert.Equal(t, ints(1, 10), process(t, b, records(9, 10)...))
		}},
		{"time_threshold: since the first stored record", func(t *testing.T) {
			b := buffer.New(&buffer.Options{MaxAge: time.Minute})
			assert.Nil(t, process(t, b, records(1, 1)...))
			time.Sleep(59 * time.Second)
			assert.Nil(t, process(t, b, records(2, 2)...))
			time.Sleep(time.Second)
			assert.Equal(t, ints(1, 3), process(t, b, records(3, 3)...))
		}},
		{"custom controllers: a list", func(t *testing.T) {
			big := func(held []record.Record) (bool, error) { return held[len(held)-1].Payload.(int) > 10, nil }
			b := buffer.New(&buffer.Options{Controllers: []buffer.Controller{never, big}})
			assert.Nil(t, process(t, b, records(1, 5)...))
			assert.Equal(t, ints(1, 11), process(t, b, records(6, 11)...))
		}},
		{"conjugate_controllers: False is any, True is all", func(t *testing.T) {
			or := buffer.New(&buffer.Options{Count: 10, MaxAge: time.Minute})
			and := buffer.New(&buffer.Options{Count: 10, MaxAge: time.Minute, All: true})
			assert.Nil(t, process(t, or, records(1, 1)...))
			assert.Nil(t, process(t, and, records(1, 1)...))
			assert.Equal(t, ints(1, 10), process(t, or, records(2, 10)...))
			assert.Nil(t, process(t, and, records(2, 10)...))
			time.Sleep(time.Minute)
			assert.Equal(t, ints(1, 10), process(t, and))
		}},
		{"order custom, count, time; short circuit", func(t *testing.T) {
			for _, all := range []bool{false, true} {
				var order []string
				rule := func(name string, yes bool) buffer.Controller {
					return func([]record.Record) (bool, error) { order = append(order, name); return yes, nil }
				}
				b := buffer.New(&buffer.Options{All: all, Count: 1, Controllers: []buffer.Controller{
					rule("first", all), rule("second", !all), rule("third", true),
				}})
				process(t, b, records(1, 1)...)
				assert.Equal(t, []string{"first", "second"}, order)
			}
		}},
		{"a controller that raises is logged and passed over", func(t *testing.T) {
			logged := 0
			b := buffer.New(&buffer.Options{
				Count:             2,
				Controllers:       []buffer.Controller{func([]record.Record) (bool, error) { panic("raised") }},
				OnControllerError: func(error) { logged++ },
			})
			assert.Nil(t, process(t, b, records(1, 1)...))
			assert.Equal(t, ints(1, 2), process(t, b, records(2, 2)...))
			assert.Equal(t, 2, logged)
		}},
		{"flush forces the next call to release", func(t *testing.T) {
			b := buffer.New(&buffer.Options{Count: 4000})
			assert.Nil(t, process(t, b, records(1, 3)...))
			b.Flush()
			assert.Equal(t, ints(1, 3), process(t, b))
			assert.Nil(t, process(t, b, records(4, 4)...))
		}},
		{"reset empties, restarts counters, calls on_reset", func(t *testing.T) {
			resets := 0
			b := buffer.New(&buffer.Options{Count: 2, MaxAge: time.Minute, OnReset: func() { resets++ }})
			assert.Nil(t, process(t, b, records(1, 1)...))
			time.Sleep(59 * time.Second)
			b.Reset()
			assert.Nil(t, process(t, b, records(2, 2)...))
			time.Sleep(59 * time.Second)
			assert.Nil(t, process(t, b))
			assert.Equal(t, 1, resets)
		}},
		{"release also resets", func(t *testing.T) {
			resets := 0
			b := buffer.New(&buffer.Options{Count: 2, MaxAge: time.Minute, OnReset: func() { resets++ }})
			assert.Equal(t, ints(1, 2), process(t, b, records(1, 2)...))
			assert.Equal(t, 1, resets)
			time.Sleep(time.Minute)
			assert.Nil(t, process(t, b, records(3, 3)...))
		}},
		{"buffer time: from the oldest held record", func(t *testing.T) {
			b := buffer.New(&buffer.Options{MaxAge: time.Minute})
			assert.Nil(t, process(t, b), "a call without records starts nothing")
			time.Sleep(time.Hour)
			assert.Nil(t, process(t, b, records(1, 1)...))
			assert.Equal(t, time.Now().Add(time.Minute), b.Holding().Wake)

			both := buffer.New(&buffer.Options{Count: 2, MaxAge: time.Minute, All: true})
			assert.Nil(t, process(t, both, records(1, 1)...))
			time.Sleep(time.Minute)
			assert.Equal(t, ints(1, 2), process(t, both, records(2, 2)...), "also where the count is reached late")
		}},
		{"buffer flags: flush of an empty buffer is done", func(t *testing.T) {
			b := buffer.New(&buffer.Options{Count: 2})
			b.Flush()
			assert.Nil(t, process(t, b))
			assert.Nil(t, process(t, b, records(1, 1)...))
		}},
		{"buffer flags: no controllers: a pass-through", func(t *testing.T) {
			for _, all := range []bool{false, true} {
				b := buffer.New(&buffer.Options{All: all})
				assert.Equal(t, ints(1, 2), process(t, b, records(1, 2)...))
				assert.Zero(t, b.Holding())
			}
		}},
		{"buffer flags: a failing controller counts as no, and is reported", func(t *testing.T) {
			for _, all := range []bool{false, true} {
				reported := 0
				b := buffer.New(&buffer.Options{
					All:               all,
					Controllers:       []buffer.Controller{func([]record.Record) (bool, error) { return true, errors.New("failed") }},
					OnControllerError: func(error) { reported++ },
				})
				assert.Nil(t, process(t, b, records(1, 1)...))
				assert.Equal(t, 1, reported)
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) { synctest.Test(t, row.test) })
	}
}
