package testkit_test

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

// altered is a resumable inlet some methods of which are others.
type altered struct {
	*testkit.Rows
	used     bool
	pull     func(a *altered, ctx context.Context) ([]record.Record, error)
	seek     func(a *altered, position []byte) error
	position func(a *altered) []byte
}

func (a *altered) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	a.used = true
	if a.pull != nil {
		return a.pull(a, ctx)
	}
	return a.Rows.Pull(ctx, u)
}

func (a *altered) Seek(ctx context.Context, position []byte) error {
	if a.seek != nil {
		return a.seek(a, position)
	}
	return a.Rows.Seek(ctx, position)
}

func (a *altered) Position() []byte {
	if a.position != nil {
		return a.position(a)
	}
	return a.Rows.Position()
}

// shifted seeks a fresh inlet by too much, unless that is after the last row.
func shifted(by int) func(a *altered, position []byte) error {
	return func(a *altered, position []byte) error {
		if n, err := strconv.Atoi(string(position)); err == nil && !a.used && n < a.Len() {
			position = []byte(strconv.Itoa(n + by))
		}
		return a.Rows.Seek(context.Background(), position)
	}
}

func positionDoubles() []inletDouble {
	var all []inletDouble
	add := func(rule, name string, fresh func() inlet.Inlet) {
		all = append(all, inletDouble{rule: rule, name: name, prepare: each(fresh)})
	}
	alter := func(rule, name string, a altered) {
		add(rule, name, func() inlet.Inlet {
			return &altered{Rows: rows(), pull: a.pull, seek: a.seek, position: a.position}
		})
	}
	ctx := context.Background()
	alter("beginning", "nil is nothing", altered{seek: func(a *altered, position []byte) error {
		if position == nil {
			return nil
		}
		return a.Rows.Seek(ctx, position)
	}})
	alter("resume", "one is missing", altered{seek: shifted(1)})
	alter("resume", "one comes twice", altered{seek: shifted(-1)})
	alter("seek back", "only once", altered{seek: func(a *altered, position []byte) error {
		if position != nil && a.used {
			return nil
		}
		return a.Rows.Seek(ctx, position)
	}})
	add("position after an empty pull", "the beginning", func() inlet.Inlet {
		dry := false
		return &altered{
			Rows: rows(),
			pull: func(a *altered, ctx context.Context) ([]record.Record, error) {
				records, err := a.Rows.Pull(ctx, record.Update{})
				dry = len(records) == 0
				return records, err
			},
			position: func(a *altered) []byte {
				if dry {
					return nil
				}
				return a.Rows.Position()
			},
		}
	})
	alter("position after a pull given up", "moves", altered{pull: func(a *altered, ended context.Context) ([]record.Record, error) {
		records, err := a.Rows.Pull(ctx, record.Update{})
		if ended.Err() != nil {
			return nil, ended.Err()
		}
		return records, err
	}})
	add("bytes of the position", "used again", func() inlet.Inlet {
		var buf []byte
		return &altered{Rows: rows(), position: func(a *altered) []byte {
			buf = append(buf[:0], a.Rows.Position()...)
			return buf
		}}
	})
	add("bytes of the position", "those of Seek", func() inlet.Inlet {
		var given []byte
		return &altered{
			Rows: rows(),
			seek: func(a *altered, position []byte) error {
				given = position
				return a.Rows.Seek(ctx, position)
			},
			pull: func(a *altered, ctx context.Context) ([]record.Record, error) {
				copy(given, "9")
				return a.Rows.Pull(ctx, record.Update{})
			},
		}
	})
	alter("unreadable position", "taken for the beginning", altered{seek: func(a *altered, position []byte) error {
		if a.Rows.Seek(ctx, position) != nil {
			return a.Rows.Seek(ctx, nil)
		}
		return nil
	}})
	alter("unreadable position", "panics", altered{seek: func(a *altered, position []byte) error {
		if err := a.Rows.Seek(ctx, position); err != nil {
			panic(err)
		}
		return nil
	}})
	withID := func(id func(r record.Record) string) func(a *altered, ctx context.Context) ([]record.Record, error) {
		return func(a *altered, ctx context.Context) ([]record.Record, error) {
			records, err := a.Rows.Pull(ctx, record.Update{})
			for i, r := range records {
				records[i] = r.WithID(id(r))
			}
			return records, err
		}
	}
	var serial atomic.Int64
	alter("same IDs again", "made up", altered{pull: withID(func(record.Record) string { return fmt.Sprint(serial.Add(1)) })})
	alter("unique IDs", "one for all", altered{pull: withID(func(record.Record) string { return "id" })})

	add("position complete", "Seek without Position", func() inlet.Inlet {
		return struct {
			named
			seeker
		}{named{plain()}, seeker{}}
	})
	add("position complete", "Position alone", func() inlet.Inlet { return positioned{plain()} })
	add("position complete", "Commit without Position", func() inlet.Inlet { return committed{plain()} })
	add("position complete", "no name", func() inlet.Inlet {
		r := rows()
		return struct {
			inlet.Inlet
			inlet.Seeker
			inlet.Positioner
		}{inlet.Func(r.Pull), r, r}
	})
	return all
}

type named struct{ inlet.Inlet }

func (named) String() string { return "named" }

type seeker struct{}

func (seeker) Seek(context.Context, []byte) error { return nil }

type positioned struct{ inlet.Inlet }

func (positioned) Position() []byte { return nil }

type committed struct{ inlet.Inlet }

func (committed) Commit(context.Context, []byte) error { return nil }
