package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/fileoutlet"
	"github.com/databay-go/databay/record"
)

// errPlanned is why an outlet refuses rows that does so on purpose.
var errPlanned = errors.New("refused on purpose")

// isBad says which rows are refused for good.
func isBad(n int64) bool { return n%20 == 0 }

// letterScenario moves numbers into a file that refuses some of them for good, and
// others now and then. The former go to a file of dead letters.
func letterScenario() scenario {
	s := fileScenario("cursor-file-and-dead-letters", false)
	s.steps = append(s.steps, beforeLetter, letter)
	s.weight = 4
	open := s.open
	s.open = func(ctx context.Context, at place, until int64, h *halt) (pipeline, error) {
		p, err := open(ctx, at, until, h)
		p.lane = link.Lane{
			Outlet:     moody{p.lane.Outlet},
			Retry:      link.Retry{Backoff: -1},
			DeadLetter: fileoutlet.New(lettersFile(at), &fileoutlet.Options{Encode: fileoutlet.JSON}),
		}
		return p, err
	}
	s.read = func(ctx context.Context, at place, now *snapshot) error {
		if err := readFile(ctx, at, now); err != nil {
			return err
		}
		for n := range now.rows {
			if isBad(n) {
				return fmt.Errorf("row %d is in the target, which refuses it", n)
			}
		}
		return now.readLines(lettersFile(at), func(line []byte) (r row, ok bool, err error) {
			var l struct{ Payload row }
			if json.Unmarshal(line, &l) != nil {
				return r, false, nil
			}
			if !isBad(l.Payload.N) {
				err = fmt.Errorf("row %d is a dead letter, and was not refused for good", l.Payload.N)
			}
			return l.Payload, true, err
		})
	}
	return s
}

func lettersFile(at place) string { return filepath.Join(at.folder, "letters.jsonl") }

// moody refuses bad rows for good, and of the others some now and then, or all.
type moody struct{ outlet.Outlet }

func (o moody) Unwrap() outlet.Outlet { return o.Outlet }

func (o moody) Push(ctx context.Context, records []record.Record, u record.Update) error {
	if rand.IntN(20) == 0 { //nolint:gosec // no secrets
		return errPlanned
	}
	var failures record.Failures
	var accepted []record.Record
	for i, r := range records {
		switch {
		case isBad(r.Payload.(row).N):
			failures.Add(i, record.Permanent(errPlanned))
		case rand.IntN(20) == 0: //nolint:gosec // no secrets
			failures.Add(i, errPlanned)
		default:
			accepted = append(accepted, r)
		}
	}
	if err := o.Outlet.Push(ctx, accepted, u); err != nil {
		return err
	}
	return failures.Err()
}
