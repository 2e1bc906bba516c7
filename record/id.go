package record

import (
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
)

// BatchKey returns a digest of the IDs of records, in their order: 32 hexadecimal
// digits of FNV-1a with 128 bits over each ID preceded by its length. Equal keys
// mean equal records, unless somebody chooses IDs in order to break that; the same
// records in another order, or cut into other batches, have another key. ok is
// false, and the key empty, if there is no record or one of them has no ID.
func BatchKey(records []Record) (key string, ok bool) {
	if len(records) == 0 {
		return "", false
	}
	digest := fnv.New128a()
	var length [8]byte
	for _, r := range records {
		if r.id == "" {
			return "", false
		}
		binary.BigEndian.PutUint64(length[:], uint64(len(r.id)))
		digest.Write(length[:])
		digest.Write([]byte(r.id))
	}
	return hex.EncodeToString(digest.Sum(nil)), true
}
