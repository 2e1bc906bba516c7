package testkit

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// many is the size of a large batch.
const many = 100

// pushChecks are the rules about what becomes of records that are accepted.
func pushChecks() []check[*outletTrial] {
	return []check[*outletTrial]{
		{
			name: "no records",
			why:  "a link may push no records, to tell of a transfer that brought none: that is no mistake",
			run: func(c *outletTrial) error {
				o := c.fresh()
				return o.using(func() error {
					return errors.Join(o.push(nil), o.push([]record.Record{}))
				})
			},
		},
		{
			name: "writes",
			why:  "nil means that all records are accepted: each is written, once, whatever the size of the batch",
			run: func(c *outletTrial) error {
				o := c.fresh()
				return o.reads(func() error {
					from := 0
					for _, n := range []int{1, 2, many} {
						if err := o.push(o.samples(from, from+n)); err != nil {
							return err
						}
						from += n
						if err := o.holds(o.samples(0, from)); err != nil {
							return fmt.Errorf("after a batch of %d: %w", n, err)
						}
					}
					return nil
				})
			},
		},
		{
			name: "order",
			why:  "records are written in the order in which they are pushed, unless the options say Unordered",
			run: func(c *outletTrial) error {
				o := c.fresh()
				if o.opts.Unordered {
					return skipped("the options say Unordered")
				}
				return o.reads(func() error {
					if err := errors.Join(o.push(o.samples(0, 5)), o.push(o.samples(5, 10))); err != nil {
						return err
					}
					last := -1
					for _, r := range o.written() {
						for i, want := range o.samples(0, 10) {
							if same(r.Payload, want.Payload) {
								if i < last {
									return fmt.Errorf("%s was written after %s", show(r.Payload), show(o.sample(last).Payload))
								}
								last = i
							}
						}
					}
					return nil
				})
			},
		},
		{
			name: "kept at shutdown",
			why:  "what was accepted stays written when the outlet is shut down",
			run: func(c *outletTrial) error {
				o := c.fresh()
				var before []record.Record
				err := o.reads(func() error {
					err := o.push(o.samples(0, 3))
					before = o.written()
					return err
				})
				if err != nil {
					return err
				}
				after := o.written()
				for _, r := range before {
					if count(after, r.Payload) == 0 {
						return fmt.Errorf("%s was written before the Shutdown, and is not there after it", show(r.Payload))
					}
				}
				return nil
			},
		},
		{
			name: "metadata",
			why:  "ID and metadata of a record, if they are written, are those that were pushed",
			run: func(c *outletTrial) error {
				o := c.fresh()
				return o.reads(func() error {
					records := o.samples(0, 3)
					for i := range records {
						if records[i].ID() == "" {
							records[i] = records[i].WithID(fmt.Sprintf("testkit/%d", i))
						}
						records[i] = records[i].WithMetadata(record.Attr{Key: "testkit.number", Value: i})
					}
					if err := o.push(slices.Clone(records)); err != nil {
						return err
					}
					known := false
					for _, r := range o.written() {
						for _, want := range records {
							if !same(r.Payload, want.Payload) {
								continue
							}
							known = known || r.ID() != "" || r.Metadata.Len() > 0
							if r.Metadata.Len() > 0 && r.Metadata.String() != want.Metadata.String() {
								return fmt.Errorf("the metadata %v was written as %v", want.Metadata, r.Metadata)
							}
							if r.ID() != "" && r.ID() != want.ID() {
								return fmt.Errorf("the ID %q was written as %q", want.ID(), r.ID())
							}
						}
					}
					if !known {
						return skipped("not checked: what is read back has neither IDs nor metadata")
					}
					return nil
				})
			},
		},
		{
			name: "slice of a reader",
			why:  "a Reader does not change the slice it is given: other outlets are given the same",
			run: func(c *outletTrial) error {
				return c.reader(func(given, were []record.Record) error {
					for i, r := range given {
						if !identical(r, were[i]) {
							return fmt.Errorf("the outlet says ReadOnly, but put %v in the place of record %d, %v", r, i, were[i])
						}
					}
					return nil
				})
			},
		},
		{
			name: "payloads of a reader",
			why:  "a Reader does not change payloads, then or later: other outlets are given the same",
			run: func(c *outletTrial) error {
				return c.reader(func(_, were []record.Record) error {
					for i, r := range were {
						if want := c.sample(i).Payload; !same(r.Payload, want) {
							return fmt.Errorf("the outlet says ReadOnly, but changed the payload %s to %s", show(want), show(r.Payload))
						}
					}
					return nil
				})
			},
		},
		{
			name: "slice given",
			why:  "the slice belongs to the caller again when Push has returned: what the outlet wants to keep of it, it copies",
			run: func(c *outletTrial) error {
				o := c.fresh()
				if o.written == nil {
					return o.reads(nil)
				}
				check := func() error {
					if slices.ContainsFunc(o.written(), isOverwritten) {
						return errors.New("what was written is what the caller put into its slice after Push had returned")
					}
					return nil
				}
				err := o.reads(func() error {
					for i := range 3 {
						batch := o.samples(5*i, 5*i+5)
						if err := o.push(batch); err != nil {
							return err
						}
						overwrite(batch)
					}
					return check()
				})
				return errors.Join(err, check())
			},
		},
		{
			name: "concurrent pushes",
			why:  "an outlet given to several links is pushed to by them side by side",
			run: func(c *outletTrial) error {
				o := c.fresh()
				return o.using(func() error {
					const links, pushes, size = 4, 5, 3
					var (
						group sync.WaitGroup
						start = make(chan struct{})
						errs  [links]error
					)
					for i := range links {
						other := c.target(o.Outlet, nil) // counts its pushes by itself
						group.Go(func() {
							<-start
							for n := range pushes {
								from := (i*pushes + n) * size
								errs[i] = errors.Join(errs[i], other.push(o.samples(from, from+size)))
							}
						})
					}
					close(start)
					group.Wait()
					for _, err := range errs {
						if err != nil {
							return fmt.Errorf("%d goroutines pushed at the same time: %w", links, err)
						}
					}
					if o.written == nil {
						return nil
					}
					if err := o.holds(o.samples(0, links*pushes*size)); err != nil {
						return fmt.Errorf("%d goroutines pushed at the same time: %w", links, err)
					}
					return nil
				})
			},
		},
	}
}

// reader pushes a batch to an outlet that says that it is a Reader, and calls f
// with the batch, and with what was in it, after the outlet is shut down.
func (c *outletTrial) reader(f func(given, were []record.Record) error) error {
	o := c.fresh()
	if r, ok := o.Outlet.(outlet.Reader); !ok || !r.ReadOnly() {
		return skipped("it does not say ReadOnly")
	}
	given := o.samples(0, 5)
	were := slices.Clone(given)
	if err := o.using(func() error { return o.push(given) }); err != nil {
		return err
	}
	return f(given, were)
}
