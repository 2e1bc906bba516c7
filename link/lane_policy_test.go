package link_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

// letters returns the dead letters that an outlet has accepted, as payload and first
// reason.
func letters(out *taker) (all []string) {
	for _, p := range out.accepted() {
		d := p.(link.DeadLetter)
		all = append(all, fmt.Sprintf("%v: %s", d.Record.Payload, strings.Join(d.Reasons, "; ")))
	}
	return all
}

// refusing refuses the values that causes names, as often as it is offered them.
func refusing(causes map[int]error) func(context.Context, int, []record.Record) error {
	return func(_ context.Context, _ int, records []record.Record) error {
		var f record.Failures
		for i, r := range records {
			f.Add(i, causes[r.Payload.(int)])
		}
		return f.Err()
	}
}

var errBad = record.Permanent(errors.New("bad"))

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		lane      link.Lane
		script    func(context.Context, int, []record.Record) error
		transfers int
		letters   []string
		delivered []any
		account   string
		failures  []string
		fatal     bool
	}{
		"for good, at once": {
			script: refusing(map[int]error{2: errBad}), transfers: 1,
			letters: []string{"2: bad"}, delivered: list(1, 3),
			account:  "pulled 3 filtered 0 held 0 pending 0 delivered 2 dead letters 1 dropped 0 balanced",
			failures: []string{"link link: push out: 1 failed: record 1: bad (1 dead-lettered)"},
		},
		"all of them": {
			script: func(context.Context, int, []record.Record) error { return fmt.Errorf("insert: %w", errBad) }, transfers: 2,
			letters: []string{"1: insert: bad; bad", "2: insert: bad; bad", "3: insert: bad; bad", "4: insert: bad; bad", "5: insert: bad; bad", "6: insert: bad; bad"}, delivered: list(),
			account:  "pulled 6 filtered 0 held 0 pending 0 delivered 0 dead letters 6 dropped 0 balanced",
			failures: []string{"link link: push out: insert: bad (3 dead-lettered)", "link link: push out: insert: bad (3 dead-lettered)"},
		},
		"for good, and the others again": {
			lane:   link.Lane{Retry: link.Retry{Tries: 2, Backoff: -1}},
			script: refusing(map[int]error{2: errBad, 3: errDown}), transfers: 1,
			letters: []string{"2: bad"}, delivered: list(1),
			account:  "pulled 3 filtered 0 held 0 pending 1 delivered 1 dead letters 1 dropped 0 balanced",
			failures: []string{"link link: push out: 2 failed: record 1: bad; record 2: 503 (1 dead-lettered)", "link link: push out: 1 failed: record 0: 503 (1 kept)"},
		},
		"given up after offers": {
			lane:   link.Lane{GiveUp: link.GiveUp{Offers: 3}, Retry: link.Retry{Tries: 2, Backoff: -1}},
			script: refusing(map[int]error{2: errDown}), transfers: 2,
			letters: []string{"2: 503"}, delivered: list(1, 3, 4, 5, 6),
			account:  "pulled 6 filtered 0 held 0 pending 0 delivered 5 dead letters 1 dropped 0 balanced",
			failures: []string{"link link: push out: 1 failed: record 0: 503 (1 kept)", "link link: push out: 1 failed: record 0: 503 (1 dead-lettered)"},
		},
		"given up when old": {
			lane:   link.Lane{GiveUp: link.GiveUp{Age: 90 * time.Second}, Retry: link.Retry{Tries: 1}},
			script: refusing(map[int]error{2: errDown}), transfers: 3,
			letters: []string{"2: 503"}, delivered: list(1, 3, 4, 5, 6, 7, 8, 9),
			account:  "pulled 9 filtered 0 held 0 pending 0 delivered 8 dead letters 1 dropped 0 balanced",
			failures: []string{"link link: push out: 1 failed: record 1: 503 (1 kept)", "link link: push out: 1 failed: record 0: 503 (1 kept)", "link link: push out: 1 failed: record 0: 503 (1 dead-lettered)"},
		},
		"dropped after the tries": {
			lane:   link.Lane{OnFail: link.Drop, Retry: link.Retry{Tries: 2, Backoff: -1}},
			script: refusing(map[int]error{2: errDown, 3: errBad}), transfers: 1,
			letters: []string{"3: bad"}, delivered: list(1),
			account:  "pulled 3 filtered 0 held 0 pending 0 delivered 1 dead letters 1 dropped 1 balanced",
			failures: []string{"link link: push out: 2 failed: record 1: 503; record 2: bad (1 dead-lettered)", "link link: push out: 1 failed: record 0: 503 (1 dropped)"},
		},
		"a panic is kept": {
			script: func(context.Context, int, []record.Record) error { panic("boom") }, transfers: 1,
			letters: nil, delivered: list(),
			account:  "pulled 3 filtered 0 held 0 pending 3 delivered 0 dropped 0 balanced",
			failures: []string{"link link: push out: panic: boom (3 kept)"}, fatal: true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				out, dead := &taker{name: "out", script: tt.script}, &taker{name: "dead"}
				tt.lane.Outlet = out
				var failures []string
				l := started(t, link.Config{
					Inlets: inlets(counting("n", 3, 99)), Lanes: []link.Lane{tt.lane}, DeadLetter: dead,
					OnError: func(_ context.Context, err *link.Error) error {
						failures = append(failures, err.Error())
						assert.Equal(t, tt.fatal, err.Fatal(), err)
						return nil
					},
				})
				for range tt.transfers {
					transferred(t, l)
					time.Sleep(time.Minute)
				}
				assert.Equal(t, tt.letters, letters(dead))
				assert.Equal(t, tt.delivered, out.accepted())
				assert.Equal(t, tt.account, l.Account().String())
				assert.Equal(t, tt.failures, failures)
			})
		})
	}
}

