package testkit_test

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/record"
)

// broker keeps the position of its inlets.
type broker struct {
	mu        sync.Mutex
	committed int
}

func (b *broker) commit(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.committed = n
}

type fromBroker struct {
	*broker
	read     int
	onPull   func(f *fromBroker)
	onCommit func(f *fromBroker, position []byte) error
	pulling  atomic.Bool
	last     []byte
}

func (f *fromBroker) Start(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read = f.committed
	return nil
}

func (f *fromBroker) Pull(context.Context, record.Update) ([]record.Record, error) {
	if f.read == 20 {
		return nil, nil
	}
	f.read++
	r := record.New(f.read)
	if f.onPull != nil {
		f.onPull(f)
	}
	return []record.Record{r}, nil
}

func (f *fromBroker) Position() []byte { return strconv.AppendInt(nil, int64(f.read), 10) }

func (f *fromBroker) Commit(_ context.Context, position []byte) error {
	if f.onCommit != nil {
		if err := f.onCommit(f, position); err != nil {
			return err
		}
	}
	n, err := strconv.Atoi(string(position))
	f.commit(n)
	return err
}

func brokers(alter func(f *fromBroker)) func() func() inlet.Inlet {
	return func() func() inlet.Inlet {
		b := new(broker)
		return func() inlet.Inlet {
			f := &fromBroker{broker: b}
			if alter != nil {
				alter(f)
			}
			return f
		}
	}
}

func commitDoubles() []inletDouble {
	return []inletDouble{
		{rule: "commit", name: "not during a pull", prepare: brokers(func(f *fromBroker) {
			f.onPull = func(f *fromBroker) {
				f.pulling.Store(true)
				time.Sleep(time.Millisecond)
				f.pulling.Store(false)
			}
			f.onCommit = func(f *fromBroker, _ []byte) error {
				time.Sleep(time.Millisecond / 2)
				if f.pulling.Load() {
					return errors.New("a pull is running")
				}
				return nil
			}
		})},
		{rule: "commit", name: "not again", prepare: brokers(func(f *fromBroker) {
			f.onCommit = func(f *fromBroker, position []byte) error {
				if bytes.Equal(position, f.last) {
					return errBroken
				}
				f.last = position
				return nil
			}
		})},
		{rule: "uncommitted records", name: "acknowledged by the pull", prepare: brokers(func(f *fromBroker) {
			f.onPull = func(f *fromBroker) { f.commit(f.read) }
		})},
	}
}
