package kafkaclient_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/databay-go/databay/internal/kafkaclient"
)

// A list of brokers that is valid is one that the client takes, and an error of one that
// is not shows nothing of what may be a password.
func FuzzBrokers(f *testing.F) {
	for _, seed := range []string{"a", "a:1,b:2", "[::1]:9092", "kafka://u:hunter22@h", "a:", ":1", ",", "a:99999", "::", "a b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, brokers string) {
		c := kafkaclient.New("p", brokers, kafkaclient.Options{})
		err := errors.Join(c.Validate()...)
		if err == nil {
			client, err := c.Open()
			require.NoError(t, err)
			client.Close()
			return
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			assert.True(t, strings.HasPrefix(line, "p: "), line)
		}
		if !strings.Contains(brokers, ",") && strings.Contains(brokers, "hunter22@") {
			assert.NotContains(t, err.Error()+c.Name, "hunter22")
		}
	})
}

func TestClean(t *testing.T) {
	t.Parallel()
	c := kafkaclient.New("p", "h", kafkaclient.Options{User: "ada", Password: "hunter22"})
	cause := errors.New("refused: hunter22")
	err := c.Clean(cause)
	assert.Equal(t, "refused: ***", err.Error())
	require.ErrorIs(t, err, cause)
	assert.Less(t, len(c.Clean(fmt.Errorf("%s%w", strings.Repeat("é", 2000), cause)).Error()), 1010)
}

// What a node needs goes before what the user says, and that before what is usual.
func TestOptions(t *testing.T) {
	t.Parallel()
	c := kafkaclient.New("p", "h:1", kafkaclient.Options{Client: []kgo.Opt{kgo.ClientID("user"), kgo.SeedBrokers("other:2"), kgo.ConsumerGroup("user")}})
	client, err := c.Open(kgo.ConsumerGroup("node"))
	require.NoError(t, err)
	defer client.Close()
	assert.Equal(t, []string{"h:1"}, client.OptValue(kgo.SeedBrokers))
	assert.Equal(t, "node", client.OptValue(kgo.ConsumerGroup))
	id, _ := client.OptValue(kgo.ClientID).(string)
	assert.Equal(t, "user", id)
}
