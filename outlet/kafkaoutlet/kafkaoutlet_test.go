package kafkaoutlet_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/databay-go/databay/outlet/kafkaoutlet"
	"github.com/databay-go/databay/record"
)

func TestMessage(t *testing.T) {
	t.Parallel()
	_, brokers := cluster(t, 3, kfake.SeedTopics(1, "other"))
	o := started(t, brokers, nil)
	at := time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.UTC)
	headers := []kgo.RecordHeader{{Key: "b", Value: []byte("1")}, {Key: "a", Value: []byte("2")}, {Key: "b", Value: []byte{}}}
	everything := record.New([]byte("\x00\xff"), kafkaoutlet.Key.Of("k\xff"), kafkaoutlet.Partition.Of(2), kafkaoutlet.Headers.Of(headers), kafkaoutlet.Timestamp.Of(at))
	require.Empty(t, push(t, o,
		everything,
		record.New("text", kafkaoutlet.Partition.Of(2), kafkaoutlet.Key.Of("")),
		record.New(map[string]any{"html": "<&>"}, kafkaoutlet.Partition.Of(2)),
		record.New([]byte(nil), kafkaoutlet.Partition.Of(2)),
		record.New([]byte{}, kafkaoutlet.Partition.Of(2)),
		record.New(7, kafkaoutlet.Topic.Of("other")),
	))
	rs := written(t, brokers, topic)
	require.Len(t, rs, 5)
	assert.Equal(t, []string{"\x00\xff", "text", `{"html":"<&>"}`, "", ""}, texts(rs))
	assert.Equal(t, "k\xff", string(rs[0].Key))
	assert.Equal(t, headers, rs[0].Headers)
	assert.Equal(t, at, rs[0].Timestamp.UTC())
	assert.NotNil(t, rs[1].Key, "an empty key is one")
	assert.Nil(t, rs[2].Key)
	assert.WithinDuration(t, time.Now(), rs[2].Timestamp, time.Hour)
	assert.Nil(t, rs[3].Value, "a tombstone")
	assert.NotNil(t, rs[4].Value, "a value that is empty is one")
	assert.Equal(t, []string{"7"}, texts(written(t, brokers, "other")))
}

// A key is always in one partition, that of other clients of Kafka; records without one
// are spread.
func TestPartitions(t *testing.T) {
	t.Parallel()
	_, brokers := cluster(t, 4)
	o := started(t, brokers, nil)
	for i := range 40 {
		key := fmt.Sprint(i % 10)
		require.Empty(t, push(t, o, record.New(key, kafkaoutlet.Key.Of(key)), record.New("none")))
	}
	where := make(map[string]map[int32]int)
	for _, r := range written(t, brokers, topic) {
		if where[string(r.Value)] == nil {
			where[string(r.Value)] = make(map[int32]int)
		}
		where[string(r.Value)][r.Partition]++
	}
	for key, partitions := range where {
		if key == "none" {
			assert.Greater(t, len(partitions), 1, "records without a key are spread: %v", partitions)
			continue
		}
		assert.Len(t, partitions, 1, "the key %s is in %v", key, partitions)
	}
	// murmur2, as in the client of Apache Kafka.
	assert.Contains(t, where["1"], kgoPartition("1", 4))
}

// kgoPartition returns the partition that the client's own partitioner chooses.
func kgoPartition(key string, n int) int32 {
	return int32(kgo.StickyKeyPartitioner(nil).ForTopic(topic).Partition(&kgo.Record{Key: []byte(key)}, n))
}

