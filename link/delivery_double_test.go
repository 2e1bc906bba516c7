package link_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

var errDown = errors.New("503")

// offer is one call of a taker.
type offer struct {
	at      time.Time
	records []record.Record
	update  record.Update
	err     error
}

// taker is an outlet that notes every offer. Its script, if it has one, says what
// the n-th offer, from 1, is answered with.
type taker struct {
	name   string
	script func(ctx context.Context, n int, records []record.Record) error

	mu     sync.Mutex
	inside int
	most   int // calls at the same time
	offers []offer
}

func (o *taker) String() string { return o.name }

func (o *taker) Push(ctx context.Context, records []record.Record, u record.Update) error {
	o.mu.Lock()
	o.inside++
	o.most = max(o.most, o.inside)
	n := len(o.offers)
	o.offers = append(o.offers, offer{time.Now(), slices.Clone(records), u, errors.New("not answered")})
	o.mu.Unlock()
	defer func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.inside--
	}()
	var err error
	if o.script != nil {
		err = o.script(ctx, n+1, records)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.offers[n].err = err
	return err
}

// got returns the payloads of every offer.
func (o *taker) got() (all [][]any) {
	for _, f := range o.all() {
		all = append(all, payloads(f.records))
	}
	return all
}

func (o *taker) all() []offer {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.offers)
}

// accepted returns the payloads that were accepted, in order.
func (o *taker) accepted() []any {
	accepted := []any{}
	for _, f := range o.all() {
		p := record.AsPartial(f.err)
		for i, r := range f.records {
			if f.err == nil || p != nil && p.Check(len(f.records)) == nil && p.Failed[i] == nil {
				accepted = append(accepted, r.Payload)
			}
		}
	}
	return accepted
}

// failing answers the first n offers with err.
func failing(n int, err error) func(context.Context, int, []record.Record) error {
	return func(_ context.Context, i int, _ []record.Record) error {
		if i <= n {
			return err
		}
		return nil
	}
}

// slow takes d for every offer, whatever becomes of the context.
func slow(d time.Duration) func(context.Context, int, []record.Record) error {
	return func(context.Context, int, []record.Record) error {
		time.Sleep(d)
		return nil
	}
}

// feed is an inlet that notes the updates it is called with. Its script, if it has
// one, says what the n-th pull, from 1, yields.
type feed struct {
	name   string
	script func(ctx context.Context, n int) ([]record.Record, error)

	mu      sync.Mutex
	updates []record.Update
}

func (f *feed) String() string { return f.name }

func (f *feed) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	f.mu.Lock()
	f.updates = append(f.updates, u)
	n := len(f.updates)
	f.mu.Unlock()
	if f.script == nil {
		return nil, nil
	}
	return f.script(ctx, n)
}

func (f *feed) all() []record.Update {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.updates)
}

// feeding returns an inlet whose n-th pull yields the n-th list, and in the end
// nothing.
func feeding(name string, lists ...[]any) *feed {
	return &feed{name: name, script: func(_ context.Context, n int) ([]record.Record, error) {
		if n > len(lists) {
			return nil, nil
		}
		return of(lists[n-1]...), nil
	}}
}

// counting returns a resumable inlet that yields the next per ints a pull, from 1
// up to last.
func counting(name string, per, last int) inlet.Inlet {
	return inlet.Since(name, func(_ context.Context, after int) ([]int, int, error) {
		var values []int
		for n := after + 1; n <= min(after+per, last); n++ {
			values = append(values, n)
		}
		return values, after + len(values), nil
	})
}

// broker is an inlet that keeps positions itself: the number of records it has
// yielded.
type broker struct {
	feed
	position  int
	committed []string
	failures  int // of the next commits
}

func (b *broker) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	records, err := b.feed.Pull(ctx, u)
	b.position += len(records)
	return records, err
}

func (b *broker) Position() []byte { return fmt.Appendf(nil, "@%d", b.position) }

func (b *broker) Commit(_ context.Context, position []byte) error {
	if b.failures > 0 {
		b.failures--
		return errors.New("no broker")
	}
	b.committed = append(b.committed, string(position))
	return nil
}

// host notes what a link tells it. Its verdict, if there is one, says what is left
// of an error.
type host struct {
	verdict func(*link.Error) error

	mu      sync.Mutex
	failed  []*link.Error
	reports []link.Report
	changes int
}

func (h *host) Failed(_ context.Context, _ *link.Link, err *link.Error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed = append(h.failed, err)
	if h.verdict != nil {
		return h.verdict(err)
	}
	return err
}

func (h *host) Reported(_ context.Context, _ *link.Link, r link.Report) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reports = append(h.reports, r)
}

func (h *host) Changed(*link.Link) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes++
}

// changed returns how often the link has changed since it was called last.
func (h *host) changed() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.changes
	h.changes = 0
	return n
}
