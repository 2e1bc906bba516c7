// Package httpinlet pulls over HTTP: every pull is one GET request, and the
// response's body becomes records.
//
//	quotes := httpinlet.New("https://example.com/quotes", &httpinlet.Options{
//		Params: url.Values{"market": {"XETR"}},
//		Decode: httpinlet.JSON[Quote],
//	})
//
// Without a decoder the body is JSON of any shape: every element of an array is
// a record, anything else is one record, null and an empty body are none.
//
// # Failures
//
// A pull fails, and yields nothing, if there is no complete answer within the
// timeout, if its status is 400 or above (a [StatusError]), if the body is too
// large, or if it cannot be decoded. A 429 or 503 that says when to come back is
// marked with [record.RetryAfter].
//
// # Secrets
//
// Errors and names show the scheme, host and path of the URL. They never show its
// user and password, its query, or the values of parameters and headers; where an
// answer repeats one of these, of 6 bytes or more, stars stand for it. When a
// request is redirected to another host, or from https to http, the headers of
// [Options] are left out. A client of the user's own follows its own rules there,
// and writes its own logs.
package httpinlet
