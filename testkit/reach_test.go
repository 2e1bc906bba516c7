package testkit_test

import (
	"context"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/testkit"
)

// checkedInlet is a resumable inlet that has a Check.
type checkedInlet struct {
	*testkit.Rows
	check func(ctx context.Context, rows *testkit.Rows) error
}

func (c checkedInlet) Check(ctx context.Context) error { return c.check(ctx, c.Rows) }

func reachDoubles() []inletDouble {
	var all []inletDouble
	add := func(rule, name string, check func(ctx context.Context, rows *testkit.Rows) error) {
		all = append(all, inletDouble{rule: rule, name: name, prepare: each(func() inlet.Inlet { return checkedInlet{rows(), check} })})
	}
	add("check", "fails", func(context.Context, *testkit.Rows) error { return errBroken })
	add("check moves nothing", "pulls", func(ctx context.Context, rows *testkit.Rows) error {
		_, err := rows.Pull(ctx, record.Update{})
		return err
	})
	add("check leaves no goroutine", "leaks", func(ctx context.Context, _ *testkit.Rows) error { return leak(ctx, 0) })
	add("check with an ended context", "deaf", func(ctx context.Context, _ *testkit.Rows) error { return ifEnded(deaf)(ctx, 0) })
	return all
}
