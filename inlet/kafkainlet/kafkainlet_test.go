package kafkainlet_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/databay-go/databay/inlet/kafkainlet"
	"github.com/databay-go/databay/record"
)

func TestRecord(t *testing.T) {
	t.Parallel()
	_, at := cluster(t, 3)
	made := time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.FixedZone("", 3600))
	headers := []kgo.RecordHeader{{Key: "b", Value: []byte("1")}, {Key: "a", Value: []byte("2")}, {Key: "b", Value: nil}}
	require.NoError(t, client(t, at).ProduceSync(t.Context(),
		&kgo.Record{Partition: 2, Value: []byte("everything"), Key: []byte("k\xff"), Headers: headers, Timestamp: made},
		&kgo.Record{Partition: 2, Value: []byte("plain"), Timestamp: made},
		&kgo.Record{Partition: 2, Key: []byte{}, Timestamp: made},
	).FirstErr())
	rs := pullN(t, started(t, at, "g", nil), 3)

	assert.Equal(t, []string{"everything", "plain", ""}, texts(rs))
	assert.Equal(t, "orders/2/0", rs[0].ID())
	assert.Equal(t, "orders/2/2", rs[2].ID())
	assert.Equal(t, record.New([]byte("everything"), kafkainlet.Topic.Of("orders"), kafkainlet.Partition.Of(2), kafkainlet.Offset.Of(0),
		kafkainlet.Timestamp.Of(made.UTC()), kafkainlet.Key.Of("k\xff"), kafkainlet.Headers.Of(headers)).WithID("orders/2/0"), rs[0])
	for _, key := range []string{kafkainlet.Key.Name(), kafkainlet.Headers.Name()} {
		_, ok := rs[1].Metadata.Get(key)
		assert.False(t, ok, "%s of a record without", key)
	}
	assert.Nil(t, rs[2].Payload, "the value of a tombstone")
	key, ok := kafkainlet.Key.Get(rs[2])
	assert.True(t, ok && key == "", "a key may be empty")
}

func TestStart(t *testing.T) {
	t.Parallel()
	_, at := cluster(t, 1)
	c := client(t, at)
	produce(t, c, 1, 0, 3)
	early := started(t, at, "early", nil)
	assert.Equal(t, []string{"0", "1", "2"}, texts(pullN(t, early, 3)))
	late := started(t, at, "late", &kafkainlet.Options{Start: kafkainlet.Latest, MaxWait: 300 * time.Millisecond})
	assert.Empty(t, pull(t, late))
	produce(t, c, 1, 3, 5)
	assert.Equal(t, []string{"3", "4"}, texts(pullN(t, late, 2)))
	require.Error(t, late.Start(t.Context()), "started twice")
}

// Where a group begins with the latest record, what comes after its first pull is not
// passed over by a restart, although nothing is committed but by a link.
func TestStartLatestAgain(t *testing.T) {
	t.Parallel()
	_, at := cluster(t, 2)
	latestAgain(t, at)
}

func latestAgain(t *testing.T, at site) {
	t.Helper()
	c := client(t, at)
	produce(t, c, 1, 0, 3)
	in := started(t, at, "again", &kafkainlet.Options{Start: kafkainlet.Latest, MaxWait: 300 * time.Millisecond})
	for len(committed(t, c, "again")) < 2 {
		assert.Empty(t, pull(t, in))
		require.NoError(t, in.Commit(t.Context(), in.Position()), "as a link does after a transfer")
	}
	produce(t, c, 1, 3, 5)
	assert.Equal(t, []string{"3", "4"}, texts(pullN(t, in, 2)))
	require.NoError(t, in.Shutdown(t.Context()), "before these are committed")
	produce(t, c, 1, 5, 6)

	require.NoError(t, in.Start(t.Context()))
	assert.Equal(t, []string{"3", "4", "5"}, texts(pullN(t, in, 3)))
}

