// Shell is a part of a pipeline in a shell: it reads JSON lines from standard input,
// and writes those that are as wanted to standard output, or to a file.
//
//	printf '%s\n' '{"level":"error","n":1}' '{"level":"info","n":2}' | go run ./examples/shell -where level=error
//	tail -f app.jsonl | go run ./examples/shell -where level=error -out errors.jsonl
//
// It ends with its input, or at Ctrl-C. Lines that are no JSON objects are named on
// standard error, and passed over.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/stdininlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/fileoutlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
)

// Object is what a line has. Its numbers are texts, which no float64 has rounded.
type Object map[string]any

// UnmarshalJSON makes it stdininlet.JSON's.
func (o *Object) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode((*map[string]any)(o))
}

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "shell:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("shell", flag.ExitOnError)
	wanted := map[string]string{}
	flags.Func("where", "only objects whose `field=value`; all of several", func(s string) error {
		field, value, ok := strings.Cut(s, "=")
		if !ok || field == "" {
			return errors.New("want a field, = and a value")
		}
		wanted[field] = value
		return nil
	})
	out := flags.String("out", "", "append to this `file` instead of standard output")
	_ = flags.Parse(args) // exits

	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()

	lines := stdininlet.New(&stdininlet.Options{Reader: stdin, Decode: stdininlet.JSON[Object]})
	filter, err := link.New(link.Config{
		Name:       "filter",
		Inlets:     []inlet.Inlet{lines},
		Processors: []record.Processor{record.Filter(func(o Object) bool { return matches(o, wanted) })},
		Outlets:    []outlet.Outlet{target(*out, stdout)},
		Schedule:   schedule.Every(10 * time.Millisecond),
		OnError: func(_ context.Context, err *link.Error) error {
			if err.Op != link.OpPull {
				return err
			}
			_, _ = fmt.Fprintln(stderr, "shell:", err)
			return nil // go on behind the line
		},
	})
	if err != nil {
		return err
	}
	go func() {
		select {
		case <-lines.Done():
			stop()
		case <-ctx.Done():
		}
	}()
	if err := planner.Run(ctx, filter); err != nil {
		return err
	}
	return filter.Account().Balance()
}

func matches(o Object, wanted map[string]string) bool {
	for field, value := range wanted {
		if v, ok := o[field]; !ok || fmt.Sprint(v) != value {
			return false
		}
	}
	return true
}

// target returns an outlet of JSON lines to a file or, without one, to w.
func target(file string, w io.Writer) outlet.Outlet {
	if file != "" {
		return fileoutlet.New(file, &fileoutlet.Options{Encode: fileoutlet.JSON})
	}
	return outlet.ReadOnly(outlet.Named("stdout", outlet.Func(func(_ context.Context, records []record.Record, _ record.Update) error {
		var lines []byte
		var err error
		for _, r := range records {
			if lines, err = fileoutlet.JSON(lines, r); err != nil {
				return err
			}
			lines = append(lines, '\n')
		}
		_, err = w.Write(lines)
		return err
	})))
}
