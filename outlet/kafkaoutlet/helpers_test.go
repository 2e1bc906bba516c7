package kafkaoutlet_test

import (
	"context"
	"errors"
	"slices"
	"strings"
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

const topic = "orders"

// cluster starts a broker in the process, with a topic of some partitions.
func cluster(t testing.TB, partitions int32, opts ...kfake.Opt) (*kfake.Cluster, string) {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c, strings.Join(c.ListenAddrs(), ",")
}

// hung returns the address of a broker that does not answer to requests of a kind.
func hung(t testing.TB, kind int16) string {
	t.Helper()
	c, brokers := cluster(t, 1)
	c.ControlKey(kind, func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		c.SleepControl(func() { <-t.Context().Done() })
		return nil, nil, true
	})
	return brokers
}

// started returns an outlet that is started, and stopped when the test ends.
func started(t testing.TB, brokers string, opts *kafkaoutlet.Options) *kafkaoutlet.Outlet {
	t.Helper()
	o := kafkaoutlet.New(brokers, topic, opts)
	require.NoError(t, o.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, o.Shutdown(context.Background())) })
	return o
}

// push pushes records and returns the causes of those not accepted, by index.
func push(t testing.TB, o *kafkaoutlet.Outlet, rs ...record.Record) map[int]error {
	t.Helper()
	err := o.Push(t.Context(), rs, record.Update{})
	if err == nil {
		return nil
	}
	partial, ok := errors.AsType[*record.Partial](err)
	require.True(t, ok, "the error is a Partial: %v", err)
	return partial.Failed
}

func records(payloads ...any) (rs []record.Record) {
	for _, p := range payloads {
		rs = append(rs, record.New(p))
	}
	return rs
}

// written returns what is in a topic, partition by partition.
func written(t testing.TB, brokers, topic string) (all []*kgo.Record) {
	c, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.ConsumeTopics(topic), kgo.FetchMaxWait(50_000_000))
	if !assert.NoError(t, err) {
		return nil
	}
	defer c.Close()
	left := ends(t, c, topic)
	byPartition := make([][]*kgo.Record, len(left))
	for n := range left {
		if left[n] == 0 {
			delete(left, n)
		}
	}
	for len(left) > 0 {
		fetches := c.PollFetches(context.Background())
		if !assert.NoError(t, fetches.Err()) {
			return nil
		}
		fetches.EachRecord(func(r *kgo.Record) {
			byPartition[r.Partition] = append(byPartition[r.Partition], r)
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	for _, rs := range byPartition {
		all = append(all, rs...)
	}
	return all
}

// ends returns the end of every partition.
func ends(t testing.TB, c *kgo.Client, topic string) map[int32]int64 {
	ctx := context.Background()
	meta := kmsg.NewPtrMetadataRequest()
	mt := kmsg.NewMetadataRequestTopic()
	mt.Topic = &topic
	meta.Topics = append(meta.Topics, mt)
	var resp *kmsg.MetadataResponse
	require.Eventually(t, func() bool { // a broker may not know a new topic yet
		var err error
		resp, err = meta.RequestWith(ctx, c)
		return err == nil && resp.Topics[0].ErrorCode == 0 && len(resp.Topics[0].Partitions) > 0 &&
			!slices.ContainsFunc(resp.Topics[0].Partitions, func(p kmsg.MetadataResponseTopicPartition) bool { return p.ErrorCode != 0 })
	}, 30*time.Second, 20*time.Millisecond)
	list := kmsg.NewPtrListOffsetsRequest()
	lt := kmsg.NewListOffsetsRequestTopic()
	lt.Topic = topic
	for _, p := range resp.Topics[0].Partitions {
		lp := kmsg.NewListOffsetsRequestTopicPartition()
		lp.Partition, lp.Timestamp = p.Partition, -1
		lt.Partitions = append(lt.Partitions, lp)
	}
	list.Topics = append(list.Topics, lt)
	ends := make(map[int32]int64)
	for _, shard := range c.RequestSharded(ctx, list) {
		require.NoError(t, shard.Err)
		for _, p := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions {
			require.NoError(t, kerr.ErrorForCode(p.ErrorCode))
			ends[p.Partition] = p.Offset
		}
	}
	return ends
}

func texts(rs []*kgo.Record) (all []string) {
	for _, r := range rs {
		all = append(all, string(r.Value))
	}
	return all
}
