public import TributaryCore
internal import TributaryLineage

/// Fills the tables of one store from nothing: changelog records come in their own order, rows go out in the order of keys.
///
/// Rows of windows that the store would no longer keep are left out; tombstones become graves.
public final class StoreFiller {
    private let store: StateStore
    private let sorter: ExternalSorter
    private var latest: Int64 = -1

    /// Makes a filler.
    ///
    /// - Parameters:
    ///   - store: gives names and layout; its own engine isn't touched.
    ///   - folder: where runs are written.
    ///   - memory: how many bytes are sorted at once.
    public init(_ store: StateStore, folder: String, memory: Int = 64 << 20) {
        self.store = store
        sorter = ExternalSorter(folder: folder, arenaBytes: memory)
    }

    /// Adds a changelog record; `value` nil is a tombstone.
    @inline(__always)
    public func add(
        _ key: RawSpan, _ value: RawSpan?, timestamp: Int64, context: TraceContext, cell: RawSpan, headers: RawSpan,
        elements: RawSpan = .empty
    ) throws(StoreError) {
        let keys = store.layout.keys
        guard key.byteCount >= keys.suffixSize else {
            throw StoreError(.corrupt, "a changelog key without window", store: store.name, key: key.hexadecimal)
        }
        latest = max(latest, keys.time(of: key))
        let envelope = store.restoredEnvelope(
            value, timestamp: timestamp, context: context, cell: cell, headers: headers, elements: elements)
        // A tombstone that was written without lineage leaves no grave.
        let isBare = value == nil && !store.hasLineage(context, cell)
        try sorter.add(key, isBare ? RawSpan.empty : envelope, isTombstone: value == nil)
    }

    /// Writes everything into an engine that doesn't hold the store's tables yet; commits in between, so that memory is bounded.
    public func finish(into engine: any StateEngine) throws(StoreError) {
        let limit = 32 << 20
        let graves = store.graves == nil ? nil : try engine.table(store.name + ".graves")
        let keepsLineage = store.keepsLineage
        func bury(_ key: RawSpan, _ grave: RawSpan) throws(StoreError) {
            if keepsLineage && !grave.isEmpty { try graves?.append(key, grave) }
        }
        let target = try store.layout.rebuilt(in: engine)
        try target.advance(to: latest)
        try sorter.finish(
            tombstone: { (key, value) throws(StoreError) in if target.accepts(key) { try bury(key, value) } },
            entry: { (key, value) throws(StoreError) in
                try target.append(key, value)
                if engine.dirtyBytes > limit { try engine.commit() }
            })
        try target.prepareCommit()
        try engine.commit()
    }
}

extension StateStore {
    /// The engine's content was replaced: forgets what was known of it.
    public func reload() throws(StoreError) {
        try layout.reload()
        state.value.hasGraves = try graves?.count() ?? 0 > 0
    }

    /// The names of the store's tables in an engine.
    public func tableNames(in engine: any StateEngine) throws(StoreError) -> [String] {
        let graves = name + ".graves"
        return try engine.tableNames().filter { $0 == graves || layout.owns($0) }
    }

    /// The key of the store's stream time in the metadata beside its tables.
    public var timeKey: String { SegmentedStore.timeKey(name) }

    /// Deletes the graves of rows that were deleted before a time of the wall clock, ms since the epoch.
    public func purgeGraves(before time: Int64) throws(StoreError) {
        guard let graves, state.value.hasGraves else { return }
        var key = ByteWriter()
        var value = ByteWriter()
        var from: [UInt8]?
        var isDone = false
        while !isDone {
            var old: [[UInt8]] = []
            let cursor = try graves.cursor(from: from?.span.bytes, through: nil, reverse: false)
            while old.count < 10_000 {
                guard try cursor.next(key: &key, value: &value) else {
                    isDone = true
                    break
                }
                if StateStore.deletionTime(ofGrave: value.bytes) < time, isOver(value.bytes) { old.append(key.copy()) }
            }
            cursor.close()
            for key in old { try graves.delete(key.span.bytes) }
            from = old.last
        }
        state.value.hasGraves = try graves.count() > 0
    }

    // The delete of a version is still to be known while versions before it may come.
    private func isOver(_ grave: RawSpan) -> Bool {
        guard let versions, let time = (try? EnvelopeView(grave))?.timestamp else { return true }
        return versions.isOver(deleteAt: time)
    }

    // A grave that can't be read is of no use.
    private static func deletionTime(ofGrave envelope: RawSpan) -> Int64 {
        guard let view = try? EnvelopeView(envelope) else { return Int64.min }
        return view.deletionTime ?? view.timestamp ?? Int64.min
    }
}