// MaxRecords bounds a pull, and a pull without records waits for MaxWait.
func TestBounds(t *testing.T) {
	t.Parallel()
	_, at := cluster(t, 1)
	c := client(t, at)
	produce(t, c, 1, 0, 10)
	in := started(t, at, "g", &kafkainlet.Options{MaxRecords: 4, MaxWait: 50 * time.Millisecond})
	var sizes []int
	for n := 0; n < 10; {
		rs := pull(t, in)
		n += len(rs)
		sizes = append(sizes, len(rs))
	}
	assert.Equal(t, []int{4, 4, 2}, sizes)
	before := time.Now()
	assert.Empty(t, pull(t, in))
	assert.GreaterOrEqual(t, time.Since(before), 50*time.Millisecond)

	long := started(t, at, "long", &kafkainlet.Options{MaxRecords: -1, MaxWait: time.Hour})
	assert.Len(t, pull(t, long), 10)
	done := make(chan []record.Record)
	go func() {
		rs, _ := long.Pull(t.Context(), record.Update{})
		done <- rs
	}()
	produce(t, c, 1, 10, 11)
	assert.Equal(t, []string{"10"}, texts(<-done), "it waits no longer when there is one")

	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
	rs, err := long.Pull(ctx, record.Update{})
	assert.Empty(t, rs)
	require.ErrorIs(t, err, cause)
	produce(t, c, 1, 11, 12)
	assert.Equal(t, []string{"11"}, texts(pullN(t, long, 1)), "nothing was lost by it")
}

func TestDecode(t *testing.T) {
	t.Parallel()
	_, at := cluster(t, 1)
	c := client(t, at)
	for _, v := range []string{`{"n":1}`, `null`, `{"n":2}`, `{`, `{"n":3}`} {
		require.NoError(t, c.ProduceSync(t.Context(), &kgo.Record{Value: []byte(v)}).FirstErr())
	}
	require.NoError(t, c.ProduceSync(t.Context(), &kgo.Record{}).FirstErr())
	mended := false
	in := started(t, at, "g", &kafkainlet.Options{Decode: func(r *kgo.Record) (any, error) {
		if mended && len(r.Value) == 1 {
			return "mended", nil
		}
		return kafkainlet.JSON[any](r)
	}})
	var rs []record.Record
	var err error
	for len(rs) == 0 && err == nil {
		rs, err = in.Pull(t.Context(), record.Update{})
	}
	require.ErrorContains(t, err, "cannot decode orders/0/3: unexpected end of JSON input")
	require.Len(t, rs, 2, "what is before it is there, but for the null")
	assert.Equal(t, map[string]any{"n": 2.0}, rs[1].Payload)
	position := in.Position()
	for range 2 {
		rs, err = in.Pull(t.Context(), record.Update{})
		require.ErrorContains(t, err, "cannot decode orders/0/3")
		assert.Empty(t, rs)
		assert.Equal(t, position, in.Position())
	}
	require.NoError(t, in.Commit(t.Context(), position))
	assert.Equal(t, map[int32]int64{0: 3}, committed(t, c, "g"), "not beyond it")

	mended = true
	rs = pull(t, in)
	require.Len(t, rs, 3)
	assert.Equal(t, "mended", rs[0].Payload)
	assert.Equal(t, map[string]any{"n": 3.0}, rs[1].Payload)
	assert.Equal(t, []byte(nil), rs[2].Payload, "a tombstone is not decoded")
}

func TestDecodePanics(t *testing.T) {
	t.Parallel()
	_, at := cluster(t, 1)
	produce(t, client(t, at), 1, 0, 3)
	in := started(t, at, "g", &kafkainlet.Options{Decode: func(r *kgo.Record) (any, error) {
		if r.Offset == 1 {
			panic("oh")
		}
		return string(r.Value), nil
	}})
	rs, err := in.Pull(t.Context(), record.Update{})
	require.ErrorContains(t, err, "cannot decode orders/0/1: the decoder panicked: oh")
	assert.Len(t, rs, 1)
}

// What the broker has deleted is not passed over in silence: neither what was deleted
// while the inlet ran, nor before it started again.
func TestLost(t *testing.T) {
	t.Parallel()
	_, at := cluster(t, 1)
	losses(t, at)
}

