package fileoutlet_test

import (
	"fmt"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"github.com/databay-go/databay/outlet/fileoutlet"
	"github.com/databay-go/databay/record"
)

func BenchmarkPush(b *testing.B) {
	for _, test := range []struct {
		name string
		opts *fileoutlet.Options
	}{
		{"text", nil},
		{"JSON", &fileoutlet.Options{Encode: fileoutlet.JSON}},
		{"latin", &fileoutlet.Options{Encoding: charmap.ISO8859_1}},
		{"rotated", &fileoutlet.Options{Rotate: fileoutlet.Rotate{Size: 1 << 20, Keep: 2}}},
		{"replaced", &fileoutlet.Options{Replace: true}},
		{"synced", &fileoutlet.Options{Sync: fileoutlet.SyncPush}},
	} {
		for _, n := range []int{1, 100, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", test.name, n), func(b *testing.B) {
				rs := make([]record.Record, n)
				for i := range rs {
					rs[i] = record.New("a line of text, as long as many are in a log file")
					if test.name == "JSON" {
						rs[i] = record.New(map[string]any{"id": float64(i), "name": "somebody", "price": 12.5, "active": true})
					}
				}
				o := started(b, path(b), test.opts)
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
