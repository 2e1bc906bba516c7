package kafkainlet_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/databay-go/databay/inlet/kafkainlet"
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

// client returns a client of the brokers.
func client(t testing.TB, brokers string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(brokers), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// produce writes records with the values of the numbers from and up to, but not
// including, to, over partitions in turn.
func produce(t testing.TB, c *kgo.Client, partitions, from, to int) {
	t.Helper()
	var rs []*kgo.Record
	for i := from; i < to; i++ {
		rs = append(rs, &kgo.Record{Partition: int32(i % partitions), Value: fmt.Append(nil, i)})
	}
	require.NoError(t, c.ProduceSync(t.Context(), rs...).FirstErr())
}

// started returns an inlet that is started, and stopped when the test ends.
func started(t testing.TB, brokers, group string, opts *kafkainlet.Options) *kafkainlet.Inlet {
	t.Helper()
	in := kafkainlet.New(brokers, group, []string{topic}, opts)
	require.NoError(t, in.Start(t.Context()))
	t.Cleanup(func() { _ = in.Shutdown(context.Background()) })
	return in
}

// pull pulls once.
func pull(t testing.TB, in *kafkainlet.Inlet) []record.Record {
	t.Helper()
	rs, err := in.Pull(t.Context(), record.Update{})
	require.NoError(t, err)
	return rs
}

// pullN pulls until there are n records.
func pullN(t testing.TB, in *kafkainlet.Inlet, n int) (all []record.Record) {
	t.Helper()
	for len(all) < n {
		all = append(all, pull(t, in)...)
	}
	return all
}

func texts(rs []record.Record) (all []string) {
	for _, r := range rs {
		all = append(all, string(r.Payload.([]byte)))
	}
	return all
}
