// Package httpclient is what the HTTP nodes have in common: one server, the options
// of its requests, errors that say what happened, and no secret in any of them.
package httpclient
