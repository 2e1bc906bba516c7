package buffer_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
	"github.com/databay-go/databay/spool/boltspool"
	"github.com/databay-go/databay/testkit"
)

// disk is a spool in memory that survives the buffers of a test. It takes integers.
type disk struct {
	mu      sync.Mutex
	seq     int64
	entries []spool.Entry
	room    int                       // records; 0: no bound
	call    func(method string) error // nil: nothing happens
	chunk   int                       // the most that Read returns; 0: no bound
}

func (d *disk) do(method string) error {
	if d.call != nil {
		return d.call(method)
	}
	return nil
}

func (d *disk) Append(_ context.Context, records []record.Record) error {
	if err := d.do("Append"); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var failures record.Failures
	var fit []spool.Entry
	for i, r := range records {
		if _, ok := r.Payload.(int); !ok {
			failures.Add(i, record.Permanent(fmt.Errorf("payload is a %T, want int", r.Payload)))
			continue
		}
		fit = append(fit, spool.Entry{Seq: d.seq + int64(len(fit)) + 1, Record: r})
	}
	if d.room > 0 && len(d.entries)+len(fit) > d.room {
		return spool.ErrFull
	}
	d.seq += int64(len(fit))
	d.entries = append(d.entries, fit...)
	return failures.Err()
}

func (d *disk) Read(_ context.Context, after int64, n int) (all []spool.Entry, err error) {
	if err := d.do("Read"); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.chunk > 0 {
		n = min(n, d.chunk)
	}
	for _, e := range d.entries {
		if e.Seq > after && len(all) < n {
			all = append(all, e)
		}
	}
	return all, nil
}

func (d *disk) Remove(_ context.Context, seqs []int64) error {
	if err := d.do("Remove"); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = slices.DeleteFunc(d.entries, func(e spool.Entry) bool { return slices.Contains(seqs, e.Seq) })
	return nil
}

func (d *disk) Stats() spool.Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return spool.Stats{Records: len(d.entries)}
}

func (d *disk) has() (all []any) {
	for _, e := range d.entries {
		all = append(all, e.Record.Payload)
	}
	return all
}

// fitting is a disk that can say what it takes.
type fitting struct{ *disk }

func (f fitting) Fits(r record.Record) error {
	if _, ok := r.Payload.(int); !ok {
		return fmt.Errorf("payload is a %T, want int", r.Payload)
	}
	return nil
}

func overflowing(s spool.Spool, pending int, opts buffer.Options) *buffer.Buffer {
	opts.Spool, opts.Pending = s, pending
	return buffer.New(&opts)
}

func TestOverflow(t *testing.T) {
	d := &disk{chunk: 2}
	resets := 0
	b := overflowing(d, 4, buffer.Options{Count: 10, OnReset: func() { resets++ }})
	require.NoError(t, b.Start(t.Context()))
	last := 0
	for _, step := range []struct {
		upTo     int // the last number that is given
		disk     []any
		holding  record.Holding
		released []any
	}{
		{3, nil, record.Holding{Records: 3, Span: 3}, nil},
		{5, ints(1, 5), record.Holding{Records: 5}, nil},
		{6, ints(1, 5), record.Holding{Records: 6, Span: 1}, nil},
		{9, ints(1, 9), record.Holding{Records: 9}, nil},
		{11, ints(1, 9), record.Holding{Released: 9}, ints(1, 11)},
		{13, ints(1, 9), record.Holding{Records: 2, Span: 2, Released: 9}, nil},
		{17, append(ints(1, 9), ints(12, 17)...), record.Holding{Records: 6, Released: 9}, nil},
		{22, append(ints(1, 9), ints(12, 17)...), record.Holding{Released: 15}, ints(12, 22)},
		{32, append(ints(1, 9), ints(12, 17)...), record.Holding{Released: 15}, ints(23, 32)},
	} {
		assert.Equal(t, step.released, process(t, b, records(last+1, step.upTo)...), "up to %d", step.upTo)
		assert.Equal(t, step.holding, b.Holding(), "up to %d", step.upTo)
		assert.Equal(t, step.disk, d.has(), "up to %d", step.upTo)
		last = step.upTo
	}
	assert.Equal(t, 3, resets)

	for _, step := range []struct {
		settled int64
		disk    []any
	}{
		{0, append(ints(1, 9), ints(12, 17)...)},
		{9, ints(12, 17)},
		{9, ints(12, 17)},
		{15, nil},
	} {
		require.NoError(t, b.Settled(t.Context(), step.settled))
		assert.Equal(t, step.disk, d.has(), "settled up to %d", step.settled)
	}
	assert.Nil(t, process(t, b, records(1, 4)...))
	assert.Equal(t, ints(1, 4), d.has(), "the next round")
}

// What is delivered is not in the spool, what is not delivered is: whenever the process
// ends, another buffer releases the latter, first and in order.
func TestWhatIsNotSettledComesAgain(t *testing.T) {
	for _, test := range []struct {
		name  string
		given int   // of 5 a call
		upTo  int64 // which is settled
		want  []any // what the other buffer releases, with 100
	}{
		{"held", 5, -1, append(ints(1, 5), 100)},
		{"held in several calls", 15, -1, append(ints(1, 15), 100)},
		{"released", 20, -1, append(ints(1, 15), 100)},
		{"delivered", 20, 15, nil},
		{"delivered, and others held", 25, 15, append(ints(21, 25), 100)},
		{"released, and others held", 25, -1, append(append(ints(1, 15), ints(21, 25)...), 100)},
		{"half of it delivered", 40, 15, append(ints(21, 35), 100)},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := new(disk)
			b := overflowing(d, 3, buffer.Options{Count: 20})
			require.NoError(t, b.Start(t.Context()))
			for i := 1; i <= test.given; i += 5 {
				process(t, b, records(i, i+4)...)
			}
			require.NoError(t, b.Settled(t.Context(), test.upTo))

			for _, again := range []*buffer.Buffer{b, overflowing(d, 3, buffer.Options{Count: 20})} {
				require.NoError(t, again.Start(t.Context()))
				assert.Equal(t, record.Holding{Records: len(d.has())}, again.Holding())
				assert.Equal(t, test.want, process(t, again, record.New(100)))
			}
		})
	}
}

