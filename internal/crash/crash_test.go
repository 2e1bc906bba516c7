package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state"
)

// The program that is tested starts itself as its child process, which is this one.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-child") {
		if err := run(context.Background(), os.Args[1:], append(scenarios(), planted()...), os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// planted returns scenarios with something wrong in each.
func planted() []scenario {
	plant := func(name string, s scenario, change func(p *pipeline)) scenario {
		s.name = name
		open := s.open
		s.open = func(ctx context.Context, at place, until int64, h *halt) (pipeline, error) {
			p, err := open(ctx, at, until, h)
			change(&p)
			return p, err
		}
		return s
	}
	// Such an outlet pushes to the right one.
	outletThat := func(name string, push func(ctx context.Context, right outlet.Outlet, records []record.Record, u record.Update) error) scenario {
		return plant(name, fileScenario("", false), func(p *pipeline) {
			right := p.lane.Outlet
			p.lane.Outlet = wrong{right, func(ctx context.Context, records []record.Record, u record.Update) error {
				return push(ctx, right, records, u)
			}}
		})
	}
	var late []record.Record
	return []scenario{
		outletThat("drops-a-row", func(ctx context.Context, right outlet.Outlet, records []record.Record, u record.Update) error {
			return right.Push(ctx, slices.DeleteFunc(slices.Clone(records), func(r record.Record) bool { return r.Payload.(row).N == 100 }), u)
		}),
		outletThat("accepts-before-it-writes", func(ctx context.Context, right outlet.Outlet, records []record.Record, u record.Update) error {
			before := late
			late = slices.Clone(records)
			return right.Push(ctx, before, u)
		}),
		outletThat("writes-twice", func(ctx context.Context, right outlet.Outlet, records []record.Record, u record.Update) error {
			return errors.Join(right.Push(ctx, records, u), right.Push(ctx, records[:1], u))
		}),
		plant("other-ids", fileScenario("", true), func(p *pipeline) {
			p.processors = append(p.processors, record.Each(func(_ context.Context, r record.Record) (record.Record, error) {
				return r.WithID(fmt.Sprint(r.ID(), " by ", os.Getpid())), nil
			}))
		}),
		plant("store-that-lies", fileScenario("", false), func(p *pipeline) { p.store = new(state.Memory) }),
		plant("spool-that-lies", spillScenario(), func(p *pipeline) { p.lane.Spool = lossySpool{p.lane.Spool.(haltingSpool)} }),
		plant("overflow-that-lies", overflowScenario(), func(p *pipeline) {
			s := p.processors[0].(*buffer.Buffer).Spool().(haltingSpool)
			p.processors[0] = buffer.New(&buffer.Options{Count: 25, Pending: 5, Spool: lossySpool{s}})
		}),
		plant("removes-what-is-released", overflowScenario(), func(p *pipeline) {
			p.processors[0] = hasty{p.processors[0].(*buffer.Buffer)}
		}),
	}
}

// hasty is a buffer that takes what it has released for delivered.
type hasty struct{ *buffer.Buffer }

func (b hasty) Process(ctx context.Context, records []record.Record) ([]record.Record, error) {
	out, err := b.Buffer.Process(ctx, records)
	return out, errors.Join(err, b.Settled(ctx, b.Holding().Released))
}

// wrong is an outlet that is started and stopped as another one.
type wrong struct {
	outlet.Outlet
	push outlet.Func
}

func (o wrong) Unwrap() outlet.Outlet { return o.Outlet }

func (o wrong) Push(ctx context.Context, records []record.Record, u record.Update) error {
	return o.push(ctx, records, u)
}

// lossySpool does not keep the first of the records it accepts.
type lossySpool struct{ haltingSpool }

func (s lossySpool) Append(ctx context.Context, records []record.Record) error {
	return s.haltingSpool.Append(ctx, records[1:])
}

// What is wrong with a pipeline is found, and named by the right figure.
func TestPlanted(t *testing.T) {
	for name, want := range map[string]string{
		"drops-a-row":              "missing",
		"accepts-before-it-writes": "missing",
		"writes-twice":             "duplicates-outside-window",
		"other-ids":                "duplicates-idempotent",
		"store-that-lies":          "the store has revision 0",
		"spool-that-lies":          "missing",
		"overflow-that-lies":       "missing",
		"removes-what-is-released": "missing",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, figures, err := killed(t, planted(), name, 20)
			require.Error(t, err, text)
			for i := 2; i < len(figures); i += 2 {
				assert.Equal(t, figures[i] == want, figures[i+1] != "0", "%s in %s (%v)", figures[i], text, err)
			}
			if !slices.Contains(figures, want) {
				assert.ErrorContains(t, err, want)
			}
		})
	}
}

