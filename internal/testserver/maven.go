package testserver

import (
	"crypto/sha256"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Poms has a folder for each server that runs on Java: a pom.xml that says which jars
// it is made of and, where they have no main class that fits, a Launcher.java.
//
//go:embed testdata/*/*
var poms embed.FS

// Java returns a command that runs main, a class or the file Launcher.java, with the
// jars of the named server. Maven fetches them at the first use; they are then kept
// in the cache folder of the user.
func java(t testing.TB, server string, flags []string, main string, args ...string) *exec.Cmd {
	t.Helper()
	folder := jars(t, server)
	if main == "Launcher.java" {
		source, err := poms.ReadFile("testdata/" + server + "/" + main)
		if err != nil {
			t.Fatal(err)
		}
		main = filepath.Join(t.TempDir(), main)
		if err := os.WriteFile(main, source, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flags = append(append([]string{"-cp", filepath.Join(folder, "*")}, flags...), main)
	return exec.Command("java", append(flags, args...)...)
}

// jars returns the folder with the jars that the server's pom.xml asks for. Another
// pom.xml has another folder. Several processes may call it at the same time.
func jars(t testing.TB, server string) (folder string) {
	t.Helper()
	pom, err := poms.ReadFile("testdata/" + server + "/pom.xml")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	cache = filepath.Join(cache, "databay-testserver")
	folder = filepath.Join(cache, fmt.Sprintf("%s-%.8x", server, sha256.Sum256(pom)))
	if _, err := os.Stat(folder); err == nil {
		return folder
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	temp, err := os.MkdirTemp(cache, server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(temp) }() // what is left of it is rubbish in a cache
	file := filepath.Join(temp, "pom.xml")
	if err := os.WriteFile(file, pom, 0o600); err != nil {
		t.Fatal(err)
	}
	lib := filepath.Join(temp, "lib")
	cmd := exec.Command("mvn", "-q", "-B", "-f", file, "dependency:copy-dependencies", "-DoutputDirectory="+lib)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("Maven cannot fetch the jars of %s: %v\n%s", server, err, out)
	}
	if err := os.Rename(lib, folder); err != nil {
		if _, e := os.Stat(folder); e != nil { // else another process was faster
			t.Fatal(err)
		}
	}
	return folder
}
