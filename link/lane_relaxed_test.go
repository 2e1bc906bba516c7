package link_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// A relaxed lane offers what is behind a refused batch. Commits wait for it all the
// same, and it comes first in the next transfer.
func TestLaneRelaxed(t *testing.T) {
	t.Parallel()
	for name, relaxed := range map[string]bool{"relaxed": true, "strict": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				bad := 2
				out := &taker{name: "out", script: func(_ context.Context, _ int, records []record.Record) error {
					for _, r := range records {
						if r.Payload == bad {
							return errDown
						}
					}
					return nil
				}}
				var store vault
				l := started(t, link.Config{
					Name: "l", State: &store, Inlets: inlets(counting("n", 3, 9)), Groupers: []record.Grouper{record.Chunk(1)},
					Lanes: []link.Lane{{Outlet: out, Relaxed: relaxed}},
				})
				transfer(t, l)
				if !relaxed {
					assert.Equal(t, lists(list(1), list(2)), out.got())
					return
				}
				assert.Equal(t, lists(list(1), list(2), list(3)), out.got())
				transfer(t, l)
				assert.Equal(t, lists(list(2), list(4), list(5), list(6)), out.got()[3:])
				assert.Empty(t, store.puts, "what was refused holds the commit back")
				assert.Equal(t, 2, l.LaneStats()[0].Transfers)
				bad = 0
				transferred(t, l)
				assert.Equal(t, lists(list(2), list(7), list(8), list(9)), out.got()[7:])
				assert.EqualValues(t, 3, out.all()[7].update.Attempt)
				assert.Contains(t, store.puts[len(store.puts)-1], `"number":2`)
				assert.Zero(t, l.LaneStats()[0].Transfers)
				assert.Equal(t, "pulled 9 filtered 0 held 0 pending 0 delivered 9 dropped 0 balanced", l.Account().String())
			})
		})
	}
}

// What is passed over may be dropped too.
func TestLaneRelaxedFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refuse, release := true, make(chan struct{})
		out := &taker{name: "out", script: func(_ context.Context, _ int, records []record.Record) error {
			if records[0].Payload == 3 {
				<-release
			}
			if refuse {
				return errDown
			}
			return nil
		}}
		l := started(t, link.Config{
			Inlets: inlets(counting("n", 1, 9)),
			Lanes:  []link.Lane{{Outlet: &taker{name: "other"}}, {Outlet: out, Relaxed: true, Pending: 3, OnFull: link.DropOldest}},
		})
		for range 5 {
			l.Begin(link.Tick{})
			synctest.Wait()
		}
		assert.Equal(t, lists(list(1), list(1), list(2), list(1), list(2), list(3)), out.got())
		assert.Equal(t, int64(2), l.Account().Lanes[1].Overflowed, "1 and 2")
		refuse = false
		close(release)
		synctest.Wait()
		l.Begin(link.Tick{})
		synctest.Wait()
		assert.Equal(t, list(3, 4, 5, 6), out.accepted())
	})
}
