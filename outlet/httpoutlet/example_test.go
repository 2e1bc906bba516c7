package httpoutlet_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/databay-go/databay/outlet/httpoutlet"
	"github.com/databay-go/databay/record"
)

// shop is the server of the examples: it prints what it gets, and refuses the orders
// of nobody.
func shop() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Printf("%s %s %s\n", r.Method, r.Header.Get("Content-Type"), body)
		if strings.Contains(string(body), "nobody") {
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprint(w, "who is that?")
		}
	}))
}

// send pushes records to o as a link would.
func send(o *httpoutlet.Outlet, records ...record.Record) {
	ctx := context.Background()
	if err := o.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer o.Shutdown(ctx)
	if err := o.Push(ctx, records, record.Update{}); err != nil {
		fmt.Println(err)
	}
}

type order struct {
	By    string `json:"by"`
	Total int    `json:"total"`
}

func ExampleNew() {
	server := shop()
	defer server.Close()
	send(httpoutlet.New(server.URL, nil), record.New(order{"ada", 5}), record.New(order{"bob", 7}))
	// Output: POST application/json [{"by":"ada","total":5},{"by":"bob","total":7}]
}

// With a request a record, the server decides about each.
func ExampleOptions_single() {
	server := shop()
	defer server.Close()
	o := httpoutlet.New(server.URL, &httpoutlet.Options{Body: httpoutlet.Single, Method: http.MethodPut})
	send(o, record.New(order{"nobody", 5}), record.New(order{"bob", 7}))
	// Output:
	// PUT application/json {"by":"nobody","total":5}
	// PUT application/json {"by":"bob","total":7}
	// 1 failed: record 0: status 422 Unprocessable Entity: "who is that?"
}

// An encoder writes what the server wants, here an action before each document.
func ExampleEncoder() {
	server := shop()
	defer server.Close()
	o := httpoutlet.New(server.URL, &httpoutlet.Options{
		Body: httpoutlet.Lines,
		Encode: func(buf []byte, r record.Record) ([]byte, error) {
			return httpoutlet.JSON(fmt.Appendf(buf, "{\"index\":{\"_id\":%q}}\n", r.ID()), r)
		},
	})
	send(o, record.New(order{"ada", 5}).WithID("o-1"))
	// Output:
	// POST application/x-ndjson {"index":{"_id":"o-1"}}
	// {"by":"ada","total":5}
}

// A server that takes some of a batch says so in its own way.
func ExampleOptions_status() {
	server := shop()
	defer server.Close()
	o := httpoutlet.New(server.URL, &httpoutlet.Options{Status: func(a httpoutlet.Answer) error {
		if a.Code != http.StatusUnprocessableEntity {
			return a.Err
		}
		return &record.Partial{Failed: map[int]error{0: record.Permanent(fmt.Errorf("%s", a.Body))}}
	}})
	send(o, record.New(order{"nobody", 5}), record.New(order{"bob", 7}))
	// Output:
	// POST application/json [{"by":"nobody","total":5},{"by":"bob","total":7}]
	// 1 failed: record 0: who is that?
}
