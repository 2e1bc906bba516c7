package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
	plant := func(name string, byID bool, change func(p *pipeline, h *halt)) scenario {
		s := fileScenario(name, byID)
		open := s.open
		s.open = func(ctx context.Context, at place, until int64, h *halt) (pipeline, error) {
			p, err := open(ctx, at, until, h)
			if err == nil {
				change(&p, h)
			}
			return p, err
		}
		return s
	}
	return []scenario{
		plant("drops-a-row", false, func(p *pipeline, _ *halt) {
			real := p.lane.Outlet
			p.lane.Outlet = lifecycle{real, func(ctx context.Context, records []record.Record, u record.Update) error {
				return real.Push(ctx, slices.DeleteFunc(slices.Clone(records), func(r record.Record) bool { return r.Payload.(row).N == 100 }), u)
			}}
		}),
		plant("commits-before-delivery", false, func(p *pipeline, _ *halt) {
			real := p.lane.Outlet
			var late []record.Record
			p.lane.Outlet = lifecycle{real, func(ctx context.Context, records []record.Record, u record.Update) error {
				now := late
				late = slices.Clone(records)
				return real.Push(ctx, now, u)
			}}
		}),
		plant("writes-twice", false, func(p *pipeline, _ *halt) {
			real := p.lane.Outlet
			p.lane.Outlet = lifecycle{real, func(ctx context.Context, records []record.Record, u record.Update) error {
				if err := real.Push(ctx, records, u); err != nil {
					return err
				}
				return real.Push(ctx, records[:1], u)
			}}
		}),
		plant("other-ids", true, func(p *pipeline, _ *halt) {
			p.processors = append(p.processors, record.Each(func(_ context.Context, r record.Record) (record.Record, error) {
				return r.WithID(fmt.Sprint(r.ID(), " by ", os.Getpid())), nil
			}))
		}),
		plant("store-lies", false, func(p *pipeline, _ *halt) { p.store = new(state.Memory) }),
	}
}

// lifecycle is an outlet that is started and stopped as another one.
type lifecycle struct {
	outlet.Outlet
	push outlet.Func
}

func (o lifecycle) Unwrap() outlet.Outlet { return o.Outlet }

func (o lifecycle) Push(ctx context.Context, records []record.Record, u record.Update) error {
	return o.push(ctx, records, u)
}

// What is wrong with a pipeline is found, and named by the right figure.
func TestPlanted(t *testing.T) {
	for name, want := range map[string]string{
		"drops-a-row":             "missing",
		"commits-before-delivery": "missing",
		"writes-twice":            "duplicates-outside-window",
		"other-ids":               "duplicates-idempotent",
		"store-lies":              "the store has revision 0",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := killed(t, planted(), "-run", "^"+name+"$", "-kills", "20")
			require.Error(t, err, text)
			figures := strings.Fields(text[strings.LastIndex(strings.TrimSpace(text), "\n")+1:])
			require.Len(t, figures, 8, text)
			for i := 2; i < len(figures); i += 2 {
				assert.Equal(t, figures[i] == want, figures[i+1] != "0", "%s in %s (%v)", figures[i], text, err)
			}
			if !slices.Contains(figures, want) {
				assert.ErrorContains(t, err, want)
			}
		})
	}
}

func killed(t *testing.T, all []scenario, args ...string) (text string, err error) {
	t.Helper()
	var out bytes.Buffer
	err = run(t.Context(), args, all, &out)
	return out.String(), err
}
