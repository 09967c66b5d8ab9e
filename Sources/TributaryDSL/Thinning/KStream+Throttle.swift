public import TributaryCore
public import TributaryLineage
public import TributaryState

extension KStream {
    /// Lets so many records of each key pass in each period of stream time, and leaves out the others.
    ///
    /// Stream time is the latest timestamp of a record that has passed here, or that of the record at hand if it is later; a record counts at the
    /// stream time at which it passes, whatever its own. In no period of that length do more than `count` of one key pass. What is left out is
    /// counted (`throttled`); records with a null key are dropped and counted.
    ///
    /// The times at which records passed are kept for one period, in a window store; each record looks at those of its key. If the key was changed
    /// before, the stream goes through a repartition topic.
    ///
    /// - Parameters:
    ///   - count: how many; 1 or more.
    ///   - period: the period; whole milliseconds.
    ///   - named: the node's name.
    ///   - storeName: the store's name.
    ///   - inMemory: whether the store is in memory; nil for the builder's default.
    ///   - logging: whether it has a changelog.
    ///   - changelogSettings: settings of the changelog topic.
    @inlinable
    public func throttle(
        _ count: Int, per period: Duration, named: String? = nil, as storeName: String? = nil, inMemory: Bool? = nil,
        logging: Bool = true, changelogSettings: [String: String] = [:]
    ) -> KStream<Key, Value> {
        let store = KeptStore(storeName, inMemory: inMemory, logging: logging, changelogSettings: changelogSettings)
        let made = KeptNode(self, "KSTREAM-THROTTLE-", named, store)
        graph.check(period, "the period of '\(made.name)'")
        if count < 1 { graph.fail(.invalidSetting, "'\(made.name)' lets \(count) records pass: it must be at least 1") }
        graph.addKept(
            store, made.store, to: made.node, retention: max(period.milliseconds, 0),
            size: max(period.milliseconds, 0), keepsDuplicates: true, serdes: keySerde?.name ?? "?")
        let output = Output<Key, Value>()
        let (name, storeName) = (made.name, made.store)
        made.input.output.attach(made.node, name) { context in
            let passed = PassedRecords(
                try context.services.store(storeName), UserCode(name, context.services), count,
                period: period.milliseconds)
            return try output.sink(in: context).tested { meta in try passed.takes(meta) }
        }
        return made.stream(output)
    }
}

/// The times at which records have passed a throttle in one task.
@usableFromInline
final class PassedRecords {
    private let store: StateStore
    private let user: UserCode
    private let count: Int
    private let period: Int64
    private let scratch = ScratchBuffer()
    private let rows = ScratchRows()

    @usableFromInline
    init(_ store: StateStore, _ user: UserCode, _ count: Int, period: Int64) {
        self.store = store
        self.user = user
        self.count = count
        self.period = period
    }

    /// Whether a record passes, which is kept then; else it is counted.
    @usableFromInline
    func takes(_ meta: borrowing RecordMeta) throws -> Bool {
        guard meta.hasKey else {
            user.dropped(.nullKey, meta)
            return false
        }
        let rows = self.rows.take()
        let row = scratch.take()
        defer {
            self.rows.give(rows)
            scratch.give(row)
        }
        do {
            let now = max(meta.timestamp, store.streamTime)
            try store.copyWindows(
                of: meta.key, from: now.subtractingSaturated(period).addingSaturated(1), through: now, into: rows)
            guard rows.count < count else {
                user.dropped(.throttled, meta)
                return false
            }
            row.writer.append(meta.key)
            row.writer.append(bigEndian: now)
            row.writer.append(bigEndian: store.nextSequence())
            _ = try store.write(
                row.bytes, RawSpan.empty, timestamp: now, cell: meta.lineage.cell, link: .superseded, row: nil,
                window: (now, now.addingSaturated(period)), meta)
            return true
        } catch {
            try user.failed(error, meta)
            return false
        }
    }
}
