package httpinlet_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/httpinlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// show pulls a few times, as a link would, and prints what comes.
func show(in inlet.Inlet, pulls int) {
	ctx := context.Background()
	starter, _ := inlet.As[inlet.Starter](in)
	if err := starter.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	closer, _ := inlet.As[inlet.Shutdowner](in)
	defer closer.Shutdown(ctx)
	for range pulls {
		fmt.Println(in.Pull(ctx, record.Update{}))
	}
}

// A source of tokens is asked for one, and for another one when the server refuses it.
func ExampleOptions_token() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer token-2" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `["let in"]`)
	}))
	defer server.Close()

	n := 0
	login := func(context.Context) (string, error) {
		n++
		fmt.Println("login", n)
		return fmt.Sprint("token-", n), nil
	}
	show(httpinlet.New(server.URL, &httpinlet.Options{Token: login}), 2)
	// Output:
	// login 1
	// login 2
	// [let in] <nil>
	// [let in] <nil>
}

// A name and a password let requests in where the server wants basic authentication.
func ExampleOptions_basic() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		fmt.Fprintf(w, "%q", "hello "+user)
	}))
	defer server.Close()

	show(httpinlet.New(server.URL, &httpinlet.Options{User: "ada", Password: "secret"}), 1)
	// Output: [hello ada] <nil>
}

// A query that is sent in a body may be repeated like a GET, if the server only reads.
func ExampleOptions_body() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"data":{"method":%q}}`, r.Method)
	}))
	defer server.Close()

	show(httpinlet.New(server.URL, &httpinlet.Options{
		Body:   `{"query":"{ orders { id } }"}`,
		Retry:  httpinlet.Retry{AnyMethod: true},
		Decode: httpinlet.JSONField[any]("data"),
	}), 1)
	// Output: [map[method:POST]] <nil>
}

// paged serves two pages.
func paged() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.RawQuery {
		case "":
			w.Header().Set("Link", `</?page=2>; rel="next"`)
			fmt.Fprint(w, `{"items":["a","b"],"next":"2"}`)
		case "page=2":
			fmt.Fprint(w, `{"items":["c"],"next":null}`)
		default:
			fmt.Fprint(w, `{"items":[]}`)
		}
	}))
}

// Many servers name the next page in a Link header.
func ExampleLinkHeader() {
	server := paged()
	defer server.Close()
	show(httpinlet.New(server.URL, &httpinlet.Options{Decode: httpinlet.JSONField[string]("items"), Next: httpinlet.LinkHeader}), 1)
	// Output: [a b c] <nil>
}

// Where pages have numbers, they are counted until one is empty.
func ExamplePageNumber() {
	server := paged()
	defer server.Close()
	show(httpinlet.New(server.URL, &httpinlet.Options{Decode: httpinlet.JSONField[string]("items"), Next: httpinlet.PageNumber("page")}), 1)
	// Output: [a b c] <nil>
}

// A cursor in the body is sent back in the query.
func ExampleCursor() {
	server := paged()
	defer server.Close()
	show(httpinlet.New(server.URL, &httpinlet.Options{
		Decode: httpinlet.JSONField[string]("items"),
		Next:   httpinlet.Cursor("page", httpinlet.Field("next")),
	}), 1)
	// Output: [a b c] <nil>
}

// Any other way to the next page is a function, here one that counts records.
func ExampleFinder() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, map[string]string{"": `["a","b"]`, "offset=2": `["c"]`}[r.URL.RawQuery])
	}))
	defer server.Close()

	full := func(p httpinlet.Page) (string, error) {
		if p.Records < 2 {
			return "", nil
		}
		return "?offset=2", nil
	}
	show(httpinlet.New(server.URL, &httpinlet.Options{Next: full}), 1)
	// Output: [a b c] <nil>
}

// A feed goes on after the cursor of what it has had, here the ID of an event.
func ExampleNewFeed() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("after") {
		case "":
			fmt.Fprint(w, `{"events":["opened","moved"],"last":"e2"}`)
		case "e2":
			fmt.Fprint(w, `{"events":["closed"],"last":"e3"}`)
		default:
			fmt.Fprint(w, `{"events":[]}`)
		}
	}))
	defer server.Close()

	events := httpinlet.NewFeed(server.URL, "after", httpinlet.Field("last"), &httpinlet.Options{
		Decode:   httpinlet.JSONField[string]("events"),
		MaxPages: 1,
	})
	show(events, 3)
	position, _ := inlet.As[inlet.Positioner](events)
	fmt.Printf("%s\n", position.Position()) // what the link commits after delivery
	// Output:
	// [opened moved] <nil>
	// [closed] <nil>
	// [] <nil>
	// {"cursor":"e3"}
}

// A document that has not changed yields nothing.
func ExampleNewConditional() {
	rates := `{"EUR":1.1}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		etag := fmt.Sprintf("%q", fmt.Sprint(len(rates)))
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprint(w, rates)
	}))
	defer server.Close()

	in := httpinlet.NewConditional(server.URL, nil)
	show(in, 2)
	rates = `{"EUR":1.12}`
	show(in, 1)
	// Output:
	// [map[EUR:1.1]] <nil>
	// [] <nil>
	// [map[EUR:1.12]] <nil>
}

