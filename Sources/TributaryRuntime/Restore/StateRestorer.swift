public import TributaryCore
internal import TributaryDSL
internal import TributaryLineage
internal import TributaryState

/// Where the restoring of one store stands.
public struct RestoreProgress: Sendable {
    /// The store.
    public var store: String
    /// The task.
    public var task: String
    /// The changelog partition.
    public var changelog: TopicPartition
    /// The offset where it began.
    public var start: Int64
    /// The offset where it ends.
    public var end: Int64
    /// The offset of the next record.
    public var position: Int64
    /// How many records were read so far.
    public var records: Int64
    /// Whether it is done.
    public var isDone: Bool
}

/// Brings the stores of a task to where their changelogs end, before the task runs.
///
/// A store whose rows cannot be trusted (design, section 8) is emptied and rebuilt. The restored rows carry the lineage of the
/// changelog's headers, byte for byte; restoring makes no span.
public struct StateRestorer {
    private let log: any Log
    private let configuration: RuntimeConfiguration
    private let onProgress: @Sendable (RestoreProgress) -> Void

    /// Makes a restorer.
    public init(
        _ log: any Log, configuration: RuntimeConfiguration,
        onProgress: @escaping @Sendable (RestoreProgress) -> Void = { _ in }
    ) {
        self.log = log
        self.configuration = configuration
        self.onProgress = onProgress
    }

    /// Restores every logged store of a task.
    ///
    /// Throws what the log or a store could not do.
    public func restore(_ task: StreamTask) throws {
        for store in task.stores.inOrder where store.description.isLogged {
            guard let changelog = task.stores.changelog(store.name) else { continue }
            try restore(store, TopicPartition(changelog.topic, changelog.partition), task)
        }
        try task.stores.restored()
    }

    private func restore(_ store: StateStore, _ changelog: TopicPartition, _ task: StreamTask) throws {
        let ends = try log.watermarks(changelog, committed: false)
        var start = ends.low
        if store.description.isPersistent, let engine = task.stores.persistent {
            let position = try StorePosition(store: store.name, in: engine)
            if let position, try isTrusted(position, changelog, ends) {
                start = position.next
            } else if try store.approximateCount() > 0 || position != nil {
                configuration.log(
                    .warning, "a store is rebuilt from its changelog",
                    [("store", store.name), ("task", task.taskID), ("changelog", "\(changelog)")],
                    source: "TributaryRuntime")
                try store.removeAll()
            }
        }
        var progress = RestoreProgress(
            store: store.name, task: task.taskID, changelog: changelog, start: start, end: ends.high, position: start,
            records: 0, isDone: false)
        guard start < ends.high else {
            progress.isDone = true
            return onProgress(progress)
        }
        onProgress(progress)
        let consumer = try log.makeConsumer(
            ConsumerConfiguration(clientID: "\(configuration.applicationID)-restore", readCommitted: true))
        defer { consumer.close() }
        let assignment = try consumer.assign(changelog, from: start)
        var last: (offset: Int64, hash: UInt64)?
        let hashed = ByteBuffer()
        var idle = 0
        while progress.position < ends.high {
            guard let batch = try consumer.poll(timeout: 100) else {
                // The end may lie behind offsets that hold no record.
                idle += 1
                if idle > 20 || consumer.position(assignment) >= ends.high { break }
                continue
            }
            idle = 0
            for index in 0..<batch.count {
                let offset = batch.offset(index)
                guard offset < ends.high else { break }
                progress.records += 1
                guard let key = batch.key(index) else { continue }
                try store.restore(
                    key, batch.value(index), timestamp: batch.timestamp(index), context: batch.context(index),
                    cell: batch.cell(index))
                if index == batch.count - 1 {
                    hashed.writer.removeAll()
                    StoreChangelog.describe(
                        key: key, value: batch.value(index), timestamp: batch.timestamp(index), into: &hashed.writer)
                    last = (offset, checksum64(hashed.bytes))
                }
            }
            progress.position = batch.nextOffset
            onProgress(progress)
            if let engine = task.stores.persistent, engine.dirtyBytes > configuration.stateDirtyBytes {
                try save(store, progress.position, last, task)
                try store.prepareCommit()
                try engine.commit()
            }
        }
        try save(store, max(progress.position, ends.high), last, task)
        progress.position = ends.high
        progress.isDone = true
        onProgress(progress)
    }

    private func save(
        _ store: StateStore, _ next: Int64, _ last: (offset: Int64, hash: UInt64)?, _ task: StreamTask
    ) throws {
        guard store.description.isPersistent, let engine = task.stores.persistent else { return }
        try StorePosition(
            next: next, last: last?.offset ?? -1, lastHash: last?.hash ?? 0, commitID: -1,
            wallTime: configuration.time.milliseconds
        ).save(store: store.name, in: engine)
    }

    // A position inside the changelog, whose last record is still the one that was applied (or is no longer there).
    private func isTrusted(
        _ position: StorePosition, _ changelog: TopicPartition, _ ends: Watermarks
    ) throws -> Bool {
        guard position.next >= ends.low, position.next <= ends.high else { return false }
        guard position.last >= ends.low else { return true }
        let consumer = try log.makeConsumer(
            ConsumerConfiguration(clientID: "\(configuration.applicationID)-restore", readCommitted: true))
        defer { consumer.close() }
        _ = try consumer.assign(changelog, from: position.last)
        guard let batch = try consumer.poll(timeout: 0), batch.count > 0 else { return true }
        guard batch.offset(0) == position.last, let key = batch.key(0) else { return true }
        var writer = ByteWriter()
        StoreChangelog.describe(
            key: key, value: batch.value(0), timestamp: batch.timestamp(0), into: &writer)
        return checksum64(writer.bytes) == position.lastHash
    }
}

extension TaskStores {
    /// All stores are where their changelogs end: makes that durable.
    func restored() throws {
        for store in inOrder { try store.prepareCommit() }
        try persistent?.commit()
        try memory?.commit()
    }
}
