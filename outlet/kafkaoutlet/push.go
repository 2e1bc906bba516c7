package kafkaoutlet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/databay-go/databay/internal/kafkaclient"
	"github.com/databay-go/databay/record"
)

// push is one call of Push.
type push struct {
	outlet   *Outlet
	client   *kgo.Client
	ctx      context.Context // of the call
	bounded  context.Context // the same, which the Timeout ends too
	failures *record.Failures
	stopped  error // a failure that is not for good: nothing more is sent
	asked    bool
	why      string // the broker did not answer, if asked
}

// write writes messages in their order. Of those that were refused as a batch it finds
// out which are to blame, by halves.
func (p *push) write(messages []message) {
	if len(messages) == 0 {
		return
	}
	var refused []message
	for i, err := range p.send(messages) {
		if len(messages) > 1 && isAny(err, recordFaults) {
			refused = append(refused, messages[i])
			continue
		}
		p.failures.Add(messages[i].index, p.verdict(err))
	}
	half := (len(refused) + 1) / 2
	p.write(refused[:half])
	p.write(refused[half:])
}

// send sends messages and returns what became of each. After a failure that is not for
// good it sends no more.
func (p *push) send(messages []message) []error {
	a := newAnswers(len(messages))
	for i := range messages {
		if p.stopped != nil || p.bounded.Err() != nil {
			a.add(i, errUnsent)
			continue
		}
		r := messages[i].Record
		p.client.Produce(p.bounded, &r, func(_ *kgo.Record, err error) { a.add(i, err) })
	}
	// The client has all of them before it sends the first. So when one fails, those
	// behind it in its partition do too: no later record passes it.
	ctx, stop := context.WithCancel(context.WithoutCancel(p.bounded))
	flushed := make(chan struct{})
	go func() {
		defer close(flushed)
		_ = p.client.Flush(ctx) // it also waits for other pushes, and is stopped then
	}()
	select {
	case <-a.done:
	case <-p.bounded.Done():
		const grace = 500 * time.Millisecond // for the client to give up too, which knows what it has not sent
		select {
		case <-a.done:
		case <-time.After(grace):
		}
	}
	stop()
	<-flushed
	errs := a.close()
	for i, err := range errs {
		if isFailure(err) && p.stopped == nil {
			p.stopped = fmt.Errorf("not sent, since record %d failed: %w", messages[i].index, p.verdict(err))
		}
	}
	return errs
}

var (
	errUnsent   = errors.New("not sent")
	errNoAnswer = errors.New("no answer")
)

// Faults of records, for which the broker refuses a whole batch, and of topics.
var (
	recordFaults = []error{kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp}
	topicFaults  = []error{
		kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.InvalidTopicException, kerr.TopicAuthorizationFailed,
		kerr.ClusterAuthorizationFailed, kerr.UnsupportedForMessageFormat,
	}
)

func isAny(err error, faults []error) bool {
	return slices.ContainsFunc(faults, func(fault error) bool { return errors.Is(err, fault) })
}

// isPartition reports whether err says that the topic has no such partition. The client
// has no type for it.
func isPartition(err error) bool {
	return strings.HasPrefix(err.Error(), "invalid record partitioning choice")
}

// isFailure reports whether err is one that is not for good.
func isFailure(err error) bool {
	return err != nil && !errors.Is(err, errUnsent) && !isAny(err, recordFaults) && !isAny(err, topicFaults) && !isPartition(err)
}

// verdict says what an error of a message means.
func (p *push) verdict(err error) error {
	const unknown = "whether it is written is not known"
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errUnsent) && p.stopped != nil:
		return p.stopped
	case !isFailure(err) && !errors.Is(err, errUnsent):
		return record.Permanent(p.outlet.kafka.Clean(err))
	case p.ctx.Err() != nil:
		return fmt.Errorf("%s: %w", unknown, kafkaclient.Ended(p.ctx))
	case p.bounded.Err() != nil:
		return fmt.Errorf("not acknowledged within %v, the Timeout; %s: %w%s", p.outlet.kafka.Timeout(), unknown, p.bounded.Err(), p.reason())
	case errors.Is(err, kgo.ErrClientClosed):
		return fmt.Errorf("%s: the outlet was shut down", unknown)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded): // of a push whose records were in the same batch
		return fmt.Errorf("%s: given up together with another push: %v", unknown, err)
	}
	return p.outlet.kafka.Clean(err)
}

// reason returns why there may have been no answer.
func (p *push) reason() string {
	if !p.asked {
		p.asked = true
		const patience = 2 * time.Second
		ctx, cancel := context.WithTimeout(p.ctx, patience)
		defer cancel()
		if err := p.outlet.kafka.Ping(ctx, p.client); err != nil {
			p.why = "; " + err.Error()
		}
	}
	return p.why
}

// answers are what became of messages.
type answers struct {
	done chan struct{} // closed when all are there

	mu     sync.Mutex
	errs   []error
	left   int
	closed bool
}

func newAnswers(n int) *answers {
	a := &answers{errs: make([]error, n), left: n, done: make(chan struct{})}
	for i := range a.errs {
		a.errs[i] = errNoAnswer
	}
	return a
}

func (a *answers) add(i int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return // too late: it counts as failed
	}
	a.errs[i] = err
	if a.left--; a.left == 0 {
		close(a.done)
	}
}

// close returns the answers that have come. Later ones are not heeded.
func (a *answers) close() []error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	return a.errs
}
