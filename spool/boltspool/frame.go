package boltspool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/databay-go/databay/spool"
)

// A file has one bucket. Its keys are the places in the queue, big-endian. A value is
// framed: a checksum of the key and of all the rest, when it was appended, the bytes
// of the codec.
var (
	bucket   = []byte("databay.spool.1")
	checksum = crc32.MakeTable(crc32.Castagnoli)
)

const (
	keySize = 8
	header  = 4 + 8
)

func key(seq int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(seq)) }

// size is what a record takes, as the limit counts.
func size(frame []byte) int64 { return keySize + int64(len(frame)) }

// frame returns what is written of a record, without the checksum.
func frame(data []byte, at time.Time) []byte {
	f := make([]byte, header, header+len(data))
	binary.BigEndian.PutUint64(f[4:], uint64(at.UnixNano()))
	return append(f, data...)
}

func sum(key, frame []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, checksum), checksum, frame[4:])
}

// isKey reports whether k is a place in the queue.
func isKey(k []byte) bool { return len(k) == keySize && int64(binary.BigEndian.Uint64(k)) > 0 }

func intact(key, frame []byte) bool {
	return len(frame) >= header && binary.BigEndian.Uint32(frame) == sum(key, frame)
}

// appendTo appends frames, which it completes.
func appendTo(tx *bolt.Tx, frames [][]byte) error {
	b := tx.Bucket(bucket)
	b.FillPercent = 1 // nothing is put between
	for _, f := range frames {
		seq, err := b.NextSequence()
		if err != nil {
			return err
		}
		k := key(int64(seq))
		binary.BigEndian.PutUint32(f, sum(k, f))
		if err := b.Put(k, f); err != nil {
			return err
		}
	}
	return nil
}

// read returns an entry without its record, and a copy of the bytes of that.
func read(k, v []byte) (spool.Entry, []byte) {
	e := spool.Entry{Seq: int64(binary.BigEndian.Uint64(k))}
	if !intact(k, v) {
		e.Err = errors.New("it is damaged: the checksum is wrong")
		return e, bytes.Clone(v)
	}
	e.At = time.Unix(0, int64(binary.BigEndian.Uint64(v[4:])))
	return e, bytes.Clone(v[header:])
}
