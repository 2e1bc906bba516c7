// Package httpoutlet pushes records over HTTP: as a JSON array, as JSON lines, or
// with a request a record.
//
//	out := httpoutlet.New("https://example.com/orders", &httpoutlet.Options{
//		Body:   httpoutlet.Lines,
//		Bearer: os.Getenv("TOKEN"),
//	})
//
// A record that cannot be encoded fails for good, alone.
//
// # Answers
//
// What a status means, unless [Options].Status says otherwise:
//
//   - 2xx: accepted, whatever becomes of the body of the answer;
//   - 408, 425, 429 and 5xx: not accepted, and offered again, after a Retry-After if
//     there is one ([record.RetryAfter]);
//   - 401 where tokens come from [Options].Token, and another one did not help: offered
//     again;
//   - any other: refused for good ([record.Permanent]). That includes redirects, but
//     for 307 and 308, which are followed unless they lead from https to http: another
//     one would turn the request into a GET, and the records would be gone.
//
// A failure without a status, a timeout for instance, leaves open whether the server
// has the records. They are offered again: let the server know them by
// [Options].IdempotencyHeader.
//
// # A request a record
//
// With [Single] the records are sent one after another, in their order. One that is
// refused for good does not stop those behind it. After any other failure the rest is
// not sent, for the order's sake, and counts as failed with it.
//
// # Bulk requests
//
// An [Encoder] may write several lines for a record, and [Options].Status may read an
// answer that has a status for each, of which [Meaning] makes errors. That is what bulk
// requests of Elasticsearch and its relatives need; an example of [Options] makes them.
//
// # Secrets
//
// Errors and names show the scheme, host and path of the URL. They never show its
// user and password, its query, or the values of parameters, headers and tokens; where
// an answer repeats one of these, of 6 bytes or more, stars stand for it. When a
// request is redirected to another host the headers of [Options] and what lets it in
// are left out. A client of the user's own follows its own rules there, and writes
// its own logs.
package httpoutlet
