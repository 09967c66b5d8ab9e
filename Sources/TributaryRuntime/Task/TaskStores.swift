internal import TributaryCore
internal import TributaryDSL
internal import TributaryLineage
public import TributaryState

/// Makes the engines that a task keeps its stores in.
public protocol EngineFactory: Sendable {
    /// The engine of a task's persistent stores, opened or made.
    ///
    /// What can't be trusted is given up for an empty engine, which is then filled from the changelogs; but not where one of
    /// `stores` would be lost with it.
    ///
    /// - Parameters:
    ///   - task: the task's id.
    ///   - stores: the task's persistent stores that no changelog could give back.
    func persistentEngine(task: String, withoutChangelog stores: [String]) throws -> any StateEngine
    /// A new engine in memory.
    func memoryEngine(task: String) throws -> any StateEngine
}

/// The stores of one task with their engines, changelogs and positions.
public final class TaskStores {
    /// In the order in which caches are flushed.
    public private(set) var inOrder: [StateStore] = []
    var onExpired: ((String) -> Void)?
    var onFlushFailure: ((any Error) -> any Error)?
    /// Where the topics stand by which stores can be restored that have no changelogs: under the names by which that is kept.
    var sourcePlaces: () -> [(name: String, next: Int64, identity: String)] = { [] }
    /// Which of them write out their caches.
    let flushes = FlushStack()
    /// When rows expire.
    let expiries = ExpirySchedule()
    private var byName: [String: StateStore] = [:]
    private var changelogs: [String: StoreChangelog] = [:]
    private(set) var engines: TaskEngines
    private let durable: [any StateEngine]
    private let volatile: [any StateEngine]
    private let configuration: RuntimeConfiguration
    private let topology: Topology
    private let partition: Int32
    private let topics: any TopicNames
    private let recorder: LineageRecorder
    private let task: String
    // By the monotonic clock, ms.
    private let flushInterval: Int64
    private var lastStateCommit: Int64
    private var lastPurge: Int64?
    // The last log commit, while the state that belongs to it isn't durable.
    private var unsavedCommit: Int64?

    init(
        _ topology: Topology, _ restored: TaskState, configuration: RuntimeConfiguration, collector: RecordCollector,
        budget: CacheBudget?, recorder: LineageRecorder, topics: any TopicNames, deferral: DeferredEncoding
    ) throws {
        self.configuration = configuration
        flushInterval = configuration.stateFlushInterval.milliseconds
        self.topology = topology
        partition = restored.partition
        task = restored.task
        self.recorder = recorder
        self.topics = topics
        engines = restored.engines
        durable = restored.engines.all.filter(\.isPersistent)
        volatile = restored.engines.all.filter { !$0.isPersistent }
        lastStateCommit = configuration.time.monotonic.milliseconds
        for description in restored.descriptions {
            guard let engine = restored.engine(description) else { continue }
            var changelog: StoreChangelog?
            if description.isLogged {
                let topic = restored.changelog(description.name).topic
                changelog = try StoreChangelog(
                    topic, partition, collector, identity: collector.identity(topic))
                changelogs[description.name] = changelog
            }
            let store = try StateStore(
                description, engine: engine, recorder: recorder, changelog: changelog, budget: budget, topics: topics,
                flushes: flushes, deferral: deferral, expiries: expiries,
                attributes: [
                    AttributeNames.dbNamespace: .string(configuration.applicationID),
                    AttributeNames.task: .string(task), AttributeNames.taskPartition: .int(Int64(partition)),
                ])
            store.onFlushFailure = { [unowned self] in self.onFlushFailure?($0) ?? $0 }
            store.onExpired = { [unowned self] in self.onExpired?(description.name) }
            byName[description.name] = store
            inOrder.append(store)
        }
    }

    func store(_ name: String) throws -> StateStore {
        guard let store = byName[name] else {
            throw StoreError(.unknownStore, "task \(task) has no such store", store: name)
        }
        return store
    }

    /// Has the next start build the state anew if an error says that something stored is not what was written.
    func noteDamage(_ error: any Error) {
        guard let error = error as? StoreError, error.code == .corrupt || error.code == .unknownFormat else { return }
        let engine = error.store.flatMap { topology.stores[$0] }.flatMap(engines.engine) ?? engines.persistent
        if let engine, engine.isPersistent { engine.noteDamage("\(error)") }
    }

