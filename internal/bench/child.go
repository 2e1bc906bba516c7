//go:build child

package main

// nodes are not in the child process of W3, whose memory is measured: HTTP and MongoDB
// would be a good part of it.
var nodes []workload
