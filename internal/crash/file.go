package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/outlet/fileoutlet"
	"github.com/databay-go/databay/record"
)

// numbers returns an inlet of the rows from 1 to until, up to seven a pull.
func numbers(until int64) inlet.Inlet {
	return inlet.Since("numbers", func(_ context.Context, after int64) (rows []row, cursor int64, err error) {
		for n := after + 1; n <= min(until, after+1+after%7); n++ {
			rows = append(rows, newRow(n))
		}
		return rows, after + int64(len(rows)), nil
	})
}

// openFile moves numbers through a buffer, which holds the commit back, into a file.
func openFile(_ context.Context, folder string, until int64) (pipeline, error) {
	store, err := openBolt(folder)
	if err != nil {
		return pipeline{}, err
	}
	return pipeline{
		inlet:      numbers(until),
		processors: []record.Processor{buffer.New(&buffer.Options{Count: 15})},
		outlet:     fileoutlet.New(filepath.Join(folder, "rows.jsonl"), &fileoutlet.Options{Encode: fileoutlet.JSON}),
		store:      store,
		idle:       3,
		close:      store.Close,
	}, nil
}

func readFile(ctx context.Context, folder string) (s snapshot, err error) {
	s.rows = map[int64]int{}
	store, err := openBolt(folder)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if s.committed, err = committedIn(ctx, store); err != nil {
		return s, err
	}
	file, err := os.Open(filepath.Join(folder, "rows.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	} else if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var r row
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			continue // a kill has torn it; the row is written again
		}
		if err := s.count(r); err != nil {
			return s, err
		}
	}
	return s, lines.Err()
}
