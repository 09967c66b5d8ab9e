internal import TributaryCore
internal import TributaryLineage

/// What a processor can ask and do, as Kafka Streams' `ProcessorContext`.
///
/// Valid on the task's thread while the task runs.
public final class ProcessorContext<Key, Value>: ProcessingContext {
    private let children: [(name: String, sink: NodeInput<Key, Value>)]
    private let nullKeys = Nullability<Key>.of()

    @usableFromInline
    init(_ core: ProcessorCore, _ children: [(name: String, sink: NodeInput<Key, Value>)]) {
        self.children = children
        super.init(core)
    }

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
        _ record: Record<Key, Value>, _ targets: [(name: String, sink: NodeInput<Key, Value>)], _ from: [EntryLineage]?
    ) throws {
        guard record.timestamp >= 0 else { throw InvalidTimestamp(timestamp: record.timestamp) }
        let isNull = nullKeys?.isNull(record.key) ?? false
        try core.forward(from: from) { lineage in
            let lineage = CollectionOfOne(copy lineage)
            for target in targets {
                let meta = RecordMeta(
                    key: RawSpan.empty, hasKey: !isNull, keyIsStale: true, timestamp: record.timestamp,
                    origin: core.origin, headers: record.headers.encoded.span.bytes, lineage: lineage.span)
                try core.forwarding { try target.sink.call(record.key, record.value, meta) }
            }
        }
    }
}

/// What a processor that cannot change keys can ask and do.
public final class FixedKeyProcessorContext<Key, Value>: ProcessingContext {
    private let children: [(name: String, sink: NodeInput<Key, Value>)]
    /// The key of the record being processed; nil where there is none.
    @usableFromInline var key: Key?

    @usableFromInline
    init(_ core: ProcessorCore, _ children: [(name: String, sink: NodeInput<Key, Value>)]) {
        self.children = children
        super.init(core)
    }

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
        guard let key else {
            throw ProcessorError("'\(core.node)' can't forward where no record is processed, since there is no key")
        }
        try core.forward(from: from) { lineage in
            let lineage = CollectionOfOne(copy lineage)
            for child in children {
                let meta = RecordMeta(
                    key: core.key.bytes, hasKey: core.hasKey, keyIsStale: core.keyIsStale, timestamp: record.timestamp,
                    origin: core.origin, headers: record.headers.encoded.span.bytes, lineage: lineage.span)
                try core.forwarding { try child.sink.call(key, record.value, meta) }
            }
        }
    }
}
