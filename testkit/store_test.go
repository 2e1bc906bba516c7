package testkit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/databay-go/databay/state"
	"github.com/databay-go/databay/testkit"
)

func TestStores(t *testing.T) {
	t.Parallel()
	t.Run("state.Memory", func(t *testing.T) {
		t.Parallel()
		testkit.TestStore(t, func(*testing.T) state.Store { return new(state.Memory) }, nil)
	})
	t.Run("testkit.FaultyStore", func(t *testing.T) {
		t.Parallel()
		testkit.TestStore(t, func(*testing.T) state.Store { return new(testkit.FaultyStore) }, &testkit.StoreOptions{
			Hung: func(*testing.T) state.Store { return &testkit.FaultyStore{OnPut: testkit.Block()} },
		})
	})
	t.Run("shelf", func(t *testing.T) {
		t.Parallel()
		testkit.TestStore(t, func(*testing.T) state.Store { return shelved(shelf{}) }, new(shelfOptions("")))
	})
}

// TestStoreDoubles has, for every rule, stores that exactly this rule catches.
func TestStoreDoubles(t *testing.T) {
	t.Parallel()
	rules := make(map[string]bool)
	for _, d := range storeDoubles() {
		rules[d.rule] = true
		t.Run(d.rule+"/"+d.name, func(t *testing.T) {
			t.Parallel()
			exactly(t, d.rule, testkit.JudgeStore(t, func(*testing.T) state.Store { return shelved(d.shelf) }, shelfOptions(d.fault)))
		})
	}
	complete(t, testkit.StoreRules(), rules)
}

func TestStoreGoodDouble(t *testing.T) {
	t.Parallel()
	v := testkit.JudgeStore(t, func(*testing.T) state.Store { return shelved(shelf{}) }, shelfOptions(""))
	assert.Empty(t, v.Broken)
	assert.Empty(t, v.Skipped)
}

// shelf is a store on a map that stands for a disk. Some of what it does may be
// done otherwise.
type shelf struct {
	invalid error
	get     func(s *shelf, key string, b book) (book, error)
	put     func(s *shelf, ctx context.Context, key string, value []byte, rev int64) (int64, error)
	key     func(key string) string // which one stands for a key
	keep    func(value []byte) []byte
	ended   func(s *shelf, err error) error // what is made of a context that has ended
	close   func(s *shelf) error
	closed  error // the error when it is closed

	mu   *sync.Mutex
	disk map[string]book
	shut bool
	full bool
}

type book struct {
	value []byte
	rev   int64
}

const longestKey = 500

var errClosed = errors.New("the shelf is closed")

func shelved(s shelf) *shelf {
	s.mu, s.disk = new(sync.Mutex), make(map[string]book)
	return &s
}

// shelfOptions are those of shelves. Fault says what is wrong with them.
func shelfOptions(fault string) testkit.StoreOptions {
	return testkit.StoreOptions{
		MaxKey: longestKey,
		Reopen: func(_ *testing.T, store state.Store) state.Store {
			s := store.(*shelf)
			_ = s.Close()
			again := *s
			again.shut, again.mu = false, new(sync.Mutex)
			for key, b := range again.disk {
				switch {
				case fault == "revisions anew" && key == "testkit":
					again.disk[key] = book{b.value, 1}
				case fault == "empty values are lost" && len(b.value) == 0:
					delete(again.disk, key)
				}
			}
			return &again
		},
		Failing: func(*testing.T) (store state.Store, fail, mend func()) {
			s := shelved(shelf{})
			if strings.HasPrefix(fault, "full") {
				s.put = func(s *shelf, ctx context.Context, key string, value []byte, rev int64) (int64, error) {
					s.mu.Lock()
					defer s.mu.Unlock()
					switch {
					case !s.full:
						return s.write(key, value, rev)
					case fault == "full, half is written":
						_, _ = s.write(key, value[:len(value)/2], rev)
						return 0, errBroken
					case fault == "full, a conflict":
						return 0, state.ErrConflict
					case fault == "full, for ever":
						s.shut = true
					}
					return 0, errBroken
				}
			}
			return s, func() { s.full = true }, func() { s.full = false }
		},
		Hung: func(*testing.T) state.Store {
			if fault == "hung for ever" {
				return &testkit.FaultyStore{OnPut: func(context.Context, int) error { time.Sleep(hour); return errBroken }}
			}
			return &testkit.FaultyStore{OnPut: testkit.Block()}
		},
	}
}

