// Package mongooutlet writes records to MongoDB.
//
//	out := mongooutlet.New("mongodb://localhost:27017", "databay", "todos", &mongooutlet.Options{
//		UseID: true,
//	})
//
// A record goes to the outlet's database and collection unless its metadata say
// otherwise, by [Database] and [Collection]. Both come into being with their first
// document.
//
// # Payloads
//
// A payload is a document: a map, a struct or a pointer to one, a bson.D, a bson.Raw,
// or whatever marshals itself as BSON; a []byte or a json.RawMessage is a JSON object,
// of which extended JSON is understood. A field of a struct goes by its bson tag, else
// by its json tag, else by its name in lower case. Times lose what is less than a
// millisecond. A slice or an array of documents is written as many documents; if one of
// them is not accepted, the record is not, and is offered again as a whole.
//
// Any other payload, one that panics when it is encoded, and a document of more than
// 16 MiB, fail for good and alone. A payload must not contain itself. No payload is
// changed: an _id that is missing is added to what is sent.
//
// # Answers
//
// The records of a push are written collection by collection, with as few commands as
// there may be, of 10,000 documents and 16 MiB at most. What a record is answered with:
//
//   - a duplicate key, a document that the collection's validator refuses, and whatever
//     else the server has against one document: refused for good ([record.Permanent]).
//     A document that somebody else inserts while it is upserted by its key is offered
//     again;
//   - no connection, a server that is no longer the primary or is being stopped, a
//     timeout, a write conflict: offered again. Whether the server has written what was
//     under way is not known then;
//   - a user without the rights, a name or an option that the server does not take:
//     refused for good, all of the command;
//   - a write concern that was not met in time: offered again, though written; one that
//     cannot be met: refused for good.
//
// Within a collection records are written in their order: one that is refused for good
// is passed over, and after any other failure nothing more is sent. With
// [Options].Unordered the server goes on after either.
//
// Records that are inserted and offered again may be there twice. With [Options].Key or
// [Options].UseID they are not.
//
// # Secrets
//
// Errors and names show the scheme and hosts of the URI, and never its user, its
// password or its options; where an error of the driver repeats these, of 4 bytes or
// more, stars stand for them. Write a user and a password into a URI with the String of
// [net/url.UserPassword].
//
// # What it was tested with
//
// mongo-java-server 1.47.0, a server of the wire protocol by other people, made to call
// itself 4.4: inserts, upserts, duplicate keys, large batches, a server that is killed
// and comes back, connections that are cut. TLS was tested with that server behind a
// TLS proxy with a private CA. The answers that it does not give (of replica sets,
// validators, write concerns, users) were tested with a scripted peer only, so was a
// refused login. A MongoDB server itself, replica sets, sharded clusters, mongodb+srv
// names and authentication were not.
package mongooutlet
