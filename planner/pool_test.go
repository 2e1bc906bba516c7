package planner_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
)

// order is what several inlets share to note who pulls, and how many at a time.
type order struct {
	mu    sync.Mutex
	names []string
	on    int
	most  int
}

// pulls returns an inlet that takes d.
func (o *order) pulls(name string, d time.Duration) inlet.Inlet {
	return inlet.Func(func(ctx context.Context, _ record.Update) ([]record.Record, error) {
		o.mu.Lock()
		o.names = append(o.names, name)
		o.on++
		o.most = max(o.most, o.on)
		o.mu.Unlock()
		err := takes(d)(ctx)
		o.mu.Lock()
		defer o.mu.Unlock()
		o.on--
		return nil, err
	})
}

func (o *order) take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	names := o.names
	o.names = nil
	return names
}

func TestConcurrency(t *testing.T) {
	tests := []struct {
		name        string
		concurrency int
		links       int
		want        int
	}{
		{"default", 0, 40, 30},
		{"one", 1, 5, 1},
		{"three", 3, 10, 3},
		{"no bound", -1, 100, 100},
		{"more than links", 10, 4, 4},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			onBoth(t, func(b *bench) {
				var o order
				links := make([]*link.Link, test.links)
				for i := range links {
					name := fmt.Sprint(i)
					links[i] = b.link(name, time.Hour, func(c *link.Config) { c.Inlets = []inlet.Inlet{o.pulls(name, time.Second)} })
				}
				p := b.running(planner.Options{Concurrency: test.concurrency}, links...)
				rounds := (test.links + test.want - 1) / test.want
				b.sleep(time.Duration(rounds)*time.Second + half)
				assert.Equal(b, test.want, o.most, "first transfers are side by side, up to the bound")
				assert.Len(b, o.take(), test.links)
				b.sleep(time.Hour)
				assert.Equal(b, test.want, o.most)
				assert.Len(b, o.take(), test.links, "all of them at their instant, one after another")
				for _, l := range links {
					assert.Equal(b, planner.Ledger{Instants: 1, Ran: 1, Immediate: 1}, b.ledger(p, l))
				}
			})
		})
	}
}

// No link is starved: places are given in the order in which links have asked.
func TestFairness(t *testing.T) {
	onBoth(t, func(b *bench) {
		var o order
		const links, ticks = 6, 30
		all := make([]*link.Link, links)
		for i := range all {
			name := fmt.Sprint(i)
			all[i] = b.link(name, time.Second, skipImmediate, func(c *link.Config) {
				c.Inlets = []inlet.Inlet{o.pulls(name, 600*time.Millisecond)}
			})
		}
		p := b.running(planner.Options{Concurrency: 2}, all...)
		b.sleep(ticks*time.Second + half)
		count := make(map[string]int)
		for _, name := range o.take() {
			count[name]++
		}
		// Two places and 600 ms make 100 transfers of six links in 30 s. A link that is
		// running at its instant has to wait for the next one.
		assert.Len(b, count, links)
		for name, n := range count {
			assert.InDelta(b, 17, n, 4, "link %s", name)
		}
		for _, l := range all {
			b.ledger(p, l)
		}
	})
}

func TestFirstInFirstOut(t *testing.T) {
	onBoth(t, func(b *bench) {
		var o order
		hog := b.link("hog", 24*time.Hour, func(c *link.Config) { c.Inlets = []inlet.Inlet{o.pulls("hog", time.Hour)} })
		var want []string
		links := []*link.Link{hog}
		for i := range 20 {
			// The later in the list the earlier due.
			name := fmt.Sprint(i)
			want = append([]string{name}, want...)
			links = append(links, b.link(name, 30*time.Minute-time.Duration(i)*time.Second, skipImmediate, func(c *link.Config) {
				c.Inlets = []inlet.Inlet{o.pulls(name, time.Millisecond)}
			}))
		}
		b.running(planner.Options{Concurrency: 1}, links...)
		b.sleep(time.Hour - time.Minute)
		assert.Equal(b, []string{"hog"}, o.take())
		b.sleep(2 * time.Minute)
		got := o.take()
		require.GreaterOrEqual(b, len(got), 20)
		assert.Equal(b, want, got[:20])
	})
}

// A call that hangs keeps its place; when there are no others, that is said once.
func TestAllPlacesHang(t *testing.T) {
	onBoth(t, func(b *bench) {
		hangs := b.hangs()
		var links []*link.Link
		for _, name := range []string{"one", "two"} {
			l, _ := b.probe(name, 10*time.Second, hangs)
			links = append(links, l)
		}
		waits, in := b.probe("waits", time.Second, nil, skipImmediate)
		p := b.running(planner.Options{Concurrency: 2, ShutdownTimeout: time.Second}, append(links, waits)...)
		b.sleep(9 * time.Second)
		assert.Empty(b, b.log.lines(), "the calls may come to an end before their links are due again")
		b.sleep(time.Minute)
		assert.Empty(b, in.all())
		lines := b.log.lines()
		require.Len(b, lines, 1)
		assert.Contains(b, lines[0], "WARN")
		assert.Contains(b, lines[0], "one: one inlet")
		assert.Contains(b, lines[0], "two: two inlet")
		assert.Contains(b, lines[0], "waiting=1")
		assert.Equal(b, planner.Ledger{Instants: 69, Missed: 68, Open: 1}, b.ledger(p, waits))
		assert.Equal(b, planner.Ledger{Instants: 6, Skipped: 6}, b.ledger(p, links[0]))

		stopped := time.Now()
		_, err := p.Shutdown(b.Context())
		assert.ErrorContains(b, err, "one inlet")
		assert.ErrorContains(b, err, "two inlet")
		assert.LessOrEqual(b, time.Since(stopped), 2*time.Second)
		assert.Equal(b, planner.Ledger{Instants: 69, Missed: 68, Interrupted: 1}, b.ledger(p, waits))
	})
}

// Goroutines are started when they are needed, and are gone after Shutdown; the
// bubble would not end if one were left.
func TestGoroutines(t *testing.T) { // not parallel: it looks at all goroutines
	inBubble(t, triggers["ticker"], func(b *bench) {
		l, _ := b.probe("one", time.Second, nil)
		p := b.running(planner.Options{}, l)
		b.sleep(time.Minute)
		buf := make([]byte, 1<<20)
		stacks := string(buf[:runtime.Stack(buf, true)])
		assert.LessOrEqual(b, strings.Count(stacks, "(*pool).serve"), 1, "one link needs one goroutine")
		b.shut(p)
	})
}