func (s *shelf) Validate() error { return s.invalid }

func (s *shelf) Close() error {
	if s.close != nil {
		return s.close(s)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shut = true
	return nil
}

// may says why a call is not answered.
func (s *shelf) may(ctx context.Context, key string) error {
	if err := context.Cause(ctx); err != nil {
		if s.ended == nil {
			return err
		}
		return s.ended(s, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.shut && s.closed != nil:
		return s.closed
	case s.shut:
		return errClosed
	case s.key == nil && len(key) > longestKey:
		return errors.New("the key is too long")
	}
	return nil
}

func (s *shelf) Get(ctx context.Context, key string) ([]byte, int64, error) {
	if err := s.may(ctx, key); err != nil {
		return nil, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.disk[s.name(key)]
	if s.get != nil {
		b, err := s.get(s, key, b)
		return b.value, b.rev, err
	}
	return bytes.Clone(b.value), b.rev, nil
}

func (s *shelf) Put(ctx context.Context, key string, value []byte, rev int64) (int64, error) {
	if err := s.may(ctx, key); err != nil {
		return 0, err
	}
	if s.put != nil {
		return s.put(s, ctx, key, value, rev)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return 0, errBroken
	}
	return s.write(key, value, rev)
}

func (s *shelf) name(key string) string {
	if s.key != nil {
		return s.key(key)
	}
	return key
}

// write is a Put as it should be, with the lock held.
func (s *shelf) write(key string, value []byte, rev int64) (int64, error) {
	key = s.name(key)
	if s.disk[key].rev != rev {
		return 0, state.ErrConflict
	}
	if s.keep != nil {
		value = s.keep(value)
	} else {
		value = slices.Clone(value)
	}
	s.disk[key] = book{value, rev + 1}
	return rev + 1, nil
}

type storeDouble struct {
	rule, name string
	shelf      shelf
	fault      string // of what the options make
}

func storeDoubles() []storeDouble {
	var all []storeDouble
	add := func(rule, name string, s shelf) { all = append(all, storeDouble{rule: rule, name: name, shelf: s}) }
	faulty := func(rule, fault string) { all = append(all, storeDouble{rule: rule, name: fault, fault: fault}) }

	add("valid", "finds a mistake", shelf{invalid: errBroken})
	add("absent", "an error", shelf{get: func(_ *shelf, key string, b book) (book, error) {
		if b.rev == 0 && key == "testkit" {
			return b, errBroken
		}
		return clone(b), nil
	}})
	add("absent", "made by being asked for", shelf{get: func(s *shelf, key string, b book) (book, error) {
		if key == "testkit" && b.rev == 0 && len(s.disk) == 0 {
			s.disk["asked"] = book{}
		} else if _, asked := s.disk["asked"]; asked && b.rev == 0 && key == "testkit" {
			b.rev = 1
		}
		return clone(b), nil
	}})
	add("put and get", "a revision comes twice", shelf{put: locked(func(s *shelf, key string, value []byte, rev int64) (int64, error) {
		next, err := s.write(key, value, rev)
		if key == "testkit" && string(value) == "value 3" {
			next = rev
		}
		return next, err
	})})
	add("conflict", "an error of its own", shelf{put: locked(func(s *shelf, key string, value []byte, rev int64) (int64, error) {
		next, err := s.write(key, value, rev)
		if err != nil && string(value) == "wrong" {
			err = errBroken
		}
		return next, err
	})})
	add("conflict", "any revision but 0 updates", shelf{put: locked(func(s *shelf, key string, value []byte, rev int64) (int64, error) {
		if string(value) == "wrong" && rev == -1 {
			return 0, nil
		}
		return s.write(key, value, rev)
	})})
	add("conflict writes nothing", "it has written", shelf{put: locked(func(s *shelf, key string, value []byte, rev int64) (int64, error) {
		next, err := s.write(key, value, rev)
		if err != nil && string(value) == "wrong" {
			s.disk[key] = book{slices.Clone(value), s.disk[key].rev}
		}
		return next, err
	})})
	add("values", "an empty one is none", shelf{get: func(_ *shelf, key string, b book) (book, error) {
		if len(b.value) == 0 && key == "testkit" {
			return book{}, nil
		}
		return clone(b), nil
	}})
	add("values", "a zero ends it", shelf{keep: func(value []byte) []byte {
		value, _, _ = bytes.Cut(value, []byte{0})
		return slices.Clone(value)
	}})
	add("values", "64 KiB at most", shelf{keep: func(value []byte) []byte {
		if len(value) > 1<<16 && value[0] == 0 {
			value = value[:1<<16]
		}
		return slices.Clone(value)
	}})
	add("value given", "kept", shelf{keep: func(value []byte) []byte { return value }})
	add("value given", "changed", shelf{keep: func(value []byte) []byte {
		own := slices.Clone(value)
		if string(value) == "given" {
			value[0] = 'G'
		}
		return own
	}})
	add("value got", "shared", shelf{get: func(_ *shelf, _ string, b book) (book, error) { return b, nil }})
	add("reading back", "JSON is made compact", shelf{keep: func(value []byte) []byte {
		var compact bytes.Buffer
		if json.Compact(&compact, value) == nil {
			return compact.Bytes()
		}
		return slices.Clone(value)
	}})
	add("reading back", "an equal value is no conflict", shelf{put: locked(func(s *shelf, key string, value []byte, rev int64) (int64, error) {
		if b := s.disk[key]; b.rev == rev+1 && bytes.Equal(b.value, value) && key == "link/testkit" {
			return b.rev, nil
		}
		return s.write(key, value, rev)
	})})
	for name, key := range map[string]func(string) string{
		"in small letters": func(k string) string {
			if k == "A" {
				return "a"
			}
			return k
		},
		"trimmed":        strings.TrimSpace,
		"a zero ends it": func(k string) string { k, _, _ = strings.Cut(k, "\x00"); return k },
		"cleaned paths":  func(k string) string { return strings.ReplaceAll(k, "//", "/") },
	} {
		add("keys apart", name, shelf{put: locked(func(s *shelf, k string, value []byte, rev int64) (int64, error) {
			return s.write(key(k), value, rev)
		}), get: func(s *shelf, k string, _ book) (book, error) { return clone(s.disk[key(k)]), nil }})
	}
	add("long keys", "cut off", shelf{key: func(key string) string { return key[:min(len(key), longestKey)] }})
	add("long keys", "cut off early", shelf{put: locked(func(s *shelf, key string, value []byte, rev int64) (int64, error) {
		return s.write(key[:min(len(key), longestKey-1)], value, rev)
	}), get: func(s *shelf, key string, _ book) (book, error) {
		return clone(s.disk[key[:min(len(key), longestKey-1)]]), nil
	}})
	add("ended context", "not looked at", shelf{ended: func(*shelf, error) error { return nil }})
	add("ended context", "an error of its own", shelf{ended: func(*shelf, error) error { return errBroken }})
	add("context ending during the call", "half is written", shelf{put: slow(func(s *shelf, err error, key string, value []byte, rev int64) (int64, error) {
		if err != nil && len(value) > 1000 {
			_, _ = s.write(key, value[:len(value)/2], rev)
		}
		return 0, err
	})})
	add("context ending during the call", "not written and no error", shelf{put: slow(func(_ *shelf, err error, _ string, value []byte, rev int64) (int64, error) {
		if len(value) > 1000 {
			return rev + 1, nil
		}
		return 0, err
	})})
	faulty("context ending during the call", "hung for ever")
	add("context of others", "all of a group fail", shelf{put: grouped()})
	add("lost update", "looks first, writes later", shelf{put: func(s *shelf, _ context.Context, key string, value []byte, rev int64) (int64, error) {
		s.mu.Lock()
		found := s.disk[key].rev
		s.mu.Unlock()
		if found > 0 {
			time.Sleep(time.Millisecond)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if found > 0 && found == rev {
			s.disk[key] = book{slices.Clone(value), rev + 1}
			return rev + 1, nil
		}
		return s.write(key, value, rev)
	}})
	add("first write", "looks first, writes later", shelf{put: func(s *shelf, _ context.Context, key string, value []byte, rev int64) (int64, error) {
		s.mu.Lock()
		found := s.disk[key].rev
		s.mu.Unlock()
		if found == 0 {
			time.Sleep(time.Millisecond)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if found == 0 && rev == 0 {
			s.disk[key] = book{slices.Clone(value), 1}
			return 1, nil
		}
		return s.write(key, value, rev)
	}})
	add("writers of different keys", "in one another's way", shelf{put: oneAtATime()})
	add("closed", "goes on", shelf{close: func(*shelf) error { return nil }})
	add("closed", "a conflict", shelf{closed: state.ErrConflict})
	add("closed", "says something else", shelf{closed: errBroken})
	add("close twice", "an error", shelf{close: func(s *shelf) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.shut && len(s.disk) == 0 {
			return errClosed
		}
		s.shut = true
		return nil
	}})
	add("close during calls", "what is written meanwhile is lost", shelf{close: func(s *shelf) error {
		s.mu.Lock()
		kept := maps.Clone(s.disk)
		s.mu.Unlock()
		time.Sleep(time.Millisecond)
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.shut {
			s.shut, s.disk = true, kept
		}
		return nil
	}})
	faulty("reopen", "revisions anew")
	faulty("reopen", "empty values are lost")
	faulty("cannot write", "full, half is written")
	faulty("cannot write", "full, a conflict")
	faulty("cannot write", "full, for ever")
	return all
}

func clone(b book) book { return book{slices.Clone(b.value), b.rev} }

type put = func(s *shelf, ctx context.Context, key string, value []byte, rev int64) (int64, error)

// locked makes a put of one that is called with the lock held.
func locked(f func(s *shelf, key string, value []byte, rev int64) (int64, error)) put {
	return func(s *shelf, _ context.Context, key string, value []byte, rev int64) (int64, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return f(s, key, value, rev)
	}
}

// slow makes a put that takes a while. If its context ends meanwhile it calls f.
func slow(f func(s *shelf, err error, key string, value []byte, rev int64) (int64, error)) put {
	return func(s *shelf, ctx context.Context, key string, value []byte, rev int64) (int64, error) {
		err := testkit.Slow(time.Millisecond)(ctx, 0)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			return f(s, err, key, value, rev)
		}
		return s.write(key, value, rev)
	}
}

// grouped makes a put that waits for others, with which it fails.
func grouped() put {
	var mu sync.Mutex
	var waiting int
	var failed error
	return func(s *shelf, ctx context.Context, key string, value []byte, rev int64) (int64, error) {
		mu.Lock()
		waiting++
		mu.Unlock()
		err := testkit.Slow(time.Millisecond)(ctx, 0)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			failed = err
		}
		err = failed
		if waiting--; waiting == 0 {
			failed = nil
		}
		if err != nil {
			return 0, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.write(key, value, rev)
	}
}

// oneAtATime makes a put that answers with a conflict while another one goes on.
func oneAtATime() put {
	var busy sync.Mutex
	return func(s *shelf, _ context.Context, key string, value []byte, rev int64) (int64, error) {
		if !busy.TryLock() {
			return 0, state.ErrConflict
		}
		defer busy.Unlock()
		time.Sleep(time.Millisecond)
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.write(key, value, rev)
	}
}
