package testserver

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
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
	_, self, _, _ := runtime.Caller(0)
	sources := filepath.Join(filepath.Dir(self), "testdata", "mongo")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatalf("no folder for the jars: %v", err)
	}
	jars := filepath.Join(cache, "databay", "mongo-java-server")
	if found, _ := filepath.Glob(filepath.Join(jars, "*.jar")); found == nil {
		t.Fatalf("no jars in %s: mvn -f %s dependency:copy-dependencies -DoutputDirectory=%[1]s fetches them", jars, sources)
	}
	_, port, _ := strings.Cut(addr, ":")
	cmd := exec.Command("java", "-cp", filepath.Join(jars, "*"), filepath.Join(sources, "Launcher.java"), port)
	return Start(t, cmd, Dial(addr))
}
