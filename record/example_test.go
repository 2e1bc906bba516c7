package record_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/databay-go/databay/record"
)

// What a package that writes files would declare.
var exampleFile = record.NewKey[string]("files.name")

func Example() {
	positive := record.Filter(func(v float64) bool { return v > 0 })
	labels := record.Map(func(v float64) (string, error) { return fmt.Sprintf("%.1f m", v), nil })

	records := []record.Record{record.New(1.5), record.New(-2.0), record.New(3.25)}
	records, _ = positive.Process(context.Background(), records)
	records, _ = labels.Process(context.Background(), records)
	fmt.Println(records)
	// Output: [1.5 m 3.2 m]
}

func ExampleNew() {
	r := record.New("meow", exampleFile.Of("cat.csv"))
	fmt.Println(r)
	fmt.Println(r.Payload)
	// Output:
	// meow {files.name=cat.csv}
	// meow
}

func ExampleRecord_With() {
	r := record.New("meow", exampleFile.Of("cat.csv")).WithID("cat.csv@0")
	loud := r.With("MEOW")
	fmt.Println(loud, loud.ID())
	fmt.Println(r)
	// Output:
	// MEOW {files.name=cat.csv} cat.csv@0
	// meow {files.name=cat.csv}
}

func ExampleRecord_WithMetadata() {
	r := record.New("meow", exampleFile.Of("cat.csv"))
	fmt.Println(r.WithMetadata(exampleFile.Of("pets.csv"), record.Attr{Key: "legs", Value: 4}))
	// Output: meow {files.name=pets.csv legs=4}
}

func ExampleRecord_WithID() {
	r := record.New("a line").WithID("log.txt@1024")
	fmt.Println(r.ID())
	// Output: log.txt@1024
}

func ExampleRecord_Inlet() {
	records := []record.Record{record.New(1), record.New(2)}
	record.Stamp(records, &record.Origin{Inlet: "numbers"}) // a link does
	fmt.Println(records[1].Inlet())
	// Output: numbers
}

func ExampleStamp() {
	records := []record.Record{record.New(1)}
	record.Stamp(records, &record.Origin{Inlet: "numbers"})
	fmt.Println(records[0].Origin().Inlet)
	// Output: numbers
}

func ExampleAs() {
	n, err := record.As[int](record.New(7))
	fmt.Println(n, err)
	_, err = record.As[int](record.New("seven"))
	fmt.Println(err)
	// Output:
	// 7 <nil>
	// payload is a string, want int
}

func ExampleNewMetadata() {
	m := record.NewMetadata(record.Attr{Key: "unit", Value: "m"}, exampleFile.Of("a.csv"))
	unit, ok := m.Get("unit")
	fmt.Println(m, m.Len(), unit, ok)
	for key, value := range m.All() {
		fmt.Println(key, value)
	}
	// Output:
	// {unit=m files.name=a.csv} 2 m true
	// unit m
	// files.name a.csv
}

func ExampleMetadata_With() {
	m := record.NewMetadata(record.Attr{Key: "unit", Value: "m"})
	fmt.Println(m.With(record.Attr{Key: "unit", Value: "ft"}), m)
	// Output: {unit=ft} {unit=m}
}

func ExampleMetadata_Over() {
	global := record.NewMetadata(record.Attr{Key: "unit", Value: "m"}, record.Attr{Key: "source", Value: "radar"})
	local := record.NewMetadata(record.Attr{Key: "unit", Value: "ft"})
	fmt.Println(local.Over(global))
	// Output: {unit=ft source=radar}
}

func ExampleNewKey() {
	r := record.New("meow", exampleFile.Of("cat.csv"))
	name, ok := exampleFile.Get(r)
	fmt.Println(name, ok, exampleFile.Name())
	fmt.Println(exampleFile.Or(record.New("woof"), "other.csv"))
	// Output:
	// cat.csv true files.name
	// other.csv
}

func ExampleEach() {
	seal := record.Each(func(_ context.Context, r record.Record) (record.Record, error) {
		return r.WithMetadata(record.Attr{Key: "sealed", Value: true}), nil
	})
	out, err := seal.Process(context.Background(), []record.Record{record.New(1), record.New(2)})
	fmt.Println(out, err)
	// Output: [1 {sealed=true} 2 {sealed=true}] <nil>
}

func ExampleMap() {
	length := record.Map(func(s string) (int, error) { return len(s), nil })
	out, err := length.Process(context.Background(), []record.Record{record.New("one"), record.New(2), record.New("three")})
	fmt.Println(out)
	fmt.Println(err)
	// Output:
	// [3 5]
	// 1 failed: record 1: payload is a int, want string
}

func ExampleFilter() {
	even := record.Filter(func(n int) bool { return n%2 == 0 })
	out, err := even.Process(context.Background(), []record.Record{record.New(1), record.New(2), record.New(4)})
	fmt.Println(out, err)
	// Output: [2 4] <nil>
}

func ExampleFlatMap() {
	words := record.FlatMap(func(line string) ([]string, error) { return strings.Fields(line), nil })
	out, err := words.Process(context.Background(), []record.Record{record.New("to be or").WithID("line 1")})
	for _, r := range out {
		fmt.Println(r, r.ID())
	}
	fmt.Println(err)
	// Output:
	// to line 1/0
	// be line 1/1
	// or line 1/2
	// <nil>
}

func ExampleProcessorFunc() {
	var count record.Processor = record.ProcessorFunc(func(_ context.Context, records []record.Record) ([]record.Record, error) {
		fmt.Println(len(records), "pass")
		return records, nil
	})
	_, _ = count.Process(context.Background(), []record.Record{record.New(1), record.New(2)})
	// Output: 2 pass
}

