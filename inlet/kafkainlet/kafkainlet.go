package kafkainlet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/internal/kafkaclient"
	"github.com/databay-go/databay/record"
)

// Inlet pulls from Kafka. It belongs to one link. Several inlets of one group, in one
// process or in many, share the partitions.
type Inlet struct {
	group  string
	topics []string
	opts   Options
	kafka  *kafkaclient.Client

	starting sync.Mutex             // held by Start and Shutdown
	member   atomic.Pointer[member] // nil: not started
}

var (
	_ inlet.Inlet      = (*Inlet)(nil)
	_ inlet.Starter    = (*Inlet)(nil)
	_ inlet.Shutdowner = (*Inlet)(nil)
	_ inlet.Validator  = (*Inlet)(nil)
	_ inlet.Checker    = (*Inlet)(nil)
	_ inlet.Positioner = (*Inlet)(nil)
	_ inlet.Committer  = (*Inlet)(nil)
	_ fmt.Stringer     = (*Inlet)(nil)
)

// The metadata of records.
var (
	Topic     = record.NewKey[string]("kafkainlet.topic")
	Partition = record.NewKey[int32]("kafkainlet.partition")
	Offset    = record.NewKey[int64]("kafkainlet.offset")

	// Timestamp is in UTC: when the record was made, or written, as the topic has it.
	Timestamp = record.NewKey[time.Time]("kafkainlet.timestamp")

	// Key is absent if the record has none.
	Key = record.NewKey[string]("kafkainlet.key")

	// Headers is absent if the record has none. Their order is that of the record.
	Headers = record.NewKey[[]kgo.RecordHeader]("kafkainlet.headers")
)

// New returns an inlet of the topics, for the consumer group of the given name. The
// brokers are separated by commas, as in "kafka1:9092,kafka2:9092"; some of the
// cluster will do. The options may be nil. Mistakes are what Validate reports.
func New(brokers, group string, topics []string, opts *Options) *Inlet {
	in := &Inlet{group: group, topics: slices.Clone(topics), opts: opts.resolve()}
	in.kafka = kafkaclient.New("kafkainlet", brokers, in.opts.client())
	return in
}

// String returns "kafkainlet(brokers group: topics)".
func (in *Inlet) String() string {
	return fmt.Sprintf("kafkainlet(%s %s: %s)", in.kafka.Name, in.group, strings.Join(in.topics, ","))
}

// Validate reports every mistake of what New was given.
func (in *Inlet) Validate() error {
	return errors.Join(append(in.mistakes(), in.kafka.Validate(in.consumes()...)...)...)
}

// Check returns an error if no broker can be reached within the Timeout, or if a topic
// is not there. It moves nothing, does not join the group, and needs no Start.
func (in *Inlet) Check(ctx context.Context) error { return in.kafka.Check(ctx, in.topics) }

// Start begins to join the group. It waits for nothing: that is up to the first Pull.
func (in *Inlet) Start(ctx context.Context) error {
	in.starting.Lock()
	defer in.starting.Unlock()
	if err := in.Validate(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return kafkaclient.Ended(ctx)
	}
	if in.member.Load() != nil {
		return errors.New("kafkainlet: already started")
	}
	m, err := in.join()
	if err != nil {
		return err
	}
	in.member.Store(m)
	return nil
}

// Shutdown leaves the group, so that others take over at once. What was pulled and
// not committed comes again. It does nothing if the inlet is not started.
func (in *Inlet) Shutdown(ctx context.Context) error {
	in.starting.Lock()
	defer in.starting.Unlock()
	m := in.member.Swap(nil)
	if m == nil {
		return nil
	}
	return m.leave(ctx)
}

// Pull returns the records that were fetched. If there are none it waits for some, for
// as long as Options.MaxWait says.
func (in *Inlet) Pull(ctx context.Context, _ record.Update) ([]record.Record, error) {
	if ctx.Err() != nil {
		return nil, kafkaclient.Ended(ctx)
	}
	m := in.member.Load()
	if m == nil {
		return nil, errors.New("kafkainlet: not started")
	}
	return m.pull(ctx)
}

// Position returns the offsets that were read to, of the partitions that this member
// has, as JSON.
func (in *Inlet) Position() []byte {
	m := in.member.Load()
	if m == nil {
		return nil
	}
	return m.position()
}

// Commit tells the group that everything before the position was delivered. What is
// about partitions that were taken away meanwhile is left out; while it runs none is
// taken away. A commit that the group
// refuses, since it has removed this member, is [ErrFenced]: the member joins again,
// and what was not committed comes again.
func (in *Inlet) Commit(ctx context.Context, position []byte) error {
	m := in.member.Load()
	if m == nil {
		return errors.New("kafkainlet: not started")
	}
	return m.commit(ctx, position)
}
