internal import TributaryCore
public import TributaryDSL
internal import TributaryLineage
internal import TributaryState

/// What nodes let go on beside the task's thread.
extension StreamTask: PendingServices {
    /// Adds work of a node.
    public func add(_ work: any PendingWork) { pending.append(work) }

    /// A copy of the source record that is being processed.
    public func copySource() -> SourceCopy {
        if let resumed { return resumed }
        guard let batch = hot.value.batch, stores.flushes.isEmpty else { return SourceCopy(key: nil, value: nil) }
        let index = hot.value.index
        var (key, value): ([UInt8]?, [UInt8]?)
        if let bytes = batch.key(index) { key = [UInt8](copying: bytes) }
        if let bytes = batch.value(index) { value = [UInt8](copying: bytes) }
        return SourceCopy(key: key, value: value)
    }

    /// Goes on with a record that was copied.
    public func resume(_ source: SourceCopy, _ body: () throws -> Void) throws {
        let before = resumed
        resumed = source
        defer { resumed = before }
        try body()
    }

    /// Where asynchronous closures run.
    public var asyncExecutor: (any TaskExecutor)? { configuration.asyncExecutor }

    /// Whether something hasn't come back yet.
    var hasPending: Bool { pending.contains { $0.isPending } }

    /// Gives on what has come back; returns whether there was anything.
    func deliver(waits: Bool) throws -> Bool {
        guard waits || configuration.deliversEarly else { return false }
        var hasAny = false
        // What one gives on may come to another.
        repeat {
            for work in pending where work.isPending {
                if try work.deliver(waits: waits) { hasAny = true }
            }
        } while waits && hasPending
        if hasAny { hot.value.needsCommit = true }
        return hasAny
    }

    /// Gives on what has come back between records.
    func deliverBetweenRecords() throws -> Bool {
        guard hasPending else { return false }
        hot.value.batch = nil
        recorder.enter(scope)
        recorder.showNothing()
        do { return try deliver(waits: false) } catch { throw failure(.processing, node: nil, nil, error) }
    }
}
