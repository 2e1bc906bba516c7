// Package testserver starts real servers on the loopback interface for integration
// tests. A test asks for a server by the function named after it; where integration
// tests are not asked for, the test is skipped with a line that says so, and where
// they are, a server that does not come up fails the test.
package testserver

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Require skips t unless integration tests are asked for: CI=true or
// DATABAY_INTEGRATION=1. The argument what says what is then not tested.
func Require(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "true" && os.Getenv("DATABAY_INTEGRATION") != "1" {
		t.Skipf("SKIPPED, needs a real server: %s (set DATABAY_INTEGRATION=1, or CI=true)", what)
	}
}

// Addr returns a loopback address whose port is free, and that no other caller of Addr
// gets until the test ends. The system gives such ports to nobody who asks for any port,
// so that they stay free until a server takes them, and while it is started again.
func Addr(t testing.TB) (addr string, port int) {
	t.Helper()
	var err error
	for range 100 {
		port = 10_000 + rand.IntN(20_000)
		addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		var mine net.PacketConn // whoever has the UDP port may have the TCP port, in whatever process
		if mine, err = net.ListenPacket("udp", addr); err != nil {
			continue
		}
		var l net.Listener
		if l, err = net.Listen("tcp", addr); err != nil {
			_ = mine.Close()
			continue
		}
		_ = l.Close()
		t.Cleanup(func() { _ = mine.Close() })
		return addr, port
	}
	t.Fatalf("no free port: %v", err)
	return "", 0
}

// A Server is a child process that a test started.
type Server struct {
	cmd  *exec.Cmd
	out  output
	done chan struct{}
}

// Start starts cmd and returns once ready returns nil, which it is asked for
// three minutes at most. The process is killed when the test ends. Its output is part of
// the failure when it does not come up. Cmd's Stdout and Stderr must be nil.
func Start(t testing.TB, cmd *exec.Cmd, ready func(context.Context) error) *Server {
	t.Helper()
	s := &Server{cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &s.out, &s.out
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s does not start: %v", cmd.Path, err)
	}
	go func() {
		defer close(s.done)
		_ = cmd.Wait() // how a killed process ends is no news
	}()
	t.Cleanup(s.Kill)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return s
		}
		select {
		case <-s.done:
			t.Fatalf("%s ended before it was ready (%v):\n%s", cmd.Path, err, s.out.String())
		case <-ctx.Done():
			t.Fatalf("%s was not ready within three minutes (%v):\n%s", cmd.Path, err, s.out.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Kill ends the process with SIGKILL and waits for it. It is safe to call twice.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it fails when the process has ended, which is the aim
	<-s.done
}

// Dial is a ready function for Start: addr takes connections.
func Dial(addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

// Output is a buffer that the process writes and a failing test reads.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