// A server that is down for a moment is asked again.
func ExampleRetry() {
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n++; n < 3 {
			http.Error(w, "starting", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, `["up"]`)
	}))
	defer server.Close()

	show(httpinlet.New(server.URL, &httpinlet.Options{Retry: httpinlet.Retry{Tries: 2, Wait: time.Millisecond}}), 1)
	show(httpinlet.New(server.URL, &httpinlet.Options{Retry: httpinlet.Retry{Tries: 2, Wait: time.Millisecond}}), 1)
	// Output:
	// [] tried 2 times: status 503 Service Unavailable: "starting\n"
	// [up] <nil>
}

// Two inlets share what their server allows.
func ExampleEvery() {
	server := exchange()
	defer server.Close()

	limit := httpinlet.Every(20 * time.Millisecond)
	quotes := httpinlet.New(server.URL+"/quotes", &httpinlet.Options{Limit: limit})
	table := httpinlet.New(server.URL+"/quotes.csv", &httpinlet.Options{Limit: limit, Decode: httpinlet.Text})
	began := time.Now()
	show(quotes, 1)
	show(table, 1)
	fmt.Println(time.Since(began) >= 20*time.Millisecond)
	// Output:
	// [map[price:12.5 symbol:ACME] map[price:3 symbol:INIT]] <nil>
	// [ACME,12.5
	// INIT,3
	// ] <nil>
	// true
}

// The values of a field are records; what is around them is not.
func ExampleJSONField() {
	decode := httpinlet.JSONField[int]("result.numbers")
	fmt.Println(decode([]byte(`{"result":{"numbers":[1,2,3]},"took":"5ms"}`)))
	// Output: [1 2 3] <nil>
}

// Every line is a record.
func ExampleJSONLines() {
	fmt.Println(httpinlet.JSONLines[[]int]([]byte("[1,2]\n[3]\n")))
	// Output: [[1 2] [3]] <nil>
}

// The field of a page may have the URL of the next one.
func ExampleField() {
	page := httpinlet.Page{Body: []byte(`{"links":{"next":"/quotes?from=7"}}`)}
	fmt.Println(httpinlet.Field("links.next")(page))
	// Output: /quotes?from=7 <nil>
}

// Records that carry the ID of their source can be recognised downstream.
func ExampleWithID() {
	type order struct{ ID, By string }
	decode := httpinlet.WithID(httpinlet.JSON[order], func(o order) string { return o.ID })
	records, err := decode([]byte(`[{"ID":"o-1","By":"ada"}]`))
	fmt.Println(records[0].ID(), err)
	// Output: o-1 <nil>
}

// A whole link: what has changed at a server is printed.
func Example() {
	server := exchange()
	defer server.Close()

	l, err := link.New(link.Config{
		Name:    "quotes",
		Inlets:  []inlet.Inlet{httpinlet.NewConditional(server.URL+"/quotes", nil)},
		Outlets: []outlet.Outlet{outlet.Each(func(_ context.Context, q map[string]any) error { _, err := fmt.Println(q["symbol"]); return err })},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := l.Once(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ACME
	// INIT
}
