package kafkainlet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/databay-go/databay/internal/kafkaclient"
	"github.com/databay-go/databay/record"
)

// LostError says that records were deleted by the broker before they were pulled.
type LostError struct {
	Topic     string
	Partition int32
	From, To  int64 // the offsets that are missing, without To
}

// Error names the records.
func (e *LostError) Error() string {
	return fmt.Sprintf("kafkainlet: %s/%d: the broker has deleted the offsets %d to %d, which were not pulled", e.Topic, e.Partition, e.From, e.To-1)
}

// pull returns what is fetched, or fetches.
func (m *member) pull(ctx context.Context) ([]record.Record, error) {
	var errs []error
	if !m.has() {
		if m.joined.Err() == nil {
			errs = append(errs, m.await(ctx))
		}
		if !m.has() && errors.Join(errs...) == nil {
			errs = append(errs, m.poll(ctx, max(m.opts.MaxWait, time.Millisecond)))
		}
	}
	records, err := m.take()
	errs = append(errs, err, m.stuck())
	if err := errors.Join(errs...); err != nil || len(records) > 0 {
		return records, err
	}
	if ctx.Err() != nil {
		return nil, kafkaclient.Ended(ctx)
	}
	return nil, m.kafka.Ping(ctx, m.client) // else a broker that is gone looks like one without records
}

// has reports whether there are records that were fetched and not returned.
func (m *member) has() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.fetched) > 0
}

// await waits until the group has accepted this member.
func (m *member) await(ctx context.Context) error {
	bounded, cancel := m.kafka.Bound(ctx)
	defer cancel()
	stop := context.AfterFunc(m.joined, cancel)
	defer stop()
	switch err := m.fetch(bounded); {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return kafkaclient.Ended(ctx)
	case m.joined.Err() == nil && !m.has():
		if err := m.kafka.Ping(ctx, m.client); err != nil {
			return err
		}
		return fmt.Errorf("kafkainlet: the group has not accepted this member within %v, the Timeout", m.kafka.Timeout())
	}
	return nil
}

func (m *member) poll(ctx context.Context, wait time.Duration) error {
	bounded, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return m.fetch(bounded)
}

// fetch waits for records, until there are some or ctx has ended, and notes them.
func (m *member) fetch(ctx context.Context) error {
	fetches := m.client.PollRecords(ctx, m.opts.MaxRecords)
	defer m.client.AllowRebalance()
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	for _, f := range fetches {
		for _, t := range f.Topics {
			for i := range t.Partitions {
				errs = append(errs, m.note(t.Topic, &t.Partitions[i]))
			}
		}
	}
	return errors.Join(errs...)
}

// note keeps what was fetched of a partition, and returns what is wrong with it.
func (m *member) note(topic string, f *kgo.FetchPartition) error {
	p := m.parts[place{topic, f.Partition}]
	var err error
	if f.Err != nil {
		err = m.failure(topic, f, p)
	}
	if p == nil || len(f.Records) == 0 {
		return err
	}
	if at := max(p.next, p.committed); at >= 0 && f.LogStartOffset > at {
		err = errors.Join(err, &LostError{Topic: topic, Partition: f.Partition, From: at, To: f.LogStartOffset})
	}
	for _, r := range f.Records {
		m.fetched = append(m.fetched, fetched{r, p})
	}
	return err
}

// failure says what an error means that came with a partition. P may be nil.
func (m *member) failure(topic string, f *kgo.FetchPartition, p *part) error {
	err := f.Err
	session, isSession := errors.AsType[*kgo.ErrGroupSession](err)
	switch {
	case isSession:
		return m.groupError("cannot be in the group", session.Err)
	case topic == "" && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)):
		return nil // the wait is over
	case errors.Is(err, kgo.ErrClientClosed):
		return errors.New("kafkainlet: not started")
	}
	err = fmt.Errorf("kafkainlet: %s/%d: %w", topic, f.Partition, m.kafka.Clean(err))
	if _, fatal := errors.AsType[*kgo.ErrDecompressTooLarge](err); fatal && p != nil {
		p.stuck = err // the client says so once
		return nil
	}
	return err
}

// groupError returns an error of being in the group. That another one has taken the
// InstanceID is one for good.
func (m *member) groupError(what string, err error) error {
	cause := fmt.Errorf("kafkainlet: %s: %w", what, m.kafka.Clean(err))
	if errors.Is(err, kerr.FencedInstanceID) {
		return record.Permanent(cause)
	}
	return cause
}

// stuck returns why nothing more comes, or nothing of a partition.
func (m *member) stuck() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	errs := []error{m.fenced}
	for _, p := range m.parts {
		errs = append(errs, p.stuck)
	}
	return errors.Join(errs...)
}

// take returns the records that were fetched, and reads on after them. At the first
// that cannot be decoded it stops.
func (m *member) take() (records []record.Record, err error) {
	m.mu.Lock()
	all := slices.DeleteFunc(m.fetched, func(f fetched) bool { return f.part.gone })
	m.fetched = nil
	m.mu.Unlock()

	done := 0
	for _, f := range all {
		if f.Attrs.IsControl() { // the end of a transaction
			done++
			continue
		}
		payload, failed := m.payload(f.Record)
		if failed != nil {
			err = fmt.Errorf("kafkainlet: cannot decode %s/%d/%d: %w", f.Topic, f.Partition, f.Offset, m.kafka.Clean(failed))
			break
		}
		done++
		if payload != nil {
			records = append(records, newRecord(f.Record, payload))
		}
	}

	m.mu.Lock()
	defer m.mu.Unlock()
	m.fetched = all[done:]
	for _, f := range all[:done] {
		f.part.next, f.part.epoch = f.Offset+1, f.LeaderEpoch
	}
	if done > 0 {
		m.read = nil
	}
	return records, err
}

func (m *member) payload(r *kgo.Record) (payload any, err error) {
	if m.opts.Decode == nil || r.Value == nil {
		return r.Value, nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the decoder panicked: %v", p)
		}
	}()
	return m.opts.Decode(r)
}

func newRecord(r *kgo.Record, payload any) record.Record {
	attrs := make([]record.Attr, 0, 6)
	attrs = append(attrs, Topic.Of(r.Topic), Partition.Of(r.Partition), Offset.Of(r.Offset), Timestamp.Of(r.Timestamp.UTC()))
	if r.Key != nil {
		attrs = append(attrs, Key.Of(string(r.Key)))
	}
	if len(r.Headers) > 0 {
		attrs = append(attrs, Headers.Of(r.Headers))
	}
	return record.New(payload, attrs...).WithID(id(r))
}

// id returns topic/partition/offset.
func id(r *kgo.Record) string {
	b := make([]byte, 0, len(r.Topic)+24)
	b = append(append(b, r.Topic...), '/')
	b = append(strconv.AppendInt(b, int64(r.Partition), 10), '/')
	return string(strconv.AppendInt(b, r.Offset, 10))
}
