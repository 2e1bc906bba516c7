package httpinlet_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/databay-go/databay/inlet/httpinlet"
	"github.com/databay-go/databay/record"
)

// One pull of an array of objects, over a connection that is kept; "by hand" is
// what the least of code over net/http costs.
func BenchmarkPull(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		body := "[" + strings.TrimSuffix(strings.Repeat(`{"symbol":"ACME","price":12.5},`, n), ",") + "]"
		server := httptest.NewServer(answer(http.StatusOK, body))
		b.Cleanup(server.Close)
		for name, decode := range map[string]httpinlet.Decoder{"maps": nil, "structs": httpinlet.JSON[quote], "text": httpinlet.Text} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				in := httpinlet.New(server.URL, &httpinlet.Options{Decode: decode})
				if err := in.Start(b.Context()); err != nil {
					b.Fatal(err)
				}
				defer func() { _ = in.Shutdown(b.Context()) }()
				b.ReportAllocs()
				for b.Loop() {
					if _, err := in.Pull(b.Context(), record.Update{}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(fmt.Sprintf("by hand, structs/%d", n), func(b *testing.B) {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			b.ReportAllocs()
			for b.Loop() {
				req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL, nil)
				if err != nil {
					b.Fatal(err)
				}
				resp, err := client.Do(req)
				if err != nil {
					b.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil {
					b.Fatal(err)
				}
				var quotes []quote
				if err := json.Unmarshal(body, &quotes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
