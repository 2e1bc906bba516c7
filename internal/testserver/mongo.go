package testserver

import (
	"net"
	"testing"
)

// Mongo starts a mongo-java-server, by de.bwaldvogel, with an empty database that it
// keeps in memory, and returns its URI. That is a server of the MongoDB wire protocol
// by other people, and no MongoDB: it has no replica sets, no transactions, no users
// and no TLS here.
func Mongo(t testing.TB) (uri string) {
	t.Helper()
	addr, _ := Addr(t)
	MongoAt(t, addr)
	return "mongodb://" + addr
}

// MongoAt starts what [Mongo] does at a loopback address whose port is free.
func MongoAt(t testing.TB, addr string) *Server {
	t.Helper()
	Require(t, "MongoDB, by mongo-java-server")
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return Start(t, java(t, "mongo", []string{"-Xmx512m"}, "Launcher.java", port), Dial(addr))
}
