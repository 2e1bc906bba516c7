package testkit

import (
	"bytes"
	"context"
	"fmt"

	"github.com/databay-go/databay/record"
)

// commitChecks are the rules of inlets that are told what was delivered.
func commitChecks() []check[*inletTrial] {
	return []check[*inletTrial]{
		{
			name: "commit",
			why:  "Commit is called with the positions in their order, concurrently with Pull, and again with a position if it had failed",
			run: func(c *inletTrial) error {
				s := c.fresh()
				if s.committer == nil || s.positioner == nil {
					return skipped("it has no Commit with a Position")
				}
				return s.using(nil, func() error {
					for range some {
						if _, err := s.batches(1); err != nil {
							return err
						}
						position := bytes.Clone(s.positioner.Position())
						pulled := make(chan error, 1)
						go func() {
							_, err := s.pull()
							pulled <- err
						}()
						var err error
						for range 2 {
							if err == nil {
								err = s.commit(position)
							}
						}
						if other := <-pulled; err == nil {
							err = other
						}
						if err != nil {
							return err
						}
					}
					return nil
				})
			},
		},
		{
			name: "uncommitted records",
			why:  "what was pulled and not committed is yielded again, to whoever pulls next: the broker keeps the position, and Commit alone moves it",
			run: func(c *inletTrial) error {
				s := c.fresh()
				if s.committer == nil || s.positioner == nil || s.seeker != nil {
					return skipped("its position is not kept by a broker")
				}
				var uncommitted []record.Record
				err := s.using(nil, func() error {
					first, err := s.batches(1)
					if err != nil {
						return err
					}
					if len(first) > 0 {
						if err := s.commit(bytes.Clone(s.positioner.Position())); err != nil {
							return err
						}
					}
					second, err := s.batches(1)
					if len(second) > 0 {
						uncommitted = second[0]
					}
					return err
				})
				if err != nil {
					return err
				}
				if len(uncommitted) == 0 {
					return skipped("it yields nothing, or everything at once")
				}
				other := c.fresh()
				return other.using(nil, func() error {
					var got []record.Record
					for range some {
						batches, err := other.batches(1)
						if err != nil {
							return err
						}
						for _, batch := range batches {
							got = append(got, batch...)
						}
					}
					for _, r := range uncommitted {
						if count(got, r.Payload) == 0 {
							return fmt.Errorf("%s was pulled and not committed, but did not come again; what came is %s", show(r.Payload), payloads(got))
						}
					}
					return nil
				})
			},
		},
	}
}

func (s *source) commit(position []byte) error {
	return s.do(fmt.Sprintf("Commit(%.60q)", position), func(ctx context.Context) error {
		return s.committer.Commit(ctx, position)
	})
}
