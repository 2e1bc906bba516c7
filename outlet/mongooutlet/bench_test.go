package mongooutlet_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/httpinlet"
	"github.com/databay-go/databay/internal/testserver"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/mongooutlet"
	"github.com/databay-go/databay/record"
)

// BenchmarkPush is a push to a peer that accepts everything, beside the driver called
// by hand.
func BenchmarkPush(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		rs := make([]record.Record, n)
		docs := make([]any, n)
		for i := range rs {
			docs[i] = row{"id": i, "name": "somebody", "price": 12.5}
			rs[i] = record.New(docs[i]).WithID(fmt.Sprint(i))
		}
		measured := func(name string, write func(ctx context.Context) error) {
			b.Run(fmt.Sprint(name, "/", n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := write(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), "records/s")
			})
		}
		d := newDouble(b, nil)
		d.forget = true
		for name, opts := range map[string]*mongooutlet.Options{"insert": nil, "by ID": {UseID: true}} {
			o := started(b, d.uri, "rows", opts)
			measured(name, func(ctx context.Context) error { return o.Push(ctx, rs, record.Update{}) })
		}
		c := connected(b, d.uri).Database("databay").Collection("rows")
		measured("by hand", func(ctx context.Context) error {
			_, err := c.InsertMany(ctx, docs)
			return err
		})
	}
}

type todo struct {
	ID    int     `json:"id" bson:"id"`
	Title string  `json:"title" bson:"title"`
	Done  bool    `json:"done" bson:"done"`
	Price float64 `json:"price" bson:"price"`
}

// BenchmarkTransfer is a link from a local HTTP server, which answers with arrays of
// 100 objects, to mongo-java-server, and the same by hand, in turns. The ratio is that
// of their throughputs, above 1 where the link is faster.
func BenchmarkTransfer(b *testing.B) {
	uri := testserver.Mongo(b)
	page := make([]todo, 100)
	for i := range page {
		page[i] = todo{i, "a title of some length", i%2 == 0, 12.5}
	}
	body, err := json.Marshal(page)
	require.NoError(b, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
	defer server.Close()
	l, err := link.New(link.Config{
		Name:    "todos",
		Inlets:  []inlet.Inlet{httpinlet.New(server.URL, &httpinlet.Options{Decode: httpinlet.JSON[todo]})},
		Outlets: []outlet.Outlet{mongooutlet.New(uri, "databay", "link", nil)},
	})
	require.NoError(b, err)
	require.NoError(b, l.Start(b.Context()))
	defer func() { _, _ = l.Shutdown(context.Background()) }()
	c := connected(b, uri).Database("databay").Collection("hand")

	var ours, hand time.Duration
	for b.Loop() {
		begin := time.Now()
		if _, err := l.Transfer(b.Context(), link.Tick{}); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		if err := byHand(b.Context(), server.URL, c); err != nil {
			b.Fatal(err)
		}
		ours += middle.Sub(begin)
		hand += time.Since(middle)
	}
	b.ReportMetric(float64(hand)/float64(ours), "ratio")
	b.ReportMetric(100*float64(b.N)/ours.Seconds(), "records/s")
}

// byHand is what one would write for this one program.
func byHand(ctx context.Context, url string, c *mongo.Collection) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var todos []todo
	if err := json.Unmarshal(text, &todos); err != nil {
		return err
	}
	_, err = c.InsertMany(ctx, todos)
	return err
}
