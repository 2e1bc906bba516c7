package httpoutlet_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/httpoutlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
	"github.com/databay-go/databay/testkit"
)

// written returns the payloads that a server has got.
func written(t testing.TB, s *target) (all []record.Record) {
	t.Helper()
	for _, body := range s.bodies() {
		for d := json.NewDecoder(bytes.NewReader([]byte(body))); d.More(); {
			var v any
			require.NoError(t, d.Decode(&v))
			if list, ok := v.([]any); ok {
				for _, v := range list {
					all = append(all, record.New(v))
				}
				continue
			}
			all = append(all, record.New(v))
		}
	}
	return all
}

func TestConforms(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*httpoutlet.Options{
		"array": nil, "lines": {Body: httpoutlet.Lines, Gzip: true}, "single": {Body: httpoutlet.Single},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.TestOutlet(t, func(t *testing.T) (outlet.Outlet, func() []record.Record) {
				server := serve(t, nil)
				return httpoutlet.New(server.URL, opts), func() []record.Record { return written(t, server) }
			}, func(i int) record.Record {
				return record.New(row{"n": strconv.Itoa(i), "text": "two\nlines"})
			}, &testkit.OutletOptions{Hung: func(t *testing.T) outlet.Outlet {
				return httpoutlet.New(serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }).URL, opts)
			}})
		})
	}
}

// Two links of one planner share an outlet: it is started once, and the server has what
// both have delivered, also what it refused at first.
func TestSharedInAPlanner(t *testing.T) {
	t.Parallel()
	refuse := make(chan struct{}, 3)
	for range cap(refuse) {
		refuse <- struct{}{}
	}
	accepted := new(testkit.Sink)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-refuse:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
		}
	})
	shared := httpoutlet.New(server.URL, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	links := make([]*link.Link, 2)
	for i := range links {
		n := 0
		var err error
		links[i], err = link.New(link.Config{
			Name: fmt.Sprint(i),
			Inlets: []inlet.Inlet{inlet.Of(func(context.Context) ([]string, error) {
				if n++; n > 10 {
					cancel()
					return nil, nil
				}
				return []string{fmt.Sprint(i, "/", n)}, nil
			})},
			Outlets:  []outlet.Outlet{shared, accepted},
			Schedule: schedule.Every(20 * time.Millisecond),
			OnError:  func(context.Context, *link.Error) error { return nil },
		})
		require.NoError(t, err)
	}
	require.NoError(t, planner.Run(ctx, links...))
	for _, l := range links {
		require.NoError(t, l.Account().Balance())
		assert.Equal(t, l.Account().Lanes[1].Delivered, l.Account().Lanes[0].Delivered)
		assert.Positive(t, l.Account().Lanes[0].Delivered)
	}
	assert.Greater(t, len(server.requests()), 3)
}
