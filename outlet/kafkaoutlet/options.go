package kafkaoutlet

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/databay-go/databay/internal/kafkaclient"
	"github.com/databay-go/databay/record"
)

// Options are the options of an [Outlet]. The zero value of each field is a good
// default.
type Options struct {
	// Encode makes the value of a record. If nil, [Value].
	Encode Encoder

	// Acks says when a record counts as written.
	Acks Acks

	// Compression is none, gzip, snappy, lz4 or zstd. If empty, snappy.
	Compression string

	// MaxBytes is how many bytes a batch of records may have before it is compressed,
	// and so a record too. A larger record is refused. If 0, 1,000,012, which is what
	// brokers take unless told otherwise.
	MaxBytes int

	// User and Password let the client in, by the Mechanism PLAIN, SCRAM-SHA-256 or
	// SCRAM-SHA-512. If Mechanism is empty, SCRAM-SHA-512. PLAIN sends the password as
	// it is: use it with TLS.
	User      string
	Password  string
	Mechanism string

	// TLS is for connections to the brokers. If nil, they are not encrypted.
	TLS *tls.Config

	// Timeout bounds a push and a Check. If 0, 30 seconds; if -1, only the context
	// does.
	Timeout time.Duration

	// Client has further options of the client. Where they contradict what the outlet
	// needs, they give way.
	Client []kgo.Opt
}

// Acks says when a record counts as written.
type Acks uint8

// The values of [Acks]. There is none for no acknowledgement at all: nobody could say
// what was written.
const (
	AllReplicas Acks = iota // all replicas in sync have it
	LeaderOnly              // the leader has it; lost if the leader fails before others have it, and doubled where the client repeats it
)

// String returns "all replicas" or "leader only".
func (a Acks) String() string {
	switch a {
	case AllReplicas:
		return "all replicas"
	case LeaderOnly:
		return "leader only"
	}
	return fmt.Sprintf("Acks(%d)", uint8(a))
}

// Encoder returns the value of a record. Nil is a tombstone. It must not change the
// payload; it may return a part of it. It is called concurrently if pushes are. An
// error, or a panic, fails the record for good.
type Encoder func(r record.Record) ([]byte, error)

// Value is an [Encoder] of a []byte or a string as it is, and of anything else as
// [JSON].
func Value(r record.Record) ([]byte, error) {
	switch v := r.Payload.(type) {
	case nil:
		return nil, errors.New("the payload is nil; a tombstone is a nil []byte")
	case []byte:
		return v, nil
	case string:
		return []byte(v), nil
	}
	return JSON(r)
}

// JSON is an [Encoder] of the payload as encoding/json marshals it. Characters that
// mean something in HTML are not escaped.
func JSON(r record.Record) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(r.Payload); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}

const (
	defaultMaxBytes = 1_000_012
	minMaxBytes     = 512     // what the client needs
	mostMaxBytes    = 1 << 26 // what the client sends
)

// resolve returns a copy with the defaults filled in that are not the client's.
func (o *Options) resolve() Options {
	if o == nil {
		o = &Options{}
	}
	c := *o
	if c.Encode == nil {
		c.Encode = Value
	}
	c.Compression = cmp.Or(c.Compression, "snappy")
	c.MaxBytes = cmp.Or(c.MaxBytes, defaultMaxBytes)
	return c
}

func (o *Options) client() kafkaclient.Options {
	// A broker that has just started does not know its topics at once. Twice a second, it
	// has ten seconds for it.
	const unknownTopic = 20
	return kafkaclient.Options{
		User: o.User, Password: o.Password, Mechanism: o.Mechanism, TLS: o.TLS, Timeout: o.Timeout,
		Client: append([]kgo.Opt{kgo.UnknownTopicRetries(unknownTopic)}, o.Client...),
	}
}

// codec returns the compression. ok is false if there is no such.
func (o *Options) codec() (c kgo.CompressionCodec, ok bool) {
	switch o.Compression {
	case "none":
		return kgo.NoCompression(), true
	case "gzip":
		return kgo.GzipCompression(), true
	case "snappy":
		return kgo.SnappyCompression(), true
	case "lz4":
		return kgo.Lz4Compression(), true
	case "zstd":
		return kgo.ZstdCompression(), true
	}
	return c, false
}

// mistakes returns everything that is wrong with what is not the client's.
func (o *Outlet) mistakes() []error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("kafkaoutlet: "+format, args...)) }
	if o.topic != "" {
		if err := kafkaclient.CheckTopic(o.topic); err != nil {
			wrong("topic %w, or none if all records have one", err)
		}
	}
	if o.opts.Acks > LeaderOnly {
		wrong("Acks is %d, want AllReplicas or LeaderOnly", o.opts.Acks)
	}
	if _, ok := o.opts.codec(); !ok {
		wrong("Compression is %.100q, want none, gzip, snappy, lz4 or zstd", o.opts.Compression)
	}
	if n := o.opts.MaxBytes; n < minMaxBytes || n > mostMaxBytes {
		wrong("MaxBytes is %d, want %d to %d, or 0 for %d", n, minMaxBytes, mostMaxBytes, defaultMaxBytes)
	}
	return errs
}
