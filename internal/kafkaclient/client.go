package kafkaclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Client is how one node reaches its brokers. It is safe for concurrent use.
type Client struct {
	// Name is the list of brokers.
	Name string

	pkg     string
	brokers []string
	errs    []error
	opts    Options
}

// New returns the client of a node of the package pkg, whose name begins mistakes.
// The brokers are separated by commas.
func New(pkg, brokers string, opts Options) *Client {
	c := &Client{pkg: pkg, opts: opts.resolve()}
	c.brokers, c.errs = parseBrokers(brokers)
	c.Name = strings.Join(c.brokers, ",")
	return c
}

// Validate returns every mistake of the brokers and the options. More are the
// options that the node adds to those of the client.
func (c *Client) Validate(more ...kgo.Opt) []error {
	errs := append(slices.Clone(c.errs), c.opts.mistakes()...)
	if slices.Contains(c.opts.Client, nil) {
		errs = append(errs, errors.New("Client has a nil option, want none"))
	} else if len(errs) == 0 {
		if err := kgo.ValidateOpts(c.options(more)...); err != nil {
			errs = append(errs, fmt.Errorf("Client: %w", c.Clean(err)))
		}
	}
	for i, err := range errs {
		errs[i] = fmt.Errorf("%s: %w", c.pkg, err)
	}
	return errs
}

// metadataAge is how soon the client asks again which broker has a partition, when it
// has changed or is not known.
const metadataAge = 500 * time.Millisecond

// options returns those of the user, which give way to those the node needs.
func (c *Client) options(more []kgo.Opt) []kgo.Opt {
	all := append([]kgo.Opt{kgo.MetadataMinAge(metadataAge)}, c.opts.Client...)
	all = append(all, kgo.SeedBrokers(c.brokers...), kgo.DisableClientMetrics())
	if c.opts.TLS != nil {
		all = append(all, kgo.DialTLSConfig(c.opts.TLS))
	}
	if m := c.opts.mechanism(); m != nil {
		all = append(all, kgo.SASL(m))
	}
	return append(all, more...)
}

// Open makes a client with further options. It connects to nothing at once.
func (c *Client) Open(more ...kgo.Opt) (*kgo.Client, error) {
	client, err := kgo.NewClient(c.options(more)...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.pkg, c.Clean(err))
	}
	return client, nil
}

// Timeout returns the Timeout, or -1.
func (c *Client) Timeout() time.Duration { return c.opts.Timeout }

// Bound returns a context that ends after the Timeout.
func (c *Client) Bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.opts.Timeout < 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.opts.Timeout)
}

// Check returns an error if no broker can be reached, or if one of the topics is not
// there for this user. It changes nothing.
func (c *Client) Check(ctx context.Context, topics []string) error {
	client, err := c.Open(kgo.ConsumerGroup(""))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := c.Ping(ctx, client); err != nil || len(topics) == 0 {
		return err
	}
	bounded, cancel := c.Bound(ctx)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	for _, topic := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = new(topic)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(bounded, client)
	if err != nil {
		return c.explain(ctx, bounded, "topics", err)
	}
	var errs []error
	for i, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			name := topics[min(i, len(topics)-1)]
			if t.Topic != nil {
				name = *t.Topic
			}
			errs = append(errs, fmt.Errorf("%s: topic %q: %w", c.pkg, name, c.Clean(err)))
		}
	}
	return errors.Join(errs...)
}

// Ping returns an error if no broker can be reached.
func (c *Client) Ping(ctx context.Context, client *kgo.Client) error {
	bounded, cancel := c.Bound(ctx)
	defer cancel()
	if err := client.Ping(bounded); err != nil {
		return c.explain(ctx, bounded, "no broker can be reached", err)
	}
	return nil
}

// explain says what an error means of a request that was made with bounded, which
// the timeout ends before ctx.
func (c *Client) explain(ctx, bounded context.Context, what string, err error) error {
	switch {
	case ctx.Err() != nil:
		return Ended(ctx)
	case bounded.Err() != nil:
		return fmt.Errorf("%s: %s within %v, the Timeout: %w", c.pkg, what, c.opts.Timeout, bounded.Err())
	}
	return fmt.Errorf("%s: %s: %w", c.pkg, what, c.Clean(err))
}

// Ended returns the error of a context that has ended, and its cause.
func Ended(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return ctx.Err()
}

const (
	minSecret = 6    // bytes of the shortest password that is looked for
	maxText   = 1000 // bytes of an error from elsewhere
)

// cleaned is an error whose text has been freed of secrets.
type cleaned struct {
	text string
	err  error
}

func (e *cleaned) Error() string { return e.text }
func (e *cleaned) Unwrap() error { return e.err }

// Clean returns err, which comes from elsewhere, with a bounded text without the
// password.
func (c *Client) Clean(err error) error {
	text := err.Error()
	if len(c.opts.Password) >= minSecret {
		text = strings.ReplaceAll(text, c.opts.Password, "***")
	}
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return &cleaned{text, err}
}