func ExampleBy() {
	initial := record.By(func(s string) byte { return s[0] })
	all := []record.Record{record.New("ant"), record.New("bee"), record.New("ape")}
	batches, err := initial.Group(context.Background(), [][]record.Record{all})
	fmt.Println(batches, err)
	// Output: [[ant ape] [bee]] <nil>
}

func ExampleChunk() {
	all := []record.Record{record.New(1), record.New(2), record.New(3), record.New(4), record.New(5)}
	batches, err := record.Chunk(2).Group(context.Background(), [][]record.Record{all})
	fmt.Println(batches, err)
	// Output: [[1 2] [3 4] [5]] <nil>
}

func ExampleGrouperFunc() {
	var halves record.Grouper = record.GrouperFunc(func(_ context.Context, batches [][]record.Record) ([][]record.Record, error) {
		var out [][]record.Record
		for _, b := range batches {
			out = append(out, b[:len(b)/2], b[len(b)/2:])
		}
		return out, nil
	})
	batches, _ := halves.Group(context.Background(), [][]record.Record{{record.New(1), record.New(2), record.New(3)}})
	fmt.Println(batches)
	// Output: [[1] [2 3]]
}

func ExampleFailures() {
	insert := func(records []record.Record) error {
		var failures record.Failures
		for i, r := range records {
			if r.Payload == "" {
				failures.Add(i, errors.New("it is empty"))
			}
		}
		return failures.Err()
	}
	fmt.Println(insert([]record.Record{record.New("a"), record.New(""), record.New("c")}))
	fmt.Println(insert([]record.Record{record.New("a")}))
	// Output:
	// 1 failed: record 1: it is empty
	// <nil>
}

func ExampleAsPartial() {
	err := fmt.Errorf("insert: %w", &record.Partial{Failed: map[int]error{2: errors.New("duplicate key")}})
	if p := record.AsPartial(err); p != nil {
		fmt.Println(p.Indices(), p.Check(3), p.Failed[2])
	}
	// Output: [2] <nil> duplicate key
}

func ExamplePermanent() {
	err := fmt.Errorf("insert: %w", record.Permanent(fmt.Errorf("no table %q", "todos")))
	fmt.Println(err, record.IsPermanent(err))
	// Output: insert: no table "todos" true
}

// The mark is found through wrapping.
func ExampleIsPermanent() {
	refused := record.Permanent(errors.New("no such column"))
	fmt.Println(record.IsPermanent(fmt.Errorf("insert: %w", refused)))
	fmt.Println(record.IsPermanent(errors.New("connection lost")))
	fmt.Println(record.IsPermanent(nil))
	// Output:
	// true
	// false
	// false
}

func ExampleRetryAfter() {
	fmt.Println(record.RetryAfter(30*time.Second, errors.New("too many requests")))
	// Output: too many requests (retry after 30s)
}

func ExampleBatchKey() {
	batch := []record.Record{record.New("a").WithID("topic/0/17"), record.New("b").WithID("topic/0/18")}
	key, ok := record.BatchKey(batch)
	fmt.Println(key[:16], ok)
	_, ok = record.BatchKey(append(batch, record.New("no ID")))
	fmt.Println(ok)
	// Output:
	// 85a61a5e19b274e5 true
	// false
}

func ExampleCopier() {
	original := map[string]any{"tags": []any{"a", "b"}}
	var c record.Copier
	cp, err := c.Payload(original)
	cp.(map[string]any)["tags"].([]any)[0] = "changed"
	fmt.Println(cp, original, err)
	// Output: map[tags:[changed b]] map[tags:[a b]] <nil>
}

type exampleOrder struct{ lines []string }

// Clone makes an order a Cloner: it has a field that cannot be copied otherwise.
func (o *exampleOrder) Clone() any { return &exampleOrder{append([]string(nil), o.lines...)} }

func ExampleCloner() {
	original := &exampleOrder{[]string{"tea"}}
	var c record.Copier
	cp, err := c.Payload(original)
	cp.(*exampleOrder).lines[0] = "changed"
	fmt.Println(cp, original, err)
	// Output: &{[changed]} &{[tea]} <nil>
}

func ExampleUpdate_String() {
	fmt.Println(record.Update{Link: "weather", Tags: []string{"north", "hourly"}, Number: 16})
	fmt.Println(record.Update{Number: 3})
	// Output:
	// north.hourly.16
	// 3
}

// pairs is a Holder: it keeps a record until it has two.
type pairs struct {
	kept  []record.Record
	flush bool
}

func (p *pairs) Process(_ context.Context, records []record.Record) ([]record.Record, error) {
	all := append(p.kept, records...)
	n := len(all) - len(all)%2
	if p.flush {
		n, p.flush = len(all), false
	}
	p.kept = append([]record.Record(nil), all[n:]...)
	return all[:n:n], nil
}

func (p *pairs) Holding() record.Holding {
	return record.Holding{Records: len(p.kept), Span: len(p.kept)}
}

func (p *pairs) Flush() { p.flush = true }

func ExampleHolder() {
	var h record.Holder = new(pairs)
	p := h.(record.Processor)
	out, _ := p.Process(context.Background(), []record.Record{record.New(1), record.New(2), record.New(3)})
	fmt.Println(out, h.Holding().Records, "held")
	h.Flush()
	out, _ = p.Process(context.Background(), nil)
	fmt.Println(out, h.Holding().Records, "held")
	// Output:
	// [1 2] 1 held
	// [3] 0 held
}