// A record that cannot be written fails for good, alone.
func TestRefused(t *testing.T) {
	t.Parallel()
	_, brokers := cluster(t, 2)
	opts := &kafkaoutlet.Options{MaxBytes: 1000, Client: []kgo.Opt{kgo.MetadataMinAge(10 * time.Millisecond)}, Encode: func(r record.Record) ([]byte, error) {
		if r.Payload == "panic" {
			panic("oh")
		}
		return kafkaoutlet.Value(r)
	}}
	tests := []struct {
		name, want string
		record     record.Record
	}{
		{"nil", "the payload is nil; a tombstone is a nil []byte", record.New(nil)},
		{"cannot be JSON", "unsupported type: chan int", record.New(make(chan int))},
		{"no JSON number", "unsupported value: NaN", record.New(math.NaN())},
		{"panic", "encoding the record panicked: oh", record.New("panic")},
		{"empty topic", `the record's topic is "a b", want 1 to 249 letters`, record.New("x", kafkaoutlet.Topic.Of("a b"))},
		{"unknown topic", "UNKNOWN_TOPIC_OR_PARTITION", record.New("x", kafkaoutlet.Topic.Of("none"))},
		{"negative partition", "the record's partition is -2, want 0 or more", record.New("x", kafkaoutlet.Partition.Of(-2))},
		{"no such partition", "invalid record partitioning choice of 7 from 2 available", record.New("x", kafkaoutlet.Partition.Of(7))},
		{"too large", "MESSAGE_TOO_LARGE", record.New(strings.Repeat("x", 1001))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := started(t, brokers, opts)
			failed := push(t, o, record.New("before "+test.name), test.record, record.New("after "+test.name))
			require.Len(t, failed, 1)
			require.ErrorContains(t, failed[1], test.want)
			assert.True(t, record.IsPermanent(failed[1]), failed[1])
			all := texts(written(t, brokers, topic))
			assert.Subset(t, all, []string{"before " + test.name, "after " + test.name})
		})
	}
}

func TestNoTopic(t *testing.T) {
	t.Parallel()
	_, brokers := cluster(t, 1)
	o := kafkaoutlet.New(brokers, "", nil)
	require.NoError(t, o.Check(t.Context()))
	require.NoError(t, o.Start(t.Context()))
	failed := push(t, o, record.New("x"), record.New("y", kafkaoutlet.Topic.Of(topic)))
	require.Len(t, failed, 1)
	require.ErrorContains(t, failed[0], "the record has no topic, and the outlet none")
	assert.True(t, record.IsPermanent(failed[0]))
	require.NoError(t, o.Shutdown(t.Context()))
	require.NoError(t, o.Shutdown(t.Context()))
	require.ErrorContains(t, o.Push(t.Context(), records("x"), record.Update{}), "not started")
}

// refuse answers produce requests for which code is not 0 with it.
func refuse(c *kfake.Cluster, code func(batch *kmsg.RecordBatch) int16) {
	c.ControlKey(int16(kmsg.Produce), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := kreq.(*kmsg.ProduceRequest)
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		refused := false
		for _, rt := range req.Topics {
			topic := kmsg.NewProduceResponseTopic()
			topic.Topic, topic.TopicID = rt.Topic, rt.TopicID
			for _, rp := range rt.Partitions {
				p := kmsg.NewProduceResponseTopicPartition()
				p.Partition = rp.Partition
				var batch kmsg.RecordBatch
				if err := batch.ReadFrom(rp.Records); err == nil {
					p.ErrorCode = code(&batch)
				}
				refused = refused || p.ErrorCode != 0
				topic.Partitions = append(topic.Partitions, p)
			}
			resp.Topics = append(resp.Topics, topic)
		}
		return resp, nil, refused
	})
}

