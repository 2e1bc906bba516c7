package mongooutlet_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/outlet/mongooutlet"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	type options = mongooutlet.Options
	client := connected(t, "mongodb://127.0.0.1:1")
	tests := []struct {
		name                string
		uri, database, coll string
		opts                *options
		want                []string // nil: valid
		named               string   // "": not asked
	}{
		{"nil options", "mongodb://h", "db", "rows", nil, nil, "mongooutlet(mongodb://h/db.rows)"},
		{"hosts and options", "mongodb://ada:secret@a:1,b:2/auth?replicaSet=rs&w=majority", "db", "a.b", nil, nil, "mongooutlet(mongodb://a:1,b:2/db.a.b)"},
		{"escaped", "mongodb://ada:sec%40ret%2F@a", "db", "rows", nil, nil, "mongooutlet(mongodb://a/db.rows)"},
		{"srv", "mongodb+srv://ada:secret@h.example.com/?srvMaxHosts=2&w=1", "db", "rows", nil, nil, "mongooutlet(mongodb+srv://h.example.com/db.rows)"},
		{"everything", "mongodb://h", "db", "rows", &options{Key: []string{"a", "b.c"}, Merge: true, Unordered: true, TLS: new(tls.Config), Timeout: -1}, nil, ""},
		{"by ID", "mongodb://h", "db", "rows", &options{UseID: true, Merge: true, Timeout: time.Minute}, nil, ""},
		{"client", "", "db", "rows", &options{Client: client}, nil, "mongooutlet(db.rows)"},
		{"empty URI", "", "db", "rows", nil, []string{"URI is empty, want one like mongodb://host:27017"}, ""},
		{"other scheme", "http://ada:secret@h", "db", "rows", nil, []string{"URI has another scheme, want one like"}, "mongooutlet(db.rows)"},
		{"bad escape", "mongodb://ada:%secret@h", "db", "rows", nil, []string{"a % that begins no escape, want the String of url.UserPassword"}, "mongooutlet(db.rows)"},
		{"slash in password", "mongodb://ada:sec/secret@h", "db", "rows", nil, []string{"URI: error parsing uri: unescaped slash in password"}, "mongooutlet(db.rows)"},
		{"at in password", "mongodb://ada:p@secret@h", "db", "rows", nil, []string{"unescaped @ sign in user info"}, "mongooutlet(db.rows)"},
		{"no host", "mongodb://", "db", "rows", nil, []string{"must have at least 1 host"}, ""},
		{"port", "mongodb://h:99999", "db", "rows", nil, []string{"port must be in the range"}, ""},
		{"option", "mongodb://ada:secret@h/?connectTimeoutMS=soon", "db", "rows", nil, []string{`invalid value for "connectTimeoutMS": "soon"`}, ""},
		{"secret option", "mongodb://h/?tls=true&tlsCertificateKeyFilePassword=secret%zz", "db", "rows", nil, []string{"URI: error parsing uri: invalid option value"}, ""},
		{"no file", "mongodb://h/?tls=true&tlsCAFile=/none.pem", "db", "rows", nil, []string{"/none.pem"}, ""},
		{"unacknowledged", "mongodb://h/?w=0", "db", "rows", nil, []string{"URI has w=0, want a write concern that says what was written"}, ""},
		{"no database", "mongodb://h", "", "rows", nil, []string{`database is "", want 1 to 63 bytes`}, ""},
		{"dot in database", "mongodb://h", "a.b", "rows", nil, []string{`database is "a.b", want`}, ""},
		{"no collection", "mongodb://h", "db", "", nil, []string{`collection is "", want 1 to 190 bytes`}, ""},
		{"system collection", "mongodb://h", "db", "system.users", nil, []string{`collection is "system.users", want`}, ""},
		{"two dots", "mongodb://h", "db", "a..b", nil, []string{`collection is "a..b", want`}, ""},
		{"NUL", "mongodb://h", "d\x00b", "a\x00b", nil, []string{`database is "d\x00b"`, `collection is "a\x00b"`}, ""},
		{"empty field", "mongodb://h", "db", "rows", &options{Key: []string{"a", ""}}, []string{`Key[1] is "", want the name of a field`}, ""},
		{"empty part", "mongodb://h", "db", "rows", &options{Key: []string{"a..b"}}, []string{`Key[0] is "a..b", want`}, ""},
		{"operator", "mongodb://h", "db", "rows", &options{Key: []string{"$where"}}, []string{`Key[0] is "$where", want`}, ""},
		{"field twice", "mongodb://h", "db", "rows", &options{Key: []string{"a", "a"}}, []string{`Key[1] is "a" again`}, ""},
		{"two ways", "mongodb://h", "db", "rows", &options{Key: []string{"a"}, UseID: true}, []string{`Key is ["a"] and UseID is true, want one of them`}, ""},
		{"merge what", "mongodb://h", "db", "rows", &options{Merge: true}, []string{"Merge is true, want false without Key or UseID"}, ""},
		{"timeout", "mongodb://h", "db", "rows", &options{Timeout: -2}, []string{"Timeout is -2ns, want more than 0, or 0 for 30s, or -1 for none"}, ""},
		{"client and URI", "mongodb://ada:secret@h", "db", "rows", &options{Client: client}, []string{"URI and Client are given, want an empty URI"}, ""},
		{"client and TLS", "", "db", "rows", &options{Client: client, TLS: new(tls.Config)}, []string{"TLS and Client are given, want one of them"}, ""},
		{
			"all at once", "mongodb://ada:secret@h/?w=0", "a b", "$", &options{Key: []string{"."}, UseID: true, Timeout: -5},
			[]string{"URI", "database", "collection", "Key[0]", "UseID", "Timeout"}, "",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := mongooutlet.New(test.uri, test.database, test.coll, test.opts)
			if test.named != "" {
				assert.Equal(t, test.named, o.String())
			}
			assert.NotContains(t, o.String(), "secret")
			err := o.Validate()
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
			for line := range strings.SplitSeq(err.Error(), "\n") {
				assert.True(t, strings.HasPrefix(line, "mongooutlet: "), line)
			}
			for _, secret := range []string{"secret", "ada"} {
				assert.NotContains(t, strings.ReplaceAll(err.Error(), "database", ""), secret)
			}
			require.Error(t, o.Start(t.Context()), "what is not valid does not start")
			require.Error(t, o.Check(t.Context()), "what is not valid is not reachable")
		})
	}
}

// What the user changes afterwards does not change the outlet.
func TestOptionsAreCopied(t *testing.T) {
	t.Parallel()
	opts := &mongooutlet.Options{Key: []string{"a"}}
	o := mongooutlet.New("mongodb://h", "db", "rows", opts)
	opts.Key[0], opts.UseID = "", true
	assert.NoError(t, o.Validate())
}
