package kafkaoutlet_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/kafkainlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/kafkaoutlet"
	"github.com/databay-go/databay/record"
)

// market starts a broker in the process, and returns a function that prints the next
// records of its topics.
func market(topics ...string) (brokers string, show func(n int), stop func()) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topics...))
	if err != nil {
		log.Fatal(err)
	}
	brokers = strings.Join(cluster.ListenAddrs(), ",")
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.ConsumeTopics(topics...))
	if err != nil {
		log.Fatal(err)
	}
	show = func(n int) {
		for n > 0 {
			client.PollFetches(context.Background()).EachRecord(func(r *kgo.Record) {
				fmt.Printf("%s %s=%s\n", r.Topic, r.Key, r.Value)
				n--
			})
		}
	}
	return brokers, show, func() {
		client.Close()
		cluster.Close()
	}
}

// send pushes records to o as a link would.
func send(o *kafkaoutlet.Outlet, records ...record.Record) {
	ctx := context.Background()
	if err := o.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer o.Shutdown(ctx)
	if err := o.Push(ctx, records, record.Update{}); err != nil {
		fmt.Println(err)
	}
}

type order struct {
	By    string `json:"by"`
	Total int    `json:"total"`
}

func ExampleNew() {
	brokers, show, stop := market("orders", "returns")
	defer stop()
	send(kafkaoutlet.New(brokers, "orders", nil),
		record.New(order{"ada", 5}, kafkaoutlet.Key.Of("ada")),
		record.New("as it is"),
	)
	show(2)
	send(kafkaoutlet.New(brokers, "orders", nil), record.New(order{"ada", 5}, kafkaoutlet.Topic.Of("returns")))
	show(1)
	// Output:
	// orders ada={"by":"ada","total":5}
	// orders =as it is
	// returns ={"by":"ada","total":5}
}

// What cannot be written fails alone, and for good.
func ExampleNew_refused() {
	brokers, show, stop := market("orders")
	defer stop()
	o := kafkaoutlet.New(brokers, "orders", &kafkaoutlet.Options{MaxBytes: 512})
	send(o, record.New(nil), record.New("tea", kafkaoutlet.Partition.Of(7)), record.New("milk"))
	show(1)
	// Output:
	// 2 failed: record 0: the payload is nil; a tombstone is a nil []byte; record 1: invalid record partitioning choice of 7 from 1 available
	// orders =milk
}

// A topic is copied with a processor that says what goes where.
func Example_copy() {
	brokers, show, stop := market("orders", "copies")
	defer stop()
	send(kafkaoutlet.New(brokers, "orders", nil),
		record.New("tea", kafkaoutlet.Key.Of("ada")),
		record.New([]byte(nil), kafkaoutlet.Key.Of("ada")), // a tombstone
	)
	show(2)

	l, err := link.New(link.Config{
		Inlets: []inlet.Inlet{kafkainlet.New(brokers, "copy", []string{"orders"}, nil)},
		Processors: []record.Processor{record.Each(func(_ context.Context, r record.Record) (record.Record, error) {
			if key, ok := kafkainlet.Key.Get(r); ok {
				r = r.WithMetadata(kafkaoutlet.Key.Of(key))
			}
			return r.WithMetadata(
				kafkaoutlet.Headers.Of(kafkainlet.Headers.Or(r, nil)),
				kafkaoutlet.Timestamp.Of(kafkainlet.Timestamp.Or(r, time.Time{})),
			), nil
		})},
		Outlets: []outlet.Outlet{kafkaoutlet.New(brokers, "copies", nil)},
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := l.Once(context.Background()); err != nil {
		log.Fatal(err)
	}
	show(2)
	// Output:
	// orders ada=tea
	// orders ada=
	// copies ada=tea
	// copies ada=
}

// Text is written as it is, anything else as JSON.
func ExampleValue() {
	for _, payload := range []any{"text", []byte("bytes"), map[string]int{"n": 1}} {
		value, err := kafkaoutlet.Value(record.New(payload))
		fmt.Printf("%s %v\n", value, err)
	}
	// Output:
	// text <nil>
	// bytes <nil>
	// {"n":1} <nil>
}

func ExampleJSON() {
	value, err := kafkaoutlet.JSON(record.New("text"))
	fmt.Printf("%s %v\n", value, err)
	// Output: "text" <nil>
}