    // MARK: Expiry

    /// Deletes what has expired by a stream time, also what comes of that in stores before; returns whether anything has.
    func expire(at streamTime: Int64, because trigger: borrowing RecordMeta) throws -> Bool {
        var hasExpired = false
        // What would expire at the greatest time never does: that is also said of no row at all.
        let now = min(streamTime, Int64.max - 1)
        while expiries.earliest <= now {
            expiries.begin()
            for store in inOrder where store.expires {
                if try store.expireRows(at: now, because: trigger) { hasExpired = true }
            }
        }
        return hasExpired
    }

    // MARK: Flushing

    /// Whether a cache holds what isn't flushed.
    var hasDirtyEntries: Bool { inOrder.contains(where: \.hasDirtyEntries) }

    /// Whether anything was written into a store since the task was made, by other than restoring.
    var wereWritten: Bool { inOrder.contains { $0.statistics.puts + $0.statistics.deletes > 0 } }

    /// How often one commit may flush a store: as often as stores write into each other before they come to rest.
    private static let mostFlushes = 1_000

    /// Flushes the caches, the first that is dirty in the order of the topology each time, until none is: what a flush forwards
    /// may write into any store again.
    ///
    /// - Throws: `StoreError` with ``StoreError/Code/endlessFlush`` if that doesn't come to an end.
    func flush(_ metrics: TaskMetrics?, _ clock: TimeSource.Reading) throws {
        var flushes = [Int](repeating: 0, count: inOrder.count)
        while let next = inOrder.firstIndex(where: \.hasDirtyEntries) {
            flushes[next] += 1
            guard flushes[next] <= TaskStores.mostFlushes else {
                let names = inOrder.indices.filter { flushes[$0] >= TaskStores.mostFlushes / 2 }.map {
                    inOrder[$0].name
                }
                throw StoreError(
                    .endlessFlush,
                    "task \(task): what a flush of these stores forwards writes into them again, \(TaskStores.mostFlushes) "
                        + "times in one commit: \(names.joined(separator: ", "))", store: inOrder[next].name)
            }
            if let metrics { try metrics.stores[next].flush(clock) } else { try inOrder[next].flush() }
        }
    }

    /// What left a store half written.
    var failure: (any Error)? { inOrder.lazy.compactMap(\.failure).first }

    // MARK: Positions

    /// Notes the positions of one log commit beside the rows, and makes the state durable if it is time.
    ///
    /// - Returns: whether it was made durable.
    func committed(_ commitID: Int64, force: Bool) throws -> Bool {
        for engine in volatile { try engine.commit() }
        let now = configuration.time.monotonic.milliseconds
        guard !durable.isEmpty else {
            try purgeGraves(now)
            return false
        }
        let isDue =
            force || now - lastStateCommit >= flushInterval
            || durable.contains { $0.dirtyBytes >= configuration.stateDirtyBytes }
        guard isDue else {
            unsavedCommit = commitID
            return false
        }
        try makeDurable(commitID, now)
        return true
    }

    /// Makes durable what the last commit left when nothing has come since, so that an idle task's state is on disk in time;
    /// and each hour that all of the changelogs is in it still, so that it doesn't grow too old to be gone on with.
    ///
    /// Between commits only, when nothing is dirty.
    func idle() throws {
        let now = configuration.time.monotonic.milliseconds
        if now - lastStateCommit >= flushInterval { for engine in durable { engine.noteProgress() } }
        if let unsavedCommit {
            guard now - lastStateCommit >= flushInterval else { return }
            try makeDurable(unsavedCommit, now)
        } else if !durable.isEmpty && now - lastStateCommit >= 3_600_000 {
            try makeDurable(nil, now)
        }
    }

    // Without a commit id: that of the positions that are there.
    private func makeDurable(_ commitID: Int64?, _ now: Int64) throws {
        guard !durable.isEmpty else { return }
        unsavedCommit = nil
        let wall = configuration.time.wall.milliseconds
        try savePositions(commitID, wall)
        for store in inOrder { try store.prepareCommit() }
        configuration.killPoint?(.positionsSaved)
        // Each has the positions of its own stores: one that a death leaves behind goes on from there.
        for engine in durable {
            try engine.commit()
            engine.noteProgress()
        }
        configuration.killPoint?(.stateCommitted)
        lastStateCommit = now
        try purgeGraves(now)
    }

