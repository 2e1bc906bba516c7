package mongooutlet

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Options are the options of an [Outlet]. The zero value of each field is a good
// default.
type Options struct {
	// Key names the fields, dotted where they are nested, whose values say which
	// document a record replaces. If there is none it is inserted. A record that lacks
	// one of them, or has null or an array there, fails for good. Let the collection
	// have a unique index over these fields: without one, outlets that push side by
	// side may insert twice. If empty, every record is inserted.
	Key []string

	// UseID makes the ID of a record the _id of its document, which replaces one that
	// has it: a record that is offered again is written once. A record without an ID
	// fails for good, and so does one with another _id in its payload. It excludes Key.
	UseID bool

	// Merge sets the fields of a document that is there, and leaves its other fields
	// alone, instead of replacing it. It needs Key or UseID.
	Merge bool

	// Unordered lets the server write the records of a collection in any order, side by
	// side, and go on after whatever failure of one of them. Else they are written in
	// their order; see the package's page.
	Unordered bool

	// TLS encrypts the connections in its way, instead of as the URI says. The outlet
	// uses a copy.
	TLS *tls.Config

	// Timeout bounds each command, and what Start and Check wait for an answer of the
	// server. If 0, 30 seconds; if -1, the context and what the URI
	// says do.
	Timeout time.Duration

	// Client is used instead of an own one, by outlets that share connections or need
	// what no URI says. It stays connected when the outlet is shut down. It excludes a
	// URI and TLS. If nil, every Start makes a client from the URI.
	Client *mongo.Client
}

const defaultTimeout = 30 * time.Second

// resolve returns a copy with the defaults filled in.
func (o *Options) resolve() Options {
	if o == nil {
		o = &Options{}
	}
	c := *o
	c.Key = slices.Clone(c.Key)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	if c.TLS != nil {
		c.TLS = c.TLS.Clone()
	}
	return c
}

// mistakes returns everything that is wrong with the options.
func (o *Options) mistakes() []error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("mongooutlet: "+format, args...))
	}
	for i, field := range o.Key {
		switch {
		case slices.Contains(strings.Split(field, "."), "") || strings.HasPrefix(field, "$") || !writable(field):
			wrong("Key[%d] is %.100q, want the name of a field, or names joined by dots", i, field)
		case slices.Contains(o.Key[:i], field):
			wrong("Key[%d] is %.100q again, want each field once", i, field)
		}
	}
	if o.UseID && len(o.Key) > 0 {
		wrong("Key is %.100q and UseID is true, want one of them", o.Key)
	}
	if o.Merge && !o.UseID && len(o.Key) == 0 {
		wrong("Merge is true, want false without Key or UseID, which say with what")
	}
	if o.Timeout < -1 {
		wrong("Timeout is %v, want more than 0, or 0 for %v, or -1 for none", o.Timeout, defaultTimeout)
	}
	if o.Client != nil && o.TLS != nil {
		wrong("TLS and Client are given, want one of them: a client has its own")
	}
	return errs
}

// checkDatabase returns what is wrong with the name of a database.
func checkDatabase(name string) error {
	if name == "" || len(name) > 63 || strings.ContainsAny(name, `/\. "$*<>:|?`) || !writable(name) {
		return fmt.Errorf(`%.100q, want 1 to 63 bytes without any of /\. "$*<>:|?`, name)
	}
	return nil
}

// checkCollection returns what is wrong with the name of a collection.
func checkCollection(name string) error {
	if name == "" || len(name) > 190 || strings.Contains(name, "$") || strings.HasPrefix(name, "system.") ||
		slices.Contains(strings.Split(name, "."), "") || !writable(name) {
		return fmt.Errorf("%.100q, want 1 to 190 bytes without $, no dots at its ends or side by side, and no system. before it", name)
	}
	return nil
}

// writable reports whether BSON can have s as a name.
func writable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// check reports what is wrong with the outlet's own database and collection.
func check(database, collection string) error {
	var errs []error
	if err := checkDatabase(database); err != nil {
		errs = append(errs, fmt.Errorf("mongooutlet: database is %w", err))
	}
	if err := checkCollection(collection); err != nil {
		errs = append(errs, fmt.Errorf("mongooutlet: collection is %w", err))
	}
	return errors.Join(errs...)
}
