package kafkaoutlet_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/databay-go/databay/outlet/kafkaoutlet"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	type options = kafkaoutlet.Options
	tests := []struct {
		name    string
		brokers string
		topic   string
		opts    *options
		want    []string // nil: valid
	}{
		{"nil options", "localhost", "orders", nil, nil},
		{"no topic", "localhost", "", nil, nil},
		{"everything", "a:1,b:2", "orders", &options{
			Encode: kafkaoutlet.JSON, Acks: kafkaoutlet.LeaderOnly, Compression: "zstd", MaxBytes: 5 << 20, User: "ada", Password: "secret", Mechanism: "SCRAM-SHA-256",
			TLS: &tls.Config{}, Timeout: -1, Client: []kgo.Opt{kgo.ClientID("x")},
		}, nil},
		{"no brokers", "", "orders", nil, []string{"brokers is empty, want addresses as in host:9092"}},
		{"URL", "kafka://me:secret@a:1", "orders", nil, []string{"broker 1 is a URL, want an address as in host:9092"}},
		{"bad topic", "a", "a/b", nil, []string{`topic is "a/b", want 1 to 249 letters, digits, dots, underscores and hyphens, or none if all records have one`}},
		{"bad acks", "a", "orders", &options{Acks: 2}, []string{"Acks is 2, want AllReplicas or LeaderOnly"}},
		{"bad compression", "a", "orders", &options{Compression: "Snappy"}, []string{`Compression is "Snappy", want none, gzip, snappy, lz4 or zstd`}},
		{"small", "a", "orders", &options{MaxBytes: 511}, []string{"MaxBytes is 511, want 512 to 67108864, or 0 for 1000012"}},
		{"large", "a", "orders", &options{MaxBytes: 1 << 40}, []string{"MaxBytes is 1099511627776"}},
		{"transactions", "a", "orders", &options{Client: []kgo.Opt{kgo.TransactionalID("x")}}, []string{"Client: cannot allow idempotent produce cancellation and use transactional IDs"}},
		{"dialer and TLS", "a", "orders", &options{TLS: &tls.Config{}, Client: []kgo.Opt{kgo.Dialer((&tls.Dialer{}).DialContext)}}, []string{"Client: cannot set both Dialer and DialTLSConfig"}},
		{"all at once", "@:secret", "?", &options{Acks: 9, Compression: "x", MaxBytes: -1, Timeout: -2, Password: "secret", Mechanism: "x"},
			[]string{"broker 1", "topic", "Acks is 9", `Compression is "x"`, "MaxBytes is -1", "Timeout is -2ns", "User is empty", `Mechanism is "x"`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := kafkaoutlet.New(test.brokers, test.topic, test.opts)
			err := o.Validate()
			assert.NotContains(t, o.String(), "secret")
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
			for line := range strings.SplitSeq(err.Error(), "\n") {
				assert.True(t, strings.HasPrefix(line, "kafkaoutlet: "), line)
			}
			assert.NotContains(t, err.Error(), "secret")
			require.Error(t, o.Start(t.Context()), "what is not valid does not start")
		})
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "kafkaoutlet(a:1,b:2 orders)", kafkaoutlet.New("a:1, b:2", "orders", &kafkaoutlet.Options{User: "ada", Password: "secret"}).String())
	assert.Equal(t, "kafkaoutlet(a:1)", kafkaoutlet.New("a:1", "", nil).String())
}

// passwords tests that the brokers let ada in by her password and no other, which no
// error shows. The error is to say refusal.
func passwords(t *testing.T, brokers, topic, password, refusal string) {
	t.Helper()
	for _, mechanism := range []string{"", "PLAIN", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			for _, right := range []bool{true, false} {
				if !right && mechanism != "" {
					continue // the Timeout is waited for: once will do
				}
				opts := &kafkaoutlet.Options{User: "ada", Password: password, Mechanism: mechanism}
				if !right {
					opts.Password, opts.Timeout = "hunter22", 3*time.Second
				}
				o := kafkaoutlet.New(brokers, topic, opts)
				require.NoError(t, o.Start(t.Context()))
				pushed := push(t, o, records("x")...)
				checked := o.Check(t.Context())
				require.NoError(t, o.Shutdown(t.Context()))
				if right {
					require.Empty(t, pushed)
					require.NoError(t, checked)
					continue
				}
				for _, err := range []error{pushed[0], checked} {
					require.ErrorContains(t, err, refusal)
					assert.NotContains(t, err.Error()+o.String(), "hunter22")
				}
			}
		})
	}
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	_, brokers := cluster(t, 1, kfake.EnableSASL(), kfake.Superuser("PLAIN", "ada", "l0velace"), kfake.Superuser("SCRAM-SHA-512", "ada", "l0velace"))
	passwords(t, brokers, topic, "l0velace", "no broker can be reached: EOF") // it closes the connection
}