// A letter says all that is known, and bears the ID and the metadata of its record.
func TestDeadLetterOfLane(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := record.New("x", record.Attr{Key: "file", Value: "a.csv"}).WithID("row 7")
		in := &feed{name: "rows", script: func(_ context.Context, n int) ([]record.Record, error) { return []record.Record{r}, nil }}
		out := &taker{name: "mongo", script: func(context.Context, int, []record.Record) error { return errBad }}
		dead := &taker{name: "dead"}
		l := started(t, link.Config{Name: "shop", Tags: []string{"daily"}, Inlets: inlets(in), Lanes: []link.Lane{{Outlet: out, Name: "store", DeadLetter: dead}}})
		due := time.Now().Add(-time.Hour).Round(0)
		l.Transfer(t.Context(), link.Tick{Due: due, Reason: record.Immediate})
		require.Len(t, dead.all(), 1)
		o := dead.all()[0]
		assert.Equal(t, record.Update{Link: "shop", Tags: []string{"daily"}, Due: due, Reason: record.Immediate, Attempt: 1}, o.update)
		got := o.records[0]
		assert.Equal(t, "row 7", got.ID())
		assert.Equal(t, "{file=a.csv}", got.Metadata.String())
		d := got.Payload.(link.DeadLetter)
		assert.Equal(t, "rows", d.Record.Inlet())
		d.Record = record.Record{}
		assert.Equal(t, link.DeadLetter{
			Time: time.Now().Round(0), Link: "shop", Lane: "store", Stage: link.OpPush, Node: "mongo", Reasons: []string{"bad"}, Attempts: 1,
			Due: due, Reason: record.Immediate,
		}, d)
	})
}

// A dead-letter outlet that fails leaves the records where they are.
func TestDeadLetterOutletFails(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(context.Context, int, []record.Record) error{
		"all": failing(1, errDown),
		"panics": func(_ context.Context, n int, _ []record.Record) error {
			if n == 1 {
				panic("boom")
			}
			return nil
		},
		"some": func(_ context.Context, n int, _ []record.Record) error {
			var f record.Failures
			if n == 1 {
				f.Add(0, errDown)
			}
			return f.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				out, dead := &taker{name: "out", script: refusing(map[int]error{1: errBad, 3: errBad})}, &taker{name: "dead", script: answer}
				var failures []*link.Error
				l := started(t, link.Config{
					Inlets: inlets(counting("n", 3, 3)), Outlets: outlets(out), DeadLetter: dead,
					OnError: func(_ context.Context, err *link.Error) error { failures = append(failures, err); return nil },
				})
				transferred(t, l)
				require.Len(t, failures, 2)
				assert.Equal(t, link.OpDeadLetter, failures[0].Op)
				assert.Equal(t, "dead", failures[0].Node)
				assert.True(t, failures[0].Kept)
				want := map[string]int{"all": 2, "panics": 2, "some": 1}[name]
				assert.Equal(t, want, failures[0].Records)
				assert.Equal(t, int64(want), l.Account().Lanes[0].Pending)
				assert.True(t, failures[1].Kept)
				transferred(t, l)
				assert.Equal(t, "pulled 3 filtered 0 held 0 pending 0 delivered 1 dead letters 2 dropped 0 balanced", l.Account().String())
				if name == "some" {
					assert.Equal(t, []string{"3: bad", "1: bad"}, letters(dead))
				} else {
					assert.Equal(t, []string{"1: bad", "3: bad"}, letters(dead))
				}
			})
		})
	}
}

