package planner

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/databay-go/databay/schedule"
)

// alarm is one schedule of a ticker. What is not said otherwise is guarded by
// ticker.mu.
type alarm struct {
	id    string
	s     schedule.Schedule
	at    time.Duration // where it is in the heap's order: due on the ticker's axis
	place int           // in the heap
	gone  atomic.Bool   // removed, or the schedule has ended

	// Of the ticker's goroutine. While the alarm is in its batch, due is ahead of at.
	ended bool // there is no instant after due
	due   time.Time
}

// alarmHeap is a heap of four children a node: the children of i are at 4i+1 to 4i+4,
// and none of them is due before it.
type alarmHeap []*alarm

const children = 4

// axis translates between the clocks. Instants with a monotonic reading are placed
// by it. Those without are instants of the wall clock, whose distance to the
// monotonic clock changes when it is set.
type axis struct {
	base time.Time     // origin, with both readings
	skew time.Duration // how much more of wall time than of monotonic time has passed since
}

// maxSkew is the change of the skew that does not count as a step of the wall
// clock.
const maxSkew = time.Millisecond

// skewAt returns the skew at now, from its two readings.
func (x axis) skewAt(now time.Time) time.Duration {
	return now.Round(0).Sub(x.base.Round(0)) - now.Sub(x.base)
}

// place returns where t is, in monotonic time since the origin.
func (x axis) place(t time.Time) time.Duration {
	wall := t.Round(0)
	if wall != t { // it has a monotonic reading
		return t.Sub(x.base)
	}
	d := wall.Sub(x.base.Round(0))
	if moved := d - x.skew; (moved < d) == (x.skew > 0) {
		return moved
	}
	return d // so far away that it does not matter
}

func (h *alarmHeap) push(a *alarm) {
	a.place = len(*h)
	*h = append(*h, a)
	h.up(a.place)
}

func (h *alarmHeap) remove(i int) {
	last := len(*h) - 1
	h.swap(i, last)
	(*h)[last] = nil
	*h = (*h)[:last]
	if i < last && !h.down(i) {
		h.up(i)
	}
}

func (h alarmHeap) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h alarmHeap) up(i int) {
	for i > 0 {
		parent := (i - 1) / children
		if h[parent].at <= h[i].at {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

// down reports whether the alarm has moved.
func (h alarmHeap) down(i int) (moved bool) {
	for {
		first := children*i + 1
		if first >= len(h) {
			return moved
		}
		least := first
		for c := first + 1; c < min(first+children, len(h)); c++ {
			if h[c].at < h[least].at {
				least = c
			}
		}
		if h[i].at <= h[least].at {
			return moved
		}
		h.swap(i, least)
		i, moved = least, true
	}
}

// rebuild makes a heap of alarms in any order, without those that are gone.
func (h *alarmHeap) rebuild() {
	left := (*h)[:0]
	for _, a := range *h {
		if !a.gone.Load() {
			a.place = len(left)
			left = append(left, a)
		}
	}
	clear((*h)[len(left):])
	*h = left
	for i := (len(*h) - 2) / children; i >= 0; i-- {
		h.down(i)
	}
}

// upTo appends to batch the alarms at now or before, in their order. They stay in
// the heap.
func (h alarmHeap) upTo(now time.Duration, batch []*alarm) []*alarm {
	take := func(i int) {
		if i < len(h) && h[i].at <= now {
			batch = append(batch, h[i])
		}
	}
	take(0)
	for i := 0; i < len(batch); i++ {
		first := children*batch[i].place + 1
		for c := range children {
			take(first + c)
		}
	}
	inOrder(batch) // a node stays before its children
	return batch
}

// inOrder sorts alarms by their times. Those of the same time stay as they are. It is a
// merge sort, which costs nothing where they are in order already.
func inOrder(all []*alarm) {
	sorted := true
	for i := 1; i < len(all) && sorted; i++ {
		sorted = all[i-1].at <= all[i].at
	}
	if sorted {
		return
	}
	half := len(all) / 2
	left, right := slices.Clone(all[:half]), all[half:]
	inOrder(left)
	inOrder(right)
	for i := range all { // right is part of all, and ahead of i
		from := &left
		if len(left) == 0 || len(right) > 0 && right[0].at < left[0].at {
			from = &right
		}
		all[i], *from = (*from)[0], (*from)[1:]
	}
}

// advance puts the alarms of a batch to their next instants. Nothing was removed since
// the batch was taken. What was added is no harm: it is above those of the batch that
// were due later, and stays there.
func (h *alarmHeap) advance(batch []*alarm) {
	for i := len(batch) - 1; i >= 0; i-- { // children before their parents
		h.down(batch[i].place)
	}
	for _, a := range batch {
		if a.gone.Load() {
			h.remove(a.place)
		}
	}
}
