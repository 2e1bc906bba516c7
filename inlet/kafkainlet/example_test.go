package kafkainlet_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/kafkainlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// shop starts a broker in the process, with orders in a topic.
func shop(orders ...*kgo.Record) (brokers string, stop func()) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "orders"))
	if err != nil {
		log.Fatal(err)
	}
	brokers = strings.Join(cluster.ListenAddrs(), ",")
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.DefaultProduceTopic("orders"))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(context.Background(), orders...).FirstErr(); err != nil {
		log.Fatal(err)
	}
	return brokers, cluster.Close
}

// show prints what a link would get.
func show(in *kafkainlet.Inlet, line func(r record.Record) string) {
	ctx := context.Background()
	if err := in.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer in.Shutdown(ctx)
	records, err := in.Pull(ctx, record.Update{})
	for _, r := range records {
		fmt.Println(line(r))
	}
	if err != nil {
		fmt.Println(err)
	}
}

// What one transfer has delivered the next one does not get.
func Example() {
	brokers, stop := shop(kgo.StringRecord("tea"), kgo.StringRecord("milk"))
	defer stop()
	for range 2 {
		l, err := link.New(link.Config{
			Inlets:  []inlet.Inlet{kafkainlet.New(brokers, "copy", []string{"orders"}, &kafkainlet.Options{Decode: kafkainlet.Text})},
			Outlets: []outlet.Outlet{outlet.Each(func(_ context.Context, order string) error { fmt.Println(order); return nil })},
		})
		if err != nil {
			log.Fatal(err)
		}
		report, err := l.Once(context.Background())
		fmt.Println(report.Pulled, "records", err)
	}
	// Output:
	// tea
	// milk
	// 2 records <nil>
	// 0 records <nil>
}

func ExampleNew() {
	brokers, stop := shop(kgo.KeyStringRecord("ada", "tea"), kgo.StringRecord("milk"))
	defer stop()
	show(kafkainlet.New(brokers, "copy", []string{"orders"}, nil), func(r record.Record) string {
		return fmt.Sprintf("%s %s by %q", r.ID(), r.Payload, kafkainlet.Key.Or(r, "nobody"))
	})
	// Output:
	// orders/0/0 tea by "ada"
	// orders/0/1 milk by "nobody"
}

func ExampleJSON() {
	type Order struct {
		By    string
		Total int
	}
	brokers, stop := shop(kgo.StringRecord(`{"by":"ada","total":5}`), kgo.StringRecord(`{"by":`))
	defer stop()
	in := kafkainlet.New(brokers, "copy", []string{"orders"}, &kafkainlet.Options{Decode: kafkainlet.JSON[Order]})
	show(in, func(r record.Record) string { return fmt.Sprintf("%+v", r.Payload) })
	// Output:
	// {By:ada Total:5}
	// kafkainlet: cannot decode orders/0/1: unexpected end of JSON input
}

// A decoder has the whole record of Kafka. This one leaves out what is of no interest.
func ExampleDecoder() {
	brokers, stop := shop(
		&kgo.Record{Value: []byte("tea"), Headers: []kgo.RecordHeader{{Key: "shop", Value: []byte("north")}}},
		&kgo.Record{Value: []byte("milk"), Headers: []kgo.RecordHeader{{Key: "shop", Value: []byte("south")}}},
	)
	defer stop()
	in := kafkainlet.New(brokers, "copy", []string{"orders"}, &kafkainlet.Options{Decode: func(r *kgo.Record) (any, error) {
		if string(r.Headers[0].Value) != "south" {
			return nil, nil
		}
		return kafkainlet.Text(r)
	}})
	show(in, func(r record.Record) string { return fmt.Sprint(r.ID(), " ", r.Payload) })
	// Output: orders/0/1 milk
}

func ExampleText() {
	payload, err := kafkainlet.Text(&kgo.Record{Value: []byte("hello")})
	fmt.Printf("%q %v\n", payload, err)
	// Output: "hello" <nil>
}