// One dead-letter outlet serves several lanes and the stages, one call at a time.
func TestDeadLetterOutletIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dead := &taker{name: "dead", script: slow(time.Second)}
		refuse := func(context.Context, int, []record.Record) error { return errBad }
		l := started(t, link.Config{
			Inlets: inlets(counting("n", 3, 3)),
			Processors: []record.Processor{record.Map(func(n int) (int, error) {
				if n == 2 {
					return 0, errDown
				}
				return n, nil
			})},
			Lanes:      []link.Lane{{Outlet: &taker{name: "a", script: refuse}}, {Outlet: &taker{name: "b", script: refuse}, DeadLetter: dead}},
			DeadLetter: dead,
			OnError:    func(_ context.Context, err *link.Error) error { return nil },
		})
		go l.Begin(link.Tick{})
		synctest.Wait()
		assert.Equal(t, []string{"dead"}, l.Busy())
		time.Sleep(5 * time.Second)
		synctest.Wait()
		assert.Equal(t, 1, dead.most)
		assert.ElementsMatch(t, []string{"2: 503", "1: bad", "3: bad", "1: bad", "3: bad"}, letters(dead))
		assert.Equal(t, "pulled 3 filtered 0 held 0 pending 0 delivered 0 dead letters 3 dropped 0 balanced", l.Account().String())
	})
}

// What stages refuse goes to the dead letters too, and the link goes on.
func TestDeadLettersOfStages(t *testing.T) {
	t.Parallel()
	double := record.Map(func(n int) (int, error) {
		switch n {
		case 2:
			return 0, errDown
		case 4:
			return 0, record.RetryAfter(time.Minute, errDown)
		}
		return 10 * n, nil
	})
	group := record.GrouperFunc(func(_ context.Context, batches [][]record.Record) ([][]record.Record, error) {
		for _, b := range batches {
			for _, r := range b {
				if r.Payload == 70 {
					return nil, errBad
				}
			}
		}
		return batches, nil
	})
	for name, inLane := range map[string]bool{"of the link": false, "of the lane": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				out, dead := &taker{name: "out"}, &taker{name: "dead"}
				var store vault
				c := link.Config{Name: "l", State: &store, Inlets: inlets(counting("n", 1, 9)), DeadLetter: dead, OnError: func(_ context.Context, err *link.Error) error {
					if err.DeadLettered > 0 {
						assert.False(t, err.Fatal())
					}
					return nil
				}}
				lane := link.Lane{Outlet: out, Name: "lane"}
				if inLane {
					lane.Processors = []record.Processor{double}
				} else {
					c.Processors, c.Groupers = []record.Processor{double}, []record.Grouper{group}
				}
				c.Lanes = []link.Lane{lane}
				l := started(t, c)
				for range 3 {
					transferred(t, l)
				}
				assert.Equal(t, []string{"2: 503"}, letters(dead))
				assert.Equal(t, list(10, 30), out.accepted())
				d := dead.accepted()[0].(link.DeadLetter)
				assert.Equal(t, link.OpProcess, d.Stage)
				assert.Equal(t, "map(int)", d.Node)
				assert.Equal(t, 1, d.Attempts)
				assert.Equal(t, map[bool]string{true: "lane"}[inLane], d.Lane)
				assert.Contains(t, store.puts[len(store.puts)-1], `"number":2`, "the dead letter holds nothing back")
				transferred(t, l)
				_, err := l.Transfer(t.Context(), link.Tick{})
				require.NoError(t, err)
				assert.Equal(t, list(10, 30), out.accepted(), "what asks for a pause waits")
				if !inLane {
					assert.Equal(t, "pulled 4 filtered 0 failed 1 held 0 pending 0 delivered 2 dead letters 1 dropped 0 balanced", l.Account().String())
				}
			})
		})
	}
	t.Run("groupers", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			out, dead := &taker{name: "out"}, &taker{name: "dead"}
			l := started(t, link.Config{
				Inlets: inlets(feeding("n", list(60), list(70), list(80))), Groupers: []record.Grouper{group}, Outlets: outlets(out), DeadLetter: dead,
				OnError: func(context.Context, *link.Error) error { return nil },
			})
			for range 3 {
				transferred(t, l)
			}
			assert.Len(t, letters(dead), 1)
			assert.Equal(t, link.OpGroup, dead.accepted()[0].(link.DeadLetter).Stage)
			assert.Equal(t, list(60, 80), out.accepted())
		})
	})
}

