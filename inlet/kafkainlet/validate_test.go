package kafkainlet_test

import (
	"context"
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/databay-go/databay/inlet/kafkainlet"
	"github.com/databay-go/databay/record"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	type options = kafkainlet.Options
	orders := []string{"orders"}
	tests := []struct {
		name    string
		brokers string
		group   string
		topics  []string
		opts    *options
		want    []string // nil: valid
	}{
		{"nil options", "localhost", "g", orders, nil, nil},
		{"everything", "a:1, b:2,[::1]:9092", "g", []string{"a", "b.c_d-e"}, &options{
			Decode: kafkainlet.Text, MaxRecords: -1, MaxWait: -1, Start: kafkainlet.Latest, InstanceID: "i", User: "ada", Password: "secret", Mechanism: "PLAIN",
			TLS: &tls.Config{}, Timeout: -1, Client: []kgo.Opt{kgo.SessionTimeout(time.Minute)},
		}, nil},
		{"no brokers", " ", "g", orders, nil, []string{"brokers is empty, want addresses as in host:9092"}},
		{"empty broker", "a:1,,b:2", "g", orders, nil, []string{"broker 2 is empty, want an address"}},
		{"URL", "kafka://me:secret@a:1", "g", orders, nil, []string{"broker 1 is a URL, want an address as in host:9092"}},
		{"user", "me:secret@a:1", "g", orders, nil, []string{"broker 1 is a URL"}},
		{"no port", "a:", "g", orders, nil, []string{`broker 1 is "a:"`}},
		{"no host", ":9092", "g", orders, nil, []string{`broker 1 is ":9092"`}},
		{"large port", "a:65536", "g", orders, nil, []string{`broker 1 is "a:65536"`}},
		{"bare IPv6", "::1", "g", orders, nil, []string{`broker 1 is "::1"`}},
		{"no group", "a", "", orders, nil, []string{"group is empty, want the name of a consumer group"}},
		{"no topics", "a", "g", nil, nil, []string{"topics has none, want at least one"}},
		{"bad topics", "a", "g", []string{"a", "", "b c", "..", "a", strings.Repeat("x", 250)}, nil,
			[]string{`topic 2 is ""`, `topic 3 is "b c", want 1 to 249 letters`, `topic 4 is ".."`, `topic 5 is "a" again`, `topic 6 is "xxx`}},
		{"other mechanism", "a", "g", orders, &options{User: "u", Password: "secret", Mechanism: "GSSAPI"}, []string{`Mechanism is "GSSAPI", want PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512`}},
		{"no password", "a", "g", orders, &options{User: "u"}, []string{"Password is empty, want that of User"}},
		{"no user", "a", "g", orders, &options{Password: "secret"}, []string{"User is empty, but there is a Password"}},
		{"client", "a", "g", orders, &options{Client: []kgo.Opt{kgo.SessionTimeout(time.Millisecond)}}, []string{"Client: session timeout 1ms is less than allowed 100ms"}},
		{"nil in client", "a", "g", orders, &options{Client: []kgo.Opt{nil}}, []string{"Client has a nil option"}},
		{"all at once", "", "", nil, &options{MaxRecords: -2, MaxWait: -2, Start: 7, Timeout: -2, Password: "secret", Mechanism: "x"},
			[]string{"brokers", "group", "topics", "MaxRecords is -2", "MaxWait is -2ns", "Start is 7, want Earliest or Latest", "Timeout is -2ns", "User is empty", `Mechanism is "x"`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			in := kafkainlet.New(test.brokers, test.group, test.topics, test.opts)
			err := in.Validate()
			assert.NotContains(t, in.String(), "secret")
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
			for line := range strings.SplitSeq(err.Error(), "\n") {
				assert.True(t, strings.HasPrefix(line, "kafkainlet: "), line)
			}
			assert.NotContains(t, err.Error(), "secret")
			require.Error(t, in.Start(t.Context()), "what is not valid does not start")
		})
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	in := kafkainlet.New("a:1, b:2", "copy", []string{"x", "y"}, &kafkainlet.Options{User: "ada", Password: "secret"})
	assert.Equal(t, "kafkainlet(a:1,b:2 copy: x,y)", in.String())
	assert.Equal(t, "Start(9)", kafkainlet.Start(9).String())
}

// passwords tests that the brokers let ada in by her password and no other, which no
// error shows. The error is to say refusal.
func passwords(t *testing.T, at site, password, refusal string) {
	t.Helper()
	for _, mechanism := range []string{"", "PLAIN", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			for _, right := range []bool{true, false} {
				if !right && mechanism != "" {
					continue // the Timeout is waited for: once will do
				}
				opts := &kafkainlet.Options{User: "ada", Password: password, Mechanism: mechanism, Timeout: time.Minute}
				if !right {
					opts.Password, opts.Timeout = "hunter22", 3*time.Second
				}
				in := started(t, at, "g"+mechanism, opts)
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				_, pulled := in.Pull(ctx, record.Update{})
				for _, err := range []error{pulled, in.Check(t.Context())} {
					if right {
						require.NoError(t, err)
						continue
					}
					require.ErrorContains(t, err, refusal)
					assert.NotContains(t, err.Error()+in.String(), "hunter22")
				}
			}
		})
	}
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	_, at := cluster(t, 1, kfake.EnableSASL(), kfake.Superuser("PLAIN", "ada", "l0velace"), kfake.Superuser("SCRAM-SHA-512", "ada", "l0velace"))
	passwords(t, at, "l0velace", "no broker can be reached: EOF") // it closes the connection
}
