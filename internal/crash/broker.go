package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/databay-go/databay/inlet/kafkainlet"
	"github.com/databay-go/databay/internal/testserver"
)

const (
	topic      = "rows"
	group      = "crash"
	partitions = 2
)

// partitionOf and offsetOf say where in the topic the row n is.
func partitionOf(n int64) int32 { return int32(n % partitions) } //nolint:gosec // it is small
func offsetOf(n int64) int64    { return (n - 1) / partitions }

// brokerScenario moves rows from a topic to a SQLite database, through a buffer and
// with their IDs. The broker is Apache Kafka, or one in the parent process.
func brokerScenario(name string, apache bool) scenario {
	s := scenario{
		name:       name,
		steps:      []string{beforePull, pulled, beforePush, writing, pushed, beforePut, put, beforeCommit, committed},
		idempotent: true,
		weight:     4,
		prepare:    prepareFake,
		grow:       produce,
		open: func(_ context.Context, at place, _ int64, h *halt) (pipeline, error) {
			db, err := sqlite().open(at)
			if err != nil {
				return pipeline{}, err
			}
			p, err := sqlite().sinkByID(at, db, h)
			p.idle = 4
			p.inlet = kafkainlet.New(at.server, group, []string{topic}, &kafkainlet.Options{
				Decode: kafkainlet.JSON[row], MaxRecords: 7, MaxWait: 250 * time.Millisecond, InstanceID: "only",
				Client: []kgo.Opt{kgo.HeartbeatInterval(50 * time.Millisecond), kgo.MetadataMinAge(50 * time.Millisecond)},
			})
			return p, err
		},
		read: func(ctx context.Context, at place, now *snapshot) error {
			if err := sqlite().readByID(ctx, at, now); err != nil {
				return err
			}
			offsets, err := committedOffsets(ctx, at)
			now.committed = func(n int64) bool { return offsetOf(n) < offsets[partitionOf(n)] }
			return err
		},
	}
	if apache {
		s.prepare, s.weight = prepareApache, 1
	}
	return s
}

func prepareFake(ctx context.Context, p *testserver.Program, at *place) error {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic))
	if err != nil {
		return err
	}
	p.Cleanup(c.Close)
	at.server = strings.Join(c.ListenAddrs(), ",")
	return sqlite().prepare(ctx, p, at)
}

// prepareApache starts a broker. Its fault is that it is killed and started again.
func prepareApache(ctx context.Context, p *testserver.Program, at *place) error {
	var broker *testserver.KafkaBroker
	if err := missing(p.Do(func() { broker = testserver.Kafka(p) })); err != nil {
		return err
	}
	at.server = broker.Addr
	at.fault = &fault{
		begin: func() error { broker.Kill(); return nil },
		end:   func() error { return p.Do(broker.Restart) },
		says:  regexp.MustCompile(`connection re(fused|set)|EOF|unable to dial|broken pipe|deadline exceeded|broker closed`),
	}
	return errors.Join(sqlite().prepare(ctx, p, at), withClient(*at, func(c *kgo.Client) error {
		req := kmsg.NewPtrCreateTopicsRequest()
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = topic, partitions, 1
		req.Topics = append(req.Topics, t)
		return retry(ctx, func() error {
			resp, err := req.RequestWith(ctx, c)
			if err == nil {
				err = kerr.ErrorForCode(resp.Topics[0].ErrorCode)
			}
			return err
		})
	}))
}

// produce adds rows to the topic.
func produce(ctx context.Context, at place, from, until int64) error {
	return withClient(at, func(c *kgo.Client) error {
		var records []*kgo.Record
		for n := from; n <= until; n++ {
			value, err := json.Marshal(newRow(n))
			if err != nil {
				return err
			}
			records = append(records, &kgo.Record{Partition: partitionOf(n), Value: value})
		}
		return c.ProduceSync(ctx, records...).FirstErr()
	})
}

// committedOffsets returns what the group has committed, by partition.
func committedOffsets(ctx context.Context, at place) (offsets map[int32]int64, err error) {
	err = withClient(at, func(c *kgo.Client) error {
		req := kmsg.NewPtrOffsetFetchRequest()
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group = group
		req.Group, req.Groups = group, append(req.Groups, g)
		return retry(ctx, func() error {
			offsets = make(map[int32]int64)
			resp, err := req.RequestWith(ctx, c)
			if err == nil {
				err = kerr.ErrorForCode(resp.Groups[0].ErrorCode)
			}
			if errors.Is(err, kerr.GroupIDNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			for _, t := range resp.Groups[0].Topics {
				for _, p := range t.Partitions {
					offsets[p.Partition] = p.Offset
				}
			}
			return nil
		})
	})
	return offsets, err
}

// retry calls f until it does not fail, or fails for good: a broker that has just come
// up is not ready for everything at once.
func retry(ctx context.Context, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := f()
		if err == nil || !kerr.IsRetriable(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func withClient(at place, f func(c *kgo.Client) error) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(at.server, ",")...), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer c.Close()
	return f(c)
}
