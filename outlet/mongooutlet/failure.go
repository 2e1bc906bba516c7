package mongooutlet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/databay-go/databay/record"
)

// passes reports whether a code of the server says that it is busy, is being stopped, or
// has lost its role or its time. A refused document is the document's fault unless its
// code is one of these.
func passes(code int) bool {
	switch code {
	case 1, // InternalError
		6,     // HostUnreachable
		7,     // HostNotFound
		8,     // UnknownError
		24,    // LockTimeout
		46,    // LockBusy
		50,    // MaxTimeMSExpired
		63,    // StaleShardVersion
		64,    // WriteConcernTimeout
		89,    // NetworkTimeout
		91,    // ShutdownInProgress
		112,   // WriteConflict
		117,   // ConflictingOperationInProgress
		133,   // FailedToSatisfyReadPreference
		150,   // StaleEpoch
		189,   // PrimarySteppedDown
		202,   // NetworkInterfaceExceededTimeLimit
		251,   // NoSuchTransaction
		262,   // ExceededTimeLimit
		365,   // TemporarilyUnavailable
		9001,  // SocketException
		10058, // NotPrimary, of old servers
		10107, // NotWritablePrimary
		11600, // InterruptedAtShutdown
		11601, // Interrupted
		11602, // InterruptedDueToReplStateChange
		13388, // StaleConfig
		13435, // NotPrimaryNoSecondaryOk
		13436, // NotPrimaryOrSecondary
		14031: // OutOfDiskSpace
		return true
	}
	return false
}

// lasts reports whether a code says that the user or the names are not let in, or that
// the server knows no such command or write concern. A failed command passes unless its
// code is one of these, or of those of malformed.
func lasts(code int) bool {
	switch code {
	case 13, // Unauthorized
		18,  // AuthenticationFailed
		20,  // IllegalOperation
		26,  // NamespaceNotFound
		59,  // CommandNotFound
		72,  // InvalidOptions
		73,  // InvalidNamespace
		79,  // UnknownReplWriteConcern
		100, // UnsatisfiableWriteConcern
		115, // CommandNotSupported
		166: // CommandNotSupportedOnView
		return true
	}
	return false
}

// malformed reports whether a code says that a command is not to be understood or taken,
// for one document of it perhaps.
func malformed(code int) bool {
	switch code {
	case 2, // BadValue
		9,     // FailedToParse
		14,    // TypeMismatch
		22,    // InvalidBSON
		121,   // DocumentValidationFailure
		10334: // BSONObjectTooLarge
		return true
	}
	return false
}

// errUnacknowledged is what a client that waits for no answer has in place of one.
var errUnacknowledged = errors.New("the client has the write concern w=0, want one that says what was written")

// outcome is what became of the documents of one command.
type outcome struct {
	done   int           // so many were decided about; those behind them were not tried
	failed map[int]error // by index, those not accepted
	rest   error         // why what is behind them in the collection is not to be sent, or nil
	down   bool          // the other collections are not to be written to either
}

// outcomeOf returns what the answer to a command of n documents means.
func (o *Outlet) outcomeOf(ctx context.Context, n int, err error) outcome {
	if err == nil {
		return outcome{done: n}
	}
	bulk, ok := errors.AsType[mongo.BulkWriteException](err)
	if !ok || !sane(bulk, n) {
		if command, ok := errors.AsType[mongo.CommandError](err); ok && malformed(int(command.Code)) && n > 1 {
			return outcome{} // which of the documents it is shows when they come in smaller commands
		}
		err = o.failure(ctx, err)
		out := outcome{done: n, failed: make(map[int]error, n)}
		for i := range n {
			out.failed[i] = err
		}
		if !record.IsPermanent(err) {
			out.rest, out.down = err, true
		}
		return out
	}
	out := outcome{done: n, failed: make(map[int]error, len(bulk.WriteErrors))}
	for _, e := range bulk.WriteErrors {
		out.failed[e.Index] = o.refusal(e.WriteError)
		if !o.opts.Unordered {
			out.done = min(out.done, e.Index+1)
		}
	}
	if e := bulk.WriteConcernError; e != nil {
		err := o.address.clean(fmt.Errorf("written, but not as safely as asked for: %w", *e))
		if lasts(e.Code) {
			err = record.Permanent(err)
		}
		for i := range out.done {
			if out.failed[i] == nil {
				out.failed[i] = err
			}
		}
	}
	for _, err := range out.failed {
		if !o.opts.Unordered && !record.IsPermanent(err) {
			out.rest = err
		}
	}
	return out
}

// sane reports whether an answer names something, and only documents that were sent.
func sane(bulk mongo.BulkWriteException, n int) bool {
	for _, e := range bulk.WriteErrors {
		if e.Index < 0 || e.Index >= n {
			return false
		}
	}
	return len(bulk.WriteErrors) > 0 || bulk.WriteConcernError != nil
}

// refusal returns what the failure of a single document means. It is permanent unless
// it is known to pass.
func (o *Outlet) refusal(e mongo.WriteError) error {
	err := o.address.clean(e)
	if passes(e.Code) || o.raced(e) {
		return err
	}
	return record.Permanent(err)
}

// raced reports whether e says that somebody else has inserted the document that was
// to be inserted, for it was not there: the next time it is replaced.
func (o *Outlet) raced(e mongo.WriteError) bool {
	key := o.opts.Key
	if o.opts.UseID {
		key = []string{"_id"}
	}
	pattern, ok := e.Raw.Lookup("keyPattern").DocumentOK()
	if e.Code != 11000 || len(key) == 0 || !ok {
		return false
	}
	fields, err := pattern.Elements()
	if err != nil || len(fields) != len(key) {
		return false
	}
	for _, field := range key {
		if _, err := bson.Raw(pattern).LookupErr(field); err != nil {
			return false
		}
	}
	return true
}

// failure returns what the failure of a whole command means. It passes unless it is
// known to last. That of a context that has ended is the cause of that.
func (o *Outlet) failure(ctx context.Context, err error) error {
	if end, ok := ctx.Deadline(); ok && mongo.IsTimeout(err) && !time.Now().Before(end) {
		<-ctx.Done() // a connection sees the deadline a moment before the context ends
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), o.address.clean(err))
	}
	clean := o.address.clean(err)
	if errors.Is(err, errUnacknowledged) {
		return record.Permanent(clean)
	}
	if command, ok := errors.AsType[mongo.CommandError](err); ok && (lasts(int(command.Code)) || malformed(int(command.Code))) {
		return record.Permanent(clean)
	}
	if _, ok := errors.AsType[mongo.InvalidArgumentError](err); ok {
		return record.Permanent(clean)
	}
	if _, ok := errors.AsType[mongo.MarshalError](err); ok {
		return record.Permanent(clean)
	}
	return clean
}
