internal import TributaryCore
internal import TributaryLMDB
internal import TributaryLineage
internal import TributaryState

/// Rebuilds what a store held from its changelog, with the lineage of each row, up to any offset or time.
///
/// The rows are made by the store's own layer, as a restoring application makes them.
struct ChangelogReplay {
    /// Where a replay ends.
    struct Bound: Sendable, Equatable {
        /// Records at this offset and later are left out.
        var offset: Int64?
        /// Records with a later timestamp are left out.
        var time: Int64?
    }

    let log: any Log
    let changelog: TopicPartition
    let store: String
    var kind = StoreDescription.Kind.timestampedKeyValue
    var bound = Bound()
    /// Called with how many offsets of how many are behind.
    var onProgress: (Int64, Int64) -> Void = { _, _ in }

    private final class NoTopics: TopicNames {
        func nameLength(ofTopic number: Int32) -> Int { 0 }
    }

    private func makeStore(_ engine: any StateEngine) throws -> StateStore {
        try StateStore(
            StoreDescription(name: store, kind: kind, isLogged: false), engine: engine,
            recorder: LineageRecorder(mode: .cells), changelog: nil, budget: nil, topics: NoTopics())
    }

    /// Writes the rows into a new state directory and returns how many records were read.
    func write(to directory: String) throws -> Int64 {
        try Files.makeFolder(directory)
        guard !Files.exists("\(directory)/\(LMDBStateEngine.fileName)") else {
            throw CommandError("\(directory) holds a store already; a replay begins in an empty folder")
        }
        let engine = try LMDBStateEngine(directory: directory)
        defer { engine.close() }
        let store = try makeStore(engine)
        var description = store.description
        description.serdes = "? ?"
        try engine.setMetadata(StoreKind.replayedKey(self.store), Array(description.identity.utf8))
        let count = try forEach { batch, index, key in
            try store.restore(
                key, batch.value(index), timestamp: batch.timestamp(index), context: batch.context(index),
                cell: batch.cell(index), headers: batch.headers(index))
            if engine.dirtyBytes > 32 << 20 {
                try store.prepareCommit()
                try engine.commit()
            }
        }
        try store.prepareCommit()
        try engine.commit()
        return count
    }

    /// Gives the rows in the order of keys, in bounded memory, and returns how many records were read.
    ///
    /// - Parameter graves: whether keys whose last record is a delete are given, too.
    func rows(graves: Bool, _ body: (_ key: RawSpan, _ envelope: RawSpan) throws -> Void) throws -> Int64 {
        let folder = try Files.makeTemporaryFolder()
        defer { Files.deleteFolder(folder) }
        // Of versions the newest is not the one that was written last.
        if case .versioned = kind { return try versions(folder, graves: graves, body) }
        let sorter = ExternalSorter(folder: folder, arenaBytes: 32 << 20)
        let store = try makeStore(MemoryEngine())
        let count = try forEach { batch, index, key in
            let value = batch.value(index)
            let envelope = store.restoredEnvelope(
                value, timestamp: batch.timestamp(index), context: batch.context(index), cell: batch.cell(index),
                headers: batch.headers(index))
            try sorter.add(key, envelope, isTombstone: value == nil)
        }
        var failure: (any Error)?
        func give(_ key: RawSpan, _ envelope: RawSpan) {
            guard failure == nil else { return }
            do { try body(key, envelope) } catch { failure = error }
        }
        try sorter.finish(
            tombstone: { (key, value) throws(StoreError) in if graves { give(key, value) } },
            entry: { (key, value) throws(StoreError) in give(key, value) })
        if let failure { throw failure }
        return count
    }

    private func versions(
        _ folder: String, graves: Bool, _ body: (_ key: RawSpan, _ envelope: RawSpan) throws -> Void
    ) throws -> Int64 {
        let count = try write(to: "\(folder)/state")
        let reader = try LMDBStateReader(directory: "\(folder)/state")
        var failure: (any Error)?
        for table in graves ? [store, store + ".graves"] : [store] {
            try reader.forEach(table, from: nil, through: nil) { (key, envelope) throws(StoreError) in
                do { try body(key, envelope) } catch { failure = error }
                return failure == nil
            }
            if let failure { throw failure }
        }
        return count
    }

    private func forEach(_ body: (RecordBatch, Int, RawSpan) throws -> Void) throws -> Int64 {
        let ends = try log.watermarks(changelog, committed: true)
        let end = min(bound.offset ?? ends.high, ends.high)
        guard ends.low < end else { return 0 }
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "tributary-replay"))
        defer { consumer.close() }
        let assignment = try consumer.assign(changelog, from: ends.low)
        var count: Int64 = 0
        while consumer.position(assignment) < end {
            guard let batch = try consumer.poll(timeout: 1000) else { continue }
            for index in 0..<batch.count where batch.offset(index) < end {
                if let time = bound.time, batch.timestamp(index) > time { continue }
                guard let key = batch.key(index) else { continue }
                count += 1
                try body(batch, index, key)
            }
            onProgress(min(batch.nextOffset, end) - ends.low, end - ends.low)
        }
        return count
    }
}
