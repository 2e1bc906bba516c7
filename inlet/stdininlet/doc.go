// Package stdininlet pulls lines from standard input, or from any other reader, so
// that a link is a part of a pipeline in a shell.
//
//	in := stdininlet.New(&stdininlet.Options{Decode: stdininlet.JSON[Event]})
//	…
//	ctx, stop := context.WithCancel(ctx)
//	go func() { <-in.Done(); stop() }()
//	err := planner.Run(ctx, events)
//
// Every line becomes a record, by default of the JSON that it has. A pull returns
// the lines that have arrived; if there are none it waits a little. At the end of the
// input later pulls yield nothing, and [Inlet.Done] tells the program.
//
// # Failures
//
// A line that cannot be decoded, or with which the decoder panics, is an error that
// names its number. The lines before it are delivered with the error, and the next pull
// goes on behind it. An error of the reader ends the input.
//
// # Delivery
//
// Standard input cannot be read twice: what was pulled and not delivered when the
// process dies is lost, and so is what was read ahead. Records have no IDs.
package stdininlet
