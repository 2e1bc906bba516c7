package httpinlet_test

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/databay-go/databay/inlet/httpinlet"
	"github.com/databay-go/databay/record"
)

// exchange is the server of the examples.
func exchange() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/quotes":
			fmt.Fprint(w, `[{"symbol":"ACME","price":12.5},{"symbol":"INIT","price":3}]`)
		case "/quotes.csv":
			fmt.Fprint(w, "ACME,12.5\nINIT,3\n")
		default:
			http.NotFound(w, r)
		}
	}))
}

// Without options, records carry what encoding/json makes of any JSON.
func ExampleNew() {
	server := exchange()
	defer server.Close()

	in := httpinlet.New(server.URL+"/quotes", nil)
	ctx := context.Background()
	if err := in.Start(ctx); err != nil { // links do this
		fmt.Println(err)
		return
	}
	defer in.Shutdown(ctx)

	records, err := in.Pull(ctx, record.Update{})
	fmt.Println(records, err)
	// Output: [map[price:12.5 symbol:ACME] map[price:3 symbol:INIT]] <nil>
}

// With a type of the program, records carry its values.
func ExampleJSON() {
	server := exchange()
	defer server.Close()

	type Quote struct {
		Symbol string  `json:"symbol"`
		Price  float64 `json:"price"`
	}
	in := httpinlet.New(server.URL+"/quotes", &httpinlet.Options{
		Decode:  httpinlet.JSON[Quote],
		Params:  url.Values{"market": {"XETR"}},
		Headers: http.Header{"X-Api-Key": {"secret"}},
		Timeout: 5 * time.Second,
	})
	ctx := context.Background()
	if err := in.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer in.Shutdown(ctx)

	records, err := in.Pull(ctx, record.Update{})
	for _, r := range records {
		fmt.Println(r.Payload.(Quote).Symbol)
	}
	fmt.Println(err)
	// Output:
	// ACME
	// INIT
	// <nil>
}

// A decoder of one's own reads any format.
func ExampleDecoder() {
	server := exchange()
	defer server.Close()

	rows := func(body []byte) ([]record.Record, error) {
		lines, err := csv.NewReader(strings.NewReader(string(body))).ReadAll()
		var records []record.Record
		for _, line := range lines {
			records = append(records, record.New(line))
		}
		return records, err
	}
	in := httpinlet.New(server.URL+"/quotes.csv", &httpinlet.Options{Decode: rows})
	ctx := context.Background()
	if err := in.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer in.Shutdown(ctx)

	fmt.Println(in.Pull(ctx, record.Update{}))
	// Output: [[ACME 12.5] [INIT 3]] <nil>
}

// An error says what the server answered.
func ExampleStatusError() {
	server := exchange()
	defer server.Close()

	in := httpinlet.New(server.URL+"/nothing", nil)
	ctx := context.Background()
	if err := in.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer in.Shutdown(ctx)

	_, err := in.Pull(ctx, record.Update{})
	if status, ok := errors.AsType[*httpinlet.StatusError](err); ok {
		fmt.Println(status.Code)
	}
	fmt.Println(err)
	// Output:
	// 404
	// status 404 Not Found: "404 page not found\n"
}

// The text of a page becomes one record.
func ExampleText() {
	records, err := httpinlet.Text([]byte("all is well\n"))
	fmt.Printf("%q %v\n", records[0].Payload, err)
	// Output: "all is well\n" <nil>
}

// All mistakes are reported at once, without the password.
func ExampleInlet_Validate() {
	in := httpinlet.New("ftp://me:secret@example.com/quotes", &httpinlet.Options{MaxBody: -5})
	fmt.Println(in.Validate())
	// Output:
	// httpinlet: URL "ftp://example.com/quotes" has the scheme "ftp", want http or https
	// httpinlet: MaxBody is -5, want more than 0 bytes, or 0 for 10485760, or -1 for any number
}
