package csvoutlet_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/csvoutlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
)

// Links that share an outlet push side by side; rows stay whole, and those of one
// link in order.
func TestSharedByLinks(t *testing.T) {
	t.Parallel()
	const links, pushes, size = 4, 25, 10
	folder := t.TempDir()
	o := started(t, filepath.Join(folder, "all.csv"), &csvoutlet.Options{MaxOpen: 2})
	var group sync.WaitGroup
	for link := range links {
		group.Go(func() {
			own := csvoutlet.File.Of(filepath.Join(folder, fmt.Sprintf("%d.csv", link)))
			for p := range pushes {
				var rs []record.Record
				for i := range size {
					r := record.New(row{"link": link, "n": p*size + i, "text": "a, b\nc"})
					rs = append(rs, r, r.WithMetadata(own))
				}
				assert.NoError(t, o.Push(context.Background(), rs, record.Update{}))
			}
		})
	}
	group.Wait()

	next := make([]int, links)
	for _, line := range rows(t, filepath.Join(folder, "all.csv"))[1:] {
		link, err := strconv.Atoi(line[0])
		require.NoError(t, err)
		assert.Equal(t, strconv.Itoa(next[link]), line[1])
		assert.Equal(t, "a, b\nc", line[2])
		next[link]++
	}
	for link := range links {
		assert.Equal(t, pushes*size, next[link])
		assert.Len(t, rows(t, filepath.Join(folder, fmt.Sprintf("%d.csv", link))), pushes*size+1)
	}
}

// Two links of one planner share an outlet: it is started once, and the file has what
// both have delivered.
func TestSharedInAPlanner(t *testing.T) {
	t.Parallel()
	file := path(t)
	synctest.Test(t, func(t *testing.T) {
		shared := csvoutlet.New(file, &csvoutlet.Options{Truncate: true})
		links := make([]*link.Link, 2)
		for i := range links {
			var err error
			links[i], err = link.New(link.Config{
				Name: fmt.Sprint(i),
				Inlets: []inlet.Inlet{inlet.Of(func(context.Context) ([]row, error) {
					return []row{{"link": i, "n": 1}, {"link": i, "n": 2}}, nil
				})},
				Outlets:  []outlet.Outlet{shared},
				Schedule: schedule.Every(time.Second),
			})
			require.NoError(t, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 9500*time.Millisecond)
		defer cancel()
		require.NoError(t, planner.Run(ctx, links...))
		for _, l := range links {
			require.NoError(t, l.Account().Balance())
			assert.EqualValues(t, 20, l.Account().Lanes[0].Delivered)
		}
	})
	assert.Len(t, rows(t, file), 41)
}

// Pushes, Checks and a Shutdown side by side: each push is answered for good or for bad, and
// the file has exactly what was accepted.
func TestShutdownWhilePushing(t *testing.T) {
	t.Parallel()
	file := path(t)
	o := csvoutlet.New(file, &csvoutlet.Options{Sync: csvoutlet.SyncInterval, SyncEvery: time.Microsecond})
	require.NoError(t, o.Start(t.Context()))
	var group sync.WaitGroup
	var mu sync.Mutex
	accepted := 0
	for range 4 {
		group.Go(func() {
			for range 200 {
				if o.Push(context.Background(), records(row{"a": 1}), record.Update{}) == nil {
					mu.Lock()
					accepted++
					mu.Unlock()
				}
			}
		})
	}
	group.Go(func() {
		for range 20 {
			assert.NoError(t, o.Check(context.Background()))
		}
	})
	require.NoError(t, o.Shutdown(t.Context()))
	group.Wait()
	if accepted > 0 {
		assert.Len(t, rows(t, file), accepted+1)
	}
}
