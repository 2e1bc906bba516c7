package kafkainlet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/databay-go/databay/internal/kafkaclient"
)

// member is a member of a group, from a Start to a Shutdown.
//
// The client calls back when partitions come and go. It does not do so between a poll
// that has returned records and AllowRebalance: then pull notes what it was given.
type member struct {
	kafka  *kafkaclient.Client
	client *kgo.Client
	opts   Options

	joined context.Context // ends when the group has accepted the member
	accept context.CancelFunc
	left   context.Context // ends when requests have no time left
	giveUp context.CancelFunc

	committing sync.Mutex // held by commit; partitions go when it is free

	mu      sync.Mutex
	parts   map[place]*part
	read    []byte    // the position, or nil: it has changed
	fetched []fetched // and not yet returned
	fenced  error     // another one has taken the InstanceID
}

// place names a partition.
type place struct {
	topic     string
	partition int32
}

// part is a partition that this member has. Whoever has it again has another one.
type part struct {
	place
	token     string // names it, in positions too
	next      int64  // the offset to be read next; -1: not known
	epoch     int32  // of the record before
	committed int64  // the offset committed last; -1: not known
	gone      bool   // it was taken away
	stuck     error  // what the client can never read
}

// fetched is a record that was fetched, and where from.
type fetched struct {
	*kgo.Record
	part *part
}

// consumes returns the options of the client that make it a member.
func (in *Inlet) consumes() []kgo.Opt {
	opts := []kgo.Opt{
		kgo.ConsumerGroup(in.group),
		kgo.ConsumeTopics(in.topics...),
		kgo.ConsumeStartOffset(in.opts.Start.offset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // which take offsets that have to be read
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.BlockRebalanceOnPoll(),
		kgo.DisableAutoCommit(),
	}
	if in.opts.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(in.opts.InstanceID))
	}
	return opts
}

// join begins to be a member.
func (in *Inlet) join() (*member, error) {
	m := &member{kafka: in.kafka, opts: in.opts, parts: make(map[place]*part)}
	m.joined, m.accept = context.WithCancel(context.Background())
	m.left, m.giveUp = context.WithCancel(context.Background())
	_, err := in.kafka.Open(append(in.consumes(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, ps map[string][]int32) { m.assigned(ps) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, ps map[string][]int32) { m.revoked(ps) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, ps map[string][]int32) { m.revoked(ps) }),
		kgo.AdjustFetchOffsetsFn(func(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
			m.resumes(ctx, offsets)
			return offsets, nil
		}),
		kgo.WithHooks(m),
		kgo.WithContext(m.left),
	)...)
	if err != nil {
		m.accept()
		m.giveUp()
	}
	return m, err
}

// OnNewClient is called by the client before anything else.
func (m *member) OnNewClient(client *kgo.Client) { m.client = client }

// OnGroupManageError is called by the client when the group has ended the membership,
// before it joins again. One whose InstanceID was taken would take it back.
func (m *member) OnGroupManageError(err error) {
	if !errors.Is(err, kerr.FencedInstanceID) {
		return
	}
	m.mu.Lock()
	m.fenced = m.groupError("cannot be in the group", err)
	m.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // it is not waited for
	_ = m.client.LeaveGroupContext(ctx)
}

// leave ends the membership.
func (m *member) leave(ctx context.Context) error {
	defer m.accept()
	defer m.giveUp()
	err := m.client.LeaveGroupContext(ctx)
	if err != nil {
		m.giveUp()
	}
	m.client.Close()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("kafkainlet: cannot leave the group, which has to find out by itself: %w", kafkaclient.Ended(ctx))
	}
	return fmt.Errorf("kafkainlet: cannot leave the group, which has to find out by itself: %w", m.kafka.Clean(err))
}

// assigned is called with partitions that this member has from now on.
func (m *member) assigned(topics map[string][]int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for topic, partitions := range topics {
		for _, partition := range partitions {
			at := place{topic, partition}
			m.parts[at] = &part{place: at, token: fmt.Sprintf("%016x", rand.Uint64()), next: -1, committed: -1}
		}
	}
	m.read = nil
	m.accept()
}

// revoked is called with partitions that this member has no longer. The next owner
// begins after it has returned, and with what is committed then.
func (m *member) revoked(topics map[string][]int32) {
	m.committing.Lock()
	defer m.committing.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	for topic, partitions := range topics {
		for _, partition := range partitions {
			at := place{topic, partition}
			if p := m.parts[at]; p != nil {
				p.gone = true
				delete(m.parts, at)
			}
		}
	}
	m.read = nil
}

// resumes is called with the offsets that partitions begin with, before anything is
// fetched. Those that the group has not committed are negative. Of these, the end of a
// partition is made a number, which counts as read: committed, it is where a restart
// begins, and not what is the end by then.
func (m *member) resumes(ctx context.Context, offsets map[string]map[int32]kgo.Offset) {
	var ends map[place]kgo.EpochOffset
	if m.opts.Start == Latest {
		ends = m.ends(ctx, offsets)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for topic, partitions := range offsets {
		for partition, o := range partitions {
			at := place{topic, partition}
			p := m.parts[at]
			if p == nil {
				continue
			}
			p.committed = max(o.EpochOffset().Offset, -1)
			if end, ok := ends[at]; ok {
				partitions[partition] = kgo.NewOffset().At(end.Offset)
				p.next, p.epoch = end.Offset, end.Epoch
			}
		}
	}
	m.read = nil
}

// ends returns where partitions end of which the group has committed nothing. Those that
// do not answer are left out.
func (m *member) ends(ctx context.Context, offsets map[string]map[int32]kgo.Offset) map[place]kgo.EpochOffset {
	const end, readCommitted = -1, 1
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, readCommitted
	for topic, partitions := range offsets {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = topic
		for partition, o := range partitions {
			if o.EpochOffset().Offset < 0 {
				p := kmsg.NewListOffsetsRequestTopicPartition()
				p.Partition, p.Timestamp = partition, end
				t.Partitions = append(t.Partitions, p)
			}
		}
		if len(t.Partitions) > 0 {
			req.Topics = append(req.Topics, t)
		}
	}
	if len(req.Topics) == 0 {
		return nil
	}
	bounded, cancel := m.kafka.Bound(ctx)
	defer cancel()
	ends := make(map[place]kgo.EpochOffset)
	for _, shard := range m.client.RequestSharded(bounded, req) {
		if shard.Err != nil {
			continue
		}
		for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode == 0 && p.Offset >= 0 {
					ends[place{t.Topic, p.Partition}] = kgo.EpochOffset{Epoch: p.LeaderEpoch, Offset: p.Offset}
				}
			}
		}
	}
	return ends
}