    // By the wall clock, as graves say when they were dug; each hour, or as often as they are kept at least.
    private func purgeGraves(_ now: Int64) throws(StoreError) {
        let kept = configuration.graveRetention.milliseconds
        if let lastPurge, now - lastPurge < min(3_600_000, max(kept, 1_000)) { return }
        lastPurge = now
        let before = configuration.time.wall.milliseconds.subtractingSaturated(kept)
        for store in inOrder { try store.purgeGraves(before: before) }
    }

    // Those of stores that nothing was written to are as they were, but known to be the changelogs' ends now.
    private func savePositions(_ commitID: Int64?, _ now: Int64) throws {
        for (name, changelog) in changelogs {
            guard let engine = topology.stores[name].flatMap(engines.engine), engine.isPersistent else { continue }
            var position = try StorePosition(store: name, in: engine)
            if let offset = changelog.position {
                position = StorePosition(
                    next: offset + 1, last: offset, lastHash: changelog.lastHash,
                    commitID: commitID ?? position?.commitID ?? -1, wallTime: now, identity: changelog.identity)
            }
            position?.wallTime = now
            try position?.save(store: name, in: engine)
        }
        for (name, next, identity) in sourcePlaces() {
            let place = StorePosition(
                next: next, last: -1, lastHash: 0, commitID: commitID ?? -1, wallTime: now, identity: identity)
            let engine = topology.stores[name].flatMap(engines.engine) ?? engines.persistent
            if let engine { try place.save(store: name, in: engine) }
        }
        guard let commitID else { return }
        for engine in durable { try engine.setMetadata("commit", Array("\(commitID) \(now)".utf8)) }
    }

    func close() {
        for store in inOrder { store.onFlush = nil }
        engines.close()
        inOrder = []
        byName = [:]
    }
}

/// How far a store has applied its changelog: kept with the rows, in the same transaction.
package struct StorePosition: Equatable {
    /// The offset of the next record to apply.
    package var next: Int64
    /// The offset of the last record applied; -1 if there was none.
    package var last: Int64
    /// XXH3-64 of that record.
    package var lastHash: UInt64
    /// The log commit that the rows belong to.
    package var commitID: Int64
    /// When the rows were made durable, ms.
    package var wallTime: Int64
    /// The changelog topic's identity: a topic of the same name made later has another.
    package var identity: String

    func save(store: String, in engine: any StateEngine) throws(StoreError) {
        var writer = ByteWriter(capacity: 64)
        writer.append(2)
        writer.append(bigEndian: next)
        writer.append(bigEndian: last)
        writer.append(bigEndian: lastHash)
        writer.append(bigEndian: commitID)
        writer.append(bigEndian: wallTime)
        writer.append(utf8: identity)
        try engine.setMetadata(Self.metadataKey(store), writer.copy())
    }

    init(next: Int64, last: Int64, lastHash: UInt64, commitID: Int64, wallTime: Int64, identity: String) {
        self.next = next
        self.last = last
        self.lastHash = lastHash
        self.commitID = commitID
        self.wallTime = wallTime
        self.identity = identity
    }

    init?(store: String, in engine: any StateEngine) throws(StoreError) {
        guard let bytes = try engine.metadata(Self.metadataKey(store)) else { return nil }
        try self.init(bytes, store: store)
    }

    /// The key of a store's position in the metadata beside the rows.
    package static func metadataKey(_ store: String) -> String { "position/\(store)" }

    /// Reads what ``save(store:in:)`` wrote; nil for another version.
    package init?(_ bytes: [UInt8], store: String) throws(StoreError) {
        do throws(MalformedBytes) {
            var reader = ByteReader(bytes.span.bytes)
            let version = try reader.byte()
            guard version == 2 else { return nil }
            next = try reader.integer()
            last = try reader.integer()
            lastHash = try reader.integer()
            commitID = try reader.integer()
            wallTime = try reader.integer()
            identity = String(strictUTF8: reader.rest()) ?? ""
        } catch {
            throw StoreError(.corrupt, "the store's position: \(error)", store: store)
        }
    }
}
