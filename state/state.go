// Package state keeps what must survive a restart: small values under keys, each
// with a revision, so that of two writers only one succeeds.
//
// A link keeps everything of its own in one value, under the key "link/" and its
// name.
package state

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// ErrConflict is the error of a Put whose revision is not the current one: somebody
// else has written.
var ErrConflict = errors.New("state: the revision is not the current one")

// Store keeps values under keys. It is safe for concurrent use.
//
// The outcome of a Put that returns neither nil nor [ErrConflict] is unknown: the
// value may or may not have been written. Links read it back.
type Store interface {
	// Get returns the value and the revision of key. A key that was never
	// written has revision 0 and no value, and is no error. The value belongs
	// to the caller.
	Get(ctx context.Context, key string) (value []byte, rev int64, err error)

	// Put writes value under key if rev is the key's current revision, and
	// returns the new one, which is greater. Once it has returned nil the value
	// survives whatever the store promises to survive. The value is not kept or
	// changed.
	Put(ctx context.Context, key string, value []byte, rev int64) (int64, error)
}

// Memory is a [Store] that lives as long as the process. The zero value is empty
// and ready to use.
type Memory struct {
	mu      sync.Mutex
	entries map[string]entry
}

type entry struct {
	value []byte
	rev   int64
}

var _ Store = (*Memory)(nil)

// Get returns the value and the revision of key. It fails if ctx has ended.
func (m *Memory) Get(ctx context.Context, key string) ([]byte, int64, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[key]
	return slices.Clone(e.value), e.rev, nil
}

// Put writes value if rev is current. It fails, having written nothing, if ctx has
// ended.
func (m *Memory) Put(ctx context.Context, key string, value []byte, rev int64) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[key]
	if e.rev != rev {
		return 0, ErrConflict
	}
	if m.entries == nil {
		m.entries = make(map[string]entry)
	}
	// The old value's array is reused: Get gives copies away.
	e.value = append(e.value[:0], value...)
	e.rev++
	m.entries[key] = e
	return e.rev, nil
}
