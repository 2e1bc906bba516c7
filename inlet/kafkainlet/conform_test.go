package kafkainlet_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/kafkainlet"
	"github.com/databay-go/databay/testkit"
)

// conforms tests inlets of topics of one partition that newSite makes.
func conforms(t *testing.T, newSite func(t *testing.T) site) {
	t.Helper()
	sites := make(map[*testing.T]site)
	testkit.TestInlet(t, func(t *testing.T) inlet.Inlet {
		at, ok := sites[t]
		if !ok {
			at = newSite(t)
			sites[t] = at
			produce(t, client(t, at), 1, 0, 100)
		}
		return kafkainlet.New(at.brokers, t.Name(), []string{at.topic}, &kafkainlet.Options{MaxRecords: 10, MaxWait: 150 * time.Millisecond})
	}, &testkit.InletOptions{Hung: func(t *testing.T) inlet.Inlet {
		return kafkainlet.New(hung(t).brokers, "g", []string{"orders"}, nil)
	}})
}

// hung returns the address of a broker that does not answer.
func hung(t testing.TB) site {
	t.Helper()
	c, at := cluster(t, 1)
	c.ControlKey(int16(kmsg.Metadata), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		c.SleepControl(func() { <-t.Context().Done() })
		return nil, nil, true
	})
	return at
}

func TestConforms(t *testing.T) {
	t.Parallel()
	conforms(t, func(t *testing.T) site {
		_, at := cluster(t, 1)
		return at
	})
}
