package fileoutlet_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/fileoutlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
)

// Links that share an outlet push side by side; lines stay whole, and those of one
// link in order, also over rotations and syncs.
func TestSharedByLinks(t *testing.T) {
	t.Parallel()
	const links, pushes, size = 4, 25, 10
	folder := t.TempDir()
	all := filepath.Join(folder, "all.log")
	o := started(t, all, &fileoutlet.Options{MaxOpen: 2, Rotate: fileoutlet.Rotate{Size: 500}, Sync: fileoutlet.SyncInterval, SyncEvery: time.Millisecond})
	var group sync.WaitGroup
	for link := range links {
		group.Go(func() {
			own := fileoutlet.File.Of(filepath.Join(folder, fmt.Sprintf("own%d.log", link)))
			for p := range pushes {
				var rs []record.Record
				for i := range size {
					r := record.New(fmt.Sprintf("%d %d", link, p*size+i))
					rs = append(rs, r, r.WithMetadata(own))
				}
				assert.NoError(t, o.Push(context.Background(), rs, record.Update{}))
			}
		})
	}
	group.Wait()
	next := make([]int, links)
	for _, f := range rotated(t, all) {
		assert.LessOrEqual(t, len(read(t, f)), 500)
		for _, line := range lines(t, f) {
			var link, n int
			_, err := fmt.Sscanf(line, "%d %d", &link, &n)
			require.NoError(t, err)
			assert.Equal(t, next[link], n)
			next[link]++
		}
	}
	for link := range links {
		assert.Equal(t, pushes*size, next[link])
		n := 0
		for _, f := range rotated(t, filepath.Join(folder, fmt.Sprintf("own%d.log", link))) {
			n += len(lines(t, f))
		}
		assert.Equal(t, pushes*size, n)
	}
}

// Two links of one planner share an outlet: it is started once, and the files have what
// both have delivered, an hour each.
func TestSharedInAPlanner(t *testing.T) {
	t.Parallel()
	file := path(t)
	synctest.Test(t, func(t *testing.T) {
		shared := fileoutlet.New(file, &fileoutlet.Options{Rotate: fileoutlet.Rotate{Every: time.Hour, Keep: 3}, Sync: fileoutlet.SyncInterval})
		links := make([]*link.Link, 2)
		for i := range links {
			var err error
			links[i], err = link.New(link.Config{
				Name:     strconv.Itoa(i),
				Inlets:   []inlet.Inlet{inlet.Of(func(context.Context) ([]string, error) { return []string{time.Now().Format("15:04")}, nil })},
				Outlets:  []outlet.Outlet{shared},
				Schedule: schedule.Every(10 * time.Minute),
			})
			require.NoError(t, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Hour+35*time.Minute)
		defer cancel()
		require.NoError(t, planner.Run(ctx, links...))
		for _, l := range links {
			require.NoError(t, l.Account().Balance())
			assert.EqualValues(t, 34, l.Account().Lanes[0].Delivered)
		}
	})
	files := rotated(t, file)
	require.Len(t, files, 4)
	for i, f := range files {
		for _, line := range lines(t, f) {
			assert.True(t, strings.HasPrefix(line, fmt.Sprintf("%02d:", i+2)), "%s in %s", line, f)
		}
	}
	assert.Len(t, lines(t, files[0]), 12)
	assert.Len(t, lines(t, files[3]), 8)
}

// Pushes, Checks and a Shutdown side by side: each push is answered for good or for bad, and
// the file has exactly what was accepted.
func TestShutdownWhilePushing(t *testing.T) {
	t.Parallel()
	file := path(t)
	o := fileoutlet.New(file, &fileoutlet.Options{Sync: fileoutlet.SyncInterval, SyncEvery: time.Microsecond})
	require.NoError(t, o.Start(t.Context()))
	var group sync.WaitGroup
	var mu sync.Mutex
	accepted := 0
	for range 4 {
		group.Go(func() {
			for range 200 {
				if o.Push(context.Background(), records("a"), record.Update{}) == nil {
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
	assert.Len(t, lines(t, file), accepted)
}
