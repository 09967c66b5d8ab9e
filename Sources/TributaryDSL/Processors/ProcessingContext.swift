public import TributaryCore
public import TributaryLineage
internal import TributaryState

/// What processors of both kinds can ask and do.
///
/// Valid on the task's thread while the task runs.
public class ProcessingContext {
    let core: ProcessorCore

    init(_ core: ProcessorCore) { self.core = core }

    /// The application's id.
    public var applicationID: String { core.services.applicationID }
    /// The task, `<sub-topology>_<partition>`.
    public var taskID: String { core.services.taskID }
    /// The greatest timestamp taken for processing by the task, ms; -1 before the first.
    public var streamTime: Int64 { core.services.streamTime }
    /// The wall clock as cached when this record or punctuation began, ms.
    public var systemTime: Int64 { core.services.wallClock }

    /// Where the record being processed was read; the topic is nil in a punctuation.
    public var recordMetadata: (topic: String?, partition: Int32, offset: Int64) {
        core.services.coordinate(of: core.origin)
    }

    /// The lineage of the record being processed: its context and cell.
    public var lineage: Lineage { core.lineage }

    /// Calls back by stream time or wall clock until cancelled.
    ///
    /// Missed intervals collapse into one call.
    ///
    /// - Parameters:
    ///   - interval: at least 1 ms.
    ///   - clock: which time is meant.
    ///   - callback: gets the current time of the clock, ms.
    @discardableResult
    public func schedule(
        every interval: Duration, _ clock: PunctuationClock, _ callback: @escaping (Int64) throws -> Void
    ) -> Punctuation {
        core.schedule(interval, clock, callback)
    }

    /// Asks for a commit at the next opportunity.
    public func requestCommit() { core.services.requestCommit() }

    /// A key-value store that the processor is connected to.
    ///
    /// - Throws: ``ProcessorError`` if it isn't connected.
    public func keyValueStore<StoreKey, StoreValue>(
        _ name: String, key: Serde<StoreKey>, value: Serde<StoreValue>
    ) throws -> KeyValueStore<StoreKey, StoreValue> {
        KeyValueStore(try core.store(name), core, key, value)
    }

    /// A window store that the processor is connected to.
    ///
    /// - Throws: ``ProcessorError`` if it isn't connected.
    public func windowStore<StoreKey, StoreValue>(
        _ name: String, key: Serde<StoreKey>, value: Serde<StoreValue>
    ) throws -> WindowStore<StoreKey, StoreValue> {
        WindowStore(try core.store(name), core, key, value)
    }

    /// A session store that the processor is connected to.
    ///
    /// - Throws: ``ProcessorError`` if it isn't connected.
    public func sessionStore<StoreKey, StoreValue>(
        _ name: String, key: Serde<StoreKey>, value: Serde<StoreValue>
    ) throws -> SessionStore<StoreKey, StoreValue> {
        SessionStore(try core.store(name), core, key, value)
    }
}

extension ProcessorCore {
    func schedule(
        _ interval: Duration, _ clock: PunctuationClock, _ callback: @escaping (Int64) throws -> Void
    ) -> Punctuation {
        services.schedule(every: max(interval.milliseconds, 1), clock, node: node) { [unowned self] time in
            try self.punctuate(time, callback)
        }
    }
}
