package kafkaoutlet_test

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/databay-go/databay/outlet/kafkaoutlet"
	"github.com/databay-go/databay/record"
)

// BenchmarkPush pushes 1,000 records of 100 bytes to a broker in the process.
func BenchmarkPush(b *testing.B) {
	_, brokers := cluster(b, 1, kfake.BlackholeProduce())
	o := started(b, brokers, nil)
	rs := make([]record.Record, 1000)
	for i := range rs {
		rs[i] = record.New(fmt.Appendf(nil, "%0100d", i), kafkaoutlet.Key.Of(fmt.Sprint(i%10)))
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := o.Push(b.Context(), rs, record.Update{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(rs))/b.Elapsed().Seconds(), "records/s")
}
