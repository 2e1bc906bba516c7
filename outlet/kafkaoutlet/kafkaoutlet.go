package kafkaoutlet

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/databay-go/databay/internal/kafkaclient"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// Outlet pushes to Kafka. It is safe for concurrent use.
type Outlet struct {
	topic string
	opts  Options
	kafka *kafkaclient.Client

	starting sync.Mutex                 // held by Start and Shutdown
	client   atomic.Pointer[kgo.Client] // nil: not started
}

var (
	_ outlet.Outlet     = (*Outlet)(nil)
	_ outlet.Starter    = (*Outlet)(nil)
	_ outlet.Shutdowner = (*Outlet)(nil)
	_ outlet.Validator  = (*Outlet)(nil)
	_ outlet.Checker    = (*Outlet)(nil)
	_ outlet.Reader     = (*Outlet)(nil)
	_ fmt.Stringer      = (*Outlet)(nil)
)

// The metadata that the outlet heeds.
var (
	// Topic is where the record goes, if not to the topic of New.
	Topic = record.NewKey[string]("kafkaoutlet.topic")

	// Key is the key of the record. Without one it has none.
	Key = record.NewKey[string]("kafkaoutlet.key")

	// Partition is the number of the partition, instead of what follows of the key.
	Partition = record.NewKey[int32]("kafkaoutlet.partition")

	// Headers are the headers, in their order.
	Headers = record.NewKey[[]kgo.RecordHeader]("kafkaoutlet.headers")

	// Timestamp is the time of the record, in milliseconds. Without one it is now.
	Timestamp = record.NewKey[time.Time]("kafkaoutlet.timestamp")
)

// New returns an outlet that writes to the topic; if it is empty, to that of each
// record's metadata. The brokers are separated by commas, as in
// "kafka1:9092,kafka2:9092"; some of the cluster will do. The options may be nil.
// Mistakes are what Validate reports.
func New(brokers, topic string, opts *Options) *Outlet {
	o := &Outlet{topic: topic, opts: opts.resolve()}
	o.kafka = kafkaclient.New("kafkaoutlet", brokers, o.opts.client())
	return o
}

// String returns "kafkaoutlet(brokers topic)".
func (o *Outlet) String() string {
	if o.topic == "" {
		return "kafkaoutlet(" + o.kafka.Name + ")"
	}
	return "kafkaoutlet(" + o.kafka.Name + " " + o.topic + ")"
}

// ReadOnly returns true.
func (o *Outlet) ReadOnly() bool { return true }

// Validate reports every mistake of what New was given.
func (o *Outlet) Validate() error {
	return errors.Join(append(o.mistakes(), o.kafka.Validate(o.produces()...)...)...)
}

// Check returns an error if no broker can be reached within the Timeout, or if the
// topic is not there. It writes nothing and needs no Start.
func (o *Outlet) Check(ctx context.Context) error {
	if o.topic == "" {
		return o.kafka.Check(ctx, nil)
	}
	return o.kafka.Check(ctx, []string{o.topic})
}

// Start makes the client. It connects to nothing: that is up to the first Push.
func (o *Outlet) Start(context.Context) error {
	o.starting.Lock()
	defer o.starting.Unlock()
	if err := o.Validate(); err != nil {
		return err
	}
	if o.client.Load() != nil {
		return errors.New("kafkaoutlet: already started")
	}
	client, err := o.kafka.Open(o.produces()...)
	if err == nil {
		o.client.Store(client)
	}
	return err
}

// Shutdown closes the connections. It does nothing if the outlet is not started.
func (o *Outlet) Shutdown(context.Context) error {
	o.starting.Lock()
	defer o.starting.Unlock()
	if client := o.client.Swap(nil); client != nil {
		client.Close()
	}
	return nil
}

// produces returns the options of the client that make it what it is.
func (o *Outlet) produces() []kgo.Opt {
	codec, _ := o.opts.codec()
	opts := []kgo.Opt{
		kgo.ProducerBatchCompression(codec),
		kgo.ProducerBatchMaxBytes(int32(min(o.opts.MaxBytes, mostMaxBytes))),
		kgo.RecordPartitioner(partitioner{kgo.StickyKeyPartitioner(nil)}),
		kgo.MaxBufferedRecords(math.MaxInt32), // a push is what is buffered: its link bounds it
		kgo.ManualFlushing(),
	}
	if o.opts.Acks == LeaderOnly {
		return append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	}
	return append(opts, kgo.RequiredAcks(kgo.AllISRAcks()), kgo.AllowIdempotentProduceCancellation())
}

// Push writes the records and waits until they are written.
func (o *Outlet) Push(ctx context.Context, records []record.Record, _ record.Update) error {
	if len(records) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return kafkaclient.Ended(ctx)
	}
	client := o.client.Load()
	if client == nil {
		return errors.New("kafkaoutlet: not started")
	}
	var failures record.Failures
	messages := make([]message, 0, len(records))
	for i, r := range records {
		m, err := o.message(i, r)
		if err != nil {
			failures.Add(i, record.Permanent(err))
			continue
		}
		messages = append(messages, m)
	}
	bounded, cancel := o.kafka.Bound(ctx)
	defer cancel()
	p := &push{outlet: o, client: client, ctx: ctx, bounded: bounded, failures: &failures}
	p.write(messages)
	return failures.Err()
}

// message is a record on its way to Kafka.
type message struct {
	kgo.Record     // never given to the client: it takes a copy
	index      int // in the push
}

// message makes the record at index i a message.
func (o *Outlet) message(i int, r record.Record) (m message, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("encoding the record panicked: %v", p)
		}
	}()
	m.index = i
	m.Topic = Topic.Or(r, o.topic)
	if m.Topic == "" {
		return m, errors.New("the record has no topic, and the outlet none; want metadata Topic")
	}
	if err := kafkaclient.CheckTopic(m.Topic); err != nil {
		return m, fmt.Errorf("the record's topic %w", err)
	}
	if key, ok := Key.Get(r); ok {
		m.Key = []byte(key)
	}
	m.Partition = Partition.Or(r, anyPartition)
	if m.Partition < anyPartition {
		return m, fmt.Errorf("the record's partition is %d, want 0 or more", m.Partition)
	}
	m.Headers = Headers.Or(r, nil)
	m.Timestamp = Timestamp.Or(r, time.Time{})
	m.Value, err = o.opts.Encode(r)
	return m, err
}

// anyPartition leaves it to the key, or to the client, where a record goes.
const anyPartition = -1

// partitioner puts records where they are to go, and the others where another
// partitioner does.
type partitioner struct{ kgo.Partitioner }

func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return topicPartitioner{p.Partitioner.ForTopic(topic)}
}

type topicPartitioner struct{ kgo.TopicPartitioner }

func (p topicPartitioner) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition != anyPartition || p.TopicPartitioner.RequiresConsistency(r)
}

func (p topicPartitioner) Partition(r *kgo.Record, n int) int {
	if r.Partition != anyPartition {
		return int(r.Partition)
	}
	return p.TopicPartitioner.Partition(r, n)
}

// OnNewBatch lets records without a key go to another partition.
func (p topicPartitioner) OnNewBatch() {
	if b, ok := p.TopicPartitioner.(kgo.TopicPartitionerOnNewBatch); ok {
		b.OnNewBatch()
	}
}