func losses(t *testing.T, at site) {
	t.Helper()
	c := client(t, at)
	produce(t, c, 1, 0, 10)
	in := started(t, at, "g", &kafkainlet.Options{MaxRecords: 3})
	require.Len(t, pull(t, in), 3)
	require.NoError(t, in.Commit(t.Context(), in.Position()))
	require.NoError(t, in.Shutdown(t.Context()))
	remove(t, c, at.topic, 7)

	require.NoError(t, in.Start(t.Context()))
	rs, err := in.Pull(t.Context(), record.Update{})
	lost, ok := errors.AsType[*kafkainlet.LostError](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, &kafkainlet.LostError{Topic: at.topic, Partition: 0, From: 3, To: 7}, lost)
	assert.Contains(t, lost.Error(), at.topic+"/0: the broker has deleted the offsets 3 to 6")
	assert.Equal(t, []string{"7", "8", "9"}, texts(rs), "what there is comes with it")
	assert.Empty(t, pull(t, in), "it says so once")
}

// remove deletes the records before an offset.
func remove(t testing.TB, c *kgo.Client, topic string, before int64) {
	t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewDeleteRecordsRequestTopicPartition()
	rp.Offset = before
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	for _, shard := range c.RequestSharded(t.Context(), req) {
		require.NoError(t, shard.Err)
	}
}

// Records of transactions come when those are committed, and not if they are aborted.
func TestTransactions(t *testing.T) {
	t.Parallel()
	_, at := cluster(t, 1)
	c := client(t, at, kgo.TransactionalID("tx"))
	for _, end := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} {
		require.NoError(t, c.BeginTransaction())
		require.NoError(t, c.ProduceSync(t.Context(), kgo.StringRecord(fmt.Sprint(end))).FirstErr())
		require.NoError(t, c.EndTransaction(t.Context(), end))
	}
	in := started(t, at, "g", nil)
	assert.Equal(t, []string{fmt.Sprint(kgo.TryCommit)}, texts(pullN(t, in, 1)))
}

// The end of a transaction takes an offset and is no record: it is read and committed
// with the rest, and when it is deleted, nothing is lost.
func TestEndOfTransaction(t *testing.T) {
	t.Parallel()
	_, at := cluster(t, 1)
	endOfTransaction(t, at)
}

func endOfTransaction(t *testing.T, at site) {
	t.Helper()
	c := client(t, at, kgo.TransactionalID("end"))
	transaction := func(value string) {
		require.NoError(t, c.BeginTransaction())
		require.NoError(t, c.ProduceSync(t.Context(), kgo.StringRecord(value)).FirstErr())
		require.NoError(t, c.EndTransaction(t.Context(), kgo.TryCommit))
	}
	transaction("a") // at 0, its end at 1
	in := started(t, at, "ends", &kafkainlet.Options{MaxWait: 100 * time.Millisecond})
	assert.Equal(t, []string{"a"}, texts(pullN(t, in, 1)))
	reader := client(t, at)
	require.Eventually(t, func() bool {
		assert.Empty(t, pull(t, in))
		require.NoError(t, in.Commit(t.Context(), in.Position()))
		return committed(t, reader, "ends")[0] == 2
	}, 10*time.Second, time.Millisecond)
	remove(t, reader, at.topic, 2)
	transaction("b")
	assert.Equal(t, []string{"b"}, texts(pullN(t, in, 1)))
}

