package record_test

import (
	"testing"

	"github.com/databay-go/databay/record"
)

func BenchmarkCopier(b *testing.B) {
	type plain struct {
		A, B, C int
		S       string
	}
	type deep struct {
		A int
		T []string
		P *plain
		X any
	}
	for name, v := range map[string]any{
		"map":    map[string]any{"id": 1, "name": "x", "price": 1.5, "ok": true},
		"nested": map[string]any{"id": 1, "name": "x", "price": 1.5, "ok": true, "list": []any{1, 2, 3}, "map": map[string]any{"a": 1, "b": 2}},
		"plain":  plain{1, 2, 3, "x"},
		"deep":   &deep{1, []string{"a", "b"}, &plain{}, 3},
		"int":    17,
	} {
		b.Run(name, func(b *testing.B) {
			src := make([]record.Record, 1000)
			for i := range src {
				src[i].Payload = v
			}
			var c record.Copier
			dst := make([]record.Record, 0, 1000)
			b.ReportAllocs()
			for b.Loop() {
				dst, _ = c.Records(dst[:0], src)
			}
		})
	}
}