// The broker refuses a batch as a whole: the records in it that are not to blame are
// written all the same.
func TestRefusedBatch(t *testing.T) {
	t.Parallel()
	for _, fault := range []*kerr.Error{kerr.MessageTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp} {
		t.Run(fault.Message, func(t *testing.T) {
			t.Parallel()
			c, brokers := cluster(t, 1)
			refuse(c, func(batch *kmsg.RecordBatch) int16 {
				if strings.Contains(string(batch.Records), "bad") {
					return fault.Code
				}
				return 0
			})
			o := started(t, brokers, &kafkaoutlet.Options{Compression: "none"})
			const n = 500
			var rs []record.Record
			for i := range n {
				rs = append(rs, record.New(fmt.Sprint(i)))
			}
			bad := []int{0, 17, 18, 400, n - 1}
			for _, i := range bad {
				rs[i] = record.New("bad")
			}
			failed := push(t, o, rs...)
			assert.Len(t, failed, len(bad))
			for _, i := range bad {
				require.ErrorIs(t, failed[i], fault)
				assert.True(t, record.IsPermanent(failed[i]))
			}
			assert.Len(t, written(t, brokers, topic), n-len(bad), "each once")
		})
	}
}

// After a failure that may pass nothing more is sent, so that the order stays, and the
// push can be repeated.
func TestFailure(t *testing.T) {
	t.Parallel()
	c, brokers := cluster(t, 2)
	ready := make(chan struct{})
	refuse(c, func(*kmsg.RecordBatch) int16 {
		select {
		case <-ready:
			return 0
		default:
			return kerr.NotEnoughReplicas.Code
		}
	})
	o := started(t, brokers, &kafkaoutlet.Options{Timeout: 300 * time.Millisecond})
	var rs []record.Record
	for i := range 100 {
		rs = append(rs, record.New(fmt.Sprint(i), kafkaoutlet.Key.Of(fmt.Sprint(i%5))))
	}
	failed := push(t, o, rs...)
	require.Len(t, failed, 100)
	for _, err := range failed {
		assert.False(t, record.IsPermanent(err), err)
		require.ErrorContains(t, err, "300ms, the Timeout")
	}
	close(ready)
	require.Eventually(t, func() bool { return len(push(t, o, rs...)) == 0 }, 30*time.Second, time.Millisecond)
	inOrder(t, written(t, brokers, topic), 100)
}

// A failure in the middle of a large push stops what has not been sent: no later record
// passes one that failed.
func TestFailureStops(t *testing.T) {
	t.Parallel()
	c, brokers := cluster(t, 1)
	var failed atomic.Bool
	refuse(c, func(*kmsg.RecordBatch) int16 {
		if failed.Swap(true) {
			return 0
		}
		return kerr.NotEnoughReplicas.Code
	})
	o := started(t, brokers, &kafkaoutlet.Options{Client: []kgo.Opt{kgo.RecordRetries(0)}})
	rs := make([]record.Record, 200_000)
	for i := range rs {
		rs[i] = record.New(fmt.Sprint(i))
	}
	causes := push(t, o, rs...)
	assert.Len(t, causes, len(rs))
	assert.Empty(t, written(t, brokers, topic))
}

// inOrder tests that the records of each key were written in their order, for the first
// time, and that none is missing.
func inOrder(t *testing.T, rs []*kgo.Record, total int) {
	t.Helper()
	seen := make(map[int]bool)
	last := make(map[string]int)
	for _, r := range rs {
		var n int
		_, err := fmt.Sscan(string(r.Value), &n)
		require.NoError(t, err)
		if seen[n] {
			continue
		}
		seen[n] = true
		assert.Greater(t, n+1, last[string(r.Key)], "a later one of the key %s was written before", r.Key)
		last[string(r.Key)] = n + 1
	}
	assert.Len(t, seen, total, "none is missing")
}

// A push gives up with its context, whatever the broker does not answer to.
func TestHung(t *testing.T) {
	t.Parallel()
	for _, kind := range []kmsg.Key{kmsg.Metadata, kmsg.InitProducerID, kmsg.Produce} {
		t.Run(kind.Name(), func(t *testing.T) {
			t.Parallel()
			o := started(t, hung(t, int16(kind)), &kafkaoutlet.Options{Timeout: -1})
			ctx, cancel := context.WithCancelCause(t.Context())
			cause := errors.New("enough")
			time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
			before := time.Now()
			err := o.Push(ctx, records("a", "b"), record.Update{})
			require.ErrorIs(t, err, cause)
			assert.Less(t, time.Since(before), 30*time.Second)
			assert.Len(t, record.AsPartial(err).Failed, 2)
		})
	}
}

