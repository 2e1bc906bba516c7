// Package httpinlet pulls over HTTP: the answer to a request becomes records.
//
//	quotes := httpinlet.New("https://example.com/quotes", &httpinlet.Options{
//		Params: url.Values{"market": {"XETR"}},
//		Decode: httpinlet.JSON[Quote],
//	})
//
// There are three inlets: [New] asks for the same at every pull, [NewConditional] for a
// document only if it has changed, and [NewFeed] for what has come after a cursor. The
// latter two have a position, and go on after a restart where delivery ended.
//
// # Bodies
//
// A [Decoder] makes records of a body. Without one the body is JSON of any shape: every
// element of an array is a record, anything else is one record, null and an empty body
// are none. [JSON] makes values of a type of the program, [JSONField] those in a field
// of an object, [JSONLines] one of every line, [Text] one text of it all; [WithID] gives
// the records IDs. Bodies that are compressed with gzip are decompressed.
//
// # Pages
//
// Options.Next is a [Finder] of the next page: [LinkHeader], [PageNumber], a [Cursor]
// in the query, a [Field] that has the URL, or a function. A pull yields the records of
// all pages, or fails; a list that changes while it is read may have a record twice, or
// not at all, as the server has it. The next page must be on the host of the inlet's URL,
// which alone is what Headers and credentials are for, and https stays https.
//
// # Failures
//
// A pull fails if there is no complete answer within the timeout, if its status is
// neither 2xx nor 304 (a [StatusError]), if the body is too large, or if it cannot be
// decoded. It then yields nothing, but for the pages of a feed before the failure. A
// request whose failure may pass is repeated before: see [Retry]. A 429 or 503 that
// says when to come back is marked with [record.RetryAfter].
//
// # Limits
//
// A [Limiter] bounds how often requests are made; inlets of one server may share it.
// Timeout, MaxBody and MaxPages bound a request, a body and a pull: a pull keeps the
// records of all its pages in memory.
//
// # Secrets
//
// Errors and names show the scheme, host and path of the URL. They never show its
// user and password, its query, or the values of parameters, headers and tokens, the
// texts in a body that is sent, or the query of a next page; where an answer repeats one
// of these, of 6 bytes or more, stars stand for it. When a request is redirected to
// another host, or from https to http, the headers of [Options] and what lets it in are
// left out. A client of the user's own follows its own rules there, and writes its own
// logs.
package httpinlet
