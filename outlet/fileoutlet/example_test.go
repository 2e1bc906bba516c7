package fileoutlet_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/databay-go/databay/outlet/fileoutlet"
	"github.com/databay-go/databay/record"
)

// writeExample pushes records to o, each by itself, as a link would.
func writeExample(o *fileoutlet.Outlet, records ...record.Record) {
	ctx := context.Background()
	if err := o.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer o.Shutdown(ctx)
	for i := range records {
		if err := o.Push(ctx, records[i:i+1], record.Update{}); err != nil {
			fmt.Println(err)
		}
	}
}

func show(folder string) {
	entries, _ := os.ReadDir(folder)
	for _, e := range entries {
		text, _ := os.ReadFile(filepath.Join(folder, e.Name()))
		fmt.Printf("%s: %q\n", e.Name(), text)
	}
}

func folder() string {
	name, _ := os.MkdirTemp("", "fileoutlet")
	return name
}

func ExampleNew() {
	dir := folder()
	defer os.RemoveAll(dir)
	writeExample(fileoutlet.New(filepath.Join(dir, "events.log"), nil), record.New("started"), record.New(42))
	show(dir)
	// Output: events.log: "started\n42\n"
}

func ExampleJSON() {
	dir := folder()
	defer os.RemoveAll(dir)
	o := fileoutlet.New(filepath.Join(dir, "events.jsonl"), &fileoutlet.Options{Encode: fileoutlet.JSON})
	writeExample(o, record.New(map[string]any{"event": "started"}), record.New("two\nlines"))
	show(dir)
	// Output: events.jsonl: "{\"event\":\"started\"}\n\"two\\nlines\"\n"
}

// An encoder makes the line of a record; fmt.Appendf is all that many need.
func ExampleEncoder() {
	dir := folder()
	defer os.RemoveAll(dir)
	level := record.NewKey[string]("example.level")
	o := fileoutlet.New(filepath.Join(dir, "events.log"), &fileoutlet.Options{Encode: func(buf []byte, r record.Record) ([]byte, error) {
		return fmt.Appendf(buf, "[%s] %v", level.Or(r, "info"), r.Payload), nil
	}})
	writeExample(o, record.New("started"), record.New("broken", level.Of("error")))
	show(dir)
	// Output: events.log: "[info] started\n[error] broken\n"
}

func ExampleRotate() {
	dir := folder()
	defer os.RemoveAll(dir)
	o := fileoutlet.New(filepath.Join(dir, "events.log"), &fileoutlet.Options{Rotate: fileoutlet.Rotate{Size: 10, Keep: 1}})
	writeExample(o, record.New("one"), record.New("two"), record.New("three"), record.New("four"), record.New("five"))
	show(dir)
	// Output:
	// events.log: "four\nfive\n"
	// events.log.000002: "three\n"
}

// A record that is offered again is not written again, also by another process. Here
// the first one was killed while it wrote the second line.
func ExampleOptions_idempotent() {
	dir := folder()
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "orders.jsonl")
	if err := os.WriteFile(path, []byte(`{"id":"7","payload":"one"}`+"\n"+`{"id":"8","pay`), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	o := fileoutlet.New(path, &fileoutlet.Options{Idempotent: true, Encode: fileoutlet.JSONWithID, IDOf: fileoutlet.IDInJSON})
	writeExample(o, record.New("one").WithID("7"), record.New("two").WithID("8"))
	b, err := os.ReadFile(path)
	fmt.Printf("%s%v", b, err)
	// Output:
	// {"id":"7","payload":"one"}
	// {"id":"8","payload":"two"}
	// <nil>
}

// With Replace the file is what the last push brought.
func ExampleOptions_replace() {
	dir := folder()
	defer os.RemoveAll(dir)
	o := fileoutlet.New(filepath.Join(dir, "latest.txt"), &fileoutlet.Options{Replace: true})
	writeExample(o, record.New("12.50"), record.New("12.75"))
	show(dir)
	// Output: latest.txt: "12.75\n"
}

// A record may name the file that it goes to.
func ExampleOutlet_Push_file() {
	dir := folder()
	defer os.RemoveAll(dir)
	writeExample(fileoutlet.New(filepath.Join(dir, "animals.log"), nil),
		record.New("Rex"),
		record.New("Tom", fileoutlet.File.Of(filepath.Join(dir, "cats.log"))),
	)
	show(dir)
	// Output:
	// animals.log: "Rex\n"
	// cats.log: "Tom\n"
}

func ExampleText() {
	line, err := fileoutlet.Text(nil, record.New([]int{1, 2}))
	fmt.Printf("%s %v\n", line, err)
	// Output: [1 2] <nil>
}

// The line has the ID of its record.
func ExampleJSONWithID() {
	line, err := fileoutlet.JSONWithID(nil, record.New("one").WithID("orders/7"))
	fmt.Printf("%s %v\n", line, err)
	// Output: {"id":"orders/7","payload":"one"} <nil>
}

// An idempotent outlet finds the IDs of what it has written in the lines of its file.
func ExampleIDInJSON() {
	for _, line := range []string{`{"id":"orders/7","payload":"one"}`, `{"payload":"no ID"}`, "not written by JSONWithID"} {
		fmt.Printf("%q\n", fileoutlet.IDInJSON([]byte(line)))
	}
	// Output:
	// "orders/7"
	// ""
	// ""
}

// Each push is on the disk before it is answered, and so before the link commits what
// it has brought.
func ExampleSync() {
	dir := folder()
	defer os.RemoveAll(dir)
	o := fileoutlet.New(filepath.Join(dir, "events.log"), &fileoutlet.Options{Sync: fileoutlet.SyncPush})
	writeExample(o, record.New("one"))
	show(dir)
	// Output: events.log: "one\n"
}
