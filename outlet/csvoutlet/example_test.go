package csvoutlet_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/databay-go/databay/outlet/csvoutlet"
	"github.com/databay-go/databay/record"
)

// write pushes records to o as a link would.
func writeExample(o *csvoutlet.Outlet, records ...record.Record) {
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

func show(path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%s", text)
}

func ExampleNew() {
	folder, _ := os.MkdirTemp("", "csvoutlet")
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "quotes.csv")

	type Quote struct {
		Symbol string  `csv:"symbol"`
		Price  float64 `csv:"price"`
	}
	writeExample(csvoutlet.New(path, nil),
		record.New(Quote{"ACME", 12.5}),
		record.New(map[string]any{"symbol": "INIT", "price": 3, "market": "XETR"}),
		record.New(map[string]string{"price": "7"}),
	)
	show(path)
	// Output:
	// 1 failed: record 1: column "market": not in the file, whose columns are "symbol", "price"; want OtherColumns: Ignore to leave such out
	// symbol,price
	// ACME,12.5
	// ,7
}

func ExampleOptions() {
	folder, _ := os.MkdirTemp("", "csvoutlet")
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "quotes.csv")

	o := csvoutlet.New(path, &csvoutlet.Options{
		Columns:      []string{"symbol", "price"},
		OtherColumns: csvoutlet.Ignore,
		Comma:        ';',
		Truncate:     true,
	})
	writeExample(o,
		record.New([]string{"ACME", "12,5"}),
		record.New(map[string]any{"symbol": "INIT", "price": 3, "market": "XETR"}),
	)
	show(path)
	// Output:
	// symbol;price
	// ACME;12,5
	// INIT;3
}

// Each push is on the disk before it is answered, and so before the link commits what
// it has brought.
func ExampleSync() {
	folder, _ := os.MkdirTemp("", "csvoutlet")
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "quotes.csv")
	writeExample(csvoutlet.New(path, &csvoutlet.Options{Sync: csvoutlet.SyncPush}), record.New(map[string]any{"symbol": "ACME"}))
	show(path)
	// Output:
	// symbol
	// ACME
}

// A record may name the file that it goes to.
func ExampleOutlet_Push_file() {
	folder, _ := os.MkdirTemp("", "csvoutlet")
	defer os.RemoveAll(folder)
	cats := filepath.Join(folder, "pets", "cats.csv")

	writeExample(csvoutlet.New(filepath.Join(folder, "animals.csv"), nil),
		record.New(map[string]any{"name": "Rex"}),
		record.New(map[string]any{"name": "Tom"}, csvoutlet.File.Of(cats)),
	)
	show(cats)
	// Output:
	// name
	// Tom
}
