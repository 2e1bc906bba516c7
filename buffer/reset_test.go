package buffer_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/record"
)

func TestControllersMayCallTheBuffer(t *testing.T) {
	var b *buffer.Buffer
	var held []int
	look := func() { held = append(held, b.Holding().Records) }
	b = buffer.New(&buffer.Options{
		Controllers: []buffer.Controller{func(held []record.Record) (bool, error) {
			look()
			if len(held) == 2 {
				b.Flush() // is for the next call
			}
			return false, nil
		}},
		OnReset: look,
	})
	process(t, b, records(1, 1)...)
	assert.Nil(t, process(t, b, records(2, 2)...))
	assert.Equal(t, ints(1, 3), process(t, b, records(3, 3)...))
	assert.Equal(t, []int{0, 1, 0}, held, "before the call while rules are asked, nothing at a reset")
}

func TestFlush(t *testing.T) {
	b := buffer.New(&buffer.Options{Count: 10})
	process(t, b, records(1, 2)...)
	b.Flush()
	assert.Equal(t, 2, b.Holding().Records, "it does nothing else")
	b.Flush()
	assert.Equal(t, ints(1, 4), process(t, b, records(3, 4)...), "what is given too")
	assert.Nil(t, process(t, b, records(5, 5)...), "once")
	b.Flush()
	assert.Equal(t, ints(5, 5), process(t, b), "with no records")
	b.Flush()
	assert.Equal(t, ints(6, 6), process(t, b, records(6, 6)...), "with nothing held")
}

func TestFlushAsksNoRule(t *testing.T) {
	broken := func([]record.Record) (bool, error) { panic("asked") }
	b := buffer.New(&buffer.Options{All: true, Count: 10, Controllers: []buffer.Controller{broken}})
	b.Flush()
	assert.Equal(t, ints(1, 2), process(t, b, records(1, 2)...))
}

func TestReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resets := 0
		b := buffer.New(&buffer.Options{Count: 3, MaxAge: time.Minute, OnReset: func() { resets++ }})
		assert.Nil(t, process(t, b, records(1, 2)...))
		b.Flush()
		b.Reset()
		assert.Equal(t, 1, resets)
		assert.Zero(t, b.Holding())
		time.Sleep(time.Minute)
		assert.Nil(t, process(t, b, records(3, 4)...), "count, age and flush begin anew")
		assert.Equal(t, ints(3, 5), process(t, b, records(5, 5)...))
		assert.Equal(t, 2, resets)
		assert.Nil(t, process(t, b))
		assert.Equal(t, 2, resets, "nothing was released")
		b.Reset()
		assert.Equal(t, 3, resets, "every Reset")
	})
}

func TestResetWithoutCallback(t *testing.T) {
	b := buffer.New(&buffer.Options{Count: 3})
	process(t, b, records(1, 2)...)
	b.Reset()
	assert.Zero(t, b.Holding())
}

func TestStart(t *testing.T) {
	resets := 0
	b := buffer.New(&buffer.Options{Count: 3, OnReset: func() { resets++ }})
	require.NoError(t, b.Start(t.Context()))
	assert.Zero(t, resets, "nothing was held")
	process(t, b, records(1, 2)...)
	b.Flush()
	require.NoError(t, b.Start(t.Context()))
	assert.Equal(t, 1, resets)
	assert.Zero(t, b.Holding())
	assert.Nil(t, process(t, b, records(3, 4)...), "it begins empty, with no flush asked for")
}

func TestResetWhileRulesAreAsked(t *testing.T) {
	for _, release := range []bool{false, true} {
		for _, given := range []int{0, 1} {
			var b *buffer.Buffer
			armed := false
			b = buffer.New(&buffer.Options{Controllers: []buffer.Controller{func([]record.Record) (bool, error) {
				if armed {
					done := make(chan struct{})
					go func() { b.Reset(); close(done) }()
					<-done
				}
				return armed && release, nil
			}}})
			process(t, b, records(1, 2)...)
			armed = true
			out := process(t, b, records(3, 2+given)...)
			if release {
				assert.Equal(t, ints(3, 2+given), out, "what was held is discarded, what is given is not")
				assert.Zero(t, b.Holding())
			} else {
				assert.Nil(t, out)
				assert.Equal(t, given, b.Holding().Records)
			}
		}
	}
}

func TestOtherMethodsAreConcurrent(t *testing.T) {
	b := buffer.New(&buffer.Options{Count: 50, MaxAge: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			for ctx.Err() == nil {
				if h := b.Holding(); h.Records < 0 || h.Records >= 50 || (h.Records > 0) == h.Wake.IsZero() {
					t.Errorf("impossible: %+v", h)
				}
				b.Flush()
				runtime.Gosched()
			}
		})
	}
	var got []any
	for i := range 1000 {
		got = append(got, process(t, b, records(3*i, 3*i+2)...)...)
	}
	cancel()
	group.Wait()
	b.Flush()
	got = append(got, process(t, b)...)
	assert.Equal(t, ints(0, 2999), got)
}

func TestResetWhileAFailingRuleIsAsked(t *testing.T) {
	var b *buffer.Buffer
	armed := false
	b = buffer.New(&buffer.Options{Controllers: []buffer.Controller{func([]record.Record) (bool, error) {
		if armed {
			b.Reset()
			return false, errors.New("broken")
		}
		return false, nil
	}}})
	process(t, b, records(1, 2)...)
	armed = true
	_, err := b.Process(t.Context(), records(3, 3))
	require.Error(t, err)
	assert.Zero(t, b.Holding(), "what was discarded does not come back")
}
