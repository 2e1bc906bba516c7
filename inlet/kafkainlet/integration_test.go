package kafkainlet_test

import (
	"context"
	"fmt"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/databay-go/databay/inlet/kafkainlet"
	"github.com/databay-go/databay/internal/testserver"
)

// newTopic makes a topic of a broker.
func newTopic(t testing.TB, brokers, topic string, partitions int32) site {
	t.Helper()
	at := site{brokers, topic}
	req := kmsg.NewPtrCreateTopicsRequest()
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = topic, partitions, 1
	req.Topics = append(req.Topics, rt)
	c := client(t, at)
	require.Eventually(t, func() bool {
		resp, err := req.RequestWith(context.Background(), c)
		if err == nil {
			err = kerr.ErrorForCode(resp.Topics[0].ErrorCode)
		}
		return err == nil || err == kerr.TopicAlreadyExists
	}, time.Minute, 50*time.Millisecond)
	return at
}

// What is tested with the broker in the process is tested with Apache Kafka.
func TestApacheKafka(t *testing.T) {
	t.Parallel()
	broker := testserver.Kafka(t)
	var topics atomic.Int64
	fresh := func(t *testing.T, partitions int32) site {
		return newTopic(t, broker.Addr, fmt.Sprint("topic-", topics.Add(1)), partitions)
	}
	t.Run("conforms", func(t *testing.T) {
		conforms(t, func(t *testing.T) site { return fresh(t, 1) })
	})
	t.Run("rebalances", func(t *testing.T) { rebalances(t, fresh(t, 6)) })
	t.Run("instances", func(t *testing.T) { instances(t, fresh(t, 2)) })
	t.Run("crashes", func(t *testing.T) { crashes(t, fresh(t, 2), 12) })
	t.Run("lost", func(t *testing.T) { losses(t, fresh(t, 1)) })
	t.Run("latest again", func(t *testing.T) { latestAgain(t, fresh(t, 2)) })
	t.Run("end of transaction", func(t *testing.T) { endOfTransaction(t, fresh(t, 1)) })
	t.Run("passwords", func(t *testing.T) {
		passwords(t, site{broker.SASL, fresh(t, 1).topic}, "ada's secret", "SASL_AUTHENTICATION_FAILED")
	})
	t.Run("restart", func(t *testing.T) { restarts(t, broker, fresh(t, 3)) })
}

// restarts kills the broker in the middle of a transfer, twice, and starts it again.
func restarts(t *testing.T, broker *testserver.KafkaBroker, at site) {
	const partitions, part = 3, 3000
	out := &delivered{times: make(map[string]int), pause: 10 * time.Millisecond}
	in := &watched{Inlet: kafkainlet.New(at.brokers, "restarts", []string{at.topic}, lively(kafkainlet.Options{MaxRecords: 50})), t: t}
	stop := run(t, in, out)
	for i := range 2 {
		produce(t, client(t, at), partitions, i*part, (i+1)*part)
		require.Eventually(t, func() bool { records, _ := out.count(); return records >= i*part+part/2 }, time.Minute, time.Millisecond)
		before := in.failures.Load()
		broker.Kill()
		require.Eventually(t, func() bool { return in.failures.Load() > before }, time.Minute, time.Millisecond)
		broker.Restart()
	}
	c := client(t, at)
	ends := map[int32]int64{0: 2 * part / partitions, 1: 2 * part / partitions, 2: 2 * part / partitions}
	require.Eventually(t, func() bool { return maps.Equal(committed(t, c, "restarts"), ends) }, 2*time.Minute, 20*time.Millisecond)
	stop()
	records, again := out.count()
	assert.Equal(t, 2*part, records)
	t.Logf("%d of %d records came twice", again, records)
}
