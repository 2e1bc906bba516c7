package boltstate

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	bolt "go.etcd.io/bbolt"
)

// A file has one bucket. Its keys are those of the store behind a byte that is
// always the same, since bbolt has no empty key. A value is framed: a checksum of
// all the rest and of the key, the revision, the bytes.
var (
	bucket   = []byte("databay.state.1")
	checksum = crc32.MakeTable(crc32.Castagnoli)
)

const (
	mark   = 'k'
	header = 4 + 8
)

func stored(key string) []byte { return append([]byte{mark}, key...) }

// frame returns what is written of a value.
func frame(key string, value []byte, rev int64) []byte {
	f := make([]byte, header, header+len(value))
	binary.BigEndian.PutUint64(f[4:], uint64(rev))
	f = append(f, value...)
	binary.BigEndian.PutUint32(f, sum(key, f))
	return f
}

func sum(key string, frame []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(key), checksum), checksum, frame[4:])
}

// get returns a copy of the value of key.
func get(b *bolt.Bucket, key string) (value []byte, rev int64, err error) {
	f := b.Get(stored(key))
	if f == nil {
		return nil, 0, nil
	}
	if len(f) < header || binary.BigEndian.Uint32(f) != sum(key, f) {
		return nil, 0, fmt.Errorf("what it holds of %q is damaged: the checksum is wrong", key)
	}
	return bytes.Clone(f[header:]), int64(binary.BigEndian.Uint64(f[4:])), nil
}

// check makes the bucket, and looks at every page that leads to a value.
func check(tx *bolt.Tx) error {
	b, err := tx.CreateBucketIfNotExists(bucket)
	if err != nil {
		return err
	}
	return b.ForEach(func(k, v []byte) error {
		if len(k) == 0 || k[0] != mark || v == nil {
			return fmt.Errorf("it holds the key %q, which is not of a store", k)
		}
		return nil
	})
}
