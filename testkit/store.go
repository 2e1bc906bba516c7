package testkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/databay-go/databay/state"
)

// StoreOptions is what [TestStore] may be told. The zero value is ready to use.
type StoreOptions struct {
	// MaxKey is the length in bytes of the longest key that the store takes,
	// according to its documentation. Zero means that there is no limit.
	MaxKey int

	// Reopen closes a store and returns a new one on what that has kept, as after
	// a restart of the process. If nil, nothing needs to survive.
	Reopen func(t *testing.T, s state.Store) state.Store

	// Failing makes a store and two functions: after fail it cannot write a value
	// of 1 MiB, since its disk is full, it lacks permission or its server is down;
	// after mend it can again. If nil, that is not tested.
	Failing func(t *testing.T) (s state.Store, fail, mend func())

	// Hung makes a store whose Put of the key "testkit" blocks, since what it asks
	// does not answer, to see that it returns when its context ends. If nil, that
	// is only seen of calls as they are.
	Hung func(t *testing.T) state.Store

	// Skip has the rules that do not hold, by name, with the reason.
	Skip map[string]string
}

// TestStore tests whether the stores that newStore makes keep the contract of
// [state.Store] and survive what links do to them. Nil options are the default.
//
// Every rule is a subtest with a fresh store, which is empty. One that has a
// method Close() error is closed at the end, and must bear that newStore closes
// it too.
func TestStore(t *testing.T, newStore func(t *testing.T) state.Store, opts *StoreOptions) {
	t.Helper()
	if opts == nil {
		opts = new(StoreOptions)
	}
	suite(t, storeChecks(), opts.Skip, func(t *testing.T) *storeTrial {
		return &storeTrial{newTrial(t), newStore, opts}
	})
}

func storeChecks() []check[*storeTrial] {
	var all []check[*storeTrial]
	all = append(all, putChecks()...)
	all = append(all, keyChecks()...)
	all = append(all, sharedStoreChecks()...)
	return append(all, storeLifeChecks()...)
}

type storeTrial struct {
	*trial
	make func(t *testing.T) state.Store
	opts *StoreOptions
}

// vault is one store under test.
type vault struct {
	*storeTrial
	state.Store
	closer io.Closer // nil if it cannot be closed
}

func (c *storeTrial) vault(s state.Store) *vault {
	if s == nil {
		c.t.Fatal("newStore made a nil store")
	}
	v := &vault{storeTrial: c, Store: s}
	v.closer, _ = s.(io.Closer)
	c.t.Cleanup(func() { _ = v.shut() }) // other rules look at it
	return v
}

func (c *storeTrial) fresh() *vault { return c.vault(c.make(c.t)) }

// reopen closes the store and opens a new one on what it has kept.
func (v *vault) reopen() *vault { return v.vault(v.opts.Reopen(v.t, v.Store)) }

// shut closes the store if it can be.
func (v *vault) shut() error {
	if v.closer == nil {
		return nil
	}
	return v.try(context.WithoutCancel(v.context()), limit, "Close", func(context.Context) error { return v.closer.Close() })
}

// stored is what a Get returned.
type stored struct {
	value []byte
	rev   int64
}

func (s stored) String() string {
	if s.rev == 0 && len(s.value) == 0 {
		return "nothing"
	}
	return fmt.Sprintf("%s at revision %d", excerpt(s.value), s.rev)
}

// excerpt shows bytes.
func excerpt(b []byte) string {
	if len(b) > 60 {
		return fmt.Sprintf("%.60q… of %d bytes", b, len(b))
	}
	return fmt.Sprintf("%q", b)
}

// read is Get, with any error it returns.
func (v *vault) read(ctx context.Context, key string) (stored, error) {
	results := make(chan stored, 1)
	err := v.try(ctx, limit, "Get", func(ctx context.Context) error {
		value, rev, err := v.Get(ctx, key)
		results <- stored{value, rev}
		return err
	})
	if err != nil {
		return stored{}, err
	}
	return <-results, nil
}

// write is Put, with any error it returns.
func (v *vault) write(ctx context.Context, key string, value []byte, rev int64) (int64, error) {
	results := make(chan int64, 1)
	err := v.try(ctx, limit, "Put", func(ctx context.Context) error {
		rev, err := v.Put(ctx, key, value, rev)
		results <- rev
		return err
	})
	if err != nil {
		return 0, err
	}
	return <-results, nil
}

// get is a Get that is not to fail.
func (v *vault) get(key string) (stored, error) {
	s, err := v.read(v.context(), key)
	if err != nil {
		err = fmt.Errorf("Get(%s) failed: %w", excerpt([]byte(key)), err)
	}
	return s, err
}

// put is a Put that is not to fail.
func (v *vault) put(key, value string, rev int64) (int64, error) {
	now, err := v.write(v.context(), key, []byte(value), rev)
	if err != nil {
		err = fmt.Errorf("Put(%s, %s, %d) failed: %w", excerpt([]byte(key)), excerpt([]byte(value)), rev, err)
	}
	return now, err
}

// holds looks whether the store has a value at a revision; 0 stands for nothing.
func (v *vault) holds(key, value string, rev int64) error {
	s, err := v.get(key)
	if err != nil {
		return err
	}
	if want := (stored{[]byte(value), rev}); s.rev != rev || !bytes.Equal(s.value, want.value) {
		return fmt.Errorf("Get(%s) returned %v, want %v", excerpt([]byte(key)), s, want)
	}
	return nil
}

// keeps writes a value under a key that has none, and looks whether it is there.
func (v *vault) keeps(key, value string) (rev int64, err error) {
	if rev, err = v.put(key, value, 0); err != nil {
		return 0, err
	}
	if rev < 1 {
		return 0, fmt.Errorf("Put(%s) returned the revision %d, want more than 0, which is that of an absent key", excerpt([]byte(key)), rev)
	}
	return rev, v.holds(key, value, rev)
}

// notConflict makes nil of an error that a Put may return which wrote nothing or
// might have: of any that is no conflict.
func notConflict(what string, err error) error {
	switch {
	case isMishap(err):
		return err
	case err == nil:
		return fmt.Errorf("%s returned nil", what)
	case errors.Is(err, state.ErrConflict):
		return fmt.Errorf("%s answered with state.ErrConflict: a link would take it for another writer: %w", what, err)
	}
	return nil
}
