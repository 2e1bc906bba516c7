package buffer_test

import (
	"errors"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/record"
)

func TestRecordsWithoutSizeFailAlone(t *testing.T) {
	negative := func(r record.Record) int { return r.Payload.(int) }
	for _, test := range []struct {
		name    string
		size    func(record.Record) int
		payload any
		cause   string
	}{
		{"no string", nil, 7, "payload is a int, whose size is not known"},
		{"nil", nil, nil, "payload is a <nil>"},
		{"a list", nil, []int{7}, "payload is a []int"},
		{"negative", negative, -7, "Size is -7, want at least 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := buffer.New(&buffer.Options{MaxBytes: 10, Size: test.size})
			good := record.New("12345")
			if test.size != nil {
				good = record.New(5)
			}
			given := []record.Record{record.New(test.payload), good, record.New(test.payload), good}
			kept := slices.Clone(given)
			out, err := b.Process(t.Context(), given)
			partial := record.AsPartial(err)
			require.NotNil(t, partial)
			assert.Equal(t, []int{0, 2}, partial.Indices())
			assert.ErrorContains(t, err, test.cause)
			assert.True(t, record.IsPermanent(err))
			assert.Len(t, out, 2, "the others reach the size")
			assert.Equal(t, kept, given, "what is given is read-only")

			// What is held is released although all that is given fails.
			process(t, b, good)
			b.Flush()
			out, err = b.Process(t.Context(), given[:1])
			assert.Equal(t, []int{0}, record.AsPartial(err).Indices())
			assert.Len(t, out, 1)
		})
	}
}

// What a call was given when it failed is given again, so it must not be held too.
func TestFailuresTakeNothing(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name string
		arm  func(o *buffer.Options, on *bool)
	}{
		{"a controller fails", func(o *buffer.Options, on *bool) {
			o.Controllers = []buffer.Controller{func([]record.Record) (bool, error) {
				if *on {
					return true, broken
				}
				return false, nil
			}}
		}},
		{"a controller panics", func(o *buffer.Options, on *bool) {
			o.Controllers = []buffer.Controller{func([]record.Record) (bool, error) {
				if *on {
					panic(broken)
				}
				return false, nil
			}}
		}},
		{"a controller ends the goroutine", func(o *buffer.Options, on *bool) {
			o.OnControllerError = func(error) {}
			o.Controllers = []buffer.Controller{func([]record.Record) (bool, error) {
				if *on {
					runtime.Goexit()
				}
				return false, nil
			}}
		}},
		{"the handler panics", func(o *buffer.Options, on *bool) {
			o.OnControllerError = func(error) {
				if *on {
					panic(broken)
				}
			}
			o.Controllers = []buffer.Controller{func([]record.Record) (bool, error) { return false, broken }}
		}},
		{"the size panics", func(o *buffer.Options, on *bool) {
			o.MaxBytes = 100
			o.Size = func(record.Record) int {
				if *on {
					panic(broken)
				}
				return 1
			}
		}},
		{"the reset panics", func(o *buffer.Options, on *bool) {
			o.OnReset = func() {
				if *on {
					panic(broken)
				}
			}
		}},
	} {
		for _, held := range []int{0, 2} {
			t.Run(test.name, func(t *testing.T) {
				opts := &buffer.Options{Count: 5}
				on := false
				test.arm(opts, &on)
				b := buffer.New(opts)
				assert.Nil(t, process(t, b, records(1, held)...))
				on = true
				given := records(held+1, 6)
				for range 2 {
					assert.Error(t, failing(t, b, given))
					assert.Equal(t, record.Holding{Records: held, Span: held}, b.Holding())
				}
				on = false
				assert.Equal(t, ints(1, 6), process(t, b, given...))
			})
		}
	}
}

// failing calls Process as a link does and returns how it failed.
func failing(t *testing.T, b *buffer.Buffer, given []record.Record) (err error) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = errors.New("the goroutine was ended")
		defer func() {
			if v := recover(); v != nil {
				err = v.(error)
			}
		}()
		var out []record.Record
		out, err = b.Process(t.Context(), given)
		assert.Nil(t, out)
	}()
	<-done
	return err
}

func TestFailedFlushStaysAsked(t *testing.T) {
	on := true
	b := buffer.New(&buffer.Options{Count: 5, OnReset: func() {
		if on {
			panic(errors.New("broken"))
		}
	}})
	process(t, b, records(1, 2)...)
	b.Flush()
	require.Error(t, failing(t, b, nil))
	on = false
	assert.Equal(t, ints(1, 2), process(t, b))
}

func TestControllerErrors(t *testing.T) {
	broken := errors.New("broken")
	failed := func([]record.Record) (bool, error) { return true, broken }
	t.Run("told", func(t *testing.T) {
		var told []error
		opts := &buffer.Options{Count: 2, OnControllerError: func(err error) { told = append(told, err) }}
		opts.Controllers = []buffer.Controller{
			never, failed,
			func([]record.Record) (bool, error) { panic(broken) },
			func([]record.Record) (bool, error) { panic("by hand") },
		}
		b := buffer.New(opts)
		assert.Nil(t, process(t, b, records(1, 1)...), "a no")
		require.Len(t, told, 3)
		assert.EqualError(t, told[0], "buffer: Controllers[1]: broken")
		assert.ErrorIs(t, told[0], broken)
		assert.ErrorContains(t, told[1], "buffer: Controllers[2]: panic: broken\n")
		assert.ErrorIs(t, told[1], broken)
		assert.ErrorContains(t, told[1], "failure_test.go:", "the stack")
		assert.ErrorContains(t, told[2], "buffer: Controllers[3]: panic: by hand\n")
		assert.Equal(t, ints(1, 2), process(t, b, records(2, 2)...), "the other rules go on")
	})
	t.Run("returned", func(t *testing.T) {
		b := buffer.New(&buffer.Options{Count: 1, Controllers: []buffer.Controller{never, failed}})
		out, err := b.Process(t.Context(), records(1, 1))
		assert.EqualError(t, err, "buffer: Controllers[1]: broken")
		assert.ErrorIs(t, err, broken)
		assert.Nil(t, record.AsPartial(err))
		assert.Nil(t, out)
	})
	t.Run("panic", func(t *testing.T) {
		b := buffer.New(&buffer.Options{Controllers: []buffer.Controller{func([]record.Record) (bool, error) { panic("by hand") }}})
		assert.PanicsWithValue(t, "by hand", func() { _, _ = b.Process(t.Context(), records(1, 1)) })
	})
}
