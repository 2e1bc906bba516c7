package buffer_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/record"
)

// records returns records with the payloads from first to last.
func records(first, last int) []record.Record {
	var rs []record.Record
	for i := first; i <= last; i++ {
		rs = append(rs, record.New(i))
	}
	return rs
}

func payloads(rs []record.Record) []any {
	var ps []any
	for _, r := range rs {
		ps = append(ps, r.Payload)
	}
	return ps
}

func process(t *testing.T, b *buffer.Buffer, rs ...record.Record) []any {
	t.Helper()
	out, err := b.Process(t.Context(), rs)
	require.NoError(t, err)
	return payloads(out)
}

func ints(first, last int) []any { return payloads(records(first, last)) }

// answer is what a rule says in a test.
type answer int

const (
	unset answer = iota
	no
	yes
	fails
	panics
)

func (a answer) String() string { return [...]string{"unset", "no", "yes", "fails", "panics"}[a] }

func (a answer) controller(asked *int) buffer.Controller {
	return func(held []record.Record) (bool, error) {
		*asked++
		switch a {
		case fails:
			return true, errors.New("broken") // the error counts, not the yes
		case panics:
			panic("broken")
		}
		return a == yes, nil
	}
}

// oracle says from the words of the documentation what a buffer does.
func oracle(all bool, rules ...answer) (release bool, asked int) {
	set := 0
	said := 0
	for _, a := range rules {
		if a == unset {
			continue
		}
		set++
		asked++
		if a == yes {
			said++
		}
		if all && a != yes {
			return false, asked
		}
		if !all && a == yes {
			return true, asked
		}
	}
	return set == said, asked
}

// Three records of 4 bytes each are held, the oldest for 10 s.
func TestCombinations(t *testing.T) {
	customs := [][2]answer{{unset, unset}}
	for _, first := range []answer{no, yes, fails, panics} {
		customs = append(customs, [2]answer{first, unset})
		for _, second := range []answer{no, yes, fails} {
			customs = append(customs, [2]answer{first, second})
		}
	}
	threes := []answer{unset, no, yes}
	for _, all := range []bool{false, true} {
		for _, custom := range customs {
			for _, count := range threes {
				for _, bytes := range threes {
					for _, age := range threes {
						rules := []answer{custom[0], custom[1], count, bytes, age}
						t.Run(fmt.Sprintf("all=%v/%v", all, rules), func(t *testing.T) {
							synctest.Test(t, func(t *testing.T) { combination(t, all, rules) })
						})
					}
				}
			}
		}
	}
}

func combination(t *testing.T, all bool, rules []answer) {
	t.Helper()
	live := false // until the last call every rule says no
	var custom, asked, failures int
	opts := buffer.Options{
		All:               all,
		Count:             [...]int{unset: 0, no: 4, yes: 3}[rules[2]],
		MaxBytes:          [...]int{unset: 0, no: 13, yes: 12}[rules[3]],
		MaxAge:            [...]time.Duration{unset: 0, no: 10*time.Second + 1, yes: 10 * time.Second}[rules[4]],
		OnControllerError: func(error) { failures++ },
	}
	for _, a := range rules[:2] {
		if a == unset {
			continue
		}
		custom++
		ask := a.controller(&asked)
		opts.Controllers = append(opts.Controllers, func(held []record.Record) (bool, error) {
			if !live {
				return false, nil
			}
			return ask(held)
		})
	}
	b := buffer.New(&opts)
	require.NoError(t, b.Validate())

	first := process(t, b, record.New("aaaa"), record.New("bbbb"))
	if !slices.ContainsFunc(rules, func(a answer) bool { return a != unset }) {
		require.Equal(t, []any{"aaaa", "bbbb"}, first, "without rules everything passes")
		return
	}
	require.Nil(t, first)
	time.Sleep(10 * time.Second)
	live = true
	release, wantAsked := oracle(all, rules...)
	last := process(t, b, record.New("cccc"))
	if release {
		assert.Equal(t, []any{"aaaa", "bbbb", "cccc"}, last)
		assert.Equal(t, record.Holding{}, b.Holding())
	} else {
		assert.Nil(t, last)
		assert.Equal(t, 3, b.Holding().Records)
	}
	assert.Equal(t, min(custom, wantAsked), asked, "controllers asked")
	wantFailures := 0
	for _, a := range rules[:asked] {
		if a == fails || a == panics {
			wantFailures++
		}
	}
	assert.Equal(t, wantFailures, failures, "failures reported")
}
