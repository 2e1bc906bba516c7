package main

import (
	"container/heap"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
)

// lateness is the log of a child process. Links add to it concurrently.
type lateness struct {
	ticks   int
	profile string
	used    time.Duration  // CPU time in the window
	pulls   []atomic.Int32 // of each link
	pushes  []atomic.Int32 // records of each link
	next    atomic.Int64
	late    []time.Duration
}

func newLateness(ticks int, profile string) *lateness {
	return &lateness{
		ticks:   ticks,
		profile: profile,
		pulls:   make([]atomic.Int32, links),
		pushes:  make([]atomic.Int32, links),
		late:    make([]time.Duration, links*(ticks+1)),
	}
}

// pulled notes a pull of link i for the instant due.
func (l *lateness) pulled(i int, due time.Time) {
	late := time.Since(due)
	l.pulls[i].Add(1)
	if n := l.next.Add(1) - 1; n < int64(len(l.late)) {
		l.late[n] = late
	}
}

// window lets the started links run for so many ticks.
func (l *lateness) window() error {
	stop, err := startProfile(l.profile)
	if err != nil {
		return err
	}
	defer stop()
	before := cpuTime()
	time.Sleep(time.Duration(l.ticks)*interval + interval/2)
	l.used = cpuTime() - before
	return nil
}

// result sums up. Every record pulled must have been pushed, and no link may have
// had more instants than there were.
func (l *lateness) result() (s scheduled, err error) {
	done := 0
	for i := range l.pulls {
		pulls, pushes := int(l.pulls[i].Load()), int(l.pushes[i].Load())
		if pulls != pushes || pulls > l.ticks {
			return s, fmt.Errorf("link %d: %d pulls, %d pushes, %d ticks", i, pulls, pushes, l.ticks)
		}
		done += pulls
	}
	if done == 0 {
		return s, fmt.Errorf("no transfer in %d s", l.ticks)
	}
	late := l.late[:done]
	slices.Sort(late)
	s.Done = float64(done) / float64(links*l.ticks)
	s.P50, s.P99 = late[done/2], late[done*99/100]
	s.CPU = l.used / time.Duration(done)
	return s, nil
}

// timed is an inlet and an outlet of link i.
type timed struct {
	log *lateness
	i   int
}

type (
	timedInlet  timed
	timedOutlet timed
)

func (in *timedInlet) Pull(_ context.Context, u record.Update) ([]record.Record, error) {
	in.log.pulled(in.i, u.Due)
	return []record.Record{record.New(in.i)}, nil
}

func (out *timedOutlet) Push(_ context.Context, records []record.Record, _ record.Update) error {
	out.log.pushes[out.i].Add(int32(len(records)))
	return nil
}

func (*timedOutlet) ReadOnly() bool { return true }

// runPlanner runs the links on a planner with the ticker trigger.
func runPlanner(log *lateness) error {
	ctx := context.Background()
	all := make([]*link.Link, links)
	for i := range all {
		l, err := link.New(link.Config{
			Name:     "link" + strconv.Itoa(i),
			Inlets:   []inlet.Inlet{&timedInlet{log, i}},
			Outlets:  []outlet.Outlet{&timedOutlet{log, i}},
			Schedule: schedule.Every(interval),
		})
		if err != nil {
			return err
		}
		all[i] = l
	}
	p, err := planner.New(&planner.Options{SkipImmediate: true}, all...)
	if err != nil {
		return err
	}
	if err := p.Start(ctx); err != nil {
		return err
	}
	if err := log.window(); err != nil {
		return err
	}
	_, err = p.Shutdown(ctx)
	return err
}

// handTimed is what a hand-written scheduler calls.
type handTimed struct {
	link *handLink
	busy atomic.Bool
	due  time.Time // of the running transfer
}

// fire transfers, unless the last transfer is still running.
func (t *handTimed) fire(due time.Time, running *sync.WaitGroup) {
	defer running.Done()
	if !t.busy.CompareAndSwap(false, true) {
		return
	}
	t.due = due
	_ = t.link.transfer(context.Background()) // the nodes of this workload do not fail
	t.busy.Store(false)
}

type handInletFunc func() []handRecord

func (f handInletFunc) Pull(context.Context, handUpdate) ([]handRecord, error) { return f(), nil }

type handOutletFunc func(records []handRecord)

func (f handOutletFunc) Push(_ context.Context, records []handRecord, _ handUpdate) error {
	f(records)
	return nil
}

// armed is a link with its next instant, in a heap.
type armed struct {
	due  time.Time
	link *handTimed
}

type armedHeap []armed

func (h armedHeap) Len() int           { return len(h) }
func (h armedHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h armedHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *armedHeap) Push(any)          {}
func (h *armedHeap) Pop() any          { return nil }

// runHeap runs the links with one heap, one timer and a goroutine a transfer.
func runHeap(log *lateness) error {
	h := make(armedHeap, links)
	for i := range h {
		t := new(handTimed)
		t.link = &handLink{
			name: "link" + strconv.Itoa(i),
			inlet: handInletFunc(func() []handRecord {
				log.pulled(i, t.due)
				return []handRecord{{Payload: i, Meta: map[string]any{"inlet": "ints"}}}
			}),
			outlets: []handOutlet{handOutletFunc(func(records []handRecord) {
				log.pushes[i].Add(int32(len(records)))
			})},
		}
		h[i].link = t
	}
	anchor := time.Now()
	for i := range h {
		h[i].due = anchor.Add(interval)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		var running sync.WaitGroup
		defer running.Wait()
		timer := time.NewTimer(time.Until(h[0].due))
		defer timer.Stop()
		for {
			select {
			case <-stop:
				return
			case <-timer.C:
			}
			for now := time.Now(); !h[0].due.After(now); {
				running.Add(1)
				go h[0].link.fire(h[0].due, &running)
				h[0].due = h[0].due.Add(interval)
				heap.Fix(&h, 0)
			}
			timer.Reset(time.Until(h[0].due))
		}
	}()
	err := log.window()
	close(stop)
	<-stopped
	return err
}
