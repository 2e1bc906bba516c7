package buffer_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/record"
)

func TestMaxAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := buffer.New(&buffer.Options{MaxAge: time.Minute})
		assert.Zero(t, b.Holding())
		start := time.Now()
		assert.Nil(t, process(t, b, records(1, 2)...))
		time.Sleep(40 * time.Second)
		assert.Nil(t, process(t, b, records(3, 3)...))
		assert.Equal(t, record.Holding{Records: 3, Span: 3, Wake: start.Add(time.Minute)}, b.Holding(), "from the oldest")
		time.Sleep(20*time.Second - time.Nanosecond)
		assert.Nil(t, process(t, b))
		time.Sleep(time.Nanosecond)
		assert.Equal(t, ints(1, 3), process(t, b), "at the age, with nothing given")
		assert.Zero(t, b.Holding())

		time.Sleep(time.Hour)
		assert.Nil(t, process(t, b, records(4, 4)...), "the age begins anew")
		assert.Equal(t, time.Now().Add(time.Minute), b.Holding().Wake)
	})
}

// A Wake that has passed and released nothing moves on, or a planner would call
// again and again.
func TestWakeMoves(t *testing.T) {
	age := time.Minute
	for _, test := range []struct {
		name  string
		opts  buffer.Options
		wakes bool
		fails bool
	}{
		{"another rule says no", buffer.Options{All: true, Controllers: []buffer.Controller{never}}, true, false},
		{"a failing rule says no", buffer.Options{All: true, OnControllerError: func(error) {}, Controllers: []buffer.Controller{
			func([]record.Record) (bool, error) { return false, errors.New("broken") },
		}}, true, false},
		{"count would say no", buffer.Options{All: true, Count: 2}, false, false},
		{"bytes would say no", buffer.Options{All: true, MaxBytes: 2}, false, false},
		{"count says yes", buffer.Options{All: true, Count: 1, Controllers: []buffer.Controller{never}}, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.opts.MaxAge = age
				b := buffer.New(&test.opts)
				assert.Nil(t, process(t, b, record.New("1")))
				for range 3 {
					wake := b.Holding().Wake
					if !test.wakes {
						assert.Zero(t, wake)
						time.Sleep(age)
					} else {
						assert.Equal(t, time.Now().Add(age), wake)
						time.Sleep(age / 2)
						assert.Nil(t, process(t, b))
						assert.Equal(t, wake, b.Holding().Wake, "it has not passed yet")
						time.Sleep(age / 2)
					}
					assert.Nil(t, process(t, b))
				}
			})
		})
	}
	t.Run("a failing call", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			broken := false
			b := buffer.New(&buffer.Options{MaxAge: age, Controllers: []buffer.Controller{
				func([]record.Record) (bool, error) {
					if broken {
						return false, errors.New("broken")
					}
					return false, nil
				},
			}})
			process(t, b, records(1, 1)...)
			broken = true
			time.Sleep(age)
			_, err := b.Process(t.Context(), nil)
			require.Error(t, err)
			assert.Equal(t, time.Now().Add(age), b.Holding().Wake)
			broken = false
			assert.Equal(t, ints(1, 1), process(t, b), "the age itself is as it was")
		})
	})
}
