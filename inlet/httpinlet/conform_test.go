package httpinlet_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/httpinlet"
	"github.com/databay-go/databay/testkit"
)

func TestConforms(t *testing.T) {
	t.Parallel()
	for name, decode := range map[string]httpinlet.Decoder{"JSON": nil, "typed": httpinlet.JSON[quote], "pointers": httpinlet.JSON[*quote], "text": httpinlet.Text} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.TestInlet(t, func(t *testing.T) inlet.Inlet {
				var n atomic.Int64
				return httpinlet.New(serve(t, func(w http.ResponseWriter, _ *http.Request) {
					i := n.Add(1)
					fmt.Fprintf(w, `[{"symbol":"A%d","price":%d},{"symbol":"B%d","price":1}]`, i, i, i)
				}), &httpinlet.Options{Decode: decode})
			}, &testkit.InletOptions{
				Hung: func(t *testing.T) inlet.Inlet {
					return httpinlet.New(serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }),
						&httpinlet.Options{Decode: decode, Timeout: -1})
				},
			})
		})
	}
}

func hung(make func(url string, opts *httpinlet.Options) inlet.Inlet) *testkit.InletOptions {
	return &testkit.InletOptions{Hung: func(t *testing.T) inlet.Inlet {
		return make(serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), &httpinlet.Options{Timeout: -1})
	}}
}

func TestPagesConform(t *testing.T) {
	t.Parallel()
	pages := func(url string, opts *httpinlet.Options) inlet.Inlet {
		opts.Next, opts.Decode = httpinlet.LinkHeader, httpinlet.JSONField[int]("data.items")
		return httpinlet.New(url, opts)
	}
	testkit.TestInlet(t, func(t *testing.T) inlet.Inlet {
		return pages(serve(t, library), &httpinlet.Options{Limit: httpinlet.Every(1), Token: token})
	}, hung(pages))
}

func TestFeedConforms(t *testing.T) {
	t.Parallel()
	of := func(url string, opts *httpinlet.Options) inlet.Inlet {
		opts.Decode = httpinlet.JSONField[int]("items")
		return httpinlet.NewFeed(url, "after", httpinlet.Field("next"), opts)
	}
	for name, pages := range map[string]int{"a page a pull": 1, "all at once": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.TestInlet(t, func(t *testing.T) inlet.Inlet {
				return of(serve(t, (&events{last: 11}).ServeHTTP), &httpinlet.Options{MaxPages: pages})
			}, hung(of))
		})
	}
}

func TestConditionalConforms(t *testing.T) {
	t.Parallel()
	of := func(url string, opts *httpinlet.Options) inlet.Inlet { return httpinlet.NewConditional(url, opts) }
	// The document has another version at every request, up to the sixth. All inlets ask
	// for the same one.
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(strings.Trim(r.Header.Get("If-None-Match"), `"`))
		if n == 6 {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", fmt.Sprintf("%q", strconv.Itoa(n+1)))
		fmt.Fprintf(w, "[%d,%d]", 2*n, 2*n+1)
	})
	testkit.TestInlet(t, func(*testing.T) inlet.Inlet { return of(address, new(httpinlet.Options)) }, hung(of))
}
