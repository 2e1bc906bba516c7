package planner

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/databay-go/databay/planner/internal/goroutine"
	"github.com/databay-go/databay/schedule"
)

// maxSleep bounds how long a ticker sleeps, so that it notices when the wall clock
// is set, or the machine was suspended.
const maxSleep = time.Minute

// TickerOptions adjusts the ticker trigger. The zero value is a good default.
type TickerOptions struct {
	// Resolution is the smallest step a schedule may have: one whose first two
	// instants are closer together is refused. If zero, any step will do.
	Resolution time.Duration
}

// NewTicker returns the [Trigger] that planners use by default: one goroutine, one
// timer, and the schedules in the order of their next instants. Its emits are never
// concurrent, and those of instants found due together come in order.
//
// A schedule that panics or calls runtime.Goexit ends; the others go on. When the
// wall clock is set, that is noticed within a minute.
func NewTicker(opts *TickerOptions) Trigger {
	t := &ticker{
		alarms: make(map[string]*alarm),
		wake:   make(chan struct{}, 1),
		done:   make(chan struct{}),
	}
	if opts != nil {
		t.opts = *opts
	}
	return t
}

// ticker is one goroutine around a heap of alarms. What is due at a wake-up stays in
// the heap until all of it has been emitted, and is then put to its next instants
// at once: for many alarms that are due together that costs next to nothing.
type ticker struct {
	opts    TickerOptions
	wake    chan struct{} // the first instant may have changed, or Stop was called
	done    chan struct{} // closed when the goroutine has ended for good
	stopped atomic.Bool

	mu      sync.Mutex
	axis    axis // its base is set when the first alarm is
	alarms  map[string]*alarm
	heap    alarmHeap
	touched bool       // something was removed since the batch was taken
	emit    func(Tick) // set by Start
	worker  uint64     // the goroutine

	// Of the goroutine.
	batch []*alarm // what was found due together
	next  int      // the first of them that is not emitted
}

// Validate reports a resolution below 0.
func (t *ticker) Validate() error {
	if t.opts.Resolution < 0 {
		return fmt.Errorf("TickerOptions.Resolution is %v, want 0 for none or more", t.opts.Resolution)
	}
	return nil
}

// Add is part of [Trigger].
func (t *ticker) Add(id string, s schedule.Schedule, after time.Time) error {
	first := s.Next(after)
	if err := t.step(id, s, first); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.stopped.Load():
		return errTriggerStopped
	case t.alarms[id] != nil:
		return fmt.Errorf("planner: the trigger has a schedule for %q already", id)
	case first.IsZero():
		return nil
	}
	if t.axis.base.IsZero() {
		t.axis.base = time.Now()
	}
	a := &alarm{id: id, s: s, due: first, at: t.axis.place(first)}
	t.alarms[id] = a
	t.heap.push(a)
	if a.place == 0 {
		t.signal()
	}
	return nil
}

// Fits is asked by New and Add of the planner, see [Trigger].
func (t *ticker) Fits(id string, s schedule.Schedule) error {
	if t.opts.Resolution <= 0 {
		return nil // s is not even asked
	}
	now := time.Now()
	if b, ok := s.(schedule.Binder); ok {
		s = b.Bind(id, now)
	}
	return t.step(id, s, s.Next(now))
}

// step refuses a schedule of too small a step.
func (t *ticker) step(id string, s schedule.Schedule, first time.Time) error {
	if t.opts.Resolution <= 0 || first.IsZero() {
		return nil
	}
	second := s.Next(first)
	if step := second.Sub(first); !second.IsZero() && step < t.opts.Resolution {
		return fmt.Errorf("planner: the schedule for %q has a step of %v, want no less than TickerOptions.Resolution, %v",
			id, step, t.opts.Resolution)
	}
	return nil
}

// Remove is part of [Trigger].
func (t *ticker) Remove(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.alarms[id]; a != nil {
		a.gone.Store(true)
		delete(t.alarms, id)
		t.heap.remove(a.place)
		t.touched = true
	}
}

// Start is part of [Trigger].
func (t *ticker) Start(emit func(Tick)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.stopped.Load():
		return errTriggerStopped
	case t.emit != nil:
		return errors.New("planner: the trigger was started before")
	}
	t.emit = emit
	go t.run()
	return nil
}

// Stop is part of [Trigger].
func (t *ticker) Stop() {
	t.mu.Lock()
	t.stopped.Store(true)
	started, worker := t.emit != nil, t.worker
	t.mu.Unlock()
	t.signal()
	if started && (worker == 0 || worker != goroutine.ID()) {
		<-t.done
	}
}

func (t *ticker) signal() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// run is the goroutine. If a schedule or emit calls runtime.Goexit, the next one
// goes on where it was.
func (t *ticker) run() {
	ended := false
	defer func() {
		if ended {
			close(t.done)
		} else {
			go t.run()
		}
	}()
	t.mu.Lock()
	t.worker = goroutine.ID()
	t.mu.Unlock()
	timer := time.NewTimer(maxSleep)
	defer timer.Stop()
	for {
		t.fire()
		sleep := t.collect()
		if t.stopped.Load() {
			break
		}
		if sleep > 0 {
			timer.Reset(sleep)
			select {
			case <-timer.C:
			case <-t.wake:
			}
		}
	}
	ended = true
}

// collect makes a batch of what is due, or returns how long nothing is.
func (t *ticker) collect() (sleep time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.heap) == 0 {
		return maxSleep
	}
	now := time.Now()
	if skew := t.axis.skewAt(now); (skew - t.axis.skew).Abs() > maxSkew {
		t.axis.skew = skew
		for _, a := range t.heap {
			a.at = t.axis.place(a.due)
		}
		t.heap.rebuild()
	}
	passed := now.Sub(t.axis.base)
	if first := t.heap[0].at; first > passed {
		return min(first-passed, maxSleep)
	}
	t.batch = t.heap.upTo(passed, t.batch)
	t.touched = false
	return 0
}

// fire emits what is left of the batch and puts its alarms to their next instants.
func (t *ticker) fire() {
	if len(t.batch) == 0 {
		return
	}
	now := time.Now()
	for t.next < len(t.batch) {
		if t.stopped.Load() {
			return
		}
		a := t.batch[t.next]
		due := a.due
		if !a.gone.Load() && !a.ended {
			a.proceed(now)
		}
		t.next++
		if !a.gone.Load() {
			t.emit(Tick{ID: a.id, Due: due})
		}
	}
	t.settle()
}

// proceed sets due to the instant after it and now. If asking for that fails in any
// way, the schedule has ended.
func (a *alarm) proceed(now time.Time) {
	defer func() { _ = recover() }()
	a.ended = true
	from := a.due
	if now.After(from) {
		from = now
	}
	if next := a.s.Next(from); next.After(a.due) {
		a.due, a.ended = next, false
	}
}

// settle puts the alarms of the batch to their next instants.
func (t *ticker) settle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.batch {
		switch {
		case a.gone.Load():
		case !a.ended:
			a.at = t.axis.place(a.due)
		default:
			a.gone.Store(true)
			a.at = math.MaxInt64
			delete(t.alarms, a.id)
		}
	}
	if t.touched {
		t.heap.rebuild()
	} else {
		t.heap.advance(t.batch)
	}
	clear(t.batch)
	t.batch, t.next = t.batch[:0], 0
}
