package mongooutlet_test

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// command is one that a double has got.
type command struct {
	name       string // insert, update, ping, …
	database   string
	collection string
	ordered    bool
	docs       []bson.Raw // those of an insert, or the updates of an update
}

// double speaks enough of the wire protocol for an outlet, and keeps what is inserted.
// It is no server: what one says to a document is tested with mongo-java-server.
type double struct {
	t      testing.TB
	uri    string
	answer func(c command) bson.D // nil, or a nil answer: accepts; hangUp: closes the connection

	forget bool // keeps nothing, for benchmarks

	mu       sync.Mutex
	commands []command
	conns    map[net.Conn]bool
}

// hangUp is an answer that is none.
var hangUp = bson.D{}

// newDouble starts a double.
func newDouble(t testing.TB, answer func(c command) bson.D) *double {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	d := &double{t: t, uri: "mongodb://" + l.Addr().String(), answer: answer, conns: make(map[net.Conn]bool)}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			d.mu.Lock()
			d.conns[c] = true
			d.mu.Unlock()
			group.Go(func() { d.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		d.mu.Lock()
		for c := range d.conns {
			_ = c.Close()
		}
		d.mu.Unlock()
		group.Wait()
	})
	return d
}

// writes returns the inserts and updates that have come.
func (d *double) writes() (all []command) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.commands {
		if c.name == "insert" || c.name == "update" {
			all = append(all, c)
		}
	}
	return all
}

// take returns the documents and updates that have come, and forgets them.
func (d *double) take() (docs []bson.Raw) {
	for _, c := range d.writes() {
		docs = append(docs, c.docs...)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.commands = nil
	return docs
}

func (d *double) serve(c net.Conn) {
	defer func() {
		_ = c.Close()
		d.mu.Lock()
		delete(d.conns, c)
		d.mu.Unlock()
	}()
	for {
		head := make([]byte, 16)
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		body := make([]byte, binary.LittleEndian.Uint32(head)-16)
		if _, err := io.ReadFull(c, body); err != nil {
			return
		}
		cmd, legacy := read(head, body)
		if !d.forget {
			d.mu.Lock()
			d.commands = append(d.commands, cmd)
			d.mu.Unlock()
		}
		reply := d.reply(cmd)
		if reply != nil && len(reply) == 0 {
			return
		}
		if _, err := c.Write(message(d.t, head[4:8], reply, legacy)); err != nil {
			return
		}
	}
}

func (d *double) reply(c command) bson.D {
	if d.answer != nil {
		if reply := d.answer(c); reply != nil {
			return reply
		}
	}
	switch c.name {
	case "insert", "update":
		return bson.D{{Key: "ok", Value: 1}, {Key: "n", Value: len(c.docs)}, {Key: "nModified", Value: len(c.docs)}}
	case "ping", "endSessions":
		return bson.D{{Key: "ok", Value: 1}}
	}
	return bson.D{
		{Key: "ok", Value: 1}, {Key: "ismaster", Value: true}, {Key: "helloOk", Value: true}, {Key: "maxBsonObjectSize", Value: 16 << 20},
		{Key: "maxMessageSizeBytes", Value: 48_000_000}, {Key: "maxWriteBatchSize", Value: 100_000}, {Key: "minWireVersion", Value: 0}, {Key: "maxWireVersion", Value: 21},
	}
}

// read takes a message apart: an OP_MSG, or the OP_QUERY that a connection begins with.
func read(head, body []byte) (c command, legacy bool) {
	if binary.LittleEndian.Uint32(head[12:]) == 2004 {
		return command{name: "hello"}, true
	}
	doc := func(b []byte) bson.Raw { return b[:binary.LittleEndian.Uint32(b)] }
	for rest := body[4:]; len(rest) > 0; {
		kind := rest[0]
		rest = rest[1:]
		if kind == 0 {
			cmd := doc(rest)
			first, _ := cmd.IndexErr(0)
			c.name = first.Key()
			c.collection, _ = first.Value().StringValueOK()
			c.database, _ = cmd.Lookup("$db").StringValueOK()
			c.ordered, _ = cmd.Lookup("ordered").BooleanOK()
			rest = rest[len(cmd):]
			continue
		}
		section := rest[:binary.LittleEndian.Uint32(rest)]
		rest = rest[len(section):]
		for at := 4 + len("documents") + 1; section[4] == 'd' && at < len(section); at += len(doc(section[at:])) {
			c.docs = append(c.docs, doc(section[at:]))
		}
		for at := 4 + len("updates") + 1; section[4] == 'u' && at < len(section); at += len(doc(section[at:])) {
			c.docs = append(c.docs, doc(section[at:]))
		}
	}
	return c, false
}

// message is a reply to the request with an ID: an OP_MSG, or an OP_REPLY.
func message(t testing.TB, id []byte, reply bson.D, legacy bool) []byte {
	raw, err := bson.Marshal(reply)
	if err != nil {
		t.Error(err)
	}
	b := append(make([]byte, 8), id...)
	if legacy {
		b = append(b, 1, 0, 0, 0)
		b = append(b, make([]byte, 16)...)
		b = append(b, 1, 0, 0, 0) // one document
	} else {
		b = append(b, 0xdd, 7, 0, 0, 0, 0, 0, 0, 0)
	}
	b = append(b, raw...)
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	return b
}
