/// Work that goes on beside a task's thread, and whose results come back to that in the order in which it was begun.
///
/// Used by the task's thread. A commit waits for all of it first, so that offsets are committed behind what is done.
public protocol PendingWork: AnyObject {
    /// Whether something hasn't come back yet.
    var isPending: Bool { get }

    /// Gives on what has come back.
    ///
    /// - Parameter waits: whether to wait for all that is pending; else only what is there counts.
    /// - Returns: whether there was anything.
    /// - Throws: what nodes behind throw.
    func deliver(waits: Bool) throws -> Bool

    /// Gives up what is going on.
    func cancel()
}

/// The bytes of a source record, for what becomes of it later: a dead letter has them.
public struct SourceCopy: Sendable {
    /// The key; nil for null, or if there was no record.
    public let key: [UInt8]?
    /// The value; nil for null, or if there was no record.
    public let value: [UInt8]?

    /// Makes a copy.
    public init(key: [UInt8]?, value: [UInt8]?) {
        self.key = key
        self.value = value
    }
}

/// How a task lets something go on beside its thread.
public protocol PendingServices: AnyObject {
    /// Adds work of a node; once, when the node is made.
    func add(_ work: any PendingWork)
    /// A copy of the source record that is being processed.
    func copySource() -> SourceCopy
    /// Goes on with a record that was copied: what fails is its.
    func resume(_ source: SourceCopy, _ body: () throws -> Void) throws
    /// Has the task's thread look what has come back; may be called by any thread.
    var wakeUp: @Sendable () -> Void { get }
    /// Where asynchronous closures run; nil for wherever Swift's tasks do.
    var asyncExecutor: (any TaskExecutor)? { get }
}
