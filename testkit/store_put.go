package testkit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/databay-go/databay/state"
)

// putChecks are the rules of values and revisions.
func putChecks() []check[*storeTrial] {
	return []check[*storeTrial]{
		{
			name: "valid",
			why:  "Validate finds no mistake in what is used correctly",
			run: func(c *storeTrial) error {
				s, ok := c.fresh().Store.(validator)
				if !ok {
					return skipped("it has no Validate")
				}
				return c.do("Validate", func(context.Context) error { return s.Validate() })
			},
		},
		{
			name: "absent",
			why:  "a key that was never written has revision 0 and no value, and is no error; asking for it does not change that",
			run: func(c *storeTrial) error {
				v := c.fresh()
				return errors.Join(v.holds("testkit", "", 0), v.holds("testkit", "", 0))
			},
		},
		{
			name: "put and get",
			why:  "Put returns a revision greater than the one before, and Get what was put, at that revision",
			run: func(c *storeTrial) error {
				v := c.fresh()
				rev, err := v.keeps("testkit", "value 0")
				for i := 1; i < 5 && err == nil; i++ {
					var next int64
					value := fmt.Sprint("value ", i)
					if next, err = v.put("testkit", value, rev); err != nil {
						return err
					}
					if next <= rev {
						return fmt.Errorf("Put at revision %d returned the revision %d, want a greater one", rev, next)
					}
					rev, err = next, v.holds("testkit", value, next)
				}
				return err
			},
		},
		{
			name: "conflict",
			why:  "a Put with a revision that is not the current one is an error that is state.ErrConflict (errors.Is)",
			run: func(c *storeTrial) error {
				v := c.fresh()
				return v.conflicts(func(what string, err error) error {
					if isMishap(err) || errors.Is(err, state.ErrConflict) {
						return onlyMishap(err)
					}
					return fmt.Errorf("%s answered with %v, want state.ErrConflict", what, err)
				})
			},
		},
		{
			name: "conflict writes nothing",
			why:  "a Put with a revision that is not the current one changes nothing",
			run: func(c *storeTrial) error {
				v := c.fresh()
				if err := v.conflicts(func(string, error) error { return nil }); err != nil {
					return err
				}
				s, err := v.get("testkit")
				if err == nil && string(s.value) != "second" {
					err = fmt.Errorf("Get returned %v, want %q: it was the last that was written with the current revision", s, "second")
				}
				return errors.Join(err, v.holds("testkit absent", "", 0))
			},
		},
		{
			name: "values",
			why:  "any bytes are a value: none, zeros, what is no text, a megabyte, a shorter one after a longer one",
			run: func(c *storeTrial) error {
				v := c.fresh()
				var every [256]byte
				for i := range every {
					every[i] = byte(i)
				}
				rev, err := v.keeps("testkit", "")
				for _, value := range []string{string(every[:]), strings.Repeat(string(every[:]), 4096), "\x00", "0", "null", "short "} {
					if err != nil {
						return err
					}
					if rev, err = v.put("testkit", value, rev); err == nil {
						err = v.holds("testkit", value, rev)
					}
				}
				return err
			},
		},
		{
			name: "value given",
			why:  "the value given to Put is the caller's: it is not changed, and changing it later changes nothing",
			run: func(c *storeTrial) error {
				v := c.fresh()
				value := []byte("given")
				rev, err := v.write(v.context(), "testkit", value, 0)
				if err != nil {
					return err
				}
				if string(value) != "given" {
					return fmt.Errorf("Put changed the value it was given to %q", value)
				}
				copy(value, "other")
				return v.holds("testkit", "given", rev)
			},
		},
		{
			name: "value got",
			why:  "the value that Get returns is the caller's: changing it changes nothing, and a later Put does not change it",
			run: func(c *storeTrial) error {
				v := c.fresh()
				rev, err := v.put("testkit", "value", 0)
				if err != nil {
					return err
				}
				first, err := v.get("testkit")
				if err != nil {
					return err
				}
				_ = append(first.value[:0], "other"...)
				if err := v.holds("testkit", "value", rev); err != nil {
					return err
				}
				if first, err = v.get("testkit"); err != nil {
					return err
				}
				if _, err := v.put("testkit", "OTHER", rev); err != nil {
					return err
				}
				if string(first.value) != "value" {
					return fmt.Errorf("what Get had returned was changed by a Put to %q", first.value)
				}
				return nil
			},
		},
		{
			name: "reading back",
			why:  "after a Put whose answer got lost Get returns the very bytes at a greater revision, from which one can go on; the Put repeated is a conflict",
			run:  readingBack,
		},
	}
}

// conflicts puts with wrong revisions, of an absent key and of one that is there,
// and asks f what it says to the answers.
func (v *vault) conflicts(f func(what string, err error) error) error {
	wrong := func(key string, rev int64) error {
		_, err := v.write(v.context(), key, []byte("wrong"), rev)
		return f(fmt.Sprintf("Put(%q) at revision %d, which is not the current one,", key, rev), err)
	}
	for _, rev := range []int64{1, -1, math.MaxInt64, math.MinInt64} {
		if err := wrong("testkit absent", rev); err != nil {
			return err
		}
	}
	first, err := v.put("testkit", "first", 0)
	if err != nil {
		return err
	}
	rev, err := v.put("testkit", "second", first)
	if err != nil {
		return err
	}
	for _, other := range []int64{0, first, rev + 1, -rev, -1, math.MaxInt64, math.MinInt64} {
		if err := wrong("testkit", other); err != nil {
			return err
		}
	}
	return nil
}

// readingBack does what a link does that does not know whether it has written.
func readingBack(c *storeTrial) error {
	v := c.fresh()
	lost := &FaultyStore{Store: v.Store, AfterPut: Fail(errors.New("testkit: the answer got lost"))}
	var rev int64
	for _, value := range []string{
		"{ \"writer\":\"a\", \"number\":1,\n\"inlets\" : {} }", // spaces and all
		`{"number":2,"inlets":{"b":{},"a":{}},"writer":"a"}`,
		`{"number":1e3,"number":1000.0}`,
	} {
		if _, err := lost.Put(v.context(), "link/testkit", []byte(value), rev); errors.Is(err, state.ErrConflict) {
			return fmt.Errorf("Put at the current revision %d failed: %w", rev, err)
		}
		s, err := v.get("link/testkit")
		if err != nil {
			return err
		}
		if s.rev <= rev || string(s.value) != value {
			return fmt.Errorf("after Put(%q) at revision %d Get returned %v", value, rev, s)
		}
		if _, err := v.write(v.context(), "link/testkit", []byte(value), rev); !errors.Is(err, state.ErrConflict) {
			return fmt.Errorf("Put repeated, with the revision before, answered with %v, want state.ErrConflict", err)
		}
		rev = s.rev
	}
	return nil
}
