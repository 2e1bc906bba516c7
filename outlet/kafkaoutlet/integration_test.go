package kafkaoutlet_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/internal/testserver"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/kafkaoutlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
)

// newTopic makes a topic of a broker, with settings as in "max.message.bytes=1000".
func newTopic(t testing.TB, brokers, topic string, partitions int32, settings ...string) {
	t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = topic, partitions, 1
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		rt.Configs = append(rt.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: name, Value: &value})
	}
	req.Topics = append(req.Topics, rt)
	c, err := kgo.NewClient(kgo.SeedBrokers(brokers))
	require.NoError(t, err)
	defer c.Close()
	require.Eventually(t, func() bool {
		resp, err := req.RequestWith(context.Background(), c)
		if err == nil {
			err = kerr.ErrorForCode(resp.Topics[0].ErrorCode)
		}
		return err == nil || err == kerr.TopicAlreadyExists
	}, time.Minute, 50*time.Millisecond)
}

// What is tested with the broker in the process is tested with Apache Kafka.
func TestApacheKafka(t *testing.T) {
	t.Parallel()
	broker := testserver.Kafka(t)
	var topics atomic.Int64
	t.Run("conforms", func(t *testing.T) {
		conforms(t, func(t *testing.T) (string, string) {
			topic := fmt.Sprint("topic-", topics.Add(1))
			newTopic(t, broker.Addr, topic, 1)
			return broker.Addr, topic
		})
	})
	t.Run("faults", func(t *testing.T) { faults(t, broker.Addr) })
	t.Run("passwords", func(t *testing.T) {
		newTopic(t, broker.Addr, "passwords", 1)
		passwords(t, broker.SASL, "passwords", "ada's secret", "SASL_AUTHENTICATION_FAILED")
	})
	t.Run("restart", func(t *testing.T) { restarts(t, broker) })
}

// faults pushes records that the broker refuses among those that it takes.
func faults(t *testing.T, brokers string) {
	newTopic(t, brokers, "small", 1, "max.message.bytes=2000")
	newTopic(t, brokers, "compacted", 1, "cleanup.policy=compact")
	newTopic(t, brokers, "dated", 1, "message.timestamp.after.max.ms=60000")
	key := kafkaoutlet.Key.Of("k")
	tests := []struct {
		topic string
		bad   record.Record
		fault error
	}{
		{"small", record.New(strings.Repeat("x", 3000), key), kerr.MessageTooLarge},
		{"compacted", record.New("no key"), kerr.InvalidRecord},
		{"dated", record.New("of the future", key, kafkaoutlet.Timestamp.Of(time.Now().Add(240*time.Hour))), kerr.InvalidTimestamp},
	}
	for _, test := range tests {
		t.Run(test.topic, func(t *testing.T) {
			o := kafkaoutlet.New(brokers, test.topic, &kafkaoutlet.Options{Compression: "none"})
			require.NoError(t, o.Start(t.Context()))
			var rs []record.Record
			for i := range 300 {
				rs = append(rs, record.New(fmt.Sprint(i), key))
			}
			rs[7], rs[200] = test.bad, test.bad
			failed := push(t, o, rs...)
			require.Len(t, failed, 2)
			for _, i := range []int{7, 200} {
				require.ErrorIs(t, failed[i], test.fault)
				assert.True(t, record.IsPermanent(failed[i]))
			}
			assert.Len(t, written(t, brokers, test.topic), 298, "each once")
			require.NoError(t, o.Shutdown(t.Context()))
		})
	}
}

// restarts kills the broker in the middle of a transfer, twice, and starts it again.
// Nothing is missing, and the records of each key are in their order.
func restarts(t *testing.T, broker *testserver.KafkaBroker) {
	const total = 6000
	newTopic(t, broker.Addr, "restarts", 3)
	var pulled atomic.Int64
	numbers := inlet.Since("numbers", func(_ context.Context, after int) (rs []record.Record, next int, err error) {
		for next = after; next < min(after+20, total); next++ {
			rs = append(rs, record.New(fmt.Sprint(next), kafkaoutlet.Key.Of(fmt.Sprint(next%7))))
		}
		pulled.Store(int64(next))
		return rs, next, nil
	})
	var failures atomic.Int64
	l, err := link.New(link.Config{
		Inlets: []inlet.Inlet{numbers}, Outlets: []outlet.Outlet{kafkaoutlet.New(broker.Addr, "restarts", &kafkaoutlet.Options{Timeout: 2 * time.Second})},
		Schedule: schedule.Every(5 * time.Millisecond),
		OnError: func(_ context.Context, err *link.Error) error {
			t.Log(err)
			failures.Add(1)
			return nil
		},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- planner.Run(ctx, l) }()
	for i := range int64(2) {
		require.Eventually(t, func() bool { return pulled.Load() > (i+1)*total/4 }, time.Minute, time.Millisecond)
		before := failures.Load()
		broker.Kill()
		require.Eventually(t, func() bool { return failures.Load() > before }, time.Minute, time.Millisecond)
		broker.Restart()
	}
	require.Eventually(t, func() bool { return l.Account().Lanes[0].Delivered == total }, time.Minute, time.Millisecond)
	cancel()
	require.NoError(t, <-done)
	require.NoError(t, l.Account().Balance())
	rs := written(t, broker.Addr, "restarts")
	inOrder(t, rs, total)
	t.Logf("%d of %d records were written twice", len(rs)-total, total)
}
