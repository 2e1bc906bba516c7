package httpoutlet_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
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

// An encoder writes what the server wants, here only a part of the payload.
func ExampleEncoder() {
	server := shop()
	defer server.Close()
	o := httpoutlet.New(server.URL, &httpoutlet.Options{
		Encode: func(buf []byte, r record.Record) ([]byte, error) {
			o, err := record.As[order](r)
			return strconv.AppendInt(buf, int64(o.Total), 10), err
		},
	})
	send(o, record.New(order{"ada", 5}), record.New(order{"bob", 7}))
	// Output: POST application/json [5,7]
}

// A batch that is offered again bears the same key, by which the server knows it.
func ExampleOptions_idempotencyHeader() {
	seen := make(map[string]bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get("Idempotency-Key")
		fmt.Println(key[:16], "known:", seen[key])
		seen[key] = true
	}))
	defer server.Close()
	o := httpoutlet.New(server.URL, &httpoutlet.Options{IdempotencyHeader: "Idempotency-Key"})
	batch := []record.Record{record.New(order{"ada", 5}).WithID("orders/7"), record.New(order{"bob", 7}).WithID("orders/8")}
	send(o, batch...)
	send(o, batch...)
	send(o, record.New(order{"ada", 5}))
	// Output:
	// 4a9a7654b9e8e1e8 known: false
	// 4a9a7654b9e8e1e8 known: true
	// 1 failed: record 0: the record has no ID, which IdempotencyHeader needs; want an inlet that gives its records IDs
}

// An item of a bulk request has a status of its own.
func ExampleMeaning() {
	for _, code := range []int{201, 429, 400} {
		err := httpoutlet.Meaning(code, "")
		fmt.Println(err, record.IsPermanent(err))
	}
	// Output:
	// <nil> false
	// status 429 Too Many Requests false
	// status 400 Bad Request true
}

// A bulk request of Elasticsearch: an action before each document, and in the answer a
// status for each.
func ExampleOptions_bulk() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Printf("%s", body)
		fmt.Fprint(w, `{"errors":true,"items":[{"index":{"status":201}},{"index":{"status":400,"error":{"type":"mapper_parsing_exception"}}}]}`)
	}))
	defer server.Close()

	o := httpoutlet.New(server.URL+"/orders/_bulk", bulk())
	send(o, record.New(order{"ada", 5}).WithID("o-1"), record.New(order{"bob", -7}).WithID("o-2"))
	// Output:
	// {"index":{"_id":"o-1"}}
	// {"by":"ada","total":5}
	// {"index":{"_id":"o-2"}}
	// {"by":"bob","total":-7}
	// 1 failed: record 1: status 400 Bad Request: "{\"type\":\"mapper_parsing_exception\"}"
}

// bulk returns the options of bulk requests. A document has the ID of its record, so that
// one which is offered again replaces itself.
func bulk() *httpoutlet.Options {
	type action struct {
		Index struct {
			ID string `json:"_id"`
		} `json:"index"`
	}
	type answer struct {
		Items []map[string]struct {
			Status int             `json:"status"`
			Error  json.RawMessage `json:"error"`
		} `json:"items"`
	}
	return &httpoutlet.Options{
		Body: httpoutlet.Lines,
		Encode: func(buf []byte, r record.Record) ([]byte, error) {
			var a action
			a.Index.ID = r.ID()
			buf, err := httpoutlet.JSON(buf, record.New(a))
			if err != nil {
				return nil, err
			}
			return httpoutlet.JSON(append(buf, '\n'), r)
		},
		Status: func(a httpoutlet.Answer) error {
			if err := cmp.Or(a.Err, a.BodyErr); err != nil {
				return err
			}
			var got answer
			if err := json.Unmarshal(a.Body, &got); err != nil {
				return err
			}
			if len(got.Items) != a.Records {
				return fmt.Errorf("%d items for %d records", len(got.Items), a.Records)
			}
			var failures record.Failures
			for i, item := range got.Items {
				for _, result := range item {
					failures.Add(i, httpoutlet.Meaning(result.Status, string(result.Error)))
				}
			}
			return failures.Err()
		},
	}
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

func ExampleJSON() {
	text, err := httpoutlet.JSON(nil, record.New(order{"ada & bob", 5}))
	fmt.Printf("%s %v\n", text, err)
	// Output: {"by":"ada & bob","total":5} <nil>
}
