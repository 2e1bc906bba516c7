package kafkainlet

import (
	"cmp"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/databay-go/databay/internal/kafkaclient"
)

// Options are the options of an [Inlet]. The zero value of each field is a good
// default.
type Options struct {
	// Decode makes the payload of a record. If nil, its value is the payload.
	Decode Decoder

	// MaxRecords is how many records a pull returns at most. If 0, 10,000; if -1, all
	// that were fetched.
	MaxRecords int

	// MaxWait is how long a pull waits for a record when there is none. It returns
	// with what there is as soon as there is any. If 0, 1 second; if -1, it does not
	// wait. The first pull also waits until the group has accepted the member.
	MaxWait time.Duration

	// Start says where a group begins in a partition of which it has committed
	// nothing.
	Start Start

	// InstanceID names this member of the group for good. When it is started again
	// within the session timeout it has its partitions at once, since a Shutdown does
	// not leave the group. No two members may have the same one: the group turns
	// against the older of them, which then fails for good. If empty, every Start is
	// a new member.
	InstanceID string

	// User and Password let the client in, by the Mechanism PLAIN, SCRAM-SHA-256 or
	// SCRAM-SHA-512. If Mechanism is empty, SCRAM-SHA-512. PLAIN sends the password as
	// it is: use it with TLS.
	User      string
	Password  string
	Mechanism string

	// TLS is for connections to the brokers. If nil, they are not encrypted.
	TLS *tls.Config

	// Timeout bounds a Check, a Commit, and how long the first pull waits for the
	// group. If 0, 30 seconds; if -1, only the context does.
	Timeout time.Duration

	// Client has further options of the client, a session timeout for instance. Where
	// they contradict what the inlet needs, they give way.
	Client []kgo.Opt
}

// Start says where a group begins in a partition of which it has committed nothing.
type Start uint8

// The values of [Start].
const (
	Earliest Start = iota // with the oldest record there is
	Latest                // with the next one that comes after the partition was first assigned
)

// String returns "earliest" or "latest".
func (s Start) String() string {
	switch s {
	case Earliest:
		return "earliest"
	case Latest:
		return "latest"
	}
	return fmt.Sprintf("Start(%d)", uint8(s))
}

func (s Start) offset() kgo.Offset {
	if s == Latest {
		return kgo.NewOffset().AtEnd()
	}
	return kgo.NewOffset().AtStart()
}

// Decoder makes the payload of a record, which belongs to it. A nil payload means that
// there is none: the record is passed over. With an error, or a panic, the pull fails,
// and so does every later one until the record can be decoded: records of which some
// may be malformed are better decoded by a processor, since a link can put what that
// refuses aside. A record without a value, a tombstone, is not decoded: its payload is
// a nil []byte.
type Decoder func(r *kgo.Record) (any, error)

// JSON is a [Decoder] of a T.
func JSON[T any](r *kgo.Record) (any, error) {
	var value T
	if err := json.Unmarshal(r.Value, &value); err != nil {
		return nil, err
	}
	return value, nil
}

// Text is a [Decoder] that makes a string of the value.
func Text(r *kgo.Record) (any, error) { return string(r.Value), nil }

const (
	defaultMaxRecords = 10_000
	defaultMaxWait    = time.Second
)

// resolve returns a copy with the defaults filled in that are not the client's.
func (o *Options) resolve() Options {
	if o == nil {
		o = &Options{}
	}
	c := *o
	c.MaxRecords = cmp.Or(c.MaxRecords, defaultMaxRecords)
	c.MaxWait = cmp.Or(c.MaxWait, defaultMaxWait)
	return c
}

func (o *Options) client() kafkaclient.Options {
	// A partition that comes to a member waits for the fetch that is under way.
	const longFetch = 500 * time.Millisecond
	return kafkaclient.Options{
		User: o.User, Password: o.Password, Mechanism: o.Mechanism, TLS: o.TLS, Timeout: o.Timeout,
		Client: append([]kgo.Opt{kgo.FetchMaxWait(longFetch), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}, o.Client...),
	}
}

// mistakes returns everything that is wrong with what is not the client's.
func (in *Inlet) mistakes() []error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("kafkainlet: "+format, args...)) }
	if in.group == "" {
		errs = append(errs, errors.New("kafkainlet: group is empty, want the name of a consumer group"))
	}
	if len(in.topics) == 0 {
		errs = append(errs, errors.New("kafkainlet: topics has none, want at least one"))
	}
	for i, topic := range in.topics {
		if err := kafkaclient.CheckTopic(topic); err != nil {
			wrong("topic %d %w", i+1, err)
		} else if slices.Contains(in.topics[:i], topic) {
			wrong("topic %d is %q again, want each once", i+1, topic)
		}
	}
	if n := in.opts.MaxRecords; n < -1 {
		wrong("MaxRecords is %d, want more than 0, 0 for %d, or -1 for no bound", n, defaultMaxRecords)
	}
	if d := in.opts.MaxWait; d < 0 && d != -1 {
		wrong("MaxWait is %v, want more than 0, 0 for %v, or -1 for none", d, defaultMaxWait)
	}
	if in.opts.Start > Latest {
		wrong("Start is %d, want Earliest or Latest", in.opts.Start)
	}
	return errs
}
