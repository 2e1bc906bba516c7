package kafkainlet_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/kafkainlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
)

// watched is an inlet that notes what must not be: a record that was committed before
// the pull that returned it.
type watched struct {
	*kafkainlet.Inlet
	t      *testing.T
	client *kgo.Client // nil: it is not asked
	group  string
	pulled atomic.Int64 // records

	failures atomic.Int64 // of pulls
}

func (w *watched) Pull(ctx context.Context, u record.Update) ([]record.Record, error) {
	var before map[int32]int64
	if w.client != nil {
		before = committed(w.t, w.client, w.group)
	}
	rs, err := w.Inlet.Pull(ctx, u)
	w.pulled.Add(int64(len(rs)))
	if err != nil {
		w.failures.Add(1)
	}
	for _, r := range rs {
		assert.GreaterOrEqual(w.t, kafkainlet.Offset.Or(r, -1), before[kafkainlet.Partition.Or(r, -1)], "%s was committed, and came again", r.ID())
	}
	return rs, err
}

// delivered counts records by ID. It is the outlet of all members of a group.
type delivered struct {
	mu    sync.Mutex
	times map[string]int
	pause time.Duration
}

func (d *delivered) Push(_ context.Context, rs []record.Record, _ record.Update) error {
	time.Sleep(d.pause) // what is on its way is uncommitted
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range rs {
		d.times[r.ID()]++
	}
	return nil
}

// count returns how many records were delivered, and how many deliveries were more
// than needed.
func (d *delivered) count() (records, again int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, n := range d.times {
		records++
		again += n - 1
	}
	return records, again
}

// member runs a link of a member of the group until stop is called.
func member(t *testing.T, at site, group string, c *kgo.Client, out outlet.Outlet) (in *watched, stop func()) {
	t.Helper()
	in = &watched{Inlet: kafkainlet.New(at.brokers, group, []string{at.topic}, lively(kafkainlet.Options{MaxRecords: 50})), t: t, client: c, group: group}
	return in, run(t, in, out)
}

// run runs a link until stop is called.
func run(t *testing.T, in inlet.Inlet, out outlet.Outlet) (stop func()) {
	t.Helper()
	errs := make(map[string]int)
	l, err := link.New(link.Config{
		Inlets: []inlet.Inlet{in}, Outlets: []outlet.Outlet{out}, Schedule: schedule.Every(5 * time.Millisecond),
		OnError: func(_ context.Context, err *link.Error) error {
			if errs[err.Error()]++; errs[err.Error()] == 1 {
				t.Log(err)
			}
			return nil
		},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- planner.Run(ctx, l) }()
	return func() {
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, l.Account().Balance())
	}
}

// rebalances runs a transfer in whose middle members of the group come and go. Nothing
// is missing, and what came twice was not committed.
func rebalances(t *testing.T, at site) {
	const partitions, total = 6, 6000
	c := client(t, at)
	group := "rebalances"
	produce(t, c, partitions, 0, total/2)
	out := &delivered{times: make(map[string]int), pause: 10 * time.Millisecond}
	until := func(ok func() bool) { require.Eventually(t, ok, time.Minute, time.Millisecond) }
	first, stopFirst := member(t, at, group, c, out)
	until(func() bool { return first.pulled.Load() > 0 })
	second, stopSecond := member(t, at, group, c, out)
	until(func() bool { return second.pulled.Load() > 0 })
	stopFirst()
	until(func() bool { records, _ := out.count(); return records >= total/2 })
	third, stopThird := member(t, at, group, c, out)
	produce(t, c, partitions, total/2, total)
	until(func() bool { return third.pulled.Load() > 0 })
	until(func() bool { records, _ := out.count(); return records >= total })
	stopSecond()
	stopThird()

	records, again := out.count()
	assert.Equal(t, total, records)
	t.Logf("%d of %d records came twice; the members pulled %d, %d and %d", again, records, first.pulled.Load(), second.pulled.Load(), third.pulled.Load())
	ends := committed(t, c, group)
	for p := range int32(partitions) {
		assert.EqualValues(t, total/partitions, ends[p], "partition %d is committed to its end", p)
	}
}

func TestRebalances(t *testing.T) {
	t.Parallel()
	_, at := cluster(t, 6)
	rebalances(t, at)
}

