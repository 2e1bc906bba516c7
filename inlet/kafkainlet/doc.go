// Package kafkainlet pulls records of Kafka topics, as a member of a consumer group.
//
//	in := kafkainlet.New("kafka:9092", "copy", []string{"orders"}, &kafkainlet.Options{
//		Decode: kafkainlet.JSON[Order],
//	})
//
// The payload of a record is its value, a []byte, or what [Options].Decode makes of
// it. Its ID is topic/partition/offset, and its metadata have the rest: [Topic],
// [Partition], [Offset], [Timestamp], and [Key] and [Headers] where there are any.
// Records of a partition come in their order.
//
// # Delivery
//
// The group keeps the position. It is committed when a link has delivered everything
// before it, and by nothing else. What is not committed comes again: after a restart,
// or to another member of the group that takes over the partition. So nothing is
// missing, and what comes twice was not committed.
//
// A group that begins with the [Latest] commits where that is, with the first pull of a
// link that is delivered: from then on nothing is passed over. What is written to a
// partition before it is first assigned, a new one of the topic for instance, is; so may
// be, until a record of it is delivered, what is in one whose broker does not answer then.
//
// Partitions that were taken away are no longer committed. What was pulled of them
// before is delivered all the same, and also by their new owner.
//
// When the broker has deleted records before they were pulled, as it does when they
// are older than the topic keeps them, the next pull says so with a [LostError]. When a
// broker has lost what it had acknowledged, the next pull fails, and what can no longer
// be told from it comes again, if need be from the beginning of the partition.
//
// # The group
//
// Members share the partitions of their topics, and keep as many as possible when one
// joins or leaves (cooperative-sticky). A process that is killed keeps its place until
// its session times out, after 45 seconds if [Options].Client does not say otherwise;
// until then nobody has its partitions. With [Options].InstanceID it takes them up
// again at once when it is back.
//
// Records of transactions come when those are committed, and not at all if they are
// aborted. The end of a transaction takes an offset too, which is committed with the rest.
//
// # Secrets
//
// The password is never part of an error or a name. Options of the user's own, a
// logger for instance, write what they write.
package kafkainlet
