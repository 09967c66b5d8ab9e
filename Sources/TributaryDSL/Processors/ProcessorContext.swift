public import TributaryCore
public import TributaryLineage
internal import TributaryState

/// What a processor can ask and do, as Kafka Streams' `ProcessorContext`.
///
/// Valid on the task's thread while the task runs.
public final class ProcessorContext<Key, Value> {
    let core: ProcessorCore
    private let children: [(name: String, sink: Sink<Key, Value>)]
    private let nullKeys = Nullability<Key>.of()

    @usableFromInline
    init(_ core: ProcessorCore, _ children: [(name: String, sink: Sink<Key, Value>)]) {
        self.core = core
        self.children = children
    }

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

    /// Forwards a record to all children.
    ///
    /// What the callback has read so far may have contributed: links say `bound`.
    public func forward(_ record: Record<Key, Value>) throws { try forward(record, children, nil) }

    /// Forwards a record to all children, made from the entries given and the record being processed, and from nothing else.
    public func forward(_ record: Record<Key, Value>, from entries: any StoredLineage...) throws {
        try forward(record, from: entries)
    }

    /// Forwards a record to all children, made from the entries given and the record being processed, and from nothing else.
    public func forward(_ record: Record<Key, Value>, from entries: [any StoredLineage]) throws {
        try forward(record, children, entries.map(\.entryLineage))
    }

    /// Forwards a record to one child.
    ///
    /// - Parameters:
    ///   - record: what is forwarded.
    ///   - child: the node that gets it.
    ///   - entries: what it was made from besides the record being processed; nil: what the callback has read so far may have
    ///     contributed.
    /// - Throws: ``ProcessorError`` if there is no child of that name.
    public func forward(
        _ record: Record<Key, Value>, to child: String, from entries: [any StoredLineage]? = nil
    ) throws {
        guard let match = children.first(where: { $0.name == child }) else {
            throw ProcessorError("'\(core.node)' has no child named '\(child)'")
        }
        try forward(record, [match], entries?.map(\.entryLineage))
    }

    private func forward(
        _ record: Record<Key, Value>, _ targets: [(name: String, sink: Sink<Key, Value>)], _ from: [EntryLineage]?
    ) throws {
        guard record.timestamp >= 0 else { throw InvalidTimestamp(timestamp: record.timestamp) }
        let lineage = CollectionOfOne(try core.forwarded(from: from))
        let isNull = nullKeys?.isNull(record.key) ?? false
        for target in targets {
            let meta = RecordMeta(
                key: RawSpan.empty, hasKey: !isNull, keyIsStale: true, timestamp: record.timestamp,
                origin: core.origin, headers: record.headers.encoded.span.bytes, lineage: lineage.span)
            try target.sink.call(record.key, record.value, meta)
        }
    }

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
}

/// What a processor that cannot change keys can ask and do.
public final class FixedKeyProcessorContext<Key, Value> {
    let core: ProcessorCore
    private let children: [(name: String, sink: Sink<Key, Value>)]

    @usableFromInline
    init(_ core: ProcessorCore, _ children: [(name: String, sink: Sink<Key, Value>)]) {
        self.core = core
        self.children = children
    }

    /// The application's id.
    public var applicationID: String { core.services.applicationID }
    /// The task, `<sub-topology>_<partition>`.
    public var taskID: String { core.services.taskID }
    /// The greatest timestamp taken for processing by the task, ms; -1 before the first.
    public var streamTime: Int64 { core.services.streamTime }
    /// The wall clock as cached when this record or punctuation began, ms.
    public var systemTime: Int64 { core.services.wallClock }
    /// Where the record being processed was read.
    public var recordMetadata: (topic: String?, partition: Int32, offset: Int64) {
        core.services.coordinate(of: core.origin)
    }
    /// The lineage of the record being processed: its context and cell.
    public var lineage: Lineage { core.lineage }

    /// Forwards a record under the key of the record being processed, whatever its own key says.
    public func forward(_ record: Record<Key, Value>) throws { try forward(record, nil) }

    /// Forwards a record made from the entries given and the record being processed, and from nothing else.
    public func forward(_ record: Record<Key, Value>, from entries: any StoredLineage...) throws {
        try forward(record, from: entries)
    }

    /// Forwards a record made from the entries given and the record being processed, and from nothing else.
    public func forward(_ record: Record<Key, Value>, from entries: [any StoredLineage]) throws {
        try forward(record, entries.map(\.entryLineage))
    }

    private func forward(_ record: Record<Key, Value>, _ from: [EntryLineage]?) throws {
        guard record.timestamp >= 0 else { throw InvalidTimestamp(timestamp: record.timestamp) }
        guard !core.isPunctuating else {
            throw ProcessorError("'\(core.node)' can't forward in a punctuation, which has no key")
        }
        let lineage = CollectionOfOne(try core.forwarded(from: from))
        for child in children {
            let meta = RecordMeta(
                key: core.key.bytes, hasKey: core.hasKey, timestamp: record.timestamp, origin: core.origin,
                headers: record.headers.encoded.span.bytes, lineage: lineage.span)
            try child.sink.call(record.key, record.value, meta)
        }
    }

    /// Calls back by stream time or wall clock until cancelled.
    @discardableResult
    public func schedule(
        every interval: Duration, _ clock: PunctuationClock, _ callback: @escaping (Int64) throws -> Void
    ) -> Punctuation {
        core.schedule(interval, clock, callback)
    }

    /// Asks for a commit at the next opportunity.
    public func requestCommit() { core.services.requestCommit() }

    /// A key-value store that the processor is connected to.
    public func keyValueStore<StoreKey, StoreValue>(
        _ name: String, key: Serde<StoreKey>, value: Serde<StoreValue>
    ) throws -> KeyValueStore<StoreKey, StoreValue> {
        KeyValueStore(try core.store(name), core, key, value)
    }

    /// A window store that the processor is connected to.
    public func windowStore<StoreKey, StoreValue>(
        _ name: String, key: Serde<StoreKey>, value: Serde<StoreValue>
    ) throws -> WindowStore<StoreKey, StoreValue> {
        WindowStore(try core.store(name), core, key, value)
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
