package buffer_test

import (
	"context"
	"testing"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/record"
)

// Pulls of 100 records, released at 10,000, against appending them by hand.
func BenchmarkBuffer(b *testing.B) {
	const pull, count = 100, 10_000
	given := records(1, pull)
	perRecord := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/pull, "ns/record")
	}
	b.Run("buffer", func(b *testing.B) {
		buf := buffer.New(&buffer.Options{Count: count})
		for b.Loop() {
			if _, err := buf.Process(context.Background(), given); err != nil {
				b.Fatal(err)
			}
		}
		perRecord(b)
	})
	b.Run("controller", func(b *testing.B) {
		buf := buffer.New(&buffer.Options{Controllers: []buffer.Controller{
			func(held []record.Record) (bool, error) { return len(held) >= count, nil },
		}})
		for b.Loop() {
			if _, err := buf.Process(context.Background(), given); err != nil {
				b.Fatal(err)
			}
		}
		perRecord(b)
	})
	b.Run("append", func(b *testing.B) {
		var held []record.Record
		for b.Loop() {
			if held = append(held, given...); len(held) >= count {
				held = nil
			}
		}
		perRecord(b)
	})
}
