package mongooutlet

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/databay-go/databay/record"
)

// What one command carries at most. Servers take more, 100,000 documents and 48 MB:
// so the driver cuts no command in two, and each answer is about all of it.
const (
	maxDocuments = 10_000
	maxBytes     = maxDocument
)

// namespace is a collection of a database.
type namespace struct{ database, collection string }

// group is the records of a push that go to one collection.
type group struct {
	namespace
	indices []int
}

// push is one call of Push.
type push struct {
	*Outlet
	client   *mongo.Client
	records  []record.Record
	failures record.Failures
	encoder  *encoder
}

// Push writes the records, collection by collection.
func (o *Outlet) Push(ctx context.Context, records []record.Record, _ record.Update) error {
	if len(records) == 0 {
		return nil
	}
	client := o.started()
	if client == nil {
		return errors.New("mongooutlet: not started")
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e, ok := o.encoders.Get().(*encoder)
	if !ok {
		e = &encoder{opts: &o.opts, tags: o.tags}
	}
	defer func() {
		e.reset() // the driver has copies
		o.encoders.Put(e)
	}()
	p := &push{Outlet: o, client: client, records: records, encoder: e}
	var down error
	for _, g := range p.groups() {
		if down == nil {
			down = p.write(ctx, g)
			continue
		}
		for _, i := range g.indices {
			p.failures.Add(i, unsent(down))
		}
	}
	return p.failures.Err()
}

// unsent is the error of what was not tried because of err.
func unsent(err error) error { return fmt.Errorf("not sent, since one before failed: %w", err) }

// groups returns the records by collection, in the order of their first records.
// Those with no good name fail.
func (p *push) groups() (groups []group) {
	places := make(map[namespace]int)
	for i, r := range p.records {
		n, err := p.namespaceOf(r)
		if err != nil {
			p.failures.Add(i, record.Permanent(err))
			continue
		}
		place, ok := places[n]
		if !ok {
			place = len(groups)
			places[n] = place
			groups = append(groups, group{namespace: n})
		}
		groups[place].indices = append(groups[place].indices, i)
	}
	return groups
}

// namespaceOf returns where a record goes.
func (o *Outlet) namespaceOf(r record.Record) (n namespace, err error) {
	n = namespace{o.database, o.collection}
	if r.Metadata.Len() == 0 {
		return n, nil
	}
	return n, errors.Join(named(r, Database, &n.database, checkDatabase), named(r, Collection, &n.collection, checkCollection))
}

// named sets name to the record's value of key, if it has one.
func named(r record.Record, key record.Key[string], name *string, check func(string) error) error {
	v, ok := r.Metadata.Get(key.Name())
	if !ok {
		return nil
	}
	if *name, ok = v.(string); !ok {
		return fmt.Errorf("metadata %s is a %T, want a string", key.Name(), v)
	}
	if err := check(*name); err != nil {
		return fmt.Errorf("metadata %s is %w", key.Name(), err)
	}
	return nil
}

// write writes a group, and returns why no other is to be written, or nil.
func (p *push) write(ctx context.Context, g group) error {
	docs := p.encode(g)
	collection := p.client.Database(g.database).Collection(g.collection)
	for size := maxDocuments; len(docs) > 0; {
		n := fit(docs, size)
		out := p.command(ctx, collection, docs[:n])
		for i, err := range out.failed {
			p.fail(docs[i], err)
		}
		docs = docs[out.done:]
		if out.rest == nil && ctx.Err() != nil {
			out.rest, out.down = context.Cause(ctx), true
		}
		if out.rest != nil {
			for _, d := range docs {
				p.fail(d, unsent(out.rest))
			}
			if out.down {
				return out.rest
			}
			return nil
		}
		// After a document that was refused, those behind it are sent again. Were they
		// as many as before each time, a batch of refused ones would be sent over and
		// over.
		size = min(max(2*out.done, 1), maxDocuments)
	}
	return nil
}

// encode returns the documents of a group. Records that cannot be encoded fail.
func (p *push) encode(g group) []document {
	docs := make([]document, 0, len(g.indices))
	for _, i := range g.indices {
		var err error
		if docs, err = p.encoder.documents(docs, i, p.records[i]); err != nil {
			p.failures.Add(i, record.Permanent(err))
		}
	}
	return docs
}

// fail notes that a document was not accepted.
func (p *push) fail(d document, err error) {
	if d.item >= 0 {
		err = fmt.Errorf("document %d of the list: %w", d.item, err)
	}
	p.failures.Add(d.record, err)
}

// fit returns how many of docs one command takes: one at least.
func fit(docs []document, most int) int {
	n, size := 0, 0
	for n < len(docs) && n < most {
		size += len(docs[n].raw)
		if n > 0 && size > maxBytes {
			break
		}
		n++
	}
	return n
}

// command writes documents with one command.
func (p *push) command(ctx context.Context, c *mongo.Collection, docs []document) outcome {
	ctx, cancel := p.bounded(ctx)
	defer cancel()
	var acknowledged bool
	var err error
	if docs[0].filter == nil {
		acknowledged, err = p.insert(ctx, c, docs)
	} else {
		acknowledged, err = p.upsert(ctx, c, docs)
	}
	if err == nil && !acknowledged {
		err = errUnacknowledged
	}
	return p.outcomeOf(ctx, len(docs), err)
}

func (p *push) insert(ctx context.Context, c *mongo.Collection, docs []document) (acknowledged bool, err error) {
	raws := make([]bson.Raw, len(docs))
	for i, d := range docs {
		raws[i] = d.raw
	}
	res, err := c.InsertMany(ctx, raws, options.InsertMany().SetOrdered(!p.opts.Unordered))
	return res != nil && res.Acknowledged, err
}

func (p *push) upsert(ctx context.Context, c *mongo.Collection, docs []document) (acknowledged bool, err error) {
	models := make([]mongo.WriteModel, len(docs))
	for i, d := range docs {
		if p.opts.Merge {
			models[i] = mongo.NewUpdateOneModel().SetFilter(d.filter).SetUpdate(bson.D{{Key: "$set", Value: d.raw}}).SetUpsert(true)
		} else {
			models[i] = mongo.NewReplaceOneModel().SetFilter(d.filter).SetReplacement(d.raw).SetUpsert(true)
		}
	}
	res, err := c.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(!p.opts.Unordered))
	return res != nil && res.Acknowledged, err
}
