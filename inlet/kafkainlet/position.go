package kafkainlet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/databay-go/databay/internal/kafkaclient"
)

// ErrFenced says that the group has removed this member, and given its partitions to
// others.
var ErrFenced = errors.New("the group has removed this member")

// mark is how far a partition was read by one that had it.
type mark struct {
	Next     int64  `json:"next"`
	Epoch    int32  `json:"epoch"`
	Assigned string `json:"assigned"` // the token of the part
}

// marks is a position: by topic and partition.
type marks map[string]map[int32]mark

// position returns how far the partitions were read that this member has.
func (m *member) position() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.read != nil {
		return m.read
	}
	all := make(marks)
	for at, p := range m.parts {
		if p.next < 0 {
			continue
		}
		if all[at.topic] == nil {
			all[at.topic] = make(map[int32]mark)
		}
		all[at.topic][at.partition] = mark{p.next, p.epoch, p.token}
	}
	m.read, _ = json.Marshal(all) // of strings and numbers it cannot fail
	return m.read
}

// commit commits what the position says of partitions that this member has still. They
// are not taken away meanwhile: their next owner might have committed more.
func (m *member) commit(ctx context.Context, position []byte) error {
	var to marks
	if len(position) > 0 {
		if err := json.Unmarshal(position, &to); err != nil {
			return fmt.Errorf("kafkainlet: the position is not one of kafkainlet: %w", err)
		}
	}
	m.committing.Lock()
	defer m.committing.Unlock()
	offsets := m.uncommitted(to)
	if len(offsets) == 0 {
		return nil
	}
	bounded, cancel := m.kafka.Bound(ctx)
	defer cancel()
	var failed error
	m.client.CommitOffsetsSync(bounded, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		failed = err
		if err == nil {
			failed = refusal(resp)
		}
	})
	switch {
	case failed == nil:
		m.committed(offsets)
		return nil
	case ctx.Err() != nil:
		return kafkaclient.Ended(ctx)
	case bounded.Err() != nil:
		return fmt.Errorf("kafkainlet: no answer to the commit within %v, the Timeout: %w", m.kafka.Timeout(), bounded.Err())
	case slices.ContainsFunc(removed, func(err error) bool { return errors.Is(failed, err) }):
		return m.groupError("commit", fmt.Errorf("%w: %w", ErrFenced, failed))
	}
	return fmt.Errorf("kafkainlet: commit: %w", m.kafka.Clean(failed))
}

// removed is how a group says that it has removed the member.
var removed = []error{kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.FencedInstanceID, kerr.FencedMemberEpoch, kerr.StaleMemberEpoch}

// refusal returns the first error in an answer.
func refusal(resp *kmsg.OffsetCommitResponse) error {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("%s/%d: %w", t.Topic, p.Partition, err)
			}
		}
	}
	return nil
}

// uncommitted returns what there is to be committed.
func (m *member) uncommitted(to marks) map[string]map[int32]kgo.EpochOffset {
	m.mu.Lock()
	defer m.mu.Unlock()
	offsets := make(map[string]map[int32]kgo.EpochOffset)
	for topic, partitions := range to {
		for partition, mark := range partitions {
			p := m.parts[place{topic, partition}]
			if p == nil || p.token != mark.Assigned || mark.Next > p.next || mark.Next == p.committed {
				continue
			}
			if offsets[topic] == nil {
				offsets[topic] = make(map[int32]kgo.EpochOffset)
			}
			offsets[topic][partition] = kgo.EpochOffset{Epoch: mark.Epoch, Offset: mark.Next}
		}
	}
	return offsets
}

// committed notes what was committed.
func (m *member) committed(offsets map[string]map[int32]kgo.EpochOffset) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for topic, partitions := range offsets {
		for partition, o := range partitions {
			if p := m.parts[place{topic, partition}]; p != nil {
				p.committed = o.Offset
			}
		}
	}
}
