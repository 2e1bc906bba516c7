package testkit

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/record"
)

// InletOptions is what [TestInlet] may be told. The zero value is ready to use.
type InletOptions struct {
	// Empty says that the inlet yields nothing, as [inlet.Null] does. Else one
	// that yields nothing in its first pulls fails.
	Empty bool

	// Hung makes an inlet whose Pull blocks, since its source does not answer, to
	// see that it returns when its context ends. If nil, that is only seen
	// of pulls as they are.
	Hung func(t *testing.T) inlet.Inlet

	// Skip has the rules that do not hold, by name, with the reason.
	Skip map[string]string
}

// TestInlet tests whether the inlets that newInlet makes keep the contract of
// [inlet.Inlet] and of the capabilities they have. Nil options are the default.
//
// Every rule is a subtest with a fresh inlet. Of inlets with a position the rules
// compare several: those made for one t yield the same records, but for such as
// have come up meanwhile, in the same order; let them take a few pulls. The
// inlets of one t that have a Commit and no Seek share one source and one group.
//
// The rule "concurrent pulls" is about inlets that are given to several links. It
// is not asked of those with a position.
func TestInlet(t *testing.T, newInlet func(t *testing.T) inlet.Inlet, opts *InletOptions) {
	t.Helper()
	if opts == nil {
		opts = new(InletOptions)
	}
	suite(t, inletChecks(), opts.Skip, func(t *testing.T) *inletTrial {
		return &inletTrial{newTrial(t), newInlet, opts}
	})
}

func inletChecks() []check[*inletTrial] {
	fresh := func(c *inletTrial) *subject { return c.source(c.make).subject() }
	hung := func(c *inletTrial) *subject {
		if c.opts.Hung == nil {
			return nil
		}
		return c.source(c.opts.Hung).subject()
	}
	var all []check[*inletTrial]
	all = append(all, callChecks("Pull", fresh, hung)...)
	all = append(all, nodeChecks(fresh)...)
	all = append(all, reachChecks(fresh)...)
	all = append(all, updateCheck(fresh))
	all = append(all, pullChecks()...)
	all = append(all, positionChecks()...)
	return append(all, commitChecks()...)
}

type inletTrial struct {
	*trial
	make func(t *testing.T) inlet.Inlet
	opts *InletOptions
}

// source is one inlet under test.
type source struct {
	*inletTrial
	inlet.Inlet
	seeker     inlet.Seeker
	positioner inlet.Positioner
	committer  inlet.Committer
	pulls      int64
	last       time.Time
}

func (c *inletTrial) source(newInlet func(t *testing.T) inlet.Inlet) *source {
	in := newInlet(c.t)
	if in == nil {
		c.t.Fatal("newInlet made a nil inlet")
	}
	s := &source{inletTrial: c, Inlet: in}
	s.seeker, _ = inlet.As[inlet.Seeker](in)
	s.positioner, _ = inlet.As[inlet.Positioner](in)
	s.committer, _ = inlet.As[inlet.Committer](in)
	return s
}

func (c *inletTrial) fresh() *source { return c.source(c.make) }

func (s *source) subject() *subject {
	sub := &subject{
		trial: s.trial, verb: "Pull", node: s.Inlet,
		name: func() string { return inlet.Name(s.Inlet) },
		call: func(ctx context.Context, u *record.Update) error {
			if u == nil {
				u = new(s.update())
			}
			_, err := s.Pull(ctx, *u)
			return err
		},
	}
	sub.starter, _ = inlet.As[inlet.Starter](s.Inlet)
	sub.closer, _ = inlet.As[inlet.Shutdowner](s.Inlet)
	sub.checker, _ = inlet.As[inlet.Checker](s.Inlet)
	if v, ok := inlet.As[inlet.Validator](s.Inlet); ok {
		sub.validate = v.Validate
	}
	if s.seeker != nil {
		sub.ready = func() error { return s.seek(nil) }
	}
	if s.positioner != nil {
		sub.moved = func() string { return fmt.Sprintf("the position %q", s.positioner.Position()) }
	}
	return sub
}

// update returns the update of the next pull.
func (s *source) update() record.Update {
	u := record.Update{Link: "testkit", Tags: []string{"testkit"}, Number: s.pulls, Due: time.Now(), From: s.last}
	s.pulls++
	s.last = u.Due
	return u
}

func (s *source) seek(position []byte) error {
	return s.do(fmt.Sprintf("Seek(%.60q)", position), func(ctx context.Context) error { return s.seeker.Seek(ctx, position) })
}

// open starts the inlet and, if it can be, sets it to a position. It is shut down
// by the function returned.
func (s *source) open(position []byte) (shutdown func() error, err error) {
	sub := s.subject()
	if s.seeker != nil {
		sub.ready = func() error { return s.seek(position) }
	}
	return sub.shutdown, sub.start()
}

// pull pulls once. Records that come with an error count, the error too.
func (s *source) pull() (records []record.Record, err error) {
	u := s.update()
	results := make(chan []record.Record, 1)
	err = s.do("Pull", func(ctx context.Context) error {
		records, err := s.Pull(ctx, u)
		results <- records
		return err
	})
	if !isMishap(err) {
		records = <-results
	}
	return records, err
}

// idle is how many empty pulls in a row mean that there is no more at present.
const idle = 3

// next pulls until it has n records, or there are no more at present.
func (s *source) next(n int) (all []record.Record, err error) {
	for empty := 0; len(all) < n && empty < idle; {
		records, err := s.pull()
		if err != nil {
			return all, err
		}
		if all = append(all, records...); len(records) > 0 {
			empty = 0
		} else {
			empty++
			time.Sleep(midway)
		}
	}
	return all, nil
}

// batches pulls until it has n batches, or there are no more records at present.
// Each batch is what one pull returned, and none is empty.
func (s *source) batches(n int) (all [][]record.Record, err error) {
	for empty := 0; len(all) < n && empty < idle; {
		records, err := s.pull()
		if err != nil {
			return all, err
		}
		if len(records) > 0 {
			all = append(all, records)
			empty = 0
		} else {
			empty++
			time.Sleep(midway)
		}
	}
	return all, nil
}

// using runs f on a started inlet and shuts it down.
func (s *source) using(position []byte, f func() error) error {
	shutdown, err := s.open(position)
	if err != nil {
		return err
	}
	err = f()
	if down := shutdown(); err == nil {
		err = down
	}
	return err
}