// A broker that is gone, and why it cannot be reached, is what the push says.
func TestBrokerGone(t *testing.T) {
	t.Parallel()
	c, brokers := cluster(t, 1)
	o := started(t, brokers, &kafkaoutlet.Options{Timeout: 300 * time.Millisecond})
	require.Eventually(t, func() bool { return len(push(t, o, records("a")...)) == 0 }, 30*time.Second, time.Millisecond)
	c.Close()
	failed := push(t, o, records("b")...)
	require.ErrorIs(t, failed[0], context.DeadlineExceeded)
	require.ErrorContains(t, failed[0], "not acknowledged within 300ms, the Timeout; whether it is written is not known")
	require.ErrorContains(t, failed[0], "no broker can be reached")
	require.ErrorContains(t, o.Check(t.Context()), "no broker can be reached")
}

func TestCheck(t *testing.T) {
	t.Parallel()
	_, brokers := cluster(t, 1)
	require.NoError(t, kafkaoutlet.New(brokers, topic, nil).Check(t.Context()))
	require.ErrorContains(t, kafkaoutlet.New(brokers, "none", nil).Check(t.Context()), `kafkaoutlet: topic "none": UNKNOWN_TOPIC_OR_PARTITION`)
	assert.Empty(t, written(t, brokers, topic))
}

func TestCompression(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]int16{"none": 0, "gzip": 1, "": 2, "snappy": 2, "lz4": 3, "zstd": 4} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, brokers := cluster(t, 1)
			var got int16 = -1
			refuse(c, func(batch *kmsg.RecordBatch) int16 {
				got = batch.Attributes & 7
				return 0
			})
			require.Empty(t, push(t, started(t, brokers, &kafkaoutlet.Options{Compression: name}), records(strings.Repeat("x", 10_000))...))
			assert.Equal(t, []string{strings.Repeat("x", 10_000)}, texts(written(t, brokers, topic)))
			assert.Equal(t, code, got)
		})
	}
}

func TestAcks(t *testing.T) {
	t.Parallel()
	for acks, want := range map[kafkaoutlet.Acks]int16{kafkaoutlet.AllReplicas: -1, kafkaoutlet.LeaderOnly: 1} {
		t.Run(acks.String(), func(t *testing.T) {
			t.Parallel()
			c, brokers := cluster(t, 1)
			var got int16
			c.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
				got = req.(*kmsg.ProduceRequest).Acks
				return nil, nil, false
			})
			require.Empty(t, push(t, started(t, brokers, &kafkaoutlet.Options{Acks: acks}), records("x")...))
			assert.Equal(t, want, got)
		})
	}
	assert.Equal(t, "Acks(7)", kafkaoutlet.Acks(7).String())
}

// A shutdown does not wait for a broker that answers to nothing.
func TestShutdownHung(t *testing.T) {
	t.Parallel()
	c, brokers := cluster(t, 1)
	asked := make(chan struct{})
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		close(asked)
		c.SleepControl(func() { <-t.Context().Done() })
		return nil, nil, true
	})
	o := kafkaoutlet.New(brokers, topic, &kafkaoutlet.Options{Timeout: -1})
	require.NoError(t, o.Start(t.Context()))
	pushed := make(chan error)
	go func() { pushed <- o.Push(t.Context(), records("a", "b"), record.Update{}) }() // it is given up, and goes on
	<-asked
	before := time.Now()
	require.NoError(t, o.Shutdown(t.Context()))
	err := <-pushed
	assert.Less(t, time.Since(before), 30*time.Second)
	require.ErrorContains(t, err, "the outlet was shut down")
	assert.Len(t, record.AsPartial(err).Failed, 2)
}
