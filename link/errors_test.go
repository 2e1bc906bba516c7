package link_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

func TestErrorText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err  error
		want string
	}{
		{&link.Error{Op: link.OpPull, Link: "todos", Node: "api", Err: errDown}, "link todos: pull api: 503"},
		{&link.Error{Op: link.OpPush, Link: "todos", Node: "mongo", Records: 3, Kept: true, Err: errDown}, "link todos: push mongo: 503 (3 kept)"},
		{&link.Error{Op: link.OpPush, Link: "todos", Node: "mongo", Records: 3, Err: errDown}, "link todos: push mongo: 503"},
		{&link.PanicError{Value: "hot"}, "panic: hot"},
		{&link.PanicError{Value: errDown}, "panic: 503"},
		{&link.PanicError{Value: 7}, "panic: 7"},
		{&link.PanicError{}, "runtime.Goexit was called"},
	}
	for _, tt := range tests {
		assert.EqualError(t, tt.err, tt.want)
	}
}

func TestErrorUnwraps(t *testing.T) {
	t.Parallel()
	err := error(&link.Error{Op: link.OpPush, Err: &link.PanicError{Value: fmt.Errorf("read: %w", io.ErrUnexpectedEOF)}})
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	_, ok := errors.AsType[*link.PanicError](err)
	assert.True(t, ok)
	assert.NoError(t, errors.Unwrap(&link.PanicError{Value: "no error"}))
	assert.NoError(t, errors.Unwrap(&link.PanicError{}))
	var failures record.Failures
	failures.Add(2, errDown)
	require.ErrorIs(t, &link.Error{Op: link.OpPush, Err: failures.Err()}, errDown)
}

func TestErrorIsFatal(t *testing.T) {
	t.Parallel()
	var some, forGood record.Failures
	some.Add(0, errDown)
	forGood.Add(0, errDown)
	forGood.Add(1, record.Permanent(errDown))
	tests := []struct {
		name string
		err  link.Error
		want bool
	}{
		{"a push whose records are kept", link.Error{Op: link.OpPush, Kept: true, Err: errDown}, false},
		{"of which some are kept", link.Error{Op: link.OpPush, Kept: true, Err: some.Err()}, false},
		{"later", link.Error{Op: link.OpPush, Kept: true, Err: record.RetryAfter(1, errDown)}, false},
		{"a push whose records are not kept", link.Error{Op: link.OpPush, Err: errDown}, true},
		{"for good", link.Error{Op: link.OpPush, Kept: true, Err: record.Permanent(errDown)}, true},
		{"for good, wrapped", link.Error{Op: link.OpPush, Kept: true, Err: fmt.Errorf("x: %w", record.Permanent(errDown))}, true},
		{"some for good", link.Error{Op: link.OpPush, Kept: true, Err: forGood.Err()}, true},
		{"a panic", link.Error{Op: link.OpPush, Kept: true, Err: &link.PanicError{Value: 1}}, true},
		{"a broker that is told again", link.Error{Op: link.OpCommit, Kept: true, Err: errDown}, false},
		{"a broker that says never", link.Error{Op: link.OpCommit, Kept: true, Err: record.Permanent(errDown)}, true},
		{"a processor", link.Error{Op: link.OpProcess, Kept: true, Err: errDown}, true},
		{"a grouper", link.Error{Op: link.OpGroup, Kept: true, Err: errDown}, true},
		{"a pull", link.Error{Op: link.OpPull, Err: errDown}, true},
		{"the store", link.Error{Op: link.OpState, Err: errDown}, true},
		{"a start", link.Error{Op: link.OpStart, Err: errDown}, true},
		{"a seek", link.Error{Op: link.OpSeek, Err: errDown}, true},
		{"a stop", link.Error{Op: link.OpShutdown, Err: errDown}, true},
		{"a handler", link.Error{Op: link.OpReport, Err: errDown}, true},
		{"a schedule", link.Error{Op: link.OpSchedule, Err: errDown}, true},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, tt.err.Fatal(), tt.name)
	}
}

func TestOutcomeText(t *testing.T) {
	t.Parallel()
	for o, want := range []string{"running", "ran", "failed", "blocked", "coalesced", "interrupted", "cancelled", "Outcome(7)"} {
		assert.Equal(t, want, link.Outcome(o).String())
	}
}

// Sentinels are told apart, also inside of what methods return.
func TestSentinels(t *testing.T) {
	t.Parallel()
	all := []error{
		link.ErrDuplicateNode, link.ErrUnknownNode, link.ErrRunning, link.ErrStopped, link.ErrInside, link.ErrFenced, link.ErrUnbalanced,
	}
	for i, a := range all {
		assert.Contains(t, a.Error(), "link: ")
		for j, b := range all {
			assert.Equal(t, i == j, errors.Is(a, b))
		}
	}
	l, err := link.New(link.Config{Name: "x", Inlets: inlets(&pump{}), Outlets: outlets(&tank{})})
	require.NoError(t, err)
	_, err = l.Transfer(t.Context(), link.Tick{})
	require.ErrorIs(t, err, link.ErrStopped)
	require.NoError(t, l.Start(t.Context()))
	require.EqualError(t, l.Start(t.Context()), `link "x": link: already running`)
	_, err = l.Shutdown(context.Background())
	require.NoError(t, err)
}
