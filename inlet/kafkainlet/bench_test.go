package kafkainlet_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/databay-go/databay/inlet/kafkainlet"
)

// BenchmarkPull pulls 100,000 records of 100 bytes from a broker in the process, at
// most 1,000 a pull, and commits once.
func BenchmarkPull(b *testing.B) {
	const n = 100_000
	_, at := cluster(b, 1)
	rs := make([]*kgo.Record, n)
	for i := range rs {
		rs[i] = kgo.StringRecord(fmt.Sprintf("%0100d", i))
	}
	if err := client(b, at).ProduceSync(b.Context(), rs...).FirstErr(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	groups := 0
	for b.Loop() {
		groups++
		in := started(b, at, fmt.Sprint("g", groups), &kafkainlet.Options{MaxRecords: 1000})
		pullN(b, in, n)
		if err := in.Commit(b.Context(), in.Position()); err != nil {
			b.Fatal(err)
		}
		if err := in.Shutdown(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "records/s")
}
