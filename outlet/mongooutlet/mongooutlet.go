package mongooutlet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
)

// Metadata keys of a record, which win over the outlet's database and collection.
var (
	// Database is the key of the name of the database that the record goes to.
	Database = record.NewKey[string]("mongooutlet.database")

	// Collection is the key of the name of the collection that the record goes to.
	Collection = record.NewKey[string]("mongooutlet.collection")
)

// Outlet writes to MongoDB. It is safe for concurrent use.
type Outlet struct {
	address              *address
	database, collection string
	opts                 Options

	// A registry keeps the names of a type's fields as they were first asked for, with
	// json tags or without them. So this one is for nothing else.
	tags *bson.Registry

	encoders sync.Pool // of *encoder, whose buffers have grown already

	starting sync.Mutex // held by Start and Shutdown

	mu     sync.RWMutex
	client *mongo.Client // nil: not started
}

var (
	_ outlet.Outlet     = (*Outlet)(nil)
	_ outlet.Starter    = (*Outlet)(nil)
	_ outlet.Shutdowner = (*Outlet)(nil)
	_ outlet.Validator  = (*Outlet)(nil)
	_ outlet.Checker    = (*Outlet)(nil)
	_ outlet.Reader     = (*Outlet)(nil)
	_ fmt.Stringer      = (*Outlet)(nil)
)

// New returns an outlet that writes to the server of uri, a MongoDB connection string,
// those records that name no [Database] and no [Collection] to the given ones. The
// options may be nil. Mistakes are what Validate reports.
func New(uri, database, collection string, opts *Options) *Outlet {
	return &Outlet{address: parse(uri), database: database, collection: collection, opts: opts.resolve(), tags: bson.NewRegistry()}
}

// String returns "mongooutlet(mongodb://host/database.collection)", without a host if
// Options.Client is given.
func (o *Outlet) String() string {
	name := o.database + "." + o.collection
	if o.address.hosts != "" {
		name = o.address.hosts + "/" + name
	}
	return "mongooutlet(" + name + ")"
}

// ReadOnly returns true.
func (o *Outlet) ReadOnly() bool { return true }

// Validate reports every mistake of the URI, the names and the options. It reads the
// files that the URI names, and asks no server.
func (o *Outlet) Validate() error {
	err := o.address.err
	switch {
	case o.opts.Client == nil:
	case o.address.uri == "":
		err = nil
	default:
		err = errors.New("mongooutlet: URI and Client are given, want an empty URI: a client has its own")
	}
	return errors.Join(append([]error{err, check(o.database, o.collection)}, o.opts.mistakes()...)...)
}

// Start connects, and waits until a server that takes writes has answered. The lookup
// of a mongodb+srv name does not end with ctx.
func (o *Outlet) Start(ctx context.Context) error {
	o.starting.Lock()
	defer o.starting.Unlock()
	if err := o.Validate(); err != nil {
		return err
	}
	if o.started() != nil {
		return errors.New("mongooutlet: already started")
	}
	client, err := o.connect(ctx)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.client = client
	return nil
}

// Shutdown disconnects, once the pushes that are under way have ended or ctx has. It
// does nothing if the outlet is not started.
func (o *Outlet) Shutdown(ctx context.Context) error {
	o.starting.Lock()
	defer o.starting.Unlock()
	o.mu.Lock()
	client := o.client
	o.client = nil
	o.mu.Unlock()
	if client == nil {
		return nil
	}
	return o.disconnect(ctx, client)
}

// Check reports whether a server that takes writes answers. It writes nothing, and
// works before Start as well.
func (o *Outlet) Check(ctx context.Context) error {
	if client := o.started(); client != nil {
		return o.ping(ctx, client)
	}
	if err := o.Validate(); err != nil {
		return err
	}
	client, err := o.connect(ctx)
	if err != nil {
		return err
	}
	return o.disconnect(ctx, client)
}

// started returns the client, or nil if the outlet is not started.
func (o *Outlet) started() *mongo.Client {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.client
}

// connect returns a client that a server has answered.
func (o *Outlet) connect(ctx context.Context) (*mongo.Client, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	client := o.opts.Client
	if client == nil {
		opts := options.Client().ApplyURI(o.address.uri)
		if o.opts.TLS != nil {
			opts.SetTLSConfig(o.opts.TLS)
		}
		var err error
		if client, err = mongo.Connect(opts); err != nil {
			return nil, fmt.Errorf("%s: %w", o, o.address.clean(err))
		}
	}
	if err := o.ping(ctx, client); err != nil {
		return nil, errors.Join(err, o.disconnect(ctx, client))
	}
	return client, nil
}

// disconnect ends what connect has begun.
func (o *Outlet) disconnect(ctx context.Context, client *mongo.Client) error {
	if client == o.opts.Client {
		return nil
	}
	if err := client.Disconnect(ctx); err != nil && !errors.Is(err, mongo.ErrClientDisconnected) {
		return fmt.Errorf("%s: disconnecting: %w", o, o.address.clean(err))
	}
	return nil
}

func (o *Outlet) ping(ctx context.Context, client *mongo.Client) error {
	ctx, cancel := o.bounded(ctx)
	defer cancel()
	err := client.Ping(ctx, readpref.Primary())
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: no answer of a server that takes writes: %w", o, o.failure(ctx, err))
}

// bounded returns a context that ends after Options.Timeout.
func (o *Outlet) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if o.opts.Timeout < 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, o.opts.Timeout, timeoutError(o.opts.Timeout))
}

// timeoutError is the end of a context because of Options.Timeout.
type timeoutError time.Duration

func (e timeoutError) Error() string {
	return fmt.Sprintf("the timeout of %v is over", time.Duration(e))
}
func (e timeoutError) Timeout() bool { return true }
