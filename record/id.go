package record

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// BatchKey returns a digest of the IDs of records, in their order: 64 hexadecimal
// digits of SHA-256 over each ID preceded by its length. Equal keys mean equal
// records; the same records in another order, or cut into other batches, have
// another key. ok is false, and the key empty, if there is no record or one of
// them has no ID.
func BatchKey(records []Record) (key string, ok bool) {
	if len(records) == 0 {
		return "", false
	}
	digest := sha256.New()
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
