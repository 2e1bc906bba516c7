package kafkaoutlet_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/kafkaoutlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

// conforms tests outlets of brokers with an empty topic of one partition.
func conforms(t *testing.T, brokers func(t *testing.T) (brokers, topic string)) {
	t.Helper()
	for name, opts := range map[string]*kafkaoutlet.Options{
		"default": nil, "leader": {Acks: kafkaoutlet.LeaderOnly, Compression: "zstd"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.TestOutlet(t, func(t *testing.T) (outlet.Outlet, func() []record.Record) {
				brokers, topic := brokers(t)
				return kafkaoutlet.New(brokers, topic, opts), func() (all []record.Record) {
					for _, r := range written(t, brokers, topic) {
						var v any
						assert.NoError(t, json.Unmarshal(r.Value, &v))
						all = append(all, record.New(v))
					}
					return all
				}
			}, func(i int) record.Record {
				return record.New(map[string]any{"n": fmt.Sprint(i)}, kafkaoutlet.Key.Of(fmt.Sprint(i)))
			}, &testkit.OutletOptions{Hung: func(t *testing.T) outlet.Outlet {
				return kafkaoutlet.New(hung(t, int16(kmsg.Produce)), topic, opts)
			}})
		})
	}
}

func TestConforms(t *testing.T) {
	t.Parallel()
	conforms(t, func(t *testing.T) (string, string) {
		_, brokers := cluster(t, 1)
		return brokers, topic
	})
}
