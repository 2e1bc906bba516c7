package fileinlet_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/text/encoding/charmap"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/fileinlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state"
)

// with calls f with the path of a file that has a text.
func with(name, text string, f func(path string)) {
	dir, err := os.MkdirTemp("", "fileinlet")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, name)
	add(path, text)
	f(path)
}

// add appends a text to a file.
func add(path, text string) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		log.Fatal(err)
	}
}

// show starts an inlet, pulls once, and prints what came.
func show(in *fileinlet.Inlet) {
	ctx := context.Background()
	if err := in.Start(ctx); err != nil { // links do this
		log.Fatal(err)
	}
	defer in.Shutdown(ctx)
	records, err := in.Pull(ctx, record.Update{})
	for _, r := range records {
		fmt.Printf("%d: %+v\n", fileinlet.Line.Or(r, 0), r.Payload)
	}
	if err != nil {
		fmt.Println(err)
	}
}

// Every line is a record, once it is finished. The file is followed as it grows and
// is rotated.
func ExampleNew() {
	with("app.log", "one\ntw", func(path string) {
		in := fileinlet.New(path, nil)
		ctx := context.Background()
		if err := in.Start(ctx); err != nil { // links do this
			log.Fatal(err)
		}
		defer in.Shutdown(ctx)

		pull := func() {
			records, err := in.Pull(ctx, record.Update{})
			for _, r := range records {
				fmt.Println(r.Payload, fileinlet.Line.Or(r, 0), fileinlet.Offset.Or(r, 0))
			}
			if err != nil {
				log.Fatal(err)
			}
		}
		pull()
		add(path, "o\nthree\n")
		if err := os.Rename(path, path+".1"); err != nil {
			log.Fatal(err)
		}
		add(path, "four\n")
		pull()
	})
	// Output:
	// one 1 0
	// two 2 4
	// three 3 8
	// four 1 0
}

// The lines of a JSON lines file become values of a type.
func ExampleJSON() {
	type Todo struct {
		Title string
		Done  bool
	}
	with("todos.jsonl", "{\"title\":\"write\"}\n\n{\"title\":\"test\",\"done\":true}\n", func(path string) {
		show(fileinlet.New(path, &fileinlet.Options{Decode: fileinlet.JSON[Todo]}))
	})
	// Output:
	// 1: {Title:write Done:false}
	// 3: {Title:test Done:true}
}

// The rows of a CSV file become maps. Quoted line breaks do not end a row.
func ExampleCSV() {
	with("prices.csv", "symbol,note\nACME,\"two\nlines\"\nINIT,none\n", func(path string) {
		show(fileinlet.New(path, &fileinlet.Options{CSV: &fileinlet.CSV{}}))
	})
	// Output:
	// 2: map[note:two
	// lines symbol:ACME]
	// 4: map[note:none symbol:INIT]
}

// The rows of a CSV file become structs.
func ExampleStruct() {
	type Price struct {
		Symbol string    `csv:"symbol"`
		Price  float64   `csv:"price"`
		Day    time.Time `csv:"day"`
	}
	with("prices.csv", "symbol;price;day\nACME;12.5;2024-01-31T00:00:00Z\n", func(path string) {
		show(fileinlet.New(path, &fileinlet.Options{CSV: &fileinlet.CSV{Comma: ';', Decode: fileinlet.Struct[Price]()}}))
	})
	// Output:
	// 2: {Symbol:ACME Price:12.5 Day:2024-01-31 00:00:00 +0000 UTC}
}

// A program that is started again goes on where delivery ended, also if the file was
// rotated meanwhile.
func Example_resume() {
	with("app.log", "one\ntwo\n", func(path string) {
		store := new(state.Memory) // a program that ends keeps it somewhere else
		program := func() {
			l, err := link.New(link.Config{
				Name:   "log",
				Inlets: []inlet.Inlet{fileinlet.New(path, nil)},
				Outlets: []outlet.Outlet{outlet.Each(func(_ context.Context, line string) error {
					fmt.Println(line)
					return nil
				})},
				State: store,
			})
			if err != nil {
				log.Fatal(err)
			}
			if _, err := l.Once(context.Background()); err != nil {
				log.Fatal(err)
			}
		}
		program()
		fmt.Println("…")

		add(path, "three\n")
		if err := os.Rename(path, path+".1"); err != nil {
			log.Fatal(err)
		}
		add(path, "four\n")
		program()
	})
	// Output:
	// one
	// two
	// …
	// three
	// four
}

// Bad lines are passed over if the program says so.
func ExampleOptions_onBad() {
	with("todos.jsonl", "{\"title\":\"write\"}\n{\"title\":\n{\"title\":\"test\"}\n", func(path string) {
		show(fileinlet.New(path, &fileinlet.Options{
			Decode: fileinlet.JSON[map[string]string],
			OnBad: func(_ context.Context, bad *fileinlet.LineError) (any, error) {
				fmt.Printf("line %d is left out: %v\n", bad.Line, bad.Err)
				return nil, nil
			},
		}))
	})
	// Output:
	// line 2 is left out: unexpected end of JSON input
	// 1: map[title:write]
	// 3: map[title:test]
}

// The whole file is one record, if it has changed.
func ExampleOptions_whole() {
	with("config.json", `{"title":"plan"}`, func(path string) {
		in := fileinlet.New(path, &fileinlet.Options{Whole: true, Changed: true, Decode: fileinlet.JSON[map[string]string]})
		ctx := context.Background()
		if err := in.Start(ctx); err != nil {
			log.Fatal(err)
		}
		defer in.Shutdown(ctx)
		for range 2 {
			records, err := in.Pull(ctx, record.Update{})
			fmt.Println(len(records), err)
		}
	})
	// Output:
	// 1 <nil>
	// 0 <nil>
}

// Text in other encodings becomes UTF-8.
func ExampleOptions_encoding() {
	with("old.txt", "gr\xfc\xdfe\r\n", func(path string) {
		show(fileinlet.New(path, &fileinlet.Options{Encoding: charmap.ISO8859_1}))
	})
	// Output:
	// 1: grüße
}

// All mistakes are reported at once.
func ExampleInlet_Validate() {
	fmt.Println(fileinlet.New("", &fileinlet.Options{Changed: true, MaxLine: -5}).Validate())
	// Output:
	// fileinlet: the path is empty, want that of a file
	// fileinlet: MaxLine is -5, want more than 0 bytes, or 0 for the default, or -1 for any number
	// fileinlet: Changed is true without Whole, want both: lines are only read once anyway
}
