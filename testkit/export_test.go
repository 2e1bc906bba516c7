package testkit

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/spool"
	"github.com/databay-go/databay/state"
)

// Verdict is what a suite says of a node: the rules that it broke, and those that
// were not checked.
type Verdict struct {
	Broken  map[string]error
	Skipped map[string]string
}

// judge runs every check in a bubble of its own, whatever it runs in otherwise.
func judge[C any](t *testing.T, checks []check[C], prepare func(t *testing.T) C) Verdict {
	v := Verdict{make(map[string]error), make(map[string]string)}
	for _, c := range checks {
		synctest.Test(t, func(t *testing.T) {
			err := c.run(prepare(t))
			if reason, ok := errors.AsType[skipped](err); ok {
				v.Skipped[c.name] = string(reason)
			} else if err != nil {
				v.Broken[c.name] = err
			}
			time.Sleep(3 * time.Hour) // what was left behind sleeps for less
		})
	}
	return v
}

func names[C any](checks []check[C]) []string {
	var all []string
	for _, c := range checks {
		all = append(all, c.name)
	}
	return all
}

func InletRules() []string     { return names(inletChecks()) }
func OutletRules() []string    { return names(outletChecks()) }
func ProcessorRules() []string { return names(processorChecks()) }
func TriggerRules() []string   { return names(triggerChecks()) }
func StoreRules() []string     { return names(storeChecks()) }
func SpoolRules() []string     { return names(spoolChecks()) }

// JudgeInlet is TestInlet. Each check has a factory of its own.
func JudgeInlet(t *testing.T, prepare func() func() inlet.Inlet, opts InletOptions) Verdict {
	return judge(t, inletChecks(), func(t *testing.T) *inletTrial {
		fresh := prepare()
		return &inletTrial{newTrial(t), func(*testing.T) inlet.Inlet { return fresh() }, &opts}
	})
}

// JudgeOutlet is TestOutlet.
func JudgeOutlet(t *testing.T, fresh func() (outlet.Outlet, func() []record.Record),
	sample func(i int) record.Record, opts OutletOptions,
) Verdict {
	return judge(t, outletChecks(), func(t *testing.T) *outletTrial {
		return &outletTrial{newTrial(t), func(*testing.T) (outlet.Outlet, func() []record.Record) { return fresh() }, sample, &opts}
	})
}

// JudgeProcessor is TestProcessor.
func JudgeProcessor(t *testing.T, fresh func() record.Processor, sample func(i int) record.Record, opts ProcessorOptions) Verdict {
	return judge(t, processorChecks(), func(t *testing.T) *processorTrial {
		return &processorTrial{newTrial(t), func(*testing.T) record.Processor { return fresh() }, sample, &opts}
	})
}

// JudgeTrigger is TestTrigger.
func JudgeTrigger(t *testing.T, fresh func() planner.Trigger) Verdict {
	return judge(t, triggerChecks(), func(t *testing.T) *triggerTrial {
		return &triggerTrial{newTrial(t), func(*testing.T) planner.Trigger { return fresh() }}
	})
}

// JudgeStore is TestStore.
func JudgeStore(t *testing.T, fresh func(t *testing.T) state.Store, opts StoreOptions) Verdict {
	return judge(t, storeChecks(), func(t *testing.T) *storeTrial {
		return &storeTrial{newTrial(t), fresh, &opts}
	})
}

// JudgeSpool is TestSpool.
func JudgeSpool(t *testing.T, fresh func(t *testing.T) spool.Spool, sample func(i int) record.Record, opts SpoolOptions) Verdict {
	return judge(t, spoolChecks(), func(t *testing.T) *spoolTrial {
		return &spoolTrial{newTrial(t), fresh, sample, &opts}
	})
}

// ValidSkip is what a suite says of its options' Skip.
func ValidSkip(skip map[string]string) error { return validSkip(inletChecks(), skip) }
