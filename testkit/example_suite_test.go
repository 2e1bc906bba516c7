package testkit_test

import (
	"context"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
	"github.com/databay-go/databay/spool/boltspool"
	"github.com/databay-go/databay/state"
	"github.com/databay-go/databay/testkit"
)

// A suite is a test of its own. What the factory makes is fresh for every rule.
func ExampleTestInlet() {
	var t *testing.T // of the test function around it

	testkit.TestInlet(t, func(*testing.T) inlet.Inlet {
		rows := &testkit.Rows{PerPull: 2} // a few pulls, so that there is a position to resume at
		rows.Add(10)
		return rows
	}, nil)
}

// With a way to read back what was written, the suite checks that every record
// arrived, once and in order, and that the answers of the outlet are true.
func ExampleTestOutlet() {
	var t *testing.T // of the test function around it

	testkit.TestOutlet(t,
		func(*testing.T) (outlet.Outlet, func() []record.Record) {
			out := new(testkit.Sink)
			return out, out.Records
		},
		func(i int) record.Record { return record.New(map[string]any{"n": i}) },
		nil,
	)
}

// A processor that breaks a rule on purpose says so, with the reason.
func ExampleTestProcessor() {
	var t *testing.T // of the test function around it

	testkit.TestProcessor(t,
		func(*testing.T) record.Processor {
			return buffer.New(&buffer.Options{Count: 4, MaxAge: time.Minute})
		},
		func(i int) record.Record { return record.New(i) },
		&testkit.ProcessorOptions{Conserves: true},
	)
}

// Every rule runs in a bubble of testing/synctest: a week takes no time.
func ExampleTestTrigger() {
	var t *testing.T // of the test function around it

	testkit.TestTrigger(t, func(*testing.T) planner.Trigger { return planner.NewTicker(nil) })
}

// A store on a disk is opened again by the suite, to see what it has kept.
func ExampleTestStore() {
	var t *testing.T // of the test function around it

	testkit.TestStore(t, func(*testing.T) state.Store { return new(state.Memory) }, nil)
}

// With a Reopen and a Small in the options, restarts and full spools are tested too.
func ExampleTestSpool() {
	var t *testing.T // of the test function around it

	testkit.TestSpool(t,
		func(t *testing.T) spool.Spool {
			s := boltspool.New(filepath.Join(t.TempDir(), "spool"), spool.JSON[string](), nil)
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Shutdown(context.Background()) })
			return s
		},
		func(i int) record.Record { return record.New(strconv.Itoa(i)) },
		nil,
	)
}
