package stdininlet_test

import (
	"bytes"
	"testing"

	"github.com/databay-go/databay/inlet/stdininlet"
)

func BenchmarkPull(b *testing.B) {
	text := bytes.Repeat([]byte(`{"id":17,"name":"somebody","price":12.5,"active":true}`+"\n"), 100_000)
	for name, decode := range map[string]stdininlet.Decoder{"text": stdininlet.Text, "JSON": nil} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				in := started(b, &stdininlet.Options{Reader: bytes.NewReader(text), Decode: decode})
				if got, _ := all(b, in); len(got) != 100_000 {
					b.Fatal(len(got))
				}
			}
		})
	}
}
