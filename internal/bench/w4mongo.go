//go:build !child

package main

import (
	"context"
	"errors"
	"net/http"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/httpinlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/mongooutlet"
)

// runW4Mongo measures HTTP to MongoDB.
func runW4Mongo(o amount) (list []result, err error) {
	ctx := context.Background()
	url, stopServer, err := serve()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stopServer()) }()
	server, err := newWireServer()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.close()) }()
	l, stop, err := started(link.Config{
		Name:    "w4",
		Inlets:  []inlet.Inlet{httpinlet.New(url, nil)},
		Outlets: []outlet.Outlet{mongooutlet.New(server.uri(), "bench", "ours", nil)},
	})
	if err != nil {
		return nil, err
	}
	db, err := mongo.Connect(options.Client().ApplyURI(server.uri()))
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	client, collection := &http.Client{Transport: &http.Transport{}}, db.Database("bench").Collection("hand")
	counted := func(f func() error) func() error {
		return func() error {
			before := server.inserted.Load()
			return errors.Join(f(), expect("documents", server.inserted.Load()-before, w4Page*w4Pull))
		}
	}
	c, err := compare(o, w4Page*w4Pull,
		counted(func() error { return transfers(l, w4Pull) }),
		counted(func() error {
			for range w4Pull {
				rows, err := fetch(ctx, client, url)
				if err != nil {
					return err
				}
				if _, err := collection.InsertMany(ctx, rows); err != nil {
					return err
				}
			}
			return nil
		}))
	client.CloseIdleConnections()
	return c.results("W4-mongo", 0.9, 0), errors.Join(err, db.Disconnect(ctx), stop())
}
