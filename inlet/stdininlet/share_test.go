package stdininlet_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/stdininlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/schedule"
	"github.com/databay-go/databay/testkit"
)

// Two links of one planner share an inlet: each line goes to one of them.
func TestSharedInAPlanner(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintln(&text, i)
	}
	synctest.Test(t, func(t *testing.T) {
		in := stdininlet.New(&stdininlet.Options{Reader: strings.NewReader(text.String()), MaxRecords: 7})
		sink := new(testkit.Sink)
		links := make([]*link.Link, 2)
		for i := range links {
			var err error
			links[i], err = link.New(link.Config{Name: fmt.Sprint(i), Inlets: []inlet.Inlet{in}, Outlets: []outlet.Outlet{sink}, Schedule: schedule.Every(time.Second)})
			require.NoError(t, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			<-in.Done()
			cancel()
		}()
		require.NoError(t, planner.Run(ctx, links...))
		seen := make(map[any]bool)
		for _, batch := range sink.Batches() {
			for _, r := range batch {
				assert.False(t, seen[r.Payload])
				seen[r.Payload] = true
			}
		}
		assert.Len(t, seen, 1000)
	})
}