// Where nothing is wrong, nothing is found.
func TestSound(t *testing.T) {
	t.Parallel()
	text, figures, err := killed(t, scenarios(), "cursor-file", 10)
	require.NoError(t, err, text)
	require.Equal(t, strings.Fields("kills 10 missing 0 duplicates-outside-window 0 duplicates-idempotent 0"), figures)
}

// killed runs one scenario and returns what is printed, the last line also by words.
func killed(t *testing.T, all []scenario, name string, kills int) (text string, figures []string, err error) {
	t.Helper()
	var out bytes.Buffer
	err = run(t.Context(), []string{"-run", "^" + name + "$", "-kills", strconv.Itoa(kills)}, all, &out)
	text = strings.TrimSpace(out.String())
	figures = strings.Fields(text[strings.LastIndex(text, "\n")+1:])
	require.Len(t, figures, 8, text)
	return text, figures, err
}

// What no figure tells is an error.
func TestChecker(t *testing.T) {
	t.Parallel()
	upTo := func(n int64) func(int64) bool { return func(row int64) bool { return row <= n } }
	rows := func(ns ...int64) map[int64]int {
		all := make(map[int64]int)
		for _, n := range ns {
			all[n]++
		}
		return all
	}
	for name, test := range map[string]struct {
		now          snapshot
		acknowledged int64
		want         string // of the error
		outside      int
		lost         int
	}{
		"nothing new":             {now: snapshot{rows: rows(1, 2, 3), committed: upTo(2), revision: 5}, acknowledged: 5},
		"written again":           {now: snapshot{rows: rows(1, 2, 3, 3, 4), committed: upTo(4), revision: 6}, acknowledged: 5},
		"a part of a row":         {now: snapshot{rows: rows(1, 2, 3), torn: 1, committed: upTo(2), revision: 5}},
		"committed row again":     {now: snapshot{rows: rows(1, 2, 2, 3), committed: upTo(2), revision: 5}, outside: 1},
		"twice in one run":        {now: snapshot{rows: rows(1, 2, 3, 4, 4), committed: upTo(2), revision: 5}, outside: 1},
		"committed, not written":  {now: snapshot{rows: rows(1, 2, 4), committed: upTo(4), revision: 6}, lost: 1},
		"the position goes back":  {now: snapshot{rows: rows(1, 2, 3), committed: upTo(1), revision: 6}, want: "row 2 is not delivered, and said before that it is"},
		"the store goes back":     {now: snapshot{rows: rows(1, 2, 3), committed: upTo(2), revision: 4}, want: "revision 4, after it had 5"},
		"acknowledged and gone":   {now: snapshot{rows: rows(1, 2, 3), committed: upTo(2), revision: 5}, acknowledged: 6, want: "acknowledged 6"},
		"several parts of rows":   {now: snapshot{rows: rows(1, 2, 3), torn: 2, committed: upTo(2), revision: 5}, want: "2 parts of rows"},
		"a row that is not there": {now: snapshot{rows: rows(1, 2, 3, 5), committed: upTo(2), revision: 5}, want: "there is a row 5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newChecker()
			c.grow(4)
			require.NoError(t, c.add(snapshot{rows: rows(1, 2, 3), committed: upTo(2), revision: 5}, 5))
			err := c.add(test.now, test.acknowledged)
			if test.want != "" {
				require.ErrorContains(t, err, test.want)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.outside, c.outside)
			assert.Len(t, c.lost, test.lost)
		})
	}
}
