package main

import (
	"context"
	"fmt"
	"io"

	"github.com/databay-go/databay/record"
)

// summary is an outlet that prints a line for every batch it is given: what is new
// of one magnitude.
type summary struct {
	w        io.Writer
	transfer int64
	total    map[int]int // by magnitude
}

func newSummary(w io.Writer) *summary {
	return &summary{w: w, transfer: -1, total: make(map[int]int)}
}

// String names the outlet in reports and errors.
func (s *summary) String() string { return "summary" }

// ReadOnly says that this outlet changes nothing and needs no copies.
func (s *summary) ReadOnly() bool { return true }

// Push prints one batch.
func (s *summary) Push(_ context.Context, records []record.Record, u record.Update) error {
	if len(records) == 0 {
		return nil
	}
	var strongest Quake
	for i, r := range records {
		q, err := record.As[Quake](r)
		if err != nil {
			return err
		}
		if i == 0 || q.Magnitude > strongest.Magnitude {
			strongest = q
		}
	}
	if u.Number != s.transfer {
		s.transfer = u.Number
		if _, err := fmt.Fprintf(s.w, "\ntransfer %d, %v\n", u.Number, u.Reason); err != nil {
			return err
		}
	}
	band := strongest.Band()
	total := s.total[band] + len(records)
	_, err := fmt.Fprintf(s.w, "  M %d %3d new %4d so far   strongest %5.2f, %s, %s\n",
		band, len(records), total, strongest.Magnitude, strongest.Time.Format("2 Jan 15:04"), strongest.Place)
	if err == nil {
		s.total[band] = total
	}
	return err
}
