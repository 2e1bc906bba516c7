package mongooutlet_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// proxy stands before a server, and cuts connections when it is told to.
type proxy struct {
	uri    string
	target string
	left   atomic.Int64 // bytes to the server until all connections are cut; negative: any number

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// newProxy starts a proxy before the server of uri. With a certificate it speaks TLS.
func newProxy(t testing.TB, uri string, cert *tls.Certificate) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{uri: "mongodb://" + l.Addr().String(), target: strings.TrimPrefix(uri, "mongodb://"), conns: make(map[net.Conn]bool)}
	p.left.Store(-1)
	if cert != nil {
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*cert}})
	}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.cut()
		group.Wait()
	})
	return p
}

func (p *proxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.conns[client], p.conns[server] = true, true
	p.mu.Unlock()
	var group sync.WaitGroup
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // how a connection ends is no news
		_ = to.Close()
		_ = from.Close()
	}
	group.Go(func() { pass(client, server) })
	pass(server, &counted{client, p})
	group.Wait()
	p.mu.Lock()
	delete(p.conns, client)
	delete(p.conns, server)
	p.mu.Unlock()
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// counted is the connection of a client, whose bytes count.
type counted struct {
	net.Conn
	p *proxy
}

func (c *counted) Read(b []byte) (int, error) {
	if len(b) > 512 {
		b = b[:512] // so that a command is cut in the middle
	}
	n, err := c.Conn.Read(b)
	if c.p.left.Load() >= 0 && c.p.left.Add(int64(-n)) < 0 {
		c.p.cut()
		return 0, net.ErrClosed
	}
	return n, err
}

// authority makes certificates of a private CA.
type authority struct {
	pool *x509.CertPool
	file string // its certificate
	cert tls.Certificate
}

// newAuthority makes a CA, and a certificate of it for 127.0.0.1.
func newAuthority(t testing.TB) *authority {
	t.Helper()
	sign := func(template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) []byte {
		template.SerialNumber, template.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
		require.NoError(t, err)
		return der
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ca := &x509.Certificate{Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER := sign(ca, ca, caKey, caKey)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	leaf := sign(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}, ca, key, caKey)

	a := &authority{pool: x509.NewCertPool(), file: filepath.Join(t.TempDir(), "ca.pem")}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	require.True(t, a.pool.AppendCertsFromPEM(text))
	require.NoError(t, os.WriteFile(a.file, text, 0o600))
	a.cert = tls.Certificate{Certificate: [][]byte{leaf}, PrivateKey: key}
	return a
}
