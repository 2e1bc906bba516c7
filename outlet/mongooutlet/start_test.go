package mongooutlet_test

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/databay-go/databay/outlet/mongooutlet"
	"github.com/databay-go/databay/record"
)

func TestNotStarted(t *testing.T) {
	t.Parallel()
	d := newDouble(t, nil)
	o := mongooutlet.New(d.uri, "databay", "rows", nil)
	require.NoError(t, o.Push(t.Context(), nil, record.Update{}), "no records are no mistake")
	require.EqualError(t, o.Push(t.Context(), numbered(1), record.Update{}), "mongooutlet: not started")
	require.NoError(t, o.Shutdown(t.Context()))
	require.NoError(t, o.Check(t.Context()))
	require.NoError(t, o.Start(t.Context()))
	require.EqualError(t, o.Start(t.Context()), "mongooutlet: already started")
	require.NoError(t, o.Check(t.Context()))
	require.Empty(t, push(t, o, numbered(1)...))
	require.NoError(t, o.Shutdown(t.Context()))
	require.EqualError(t, o.Push(t.Context(), numbered(1), record.Update{}), "mongooutlet: not started")
	assert.Len(t, inserted(t, d), 1)
}

// A server that is not there is told of within the timeout, and without the secrets of
// the URI.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	uri := "mongodb://" + url.UserPassword("ada.lovelace", "hunter 22").String() + "@127.0.0.1:1/auth?tlsCertificateKeyFilePassword=cert1ficate"
	o := mongooutlet.New(uri, "databay", "rows", &mongooutlet.Options{Timeout: time.Second})
	begin := time.Now()
	for name, err := range map[string]error{"start": o.Start(t.Context()), "check": o.Check(t.Context())} {
		require.Error(t, err, name)
		assert.ErrorContains(t, err, "mongooutlet(mongodb://127.0.0.1:1/databay.rows): no answer of a server that takes writes: the timeout of 1s is over")
		assert.ErrorContains(t, err, "connection refused")
		hides(t, err)
	}
	assert.Less(t, time.Since(begin), 20*time.Second)
	require.EqualError(t, o.Push(t.Context(), numbered(1), record.Update{}), "mongooutlet: not started", "the start was undone")
}

// hides checks that an error shows none of the secrets of these tests.
func hides(t testing.TB, err error) {
	t.Helper()
	for _, secret := range []string{"ada.lovelace", "hunter", "%2022", "cert1ficate"} {
		assert.NotContains(t, err.Error(), secret)
	}
}

// A login that is refused is told of without the secrets, whatever the server repeats.
func TestRefusedLogin(t *testing.T) {
	t.Parallel()
	d := newDouble(t, func(c command) bson.D {
		if c.name == "saslStart" {
			return failing(18, "no ada.lovelace with hunter 22 or hunter%2022 here")
		}
		return nil
	})
	_, host, _ := cut(d.uri)
	uri := "mongodb://" + url.UserPassword("ada.lovelace", "hunter 22").String() + "@" + host
	err := mongooutlet.New(uri, "databay", "rows", &mongooutlet.Options{Timeout: 20 * time.Second}).Start(t.Context())
	require.ErrorContains(t, err, "no *** with *** or *** here")
	assert.True(t, record.IsPermanent(err))
	hides(t, err)
}

func cut(uri string) (scheme, host string, ok bool) {
	u, err := url.Parse(uri)
	return u.Scheme, u.Host, err == nil
}

// When its context ends a push returns with that as the cause, and what it has not
// sent is not accepted.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	d := newDouble(t, func(c command) bson.D {
		if c.collection == "second" {
			cancel(enough)
			<-t.Context().Done()
			return hangUp
		}
		return nil
	})
	o := started(t, d.uri, "rows", nil)
	rs := numbered(4)
	rs[1] = rs[1].WithMetadata(mongooutlet.Collection.Of("second"))
	rs[2] = rs[2].WithMetadata(mongooutlet.Collection.Of("third"))
	err := o.Push(ctx, rs, record.Update{})
	p := record.AsPartial(err)
	require.NotNil(t, p)
	assert.Equal(t, []int{1, 2}, p.Indices())
	assert.ErrorIs(t, p.Failed[1], enough)
	assert.ErrorIs(t, p.Failed[2], enough)
	assert.False(t, record.IsPermanent(err))
	assert.ErrorIs(t, o.Push(ctx, rs, record.Update{}), enough)
}

// Pushes and a Shutdown side by side: each push is answered for good or for bad, and
// what it says was accepted has come.
func TestShutdownWhilePushing(t *testing.T) {
	t.Parallel()
	d := newDouble(t, nil)
	o := mongooutlet.New(d.uri, "databay", "rows", nil)
	require.NoError(t, o.Start(t.Context()))
	var group sync.WaitGroup
	var mu sync.Mutex
	accepted := 0
	for range 4 {
		group.Go(func() {
			for range 100 {
				if o.Push(context.Background(), records(row{"a": 1}), record.Update{}) == nil {
					mu.Lock()
					accepted++
					mu.Unlock()
				}
			}
		})
	}
	require.NoError(t, o.Shutdown(t.Context()))
	group.Wait()
	assert.GreaterOrEqual(t, len(inserted(t, d)), accepted)
}

// A client of the user's own stays connected.
func TestOwnClient(t *testing.T) {
	t.Parallel()
	d := newDouble(t, nil)
	client := connected(t, d.uri)
	a := mongooutlet.New("", "databay", "a", &mongooutlet.Options{Client: client})
	b := started(t, "", "b", &mongooutlet.Options{Client: client})
	require.NoError(t, a.Start(t.Context()))
	require.NoError(t, a.Shutdown(t.Context()))
	require.Empty(t, push(t, b, numbered(2)...))
	require.NoError(t, a.Start(t.Context()))
	require.Empty(t, push(t, a, numbered(1)...))
	require.NoError(t, a.Shutdown(t.Context()))
	assert.Len(t, inserted(t, d), 3)
}
