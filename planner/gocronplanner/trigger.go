package gocronplanner

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-co-op/gocron/v2"

	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/planner/internal/goroutine"
	"github.com/databay-go/databay/schedule"
)

var errStopped = errors.New("gocronplanner: the trigger is stopped")

// trigger is a [planner.Trigger]. gocron's jobs do nothing but start a goroutine of
// the trigger's, so that none of them is running for long, whatever a schedule does.
type trigger struct {
	opts []gocron.SchedulerOption
	emit func(planner.Tick) // set by Start
	over chan struct{}      // closed when gocron has been shut down

	mu        sync.Mutex
	change    sync.Cond        // alive or counted has changed
	scheduler gocron.Scheduler // set by Start
	stopped   bool
	alarms    map[string]*alarm

	// Goroutines that emit. Those that wait in a Stop themselves are not counted.
	inside  map[uint64]*bool // by goroutine: whether it is counted
	alive   int
	counted int
}

// alarm is one schedule. It is guarded by trigger.mu, but for next, which belongs to
// the goroutine that emits.
type alarm struct {
	id   string
	s    schedule.Schedule
	due  time.Time
	next time.Time
	job  gocron.Job
	shot int // counts the jobs: those before the last do nothing
	gone bool
}

// Validate returns the mistakes in the options for gocron.
func (t *trigger) Validate() error {
	s, err := gocron.NewScheduler(t.opts...)
	if err != nil {
		return fmt.Errorf("gocron: %w", err)
	}
	return s.Shutdown()
}

// Add is part of [planner.Trigger].
func (t *trigger) Add(id string, s schedule.Schedule, after time.Time) error {
	first := s.Next(after)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.stopped:
		return errStopped
	case t.alarms[id] != nil:
		return fmt.Errorf("gocronplanner: the trigger has a schedule for %q already", id)
	case first.IsZero():
		return nil
	}
	a := &alarm{id: id, s: s, due: first}
	if t.scheduler != nil {
		if err := t.arm(a); err != nil {
			return err
		}
	}
	t.alarms[id] = a
	return nil
}

// Remove is part of [planner.Trigger].
func (t *trigger) Remove(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.alarms[id]
	if a == nil {
		return
	}
	a.gone = true
	delete(t.alarms, id)
	if t.scheduler != nil && !t.stopped {
		_ = t.scheduler.RemoveJob(a.job.ID()) // it is gone already if it has run
	}
}

// Start is part of [planner.Trigger].
func (t *trigger) Start(emit func(planner.Tick)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.stopped:
		return errStopped
	case t.scheduler != nil:
		return errors.New("gocronplanner: the trigger was started before")
	}
	s, err := gocron.NewScheduler(t.opts...)
	if err != nil {
		return fmt.Errorf("gocron: %w", err)
	}
	t.emit, t.scheduler = emit, s
	s.Start()
	for _, a := range t.alarms {
		if err := t.arm(a); err != nil {
			t.scheduler = nil
			return errors.Join(err, s.Shutdown())
		}
	}
	return nil
}

// Stop is part of [planner.Trigger].
func (t *trigger) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.stopped {
		t.stopped = true
		go t.end()
	}
	counted := t.inside[goroutine.ID()]
	if counted == nil {
		t.mu.Unlock()
		<-t.over
		t.mu.Lock()
		return
	}
	if *counted {
		*counted = false
		t.counted--
		t.change.Broadcast()
	}
	for t.counted > 0 {
		t.change.Wait()
	}
}

// end shuts gocron down when nothing is running, since it burns a core while it
// waits.
func (t *trigger) end() {
	defer close(t.over)
	t.mu.Lock()
	for t.alive > 0 {
		t.change.Wait()
	}
	s := t.scheduler
	t.mu.Unlock()
	if s != nil {
		_ = s.Shutdown() // it has nothing to wait for
	}
}

// arm makes the job for the next instant of a. t.mu is held.
func (t *trigger) arm(a *alarm) error {
	a.shot++
	shot := a.shot
	at := gocron.OneTimeJobStartImmediately()
	if a.due.After(time.Now()) {
		at = gocron.OneTimeJobStartDateTimes(attempts(a.due)...)
	}
	job, err := t.scheduler.NewJob(gocron.OneTimeJob(at), gocron.NewTask(t.run, a, shot),
		gocron.WithName(a.id), gocron.WithLimitedRuns(1))
	if err != nil {
		return fmt.Errorf("gocron: job %q: %w", a.id, err)
	}
	a.job = job
	return nil
}

// attempts returns the times for the job of an instant. The first one is meant. The
// others are for when it has passed before gocron has noted the job: a job without a
// time in the future would hang gocron for good. They become rarer and do not end.
func attempts(due time.Time) []time.Time {
	times := []time.Time{due}
	for wait := 50 * time.Millisecond; wait < 200*365*24*time.Hour; wait *= 10 {
		times = append(times, due.Add(wait))
	}
	return times
}

// run is the job.
func (t *trigger) run(a *alarm, shot int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped || a.gone || a.shot != shot {
		return
	}
	a.shot++
	if time.Now().Before(a.due) { // the wall clock was set back
		_ = t.arm(a)
		return
	}
	t.alive++
	t.counted++
	go t.fire(a)
}

// fire emits the instant and arms the next one, also if the schedule calls
// runtime.Goexit.
func (t *trigger) fire(a *alarm) {
	id := goroutine.ID()
	counted := true
	t.mu.Lock()
	t.inside[id] = &counted
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.inside, id)
		if counted {
			t.counted--
		}
		t.alive--
		t.change.Broadcast()
		t.rearm(a)
	}()
	defer t.emit(planner.Tick{ID: a.id, Due: a.due})
	a.ask()
}

// ask sets the next instant. A schedule that panics has ended.
func (a *alarm) ask() {
	defer func() { _ = recover() }()
	a.next = time.Time{}
	from := a.due
	if now := time.Now(); now.After(from) {
		from = now
	}
	a.next = a.s.Next(from)
}

// rearm goes on with the next instant of a. t.mu is held.
func (t *trigger) rearm(a *alarm) {
	if a.gone || t.stopped {
		return
	}
	if a.next.After(a.due) {
		a.due = a.next
		if t.arm(a) == nil {
			return
		}
	}
	a.gone = true
	delete(t.alarms, a.id)
}