// A partition that was taken away is not committed any longer: its new owner may have
// committed more.
func TestTakenAway(t *testing.T) {
	t.Parallel()
	_, at := cluster(t, 2)
	c := client(t, at)
	produce(t, c, 2, 0, 20)
	opts := lively(kafkainlet.Options{})
	first := started(t, at, "g", opts)
	require.Len(t, pullN(t, first, 20), 20)
	both := first.Position()

	second := started(t, at, "g", opts)
	again := pullN(t, second, 10) // half of what first has not committed
	taken := kafkainlet.Partition.Or(again[0], -1)
	require.NoError(t, first.Commit(t.Context(), both))
	assert.Equal(t, map[int32]int64{1 - taken: 10}, committed(t, c, "g"))
	require.NoError(t, second.Commit(t.Context(), second.Position()))
	assert.Equal(t, map[int32]int64{0: 10, 1: 10}, committed(t, c, "g"))

	require.NoError(t, second.Shutdown(t.Context()))
	produce(t, c, 2, 20, 22)
	assert.Len(t, pullN(t, first, 2), 2, "it has both again")
	require.NoError(t, first.Commit(t.Context(), both), "of the time before")
	require.NoError(t, first.Commit(t.Context(), first.Position()))
	assert.Equal(t, map[int32]int64{0: 11, 1: 11}, committed(t, c, "g"))
	assert.Contains(t, string(first.Position()), fmt.Sprintf(`"%d":{"next":11`, taken))
}

// A commit that is under way ends before its partitions are given to another member,
// who then begins after it.
func TestCommitDuringRebalance(t *testing.T) {
	t.Parallel()
	cluster, at := cluster(t, 2)
	c := client(t, at)
	produce(t, c, 2, 0, 20)
	first := started(t, at, "g", lively(kafkainlet.Options{}))
	pullN(t, first, 20)
	release := make(chan struct{})
	asked := make(chan struct{})
	cluster.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
		close(asked)
		cluster.SleepControl(func() { <-release })
		return nil, nil, false
	})
	commit := make(chan error)
	go func() { commit <- first.Commit(t.Context(), first.Position()) }()
	<-asked
	second := started(t, at, "g", lively(kafkainlet.Options{Timeout: 300 * time.Millisecond}))
	for range 3 {
		rs, _ := second.Pull(t.Context(), record.Update{}) // it may not be accepted yet
		assert.Empty(t, rs)
	}
	close(release)
	require.NoError(t, <-commit)
	produce(t, c, 2, 20, 22)
	require.Eventually(t, func() bool {
		rs, _ := second.Pull(t.Context(), record.Update{})
		for _, r := range rs {
			assert.EqualValues(t, 10, kafkainlet.Offset.Or(r, -1), "what was committed does not come again")
		}
		return len(rs) > 0
	}, 20*time.Second, time.Millisecond)
}

// What was fetched of a partition and not yet returned when it was taken away is left to
// its new owner.
func TestTakenAwayUnread(t *testing.T) {
	t.Parallel()
	_, at := cluster(t, 2)
	produce(t, client(t, at), 2, 0, 20)
	var mended atomic.Bool
	first := started(t, at, "g", lively(kafkainlet.Options{Decode: func(r *kgo.Record) (any, error) {
		if !mended.Load() {
			return nil, errors.New("malformed")
		}
		return kafkainlet.Text(r)
	}}))
	require.Eventually(t, func() bool {
		_, err := first.Pull(t.Context(), record.Update{})
		return err != nil && strings.Contains(err.Error(), "malformed")
	}, 20*time.Second, time.Millisecond)
	second := started(t, at, "g", lively(kafkainlet.Options{}))
	taken := kafkainlet.Partition.Or(pullN(t, second, 10)[0], -1)
	mended.Store(true)
	for _, r := range pullN(t, first, 10) {
		assert.NotEqual(t, taken, kafkainlet.Partition.Or(r, -1), r.ID())
	}
}

// The second one with an InstanceID has the partitions, and the first fails for good. A
// restart has them back at once, whatever was not committed.
func TestInstanceID(t *testing.T) {
	t.Parallel()
	_, at := cluster(t, 2)
	instances(t, at)
}

func instances(t *testing.T, at site) {
	t.Helper()
	c := client(t, at)
	produce(t, c, 2, 0, 20)
	opts := lively(kafkainlet.Options{InstanceID: "one", MaxRecords: 10})
	first := started(t, at, "instances", opts)
	pullN(t, first, 20)
	require.NoError(t, first.Shutdown(t.Context()))
	require.NoError(t, first.Start(t.Context()))
	pullN(t, first, 20)

	second := started(t, at, "instances", opts)
	pullN(t, second, 20)
	fenced := func() error {
		_, err := first.Pull(t.Context(), record.Update{})
		return err
	}
	require.Eventually(t, func() bool { return fenced() != nil }, 20*time.Second, time.Millisecond)
	for range 3 {
		require.ErrorContains(t, fenced(), "FENCED_INSTANCE_ID")
		assert.True(t, record.IsPermanent(fenced()))
	}
	require.NoError(t, first.Commit(t.Context(), first.Position()))
	assert.Empty(t, committed(t, c, "instances"), "it commits nothing")
	produce(t, c, 2, 20, 22)
	pullN(t, second, 2)
	require.NoError(t, second.Commit(t.Context(), second.Position()), "it is not fenced in its turn")
	assert.Equal(t, map[int32]int64{0: 11, 1: 11}, committed(t, c, "instances"))
}
