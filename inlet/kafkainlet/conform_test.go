package kafkainlet_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/kafkainlet"
	"github.com/databay-go/databay/testkit"
)

// conforms tests inlets of brokers that newBrokers starts, one group for each test.
func conforms(t *testing.T, brokers func(t *testing.T) string) {
	t.Helper()
	decoders := map[string]kafkainlet.Decoder{"values": nil, "JSON": kafkainlet.JSON[any], "text": kafkainlet.Text}
	for name, decode := range decoders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			known := make(map[*testing.T]string)
			testkit.TestInlet(t, func(t *testing.T) inlet.Inlet {
				if known[t] == "" {
					known[t] = brokers(t)
					produce(t, client(t, known[t]), 2, 0, 40)
				}
				return kafkainlet.New(known[t], t.Name(), []string{topic}, &kafkainlet.Options{Decode: decode, MaxRecords: 10, MaxWait: 200 * time.Millisecond})
			}, &testkit.InletOptions{Hung: func(t *testing.T) inlet.Inlet { return kafkainlet.New(hung(t), "g", []string{topic}, nil) }})
		})
	}
}

// hung returns the address of a broker that does not answer.
func hung(t testing.TB) string {
	t.Helper()
	c, brokers := cluster(t, 1)
	c.ControlKey(int16(kmsg.Metadata), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		c.SleepControl(func() { <-t.Context().Done() })
		return nil, nil, true
	})
	return brokers
}

func TestConforms(t *testing.T) {
	t.Parallel()
	conforms(t, func(t *testing.T) string {
		_, brokers := cluster(t, 2, kfake.GroupMinSessionTimeout(100*time.Millisecond))
		return brokers
	})
}
