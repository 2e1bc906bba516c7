// Package kafkaoutlet pushes records to Kafka topics.
//
//	out := kafkaoutlet.New("kafka:9092", "orders", nil)
//
// A []byte or a string is written as it is, anything else as JSON, unless
// [Options].Encode says otherwise. A nil []byte is a record without a value, a
// tombstone. Where a record goes, and with what, its metadata say: [Topic], [Key],
// [Partition], [Headers] and [Timestamp]. Without a partition the key decides, as in
// other clients of Kafka; without a key too, the outlet spreads the records.
//
// # What is accepted
//
// A record is accepted when all replicas in sync have it, or the leader alone if
// [Options].Acks says so. A push waits for that, so a Shutdown has nothing to flush.
// The client repeats what failed on the way, in order and without doubling it.
//
// Refused for good ([record.Permanent]) is a record that cannot be encoded, is too
// large, has an invalid timestamp or one that the topic refuses, names an invalid topic
// or partition, a topic that does not exist (ten seconds later still), or one that this
// user may not write to.
// The broker refuses batches of records as a whole: the outlet then finds out which
// record it was, and writes the others.
//
// Any other failure leaves the record to be offered again. Whether it was written is
// not known if there was no answer, to the end of the context or the Timeout: then it
// may be there twice.
//
// # Order
//
// Records of one key, or one partition, are written in their order, in a push and from
// push to push of one link. When one fails that may pass later, those behind it in its
// partition fail with it. Three cases break the order: a record that was refused for
// good, which those behind it pass; a batch that was refused as a whole, whose other
// records may be written after later ones of the push; and links that share the outlet
// and push at the same time, when one of them is given up. Let MaxBytes be not above
// the topic's max.message.bytes, and the second cannot come of a record that is too
// large.
//
// # Secrets
//
// The password is never part of an error or a name. Options of the user's own, a
// logger for instance, write what they write.
package kafkaoutlet
