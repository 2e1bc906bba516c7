package kafkainlet_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/databay-go/databay/inlet/kafkainlet"
	"github.com/databay-go/databay/record"
)

// site is where a topic is.
type site struct{ brokers, topic string }

// cluster starts a broker in the process, with a topic of some partitions.
func cluster(t testing.TB, partitions int32, opts ...kfake.Opt) (*kfake.Cluster, site) {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(partitions, "orders")}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c, site{strings.Join(c.ListenAddrs(), ","), "orders"}
}

// client returns a client that writes to the topic, and to partitions as records say.
func client(t testing.TB, at site, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(at.brokers), kgo.DefaultProduceTopic(at.topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
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
func started(t testing.TB, at site, group string, opts *kafkainlet.Options) *kafkainlet.Inlet {
	t.Helper()
	in := kafkainlet.New(at.brokers, group, []string{at.topic}, opts)
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

// lively are options of a member that soon notices others.
func lively(o kafkainlet.Options) *kafkainlet.Options {
	o.MaxWait = 20 * time.Millisecond
	o.Client = []kgo.Opt{kgo.HeartbeatInterval(50 * time.Millisecond), kgo.MetadataMinAge(50 * time.Millisecond)}
	return &o
}

// committed returns the offsets that a group has committed. A coordinator that is not
// there yet is asked again.
func committed(t testing.TB, c *kgo.Client, group string) map[int32]int64 {
	t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	req.Groups = append(req.Groups, g)
	req.Group = group
	for ctx := context.Background(); ; time.Sleep(10 * time.Millisecond) {
		resp, err := req.RequestWith(ctx, c)
		if err == nil {
			err = kerr.ErrorForCode(resp.Groups[0].ErrorCode)
		}
		offsets := make(map[int32]int64)
		switch {
		case errors.Is(err, kerr.GroupIDNotFound):
			return offsets
		case kerr.IsRetriable(err):
			continue
		}
		if !assert.NoError(t, err) {
			return offsets
		}
		for _, rt := range resp.Groups[0].Topics {
			for _, p := range rt.Partitions {
				offsets[p.Partition] = p.Offset
			}
		}
		return offsets
	}
}
