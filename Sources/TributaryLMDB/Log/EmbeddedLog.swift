internal import Synchronization
public import TributaryCore

/// Topics, groups and transactions in one folder, without a server.
///
/// Several processes of one machine may open the folder at once; opened twice in one process, both share its files and its
/// writer. What a commit has returned for survives the death of any process; with ``EmbeddedLogConfiguration/durability``
/// `.synced`, the default, also a crash of the machine.
///
/// ```swift
/// let log = try EmbeddedLog.open(at: "./bank-data")
/// try log.createTopics([TopicSpecification("transactions", partitions: 4)])
/// ```
public final class EmbeddedLog: Log {
    let handle: LogHandle

    private init(_ handle: LogHandle) { self.handle = handle }

    deinit { close() }

    /// Opens the log in a folder, which is made if it isn't there.
    ///
    /// - Throws: `corrupt` for a short file or a bad meta page, `unknownFormat` for files of a newer library, `diskFull`,
    ///   `configuration`, `io`.
    public static func open(
        at path: String, configuration: EmbeddedLogConfiguration = EmbeddedLogConfiguration()
    ) throws(LogError) -> EmbeddedLog {
        guard !path.isEmpty else { throw LogError(.configuration, "the log's folder has no name") }
        try configuration.check()
        if !configuration.isReadOnly {
            try makeFolders(path, sync: configuration.durability == .synced, configuration.faults)
        }
        let core = try LogRegistry.shared.core(try resolvedPath(path), configuration)
        return EmbeddedLog(try LogHandle(core))
    }

    /// The random identity made with the folder.
    public var clusterID: String { handle.core.clusterID }

    /// Exactly-once with a commit each 100 ms, state in `<folder>/state`, and topics of the application's own that are trimmed
    /// by the time of their records, never by the wall clock.
    public var defaults: LogDefaults {
        var defaults = LogDefaults(guarantee: .exactlyOnce, stateDirectory: handle.core.directory + "/state")
        defaults.commandOption = "--log \(handle.core.directory)"
        defaults.internalTopicSettings = [TopicSettings.retentionTime: TopicSettings.streamTime]
        return defaults
    }

    /// All topics, by name.
    public func topics() throws(LogError) -> [TopicDescription] {
        try handle.check()
        return try handle.core.store.topics().map { $0.row.description(name: $0.name) }
    }

    /// One topic, or nil if there is none of that name.
    public func topic(_ name: String) throws(LogError) -> TopicDescription? {
        try handle.check()
        return try handle.core.store.topic(name)?.description(name: name)
    }

    /// Creates topics, those before the first that can't be made.
    public func createTopics(_ specifications: [TopicSpecification]) throws(LogError) {
        try handle.checkWritable()
        try handle.core.store.createTopics(specifications)
    }

    /// Deletes topics with their records and the offsets committed for them.
    public func deleteTopics(_ names: [String]) throws(LogError) {
        try handle.checkWritable()
        for name in names { try handle.core.store.deleteTopic(name) }
    }

    /// Deletes all records before an offset in each partition; -1 stands for the end.
    public func deleteRecords(before offsets: [TopicPartition: Int64]) throws(LogError) {
        try handle.checkWritable()
        for (partition, offset) in offsets.sorted(by: { $0.key < $1.key }) {
            try handle.core.store.deleteRecords(partition, before: offset)
        }
    }

    /// The ends of a partition; all that is in the log is committed.
    public func watermarks(_ partition: TopicPartition, committed: Bool) throws(LogError) -> Watermarks {
        try handle.check()
        return try handle.core.store.watermarks(partition)  // nothing uncommitted is ever in the log
    }

    /// For each partition the offset of the first record at or after a time, found by the headers of its batches.
    public func offsets(atOrAfter times: [TopicPartition: Int64]) throws(LogError) -> [TopicPartition: Int64] {
        try handle.check()
        var found: [TopicPartition: Int64] = [:]
        for (partition, time) in times {
            if let offset = try handle.core.store.offset(partition, atOrAfter: time) { found[partition] = offset }
        }
        return found
    }

    /// Makes a reader; it takes one of the log's 1024 reader slots as long as it lives.
    public func makeConsumer(_ configuration: ConsumerConfiguration) throws(LogError) -> any LogConsumer {
        try handle.check()
        return try EmbeddedConsumer(handle, configuration)
    }

    /// Makes a writer; one with a transactional id fences those that had it before.
    public func makeProducer(_ configuration: ProducerConfiguration) throws(LogError) -> any LogProducer {
        try handle.checkWritable()
        return try EmbeddedProducer(handle, configuration)
    }

    /// Joins a group as its only member; throws `inUse` with the process id of another.
    public func joinGroup(_ configuration: GroupConfiguration) throws(LogError) -> any LogGroup {
        try handle.checkWritable()
        return try EmbeddedGroup(handle, configuration)
    }

    /// What a group has committed, without joining it.
    public func committedOffsets(group: String) throws(LogError) -> [TopicPartition: CommittedOffset] {
        try handle.check()
        return try handle.core.store.committed(group)
    }

    /// The groups that have committed offsets, or whose application runs, by name.
    public func groups() throws(LogError) -> [GroupDescription] {
        try handle.check()
        return try handle.core.groups()
    }

    /// Sets what a group has committed; throws `inUse` with the process of its member, if it has one.
    public func setCommittedOffsets(
        _ offsets: [TopicPartition: CommittedOffset], group: String
    ) throws(LogError) {
        let member = try joinGroup(GroupConfiguration(group: group, clientID: "offsets", tasks: 0))
        defer { member.leave() }
        try member.commit(offsets)
    }

    /// The id of the last commit under a transactional id, 0 if there was none: what became of a commit whose outcome is
    /// unknown, since only the id's owner changes it.
    ///
    /// Such a log must be closed and opened anew in this process before it answers.
    public func lastCommit(transactionalID: String) throws(LogError) -> Int64 {
        try handle.check()
        return try handle.core.store.lastCommit(transactionalID)
    }

    /// The id of the last commit of all: what claims to belong to a later one comes from a lost log.
    public func lastCommit() throws(LogError) -> Int64 {
        try handle.check()
        return try handle.core.store.lastCommit(nil)
    }

    /// ``lastCommit()``.
    public func newestCommit() throws(LogError) -> Int64? { try lastCommit() }

    /// Runs retention and compaction now, on the calling thread, however little there is to do.
    public func performMaintenance() throws(LogError) {
        try handle.checkWritable()
        try handle.core.maintenance.runNow()
    }

    /// How much waits for the one writing thread of this process: commits, and what was collected without transactions.
    package var waitingWrites: Int { handle.core.writer.waiting }

    /// Writes what producers have handed over and closes the log for all they, consumers and groups may ask.
    public func close() { handle.close() }
}

/// What producers, consumers and groups share with the ``EmbeddedLog`` that made them: the open files, until it is closed.
final class LogHandle: Sendable {
    let core: LogCore
    private let isClosed = Atomic<Bool>(false)

    init(_ core: LogCore) throws(LogError) {
        self.core = core
        try core.retain()
    }

    deinit { close() }

    func check() throws(LogError) {
        if isClosed.load(ordering: .relaxed) { throw LogError(.closed, "the log is closed") }
    }

    /// Throws if the log is closed, or was opened for reading only.
    func checkWritable() throws(LogError) {
        try check()
        if core.configuration.isReadOnly { throw LogError(.denied, "the log is open for reading only") }
    }

    func close() {
        guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        core.release()
        core.wakePage.announceToAll()  // those who wait find the log closed
    }
}
