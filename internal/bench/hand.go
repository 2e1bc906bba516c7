package main

import "context"

// This file is what one would write by hand for one program: the same nodes behind
// the same kind of interfaces, and nothing of what a link is for: no account, no
// reports, no queues, no retries, no recovery from panics.

type handRecord struct {
	Payload any
	Meta    map[string]any
}

type handUpdate struct {
	Link   string
	Number int64
}

type handInlet interface {
	Pull(ctx context.Context, u handUpdate) ([]handRecord, error)
}

type handProcessor interface {
	Process(ctx context.Context, records []handRecord) ([]handRecord, error)
}

type handOutlet interface {
	Push(ctx context.Context, records []handRecord, u handUpdate) error
}

type handLink struct {
	name       string
	inlet      handInlet
	processors []handProcessor
	batch      int // 0: all in one
	copies     bool
	outlets    []handOutlet
	number     int64
}

// transfer pulls, processes, cuts and pushes, one after another.
func (l *handLink) transfer(ctx context.Context) error {
	u := handUpdate{l.name, l.number}
	l.number++
	records, err := l.inlet.Pull(ctx, u)
	if err != nil {
		return err
	}
	for _, p := range l.processors {
		if records, err = p.Process(ctx, records); err != nil {
			return err
		}
	}
	for len(records) > 0 {
		n := len(records)
		if l.batch > 0 {
			n = min(n, l.batch)
		}
		for _, out := range l.outlets {
			batch := records[:n:n]
			if l.copies {
				batch = deepCopies(batch)
			}
			if err := out.Push(ctx, batch, u); err != nil {
				return err
			}
		}
		records = records[n:]
	}
	return nil
}

func deepCopies(records []handRecord) []handRecord {
	out := make([]handRecord, len(records))
	for i, r := range records {
		out[i].Payload = deepCopy(r.Payload)
		out[i].Meta = deepCopy(r.Meta).(map[string]any)
	}
	return out
}

func deepCopy(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = deepCopy(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = deepCopy(e)
		}
		return out
	}
	return v
}

type handCounter struct{ count int64 }

func (c *handCounter) Push(_ context.Context, records []handRecord, _ handUpdate) error {
	c.count += int64(len(records))
	return nil
}

type handFilter func(payload any) bool

func (keep handFilter) Process(_ context.Context, records []handRecord) ([]handRecord, error) {
	out := make([]handRecord, 0, len(records))
	for _, r := range records {
		if keep(r.Payload) {
			out = append(out, r)
		}
	}
	return out, nil
}

// handBuffer holds records until there are size of them.
type handBuffer struct {
	size int
	held []handRecord
}

func (b *handBuffer) Process(_ context.Context, records []handRecord) ([]handRecord, error) {
	b.held = append(b.held, records...)
	if len(b.held) < b.size {
		return nil, nil
	}
	out := b.held
	b.held = make([]handRecord, 0, b.size)
	return out, nil
}

// handInts yields one int a pull.
type handInts struct {
	n    int
	name any
}

func (in *handInts) Pull(context.Context, handUpdate) ([]handRecord, error) {
	in.n++
	return []handRecord{{Payload: in.n, Meta: map[string]any{"inlet": in.name}}}, nil
}

// handMaps yields n orders a pull.
type handMaps struct{ n int }

func (in handMaps) Pull(context.Context, handUpdate) ([]handRecord, error) {
	records := make([]handRecord, in.n)
	for i := range records {
		records[i] = handRecord{orderMap(i), map[string]any{"table": "orders", "region": "eu"}}
	}
	return records, nil
}
