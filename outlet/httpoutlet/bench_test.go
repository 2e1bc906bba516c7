package httpoutlet_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/databay-go/databay/outlet/httpoutlet"
	"github.com/databay-go/databay/record"
)

func BenchmarkPush(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer server.Close()
	for _, body := range []httpoutlet.Body{httpoutlet.Array, httpoutlet.Lines, httpoutlet.Single} {
		for _, n := range []int{1, 100, 10_000} {
			if body == httpoutlet.Single && n > 100 {
				continue
			}
			b.Run(fmt.Sprintf("%v/%d", body, n), func(b *testing.B) {
				rs := make([]record.Record, n)
				for i := range rs {
					rs[i] = record.New(row{"id": i, "name": "somebody", "price": 12.5})
				}
				o := started(b, server.URL, &httpoutlet.Options{Body: body})
				b.ReportAllocs()
				for b.Loop() {
					if err := o.Push(b.Context(), rs, record.Update{}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), "records/s")
			})
		}
	}
}
