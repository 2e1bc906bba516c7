package buffer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
	"github.com/databay-go/databay/spool/boltspool"
)

// give gives a buffer one record for each payload and prints what it returns.
func give(b *buffer.Buffer, payloads ...any) {
	var given []record.Record
	for _, p := range payloads {
		given = append(given, record.New(p))
	}
	out, err := b.Process(context.Background(), given)
	fmt.Println(payloads, "->", out, err)
}

func Example() {
	b := buffer.New(&buffer.Options{Count: 3})
	give(b, 1, 2)
	give(b, 3, 4)
	give(b, 5)
	fmt.Println(b.Holding().Records, "held")
	// Output:
	// [1 2] -> [] <nil>
	// [3 4] -> [1 2 3 4] <nil>
	// [5] -> [] <nil>
	// 1 held
}

func ExampleNew() {
	fmt.Println(buffer.New(nil))
	fmt.Println(buffer.New(&buffer.Options{Count: 1000, MaxAge: time.Minute}))
	fmt.Println(buffer.New(&buffer.Options{Count: 1000, MaxAge: time.Minute, All: true}))
	// Output:
	// buffer
	// buffer(count 1000 or age 1m0s)
	// buffer(count 1000 and age 1m0s)
}

// Payloads that are strings or byte slices have a size.
func ExampleOptions_maxBytes() {
	b := buffer.New(&buffer.Options{MaxBytes: 8})
	give(b, "alpha")
	give(b, "beta")
	// Output:
	// [alpha] -> [] <nil>
	// [beta] -> [alpha beta] <nil>
}

func ExampleOptions_size() {
	type picture struct{ pixels []byte }
	b := buffer.New(&buffer.Options{
		MaxBytes: 4 << 20,
		Size:     func(r record.Record) int { return len(r.Payload.(picture).pixels) },
	})
	for range 5 {
		out, _ := b.Process(context.Background(), []record.Record{record.New(picture{make([]byte, 1<<20)})})
		fmt.Println(len(out), "released,", b.Holding().Records, "held")
	}
	// Output:
	// 0 released, 1 held
	// 0 released, 2 held
	// 0 released, 3 held
	// 4 released, 0 held
	// 0 released, 1 held
}

// A planner calls the buffer, with no records if there are none, when its Wake has
// come.
func ExampleOptions_maxAge() {
	b := buffer.New(&buffer.Options{MaxAge: time.Hour})
	fmt.Println("never:", b.Holding().Wake.IsZero())
	start := time.Now()
	give(b, "first")
	fmt.Println("after", b.Holding().Wake.Sub(start).Round(time.Minute))
	// Output:
	// never: true
	// [first] -> [] <nil>
	// after 1h0m0s
}

func ExampleController() {
	ends := func(held []record.Record) (bool, error) {
		last, err := record.As[string](held[len(held)-1])
		return strings.HasSuffix(last, "."), err
	}
	b := buffer.New(&buffer.Options{Controllers: []buffer.Controller{ends}})
	give(b, "A", "sentence")
	give(b, "ends.")
	// Output:
	// [A sentence] -> [] <nil>
	// [ends.] -> [A sentence ends.] <nil>
}

func ExampleOptions_onControllerError() {
	b := buffer.New(&buffer.Options{
		Count:             2,
		Controllers:       []buffer.Controller{func([]record.Record) (bool, error) { return false, errors.New("no signal") }},
		OnControllerError: func(err error) { fmt.Println("told:", err) },
	})
	give(b, 1)
	give(b, 2)
	// Output:
	// told: buffer: Controllers[0]: no signal
	// [1] -> [] <nil>
	// told: buffer: Controllers[0]: no signal
	// [2] -> [1 2] <nil>
}

func ExampleBuffer_Flush() {
	b := buffer.New(&buffer.Options{Count: 1000})
	give(b, 1, 2)
	b.Flush()
	give(b)
	// Output:
	// [1 2] -> [] <nil>
	// [] -> [1 2] <nil>
}

func ExampleBuffer_Reset() {
	b := buffer.New(&buffer.Options{Count: 1000, OnReset: func() { fmt.Println("a new round") }})
	give(b, 1, 2)
	b.Reset()
	fmt.Println(b.Holding().Records, "held")
	// Output:
	// [1 2] -> [] <nil>
	// a new round
	// 0 held
}

func ExampleBuffer_Validate() {
	b := buffer.New(&buffer.Options{Count: -1, MaxAge: -time.Second})
	fmt.Println(b.Validate())
	// Output:
	// buffer: Count is -1, want at least 1, or 0 for none
	// buffer: MaxAge is -1s, want more than 0, or 0 for none
}

// What is more than the memory is meant for overflows to a file, where it survives the
// process.
func ExampleOptions_spool() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "buffer")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	run := func(f func(b *buffer.Buffer)) { // a process; a link starts and stops the spool
		s := boltspool.New(filepath.Join(folder, "held.spool"), spool.JSON[int](), nil)
		if err := s.Start(ctx); err != nil {
			panic(err)
		}
		b := buffer.New(&buffer.Options{Count: 100, Spool: s, Pending: 3})
		if err := b.Start(ctx); err != nil {
			panic(err)
		}
		f(b)
		fmt.Println("in the file:", s.Stats().Records)
		if err := s.Shutdown(ctx); err != nil {
			panic(err)
		}
	}
	run(func(b *buffer.Buffer) {
		give(b, 1, 2, 3, 4)
		give(b, 5) // it is in memory, and gone with the process
		fmt.Println("held:", b.Holding().Records, "not on disk:", b.Holding().Span)
	})
	run(func(b *buffer.Buffer) {
		give(b, 6) // the first call releases what is in the file
	})
	run(func(b *buffer.Buffer) {
		give(b) // nobody has said that it is delivered
		if err := b.Settled(ctx, b.Holding().Released); err != nil {
			panic(err)
		}
	})
	// Output:
	// [1 2 3 4] -> [] <nil>
	// [5] -> [] <nil>
	// held: 5 not on disk: 1
	// in the file: 4
	// [6] -> [1 2 3 4 6] <nil>
	// in the file: 4
	// [] -> [1 2 3 4] <nil>
	// in the file: 0
}
