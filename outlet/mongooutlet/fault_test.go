package mongooutlet_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/internal/testserver"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/mongooutlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
	"github.com/databay-go/databay/testkit"
)

// A server that is killed in the middle of a push costs what it has not answered, and
// once it is back the same outlet writes again.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	addr, _ := testserver.Addr(t)
	server := testserver.MongoAt(t, addr)
	uri := "mongodb://" + addr
	o := started(t, uri, "rows", nil)
	c := connected(t, uri).Database("databay").Collection("rows")
	const first, n = 100, 30_000
	rs := numbered(n)
	for i := range first {
		rs[i] = rs[i].WithMetadata(mongooutlet.Collection.Of("first"))
	}
	answer := make(chan error, 1)
	go func() { answer <- o.Push(context.Background(), rs, record.Update{}) }()
	require.Eventually(t, func() bool { return count(t, c) > 0 }, 30*time.Second, 5*time.Millisecond)
	server.Kill()
	err := <-answer
	p := record.AsPartial(err)
	require.NotNil(t, p, "%v", err)
	require.NoError(t, p.Check(n))
	assert.False(t, record.IsPermanent(err))
	lost := p.Indices()[0]
	assert.GreaterOrEqual(t, lost, first, "what was accepted before is known")
	assert.Len(t, p.Failed, n-lost, "the first that failed and all behind it")
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	failed := record.AsPartial(o.Push(short, rs[:3], record.Update{}))
	require.NotNil(t, failed, "it is not there")
	assert.Len(t, failed.Failed, 3)
	require.ErrorIs(t, o.Check(short), context.DeadlineExceeded)

	testserver.MongoAt(t, addr)
	require.Eventually(t, func() bool { return o.Check(t.Context()) == nil }, 30*time.Second, 10*time.Millisecond)
	require.Empty(t, push(t, o, rs[lost:lost+1000]...))
	assert.Equal(t, 1000, count(t, c), "a new server begins empty")
}

// Connections are cut again and again, in the middle of commands and of answers, under
// a running link. Rows that are written by their ID are there once.
func TestConnectionsCut(t *testing.T) {
	t.Parallel()
	uri := testserver.Mongo(t)
	p := newProxy(t, uri, nil)
	c := connected(t, uri).Database("databay").Collection("rows")
	const n = 2000
	rows := &testkit.Rows{PerPull: 200, Payload: func(n int) any { return row{"n": int32(n)} }}
	rows.Add(n)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	failures, cuts := 0, 0
	l, err := link.New(link.Config{
		Name:     "rows",
		Inlets:   []inlet.Inlet{rows},
		Outlets:  []outlet.Outlet{mongooutlet.New(p.uri, "databay", c.Name(), &mongooutlet.Options{UseID: true, Timeout: 5 * time.Second})},
		Schedule: schedule.Every(5 * time.Millisecond),
		OnError: func(context.Context, *link.Error) error {
			failures++
			return nil
		},
		OnReport: func(context.Context, link.Report) {
			if count(t, c) == n {
				cancel()
				return
			}
			if cuts++; cuts%2 == 0 {
				p.left.Store(rand.Int64N(20_000))
			} else {
				p.left.Store(-1)
			}
		},
	})
	require.NoError(t, err)
	require.NoError(t, planner.Run(ctx, l))
	require.NoError(t, l.Account().Balance())
	assert.EqualValues(t, n, l.Account().Lanes[0].Delivered)
	assert.Positive(t, failures, "nothing was cut")
	assert.Equal(t, n, count(t, c))
	for _, i := range []int{0, n / 2, n - 1} {
		var doc bson.M
		require.NoError(t, c.FindOne(t.Context(), bson.D{{Key: "_id", Value: "rows/" + strconv.Itoa(i)}}).Decode(&doc))
		assert.Equal(t, int32(i), doc["n"])
	}
}
