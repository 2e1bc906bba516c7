// Files has an outlet of its own that writes every record into the file that its
// metadata names. It is what a real outlet looks like: a default, a typed key, a
// record that fails alone, and a check of its own configuration. For programs there
// is outlet/fileoutlet, which does the same and more.
//
//	go run ./examples/files
//
// appends a random number every two seconds to outputs/random_ints.txt until Ctrl-C.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
)

// Path names the file of a record. It wins over the outlet's default.
var Path = record.NewKey[string]("files.path")

// Files appends a line a record. Each line is written by itself, so that a record
// that is refused is the only one to be offered again.
type Files struct{ Default string }

func (f Files) Validate() error {
	if f.Default == "" {
		return errors.New("files: Default is empty: want the path of a file")
	}
	return nil
}

func (f Files) String() string { return "files(" + f.Default + ")" }

func (f Files) ReadOnly() bool { return true }

func (f Files) Push(_ context.Context, records []record.Record, _ record.Update) error {
	var failed record.Failures
	for i, r := range records {
		failed.Add(i, appendLine(Path.Or(r, f.Default), fmt.Sprintln(r.Payload)))
	}
	return failed.Err()
}

func appendLine(path, line string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = file.WriteString(line)
	return errors.Join(err, file.Close())
}

func main() {
	out := flag.String("out", "outputs", "the `folder` of the files")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *out)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, folder string) error {
	ints := inlet.WithMetadata(inlet.RandomInt(0, 100), Path.Of(filepath.Join(folder, "random_ints.txt")))
	l, err := link.New(link.Config{
		Tags:     []string{"file_outlet"},
		Inlets:   []inlet.Inlet{ints},
		Outlets:  []outlet.Outlet{Files{Default: filepath.Join(folder, "default_output.txt")}},
		Schedule: schedule.Every(2 * time.Second),
	})
	if err != nil {
		return err
	}
	return planner.Run(ctx, l)
}
