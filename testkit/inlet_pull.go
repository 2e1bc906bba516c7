package testkit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/record"
)

// some is how many batches the rules look at.
const some = 4

// pullChecks are the rules about what a Pull returns.
func pullChecks() []check[*inletTrial] {
	return []check[*inletTrial]{
		{
			name: "yields records",
			why:  "without a record nothing is tested: newInlet has something to pull, or the options say Empty",
			run: func(c *inletTrial) error {
				s := c.fresh()
				return s.using(nil, func() error {
					batches, err := s.batches(1)
					switch {
					case err != nil:
						return err
					case len(batches) == 0 && !c.opts.Empty:
						return fmt.Errorf("%d pulls yielded nothing", idle)
					case len(batches) > 0 && c.opts.Empty:
						return fmt.Errorf("the options say Empty, but a pull yielded %s", payloads(batches[0]))
					}
					return nil
				})
			},
		},
		{
			name: "payloads",
			why:  "a record has a payload: there is no record of nothing",
			run: eachBatch(func(n int, batch []record.Record) error {
				for i, r := range batch {
					if r.Payload == nil {
						return fmt.Errorf("record %d of pull %d has no payload", i, n)
					}
				}
				return nil
			}),
		},
		{
			name: "metadata keys",
			why:  `keys of metadata start with the name of their package and a dot, as in "csvoutlet.file", so that no two packages mean the same one`,
			run: eachBatch(func(n int, batch []record.Record) error {
				for i, r := range batch {
					for key := range r.Metadata.All() {
						if pkg, rest, ok := strings.Cut(key, "."); !ok || pkg == "" || rest == "" {
							return fmt.Errorf("record %d of pull %d has the metadata key %q", i, n, key)
						}
					}
				}
				return nil
			}),
		},
		{
			name: "global metadata",
			why: "records take on the metadata that is given to their inlet, their own wins, and no other inlet's records take it on: " +
				"what a Pull returned is shared with nobody",
			run: globalMetadata,
		},
		{
			name: "earlier records stay",
			why:  "what a Pull returned belongs to the caller: later pulls do not change it",
			run: func(c *inletTrial) error {
				s := c.fresh()
				return s.using(nil, func() error {
					var earlier [][]record.Record
					var were []snapshot
					for range some {
						batches, err := s.batches(1)
						if err != nil {
							return err
						}
						for n, was := range were {
							if err := was.changed(earlier[n]); err != nil {
								return fmt.Errorf("a later pull changed what pull %d returned: %w", n, err)
							}
						}
						for _, batch := range batches {
							earlier, were = append(earlier, batch), append(were, snap(batch))
						}
					}
					return nil
				})
			},
		},
		{
			name: "gives records away",
			why:  "what a Pull returned belongs to the caller, who may change it: the inlet does not return the same slice or payload again",
			run:  givesAway,
		},
		{
			name: "pull after shutdown",
			why:  "a Pull after a Shutdown, by a caller that had given it up, may fail or return nothing; it does not panic",
			run: func(c *inletTrial) error {
				s := c.fresh()
				sub := s.subject()
				if sub.closer == nil {
					return skipped("it has no Shutdown")
				}
				if err := sub.used(sub.ordinary); err != nil {
					return err
				}
				return onlyMishap(sub.ordinary())
			},
		},
		{
			name: "concurrent pulls",
			why:  "an inlet given to several links is pulled by them side by side",
			run:  concurrentPulls,
		},
	}
}

// eachBatch checks the first batches one after the other.
func eachBatch(f func(n int, batch []record.Record) error) func(*inletTrial) error {
	return func(c *inletTrial) error {
		s := c.fresh()
		return s.using(nil, func() error {
			batches, err := s.batches(some)
			if err != nil {
				return err
			}
			if len(batches) == 0 {
				return skipped("it yields nothing")
			}
			for n, batch := range batches {
				if err := f(n, batch); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func globalMetadata(c *inletTrial) error {
	global := record.NewKey[string]("testkit.global")
	plain := c.fresh()
	var own record.Metadata
	err := plain.using(nil, func() error {
		batches, err := plain.batches(1)
		if len(batches) > 0 {
			own = batches[0][0].Metadata
		}
		return err
	})
	if err != nil {
		return err
	}
	attrs := []record.Attr{global.Of("global")}
	for key := range own.All() {
		attrs = append(attrs, record.Attr{Key: key, Value: "global"})
	}

	decorated := c.fresh()
	decorated.Inlet = inlet.WithMetadata(decorated.Inlet, attrs...)
	err = decorated.using(nil, func() error {
		batches, err := decorated.batches(some)
		if decorated.seeker != nil && len(batches) > 0 { // else the first record may be another one
			for key := range own.All() {
				if v, _ := batches[0][0].Metadata.Get(key); v == "global" {
					return fmt.Errorf("the record's own metadata %q gave way to that of its inlet", key)
				}
			}
		}
		for n, batch := range batches {
			for i, r := range batch {
				if v, _ := global.Get(r); v != "global" {
					return fmt.Errorf("record %d of pull %d does not have the metadata of its inlet, but %v", i, n, r.Metadata)
				}
			}
		}
		if len(batches) == 0 && err == nil {
			err = skipped("it yields nothing")
		}
		return err
	})
	if err != nil {
		return err
	}

	other := c.fresh()
	return other.using(nil, func() error {
		batches, err := other.batches(some)
		for n, batch := range batches {
			for i, r := range batch {
				if _, ok := global.Get(r); ok {
					return fmt.Errorf("record %d of pull %d of another inlet has the metadata too: %v", i, n, r.Metadata)
				}
			}
		}
		return err
	})
}

func givesAway(c *inletTrial) error {
	s := c.fresh()
	return s.using(nil, func() error {
		given := make(map[uintptr]any)
		for n := range some {
			batches, err := s.batches(1)
			if err != nil {
				return err
			}
			for _, batch := range batches {
				for i, r := range batch {
					if isOverwritten(r) {
						return fmt.Errorf("pull %d returned the slice of an earlier one: the caller had overwritten record %d of it", n, i)
					}
					where, ok := address(r.Payload)
					if ok && given[where] != nil {
						return fmt.Errorf("record %d of pull %d has the very payload of an earlier pull: %s", i, n, show(r.Payload))
					}
				}
				for _, r := range batch {
					if where, ok := address(r.Payload); ok {
						given[where] = r.Payload // kept, so that the address is not used again
					}
				}
				overwrite(batch)
			}
		}
		return nil
	})
}

func concurrentPulls(c *inletTrial) error {
	s := c.fresh()
	if s.positioner != nil {
		return skipped("it has a position and belongs to one link")
	}
	return s.using(nil, func() error {
		const links, pulls = 4, 5
		var (
			group sync.WaitGroup
			start = make(chan struct{})
			errs  = make([]error, links)
		)
		for i := range links {
			u := s.update()
			group.Go(func() {
				<-start
				for range pulls {
					errs[i] = errors.Join(errs[i], s.do("Pull", func(ctx context.Context) error {
						_, err := s.Pull(ctx, u)
						return err
					}))
				}
			})
		}
		close(start)
		group.Wait()
		for _, err := range errs {
			if err != nil {
				return fmt.Errorf("%d goroutines pulled at the same time: %w", links, err)
			}
		}
		return nil
	})
}
