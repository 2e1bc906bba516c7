package link_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/databay-go/databay/link"
)

// A window says what counting the last records says.
func TestDeadLetterWindow(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		limit := link.DeadLetterLimit{Max: r.IntN(5)}
		limit.Of = limit.Max + 1 + r.IntN(10)
		w := link.NewWindow(limit)
		var all []bool
		over := func(more int) bool {
			n := more
			last := append(all[:len(all):len(all)], make([]bool, more)...)
			for _, dead := range last[max(0, len(last)-limit.Of):] {
				if dead {
					n++
				}
			}
			return min(n, limit.Of) > limit.Max
		}
		for range 100 {
			n := 1 + r.IntN(4)
			if r.IntN(3) > 0 {
				w.Pass(int64(n))
				all = append(all, make([]bool, n)...)
			} else {
				room := 0
				for room < n && !over(room) {
					room++
				}
				assert.Equal(t, room, w.Room(n), "%v of %v: %v", limit, n, all)
				w.Fail(n)
				for range n {
					all = append(all, true)
				}
			}
			if !assert.Equal(t, over(0), w.Exceeded(), "%v: %v", limit, all) {
				return
			}
		}
	}
}

func TestDeadLetterWindowBounds(t *testing.T) {
	t.Parallel()
	none := link.NewWindow(link.DeadLetterLimit{})
	none.Fail(1_000_000)
	assert.False(t, none.Exceeded())
	assert.Equal(t, 7, none.Room(7))

	first := link.NewWindow(link.DeadLetterLimit{Max: 0, Of: 1})
	assert.Equal(t, 1, first.Room(3), "the first is written")
	first.Fail(1)
	assert.True(t, first.Exceeded())
	assert.Zero(t, first.Room(3))

	w := link.NewWindow(link.DeadLetterLimit{Max: 50, Of: 1000})
	assert.Equal(t, 51, w.Room(1000))
	w.Fail(50)
	assert.False(t, w.Exceeded())
	w.Pass(950)
	assert.Equal(t, 2, w.Room(2), "the oldest leave")
	w.Fail(1)
	assert.False(t, w.Exceeded())
}
