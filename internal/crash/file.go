package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet/fileoutlet"
	"github.com/databay-go/databay/record"
)

// fileScenario moves numbers through a buffer, which holds the commit back, into a
// file or, by their IDs, into several, of which all but one are full.
func fileScenario(name string, byID bool) scenario {
	return scenario{
		name:       name,
		steps:      []string{beforePull, pulled, beforePush, writing, pushed, beforePut, put},
		idempotent: byID,
		weight:     3,
		open: func(_ context.Context, at place, until int64, h *halt) (pipeline, error) {
			store, err := openBolt(at)
			if err != nil {
				return pipeline{}, err
			}
			encode := func(buf []byte, r record.Record) ([]byte, error) {
				h.reach(writing)
				return fileoutlet.JSON(buf, r)
			}
			o := &fileoutlet.Options{Encode: encode, Idempotent: byID}
			if byID {
				o.Rotate.Size = 5000
			}
			return pipeline{
				inlet:      numbers(until),
				processors: []record.Processor{hold()},
				lane:       link.Lane{Outlet: fileoutlet.New(rowsFile(at), o)},
				store:      store,
				idle:       3,
				close:      store.Close,
			}, nil
		},
		read: readFile,
	}
}

// numbers returns an inlet of the rows from 1 to until, up to seven a pull.
func numbers(until int64) inlet.Inlet {
	return inlet.Since("numbers", func(_ context.Context, after int64) (rows []record.Record, cursor int64, err error) {
		for n := after + 1; n <= min(until, after+1+after%7); n++ {
			rows = append(rows, record.New(newRow(n)).WithID(fmt.Sprint("numbers/", n)))
		}
		return rows, after + int64(len(rows)), nil
	})
}

func hold() record.Processor { return buffer.New(&buffer.Options{Count: 15}) }

func rowsFile(at place) string { return filepath.Join(at.folder, "rows.jsonl") }

// readFile reads the rows of a file, each a line of JSON that may come after an ID and
// a tab.
func readFile(ctx context.Context, at place, now *snapshot) (err error) {
	if err := now.readBolt(ctx, at); err != nil {
		return err
	}
	names, err := filepath.Glob(rowsFile(at) + "*") // with those that were renamed
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := now.readLines(name, func(line []byte) (r row, ok bool, err error) {
			if _, text, ok := bytes.Cut(line, []byte("\t")); ok {
				line = text
			}
			return r, json.Unmarshal(line, &r) == nil, nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// readLines reads a file of a row a line, by a function that says whether a line is a
// whole one.
func (s *snapshot) readLines(name string, decode func(line []byte) (r row, ok bool, err error)) (err error) {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		r, ok, err := decode(lines.Bytes())
		switch {
		case err != nil:
		case ok:
			err = s.count(r)
		default:
			s.torn++ // the row is written again
		}
		if err != nil {
			return err
		}
	}
	return lines.Err()
}
