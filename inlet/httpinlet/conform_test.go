package httpinlet_test

import (
	"fmt"
	"net/http"
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