// A broker that is gone is an error, not a source without records.
func TestBrokerGone(t *testing.T) {
	t.Parallel()
	c, at := cluster(t, 1)
	produce(t, client(t, at), 1, 0, 1)
	in := started(t, at, "g", &kafkainlet.Options{MaxWait: 50 * time.Millisecond, Timeout: 500 * time.Millisecond})
	require.Eventually(t, func() bool {
		rs, _ := in.Pull(t.Context(), record.Update{}) // the machine may be slow
		return len(rs) > 0
	}, 30*time.Second, time.Millisecond)
	c.Close()
	require.Eventually(t, func() bool {
		_, err := in.Pull(t.Context(), record.Update{})
		return err != nil && strings.Contains(err.Error(), "no broker can be reached")
	}, 30*time.Second, time.Millisecond)
	require.ErrorContains(t, in.Check(t.Context()), "no broker can be reached")

	other := started(t, at, "g", &kafkainlet.Options{Timeout: 200 * time.Millisecond})
	_, err := other.Pull(t.Context(), record.Update{})
	require.ErrorContains(t, err, "no broker can be reached")
}

func TestCheck(t *testing.T) {
	t.Parallel()
	_, at := cluster(t, 1)
	require.NoError(t, kafkainlet.New(at.brokers, "g", []string{at.topic}, nil).Check(t.Context()))
	err := kafkainlet.New(at.brokers, "g", []string{at.topic, "none", "no-more"}, nil).Check(t.Context())
	require.ErrorContains(t, err, `topic "none": UNKNOWN_TOPIC_OR_PARTITION`)
	require.ErrorContains(t, err, `topic "no-more"`)
	assert.Empty(t, committed(t, client(t, at), "g"))
	require.ErrorContains(t, kafkainlet.New(hung(t).brokers, "g", []string{at.topic}, &kafkainlet.Options{Timeout: 50 * time.Millisecond}).Check(t.Context()), "within 50ms, the Timeout")
}

// What comes together with an error is not lost: here a batch of one record before one
// that is corrupt.
func TestCorrupt(t *testing.T) {
	t.Parallel()
	c, at := cluster(t, 1)
	var batch []byte
	c.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		batch = req.(*kmsg.ProduceRequest).Topics[0].Partitions[0].Records
		return nil, nil, false
	})
	produce(t, client(t, at), 1, 0, 1)
	require.NotEmpty(t, batch)
	corrupt := slices.Clone(batch)
	corrupt[7] = 1 // the offset of the batch
	corrupt[len(corrupt)-1] ^= 0xff
	c.ControlKey(int16(kmsg.Fetch), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := kreq.(*kmsg.FetchRequest)
		if len(req.Topics) == 0 || len(req.Topics[0].Partitions) == 0 {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic, topic.TopicID = req.Topics[0].Topic, req.Topics[0].TopicID
		p := kmsg.NewFetchResponseTopicPartition()
		p.HighWatermark, p.LastStableOffset, p.RecordBatches = 2, 2, append(slices.Clone(batch), corrupt...)
		if req.Topics[0].Partitions[0].FetchOffset > 0 {
			p.RecordBatches = corrupt
		}
		topic.Partitions = append(topic.Partitions, p)
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	in := started(t, at, "g", nil)
	var all []record.Record
	failures := 0
	for range 3 {
		rs, err := in.Pull(t.Context(), record.Update{})
		if all = append(all, rs...); err != nil {
			failures++
			require.ErrorContains(t, err, "orders/0: ")
			t.Log(err)
		}
	}
	assert.Equal(t, []string{"0"}, texts(all))
	assert.Positive(t, failures)
	require.NoError(t, in.Commit(t.Context(), in.Position()))
	assert.Equal(t, map[int32]int64{0: 1}, committed(t, client(t, at), "g"), "the corrupt one is not passed over")
}

// A shutdown ends with its context, also when the broker answers to nothing any more.
func TestShutdownHung(t *testing.T) {
	t.Parallel()
	c, at := cluster(t, 1)
	produce(t, client(t, at), 1, 0, 1)
	in := kafkainlet.New(at.brokers, "g", []string{at.topic}, nil)
	require.NoError(t, in.Start(t.Context()))
	pullN(t, in, 1)
	c.Control(func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		c.SleepControl(func() { <-t.Context().Done() })
		return nil, nil, true
	})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	before := time.Now()
	require.ErrorContains(t, in.Shutdown(ctx), "cannot leave the group, which has to find out by itself: context deadline exceeded")
	assert.Less(t, time.Since(before), 30*time.Second)
}
