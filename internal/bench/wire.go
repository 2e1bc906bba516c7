//go:build !child

package main

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// wireServer speaks enough of MongoDB's wire protocol to count what is inserted, and
// costs next to nothing, so that what is measured is the client's side.
type wireServer struct {
	listener net.Listener
	inserted atomic.Int64
	conns    sync.Map // of net.Conn
	all      sync.WaitGroup
}

func newWireServer() (*wireServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &wireServer{listener: l}
	s.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // it is closed
			}
			s.conns.Store(c, nil)
			s.all.Go(func() { s.serve(c) })
		}
	})
	return s, nil
}

func (s *wireServer) uri() string { return "mongodb://" + s.listener.Addr().String() }

func (s *wireServer) close() error {
	err := s.listener.Close()
	s.conns.Range(func(c, _ any) bool {
		err = errors.Join(err, c.(net.Conn).Close())
		return true
	})
	s.all.Wait()
	return err
}

// serve answers the messages of a connection until it is closed.
func (s *wireServer) serve(c net.Conn) {
	head := make([]byte, 16)
	var body []byte
	for {
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		n := int(binary.LittleEndian.Uint32(head)) - len(head)
		if n > cap(body) {
			body = make([]byte, n)
		}
		body = body[:n]
		if _, err := io.ReadFull(c, body); err != nil {
			return
		}
		if _, err := c.Write(s.answer(head, body)); err != nil {
			return
		}
	}
}

const opQuery = 2004 // what a connection begins with; everything else is an OP_MSG

// answer returns the reply to a message, and counts the documents of an insert.
func (s *wireServer) answer(head, body []byte) []byte {
	legacy := binary.LittleEndian.Uint32(head[12:]) == opQuery
	n := 0
	for rest := body[4:]; !legacy && len(rest) > 0; {
		kind := rest[0]
		section := rest[1 : 1+binary.LittleEndian.Uint32(rest[1:])]
		rest = rest[1+len(section):]
		if kind == 1 { // a sequence of documents behind its name
			for at := 4 + len("documents\x00"); at < len(section); n++ {
				at += int(binary.LittleEndian.Uint32(section[at:]))
			}
		}
	}
	s.inserted.Add(int64(n))
	raw, err := bson.Marshal(bson.D{
		{Key: "ok", Value: 1}, {Key: "n", Value: n}, {Key: "ismaster", Value: true}, {Key: "helloOk", Value: true},
		{Key: "maxBsonObjectSize", Value: 16 << 20}, {Key: "maxMessageSizeBytes", Value: 48_000_000},
		{Key: "maxWriteBatchSize", Value: 100_000}, {Key: "minWireVersion", Value: 0}, {Key: "maxWireVersion", Value: 21},
	})
	if err != nil {
		panic(err) // a document of numbers
	}
	reply := append(make([]byte, 8), head[4:8]...) // length and ID, and what it answers
	if legacy {
		reply = append(reply, 1, 0, 0, 0)                  // OP_REPLY
		reply = append(reply, make([]byte, 16)...)         // flags, cursor, start
		reply = binary.LittleEndian.AppendUint32(reply, 1) // one document
	} else {
		reply = binary.LittleEndian.AppendUint32(reply, 2013) // OP_MSG
		reply = append(reply, 0, 0, 0, 0, 0)                  // flags; a section of one document
	}
	reply = append(reply, raw...)
	binary.LittleEndian.PutUint32(reply, uint32(len(reply)))
	return reply
}