// With too many dead letters the link delivers nothing any more, until it is started
// again. The first ones are written.
func TestDeadLetterLimit(t *testing.T) {
	t.Parallel()
	for name, stage := range map[string]bool{"lane": false, "stage": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				out, dead := &taker{name: "out"}, &taker{name: "dead"}
				c := link.Config{
					Inlets: inlets(counting("n", 5, 99)), DeadLetter: dead, DeadLetterLimit: link.DeadLetterLimit{Max: 2, Of: 10},
					OnError: func(_ context.Context, err *link.Error) error {
						if err.Op == link.OpDeadLetter {
							assert.True(t, err.Fatal())
							return err
						}
						return nil
					},
				}
				if stage {
					c.Processors = []record.Processor{record.Map(func(n int) (int, error) {
						if n > 4 {
							return 0, errDown
						}
						return n, nil
					})}
				} else {
					out.script = func(_ context.Context, _ int, records []record.Record) error {
						var f record.Failures
						for i, r := range records {
							if r.Payload.(int) > 4 {
								f.Add(i, errBad)
							}
						}
						return f.Err()
					}
				}
				c.Outlets = outlets(out)
				l := started(t, c)
				transferred(t, l)
				_, err := l.Transfer(t.Context(), link.Tick{})
				require.ErrorIs(t, err, link.ErrTooManyDeadLetters)
				require.ErrorContains(t, err, "more than 2 of the last 10 records")
				assert.Len(t, letters(dead), 3, "those up to the one that is too many are written")
				_, err = l.Transfer(t.Context(), link.Tick{})
				require.ErrorIs(t, err, link.ErrTooManyDeadLetters)
				r, _ := shut(t, l)
				abandoned := r.Abandoned + r.Lanes[0].Abandoned
				assert.Equal(t, int64(3), abandoned, "the others stay, and are pulled again")
				assert.Zero(t, r.Lost+r.Lanes[0].Lost)
				require.NoError(t, l.Start(t.Context()))
				_, err = l.Transfer(t.Context(), link.Tick{})
				require.ErrorIs(t, err, link.ErrTooManyDeadLetters)
			})
		})
	}
}

// What stages let through counts too: the limit is on the last records, not on all.
func TestDeadLetterLimitOfStages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dead := &taker{name: "dead"}
		l := started(t, link.Config{
			Inlets: inlets(counting("n", 10, 999)), Outlets: outlets(&taker{name: "out"}), DeadLetter: dead, DeadLetterLimit: link.DeadLetterLimit{Max: 2, Of: 20},
			Processors: []record.Processor{record.Map(func(n int) (int, error) {
				if n%10 == 0 || n > 100 {
					return 0, errDown
				}
				return n, nil
			})},
			OnError: func(context.Context, *link.Error) error { return nil },
		})
		for range 10 {
			transferred(t, l)
		}
		assert.Len(t, letters(dead), 10, "one of ten")
		transfer(t, l)
		_, err := l.Transfer(t.Context(), link.Tick{})
		require.ErrorIs(t, err, link.ErrTooManyDeadLetters)
	})
}

// The dead letters of an optional lane stop nothing.
func TestDeadLetterLimitOfOptionalLane(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dead, bad := &taker{name: "dead"}, &taker{name: "bad", script: failing(99, errBad)}
		l := started(t, link.Config{
			Inlets: inlets(counting("n", 10, 999)), DeadLetter: dead, DeadLetterLimit: link.DeadLetterLimit{Max: 2, Of: 20},
			Lanes: []link.Lane{{Outlet: bad, Optional: true}, {Outlet: &taker{name: "out"}}},
		})
		for range 5 {
			transferred(t, l)
			synctest.Wait()
		}
		assert.Len(t, letters(dead), 50)
	})
}
