package testserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
)

// A Program stands for the test in a program that is none, and that starts servers
// nevertheless. A server that does not come up, or that [Require] passes over, is the
// error of the Do that asked for it. Of what a testing.TB has, a Program has what this
// package needs; the rest panics.
type Program struct {
	testing.TB // nil

	ctx      context.Context
	cleanups []func()
	failed   error
}

// NewProgram returns a Program. Its servers live until Close, whatever becomes of ctx,
// which bounds how long they may take to start.
func NewProgram(ctx context.Context) *Program { return &Program{ctx: ctx} }

// Do calls f, in which p may be used as a test is, and returns the error that ended it.
func (p *Program) Do(f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			stopped, ok := r.(stop)
			if !ok {
				panic(r)
			}
			err = stopped
		}
	}()
	f()
	return nil
}

// Close ends all servers and removes their files.
func (p *Program) Close() error {
	for len(p.cleanups) > 0 {
		last := p.cleanups[len(p.cleanups)-1]
		p.cleanups = p.cleanups[:len(p.cleanups)-1]
		last()
	}
	return p.failed
}

// stop is the panic that stands for runtime.Goexit of a test.
type stop string

func (s stop) Error() string { return string(s) }

// Context implements testing.TB.
func (p *Program) Context() context.Context { return p.ctx }

// Helper implements testing.TB.
func (p *Program) Helper() {}

// Cleanup implements testing.TB.
func (p *Program) Cleanup(f func()) { p.cleanups = append(p.cleanups, f) }

// Fatal implements testing.TB.
func (p *Program) Fatal(args ...any) { panic(stop(fmt.Sprint(args...))) }

// Fatalf implements testing.TB.
func (p *Program) Fatalf(format string, args ...any) { panic(stop(fmt.Sprintf(format, args...))) }

// Skipf implements testing.TB.
func (p *Program) Skipf(format string, args ...any) { p.Fatalf(format, args...) }

// Error implements testing.TB.
func (p *Program) Error(args ...any) {
	p.failed = errors.Join(p.failed, errors.New(fmt.Sprint(args...)))
}

// TempDir implements testing.TB.
func (p *Program) TempDir() string {
	folder, err := os.MkdirTemp("", "databay")
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			p.Error(err)
		}
	})
	return folder
}
