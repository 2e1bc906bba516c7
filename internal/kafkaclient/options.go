package kafkaclient

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Options are the options of a [Client], of which the nodes' options say more.
type Options struct {
	User, Password string
	Mechanism      string // "": ScramSHA512
	TLS            *tls.Config
	Timeout        time.Duration // 0: 30 seconds; -1: none
	Client         []kgo.Opt
}

// The mechanisms of SASL.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
)

const defaultTimeout = 30 * time.Second

// resolve returns a copy with the defaults filled in.
func (o Options) resolve() Options {
	o.Timeout = cmp.Or(o.Timeout, defaultTimeout)
	o.Client = slices.Clone(o.Client)
	if o.TLS != nil {
		o.TLS = o.TLS.Clone()
	}
	return o
}

// mechanism returns what lets the client in, or nil without a user.
func (o *Options) mechanism() sasl.Mechanism {
	if o.User == "" {
		return nil
	}
	switch o.Mechanism {
	case Plain:
		return plain.Auth{User: o.User, Pass: o.Password}.AsMechanism()
	case ScramSHA256:
		return scram.Auth{User: o.User, Pass: o.Password}.AsSha256Mechanism()
	}
	return scram.Auth{User: o.User, Pass: o.Password}.AsSha512Mechanism()
}

// mistakes returns everything that is wrong with the options.
func (o *Options) mistakes() []error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch o.Mechanism {
	case "", Plain, ScramSHA256, ScramSHA512:
	default:
		wrong("Mechanism is %.100q, want %s, %s or %s; for another one put kgo.SASL into Client", o.Mechanism, Plain, ScramSHA256, ScramSHA512)
	}
	switch {
	case o.User == "" && (o.Password != "" || o.Mechanism != ""):
		wrong("User is empty, but there is a Password or a Mechanism; want all of them or none")
	case o.User != "" && o.Password == "":
		wrong("Password is empty, want that of User")
	}
	if o.Timeout < 0 && o.Timeout != -1 {
		wrong("Timeout is %v, want more than 0, 0 for %v, or -1 for none", o.Timeout, defaultTimeout)
	}
	return errs
}

// parseBrokers returns the addresses in a list that is separated by commas.
func parseBrokers(list string) (brokers []string, errs []error) {
	if strings.TrimSpace(list) == "" {
		return nil, []error{errors.New("brokers is empty, want addresses as in host:9092,host:9092")}
	}
	for i, broker := range strings.Split(list, ",") {
		broker = strings.TrimSpace(broker)
		if err := checkBroker(broker); err != nil {
			errs = append(errs, fmt.Errorf("broker %d %w, want an address as in host:9092", i+1, err))
			continue
		}
		brokers = append(brokers, broker)
	}
	return brokers, errs
}

// checkBroker does not show what may have a password.
func checkBroker(broker string) error {
	switch {
	case broker == "":
		return errors.New("is empty")
	case strings.ContainsAny(broker, "/@"):
		return errors.New("is a URL")
	case strings.Count(broker, ":") == 0:
		return nil // the client adds the port
	}
	host, port, err := net.SplitHostPort(broker)
	if err != nil {
		return fmt.Errorf("is %.100q", broker)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || host == "" {
		return fmt.Errorf("is %.100q", broker)
	}
	return nil
}

// CheckTopic returns what is wrong with the name of a topic, or nil.
func CheckTopic(topic string) error {
	const most = 249
	legal := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
	}
	illegal := func(c rune) bool { return !legal(c) }
	if topic == "" || topic == "." || topic == ".." || len(topic) > most || strings.ContainsFunc(topic, illegal) {
		return fmt.Errorf("is %.300q, want 1 to %d letters, digits, dots, underscores and hyphens", topic, most)
	}
	return nil
}
