package csvoutlet_test

import (
	"fmt"
	"testing"

	"github.com/databay-go/databay/outlet/csvoutlet"
	"github.com/databay-go/databay/record"
)

type sale struct {
	ID     int     `csv:"id"`
	Name   string  `csv:"name"`
	Price  float64 `csv:"price"`
	Active bool    `csv:"active"`
	Note   string  `csv:"note"`
}

func BenchmarkPush(b *testing.B) {
	for _, kind := range []string{"maps", "strings", "structs"} {
		for _, n := range []int{1, 100, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				rs := make([]record.Record, n)
				for i := range rs {
					switch kind {
					case "maps":
						rs[i] = record.New(row{"id": float64(i), "name": "somebody", "price": 12.5, "active": true, "note": "a, b"})
					case "strings":
						rs[i] = record.New(map[string]string{"id": "1", "name": "somebody", "price": "12.5", "active": "true", "note": "a, b"})
					case "structs":
						rs[i] = record.New(sale{i, "somebody", 12.5, true, "a, b"})
					}
				}
				o := started(b, path(b), nil)
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

// Every record names its file, one of a hundred, of which 64 are kept open.
func BenchmarkPushToManyFiles(b *testing.B) {
	for _, files := range []int{10, 100} {
		b.Run(fmt.Sprint(files), func(b *testing.B) {
			folder := b.TempDir()
			rs := make([]record.Record, 1000)
			for i := range rs {
				rs[i] = record.New(sale{ID: i, Name: "somebody"}, csvoutlet.File.Of(fmt.Sprintf("%s/%d.csv", folder, i%files)))
			}
			o := started(b, folder+"/default.csv", nil)
			b.ReportAllocs()
			for b.Loop() {
				if err := o.Push(b.Context(), rs, record.Update{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "records/s")
		})
	}
}