func TestReadRecordsAreSpooled(t *testing.T) {
	b := overflowing(new(disk), 2, buffer.Options{Count: 3})
	given := records(1, 3)
	record.Stamp(given[:1], &record.Origin{Inlet: "a"})
	record.Stamp(given[1:], &record.Origin{Inlet: "b"})
	process(t, b, given[:2]...)
	out, err := b.Process(t.Context(), given[2:])
	require.NoError(t, err)
	assert.Equal(t, &record.Origin{Inlet: "a", Spooled: true}, out[0].Origin())
	assert.Equal(t, &record.Origin{Inlet: "b", Spooled: true}, out[1].Origin())
	assert.Equal(t, &record.Origin{Inlet: "b"}, out[2].Origin(), "it was in memory only")
}

func TestOverflowFlush(t *testing.T) {
	d := new(disk)
	b := overflowing(d, 2, buffer.Options{Count: 100})
	process(t, b, records(1, 3)...)
	b.Flush()
	assert.Equal(t, ints(1, 3), process(t, b))
	b.Flush()
	assert.Nil(t, process(t, b))
	assert.Nil(t, process(t, b, records(4, 4)...))
}

func TestOverflowOfASize(t *testing.T) {
	d := new(disk)
	size := func(r record.Record) int { return r.Payload.(int) }
	b := overflowing(d, 2, buffer.Options{MaxBytes: 10, Size: size})
	for i := 1; i <= 3; i++ {
		assert.Nil(t, process(t, b, records(i, i)...))
	}
	assert.Equal(t, ints(1, 2), d.has())
	assert.Equal(t, ints(1, 4), process(t, b, records(4, 4)...))
}

// The age is that of the oldest record, on disk or not.
func TestOverflowAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		b := overflowing(new(disk), 2, buffer.Options{MaxAge: time.Minute})
		assert.Nil(t, process(t, b, records(1, 2)...))
		time.Sleep(30 * time.Second)
		assert.Nil(t, process(t, b, records(3, 3)...))
		assert.Equal(t, record.Holding{Records: 3, Span: 1, Wake: began.Add(time.Minute)}, b.Holding())
		time.Sleep(30 * time.Second)
		assert.Equal(t, ints(1, 3), process(t, b))
		assert.Zero(t, b.Holding().Wake)
	})
}

// What is discarded is neither released nor comes again.
func TestOverflowReset(t *testing.T) {
	d := &disk{chunk: 2}
	b := overflowing(d, 3, buffer.Options{Count: 7})
	process(t, b, records(1, 3)...)
	process(t, b, records(4, 7)...) // released, and not delivered yet
	process(t, b, records(8, 12)...)
	process(t, b, records(13, 13)...)
	b.Reset()
	assert.Equal(t, record.Holding{Released: 3}, b.Holding())
	d.call = func(string) error { return errBroken }
	assert.ErrorIs(t, failing(t, b, records(14, 16)), errBroken)
	d.call = nil
	assert.Nil(t, process(t, b, records(14, 16)...))
	assert.Equal(t, append(ints(1, 3), ints(14, 16)...), d.has())
	b.Reset()
	b.Reset()
	assert.Nil(t, process(t, b))
	assert.Equal(t, ints(1, 3), d.has(), "it is not delivered yet")
	require.NoError(t, b.Settled(t.Context(), b.Holding().Released))
	assert.Nil(t, d.has())
	assert.Equal(t, ints(17, 23), process(t, b, records(17, 23)...))
}

// Holding, Flush and Settled may be called at any time.
func TestOverflowConcurrently(t *testing.T) {
	d := new(disk)
	b := overflowing(d, 3, buffer.Options{Count: 20})
	done := make(chan struct{})
	var others sync.WaitGroup
	for _, f := range []func(){
		func() { b.Holding() },
		b.Flush,
		func() { assert.NoError(t, b.Settled(t.Context(), b.Holding().Released)) },
	} {
		others.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					f()
					runtime.Gosched()
				}
			}
		})
	}
	var out []any
	for i := 1; i <= 2000; i += 4 {
		out = append(out, process(t, b, records(i, i+3)...)...)
	}
	close(done)
	others.Wait()
	b.Flush()
	out = append(out, process(t, b)...)
	assert.Equal(t, ints(1, 2000), out)
	require.NoError(t, b.Settled(t.Context(), b.Holding().Released))
	assert.Nil(t, d.has())
}

func TestOverflowConforms(t *testing.T) {
	type row = map[string]any
	sample := func(i int) record.Record { return record.New(row{"n": float64(i)}) }
	for _, pending := range []int{1, 3, 100} {
		t.Run(strconv.Itoa(pending), func(t *testing.T) {
			testkit.TestProcessor(t, func(t *testing.T) record.Processor {
				s := boltspool.New(filepath.Join(t.TempDir(), "held.spool"), spool.JSON[row](), nil)
				require.NoError(t, s.Start(context.Background()))
				t.Cleanup(func() { require.NoError(t, s.Shutdown(context.Background())) })
				return overflowing(s, pending, buffer.Options{Count: 6, MaxAge: time.Minute})
			}, sample, &testkit.ProcessorOptions{Conserves: true, Durable: true})
		})
	}
}
