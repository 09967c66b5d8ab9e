/// The thing that holds topics: the embedded log, Apache Kafka, or a test's log in memory.
///
/// The only door to topics for everything above it: the runtime knows no other type of a log. All calls may come from any
/// thread; consumers, producers and groups are each used by one thread at a time, save where said. Calls block until done.
public protocol Log: AnyObject, Sendable {
    /// The identity of the cluster: with topic, partition and offset it names one record of the world.
    var clusterID: String { get }

    /// What an application does on this log unless its user says otherwise.
    var defaults: LogDefaults { get }

    /// All topics, by name.
    func topics() throws(LogError) -> [TopicDescription]

    /// One topic, or nil if there is none of that name.
    func topic(_ name: String) throws(LogError) -> TopicDescription?

    /// Creates topics. Throws ``LogError/Code/topicExists`` for the first that exists; those before it stay created.
    func createTopics(_ specifications: [TopicSpecification]) throws(LogError)

    /// Deletes topics with all their records.
    func deleteTopics(_ names: [String]) throws(LogError)

    /// Deletes all records before an offset in each partition.
    func deleteRecords(before offsets: [TopicPartition: Int64]) throws(LogError)

    /// The ends of a partition, as a reader of committed records (or of all records) sees them.
    func watermarks(_ partition: TopicPartition, committed: Bool) throws(LogError) -> Watermarks

    /// For each partition the offset of the first record at or after a time (ms since the epoch); none if there is none.
    func offsets(atOrAfter times: [TopicPartition: Int64]) throws(LogError) -> [TopicPartition: Int64]

    /// Makes a reader.
    func makeConsumer(_ configuration: ConsumerConfiguration) throws(LogError) -> any LogConsumer

    /// Makes a writer.
    func makeProducer(_ configuration: ProducerConfiguration) throws(LogError) -> any LogProducer

    /// Joins a group of application instances, which shares out tasks and keeps committed offsets.
    ///
    /// Throws ``LogError/Code/inUse`` where the log lets only one process run an application and another does.
    func joinGroup(_ configuration: GroupConfiguration) throws(LogError) -> any LogGroup

    /// What a group has committed, without joining it.
    func committedOffsets(group: String) throws(LogError) -> [TopicPartition: CommittedOffset]

    /// The groups that have committed offsets or members, by name.
    ///
    /// Throws ``LogError/Code/unsupported`` where the log can't tell.
    func groups() throws(LogError) -> [GroupDescription]

    /// Sets what a group has committed for some partitions, while nobody is in it.
    ///
    /// Throws ``LogError/Code/inUse`` while somebody is, ``LogError/Code/unsupported`` where the log can't do it.
    func setCommittedOffsets(_ offsets: [TopicPartition: CommittedOffset], group: String) throws(LogError)

    /// The id of the log's last commit, as ``LogProducer/commitTransaction(offsets:group:)`` gives them; nil where it isn't known.
    ///
    /// State that belongs to a later one was made on a log that is lost.
    func newestCommit() throws(LogError) -> Int64?

    /// Closes the log; later calls throw ``LogError/Code/closed``. Calling it again does nothing.
    func close()
}

/// Settings of a reader.
public struct ConsumerConfiguration: Sendable {
    /// A name for messages and metrics.
    public var clientID: String
    /// Whether records of transactions that are not committed are withheld.
    public var readCommitted: Bool
    /// How many bytes of records one batch may hold, roughly; at least one record always fits.
    public var maximumBatchBytes: Int

    /// Makes settings of a reader.
    public init(clientID: String, readCommitted: Bool = true, maximumBatchBytes: Int = 1 << 20) {
        self.clientID = clientID
        self.readCommitted = readCommitted
        self.maximumBatchBytes = maximumBatchBytes
    }
}

/// Settings of a writer.
public struct ProducerConfiguration: Sendable {
    /// A name for messages and metrics.
    public var clientID: String
    /// The transactional id; nil for a writer without transactions.
    public var transactionalID: String?

    /// Makes settings of a writer.
    public init(clientID: String, transactionalID: String? = nil) {
        self.clientID = clientID
        self.transactionalID = transactionalID
    }
}

/// Settings of a group's member.
public struct GroupConfiguration: Sendable {
    /// The group: the application's id.
    public var group: String
    /// Says who this member is, for messages.
    public var clientID: String
    /// The number of tasks that the group shares out, numbered from 0.
    public var tasks: Int

    /// Makes settings of a member.
    public init(group: String, clientID: String, tasks: Int) {
        self.group = group
        self.clientID = clientID
        self.tasks = tasks
    }
}

/// A change of the tasks that this member owns.
public enum PlacementChange: Sendable, Hashable {
    /// These tasks are now this member's.
    case assigned([Int])
    /// These tasks go to another member; commit them before the next call.
    case revoked([Int])
    /// These tasks have gone without a chance to commit: close them dirty.
    case lost([Int])
}

/// A member of a group: tells which tasks are its own and keeps committed offsets.
///
/// May be used from any thread, ``nextChange(timeout:)`` by one at a time.
public protocol LogGroup: AnyObject, Sendable {
    /// Waits for the next change of placement, at most `milliseconds`; nil if there was none.
    func nextChange(timeout milliseconds: Int64) throws(LogError) -> PlacementChange?

    /// The committed offsets of partitions, once no other member's transaction on them is open. Partitions without are missing.
    func committed(_ partitions: [TopicPartition]) throws(LogError) -> [TopicPartition: CommittedOffset]

    /// Commits offsets outside of a transaction.
    func commit(_ offsets: [TopicPartition: CommittedOffset]) throws(LogError)

    /// Leaves the group; its tasks go to others.
    func leave()
}

/// Reads partitions that were assigned to it, in batches.
///
/// Used by one thread; only ``wake()`` may come from others.
public protocol LogConsumer: AnyObject {
    /// Begins to read a partition at `offset` and returns the number that its batches carry. Numbers are small and reused.
    func assign(_ partition: TopicPartition, from offset: Int64) throws(LogError) -> Int

    /// Stops reading a partition.
    func unassign(_ assignment: Int)

    /// Delivers no batches of a partition until ``resume(_:)``; its position stays.
    func pause(_ assignment: Int)

    /// Delivers batches of a partition again.
    func resume(_ assignment: Int)

    /// Goes on at another offset.
    func seek(_ assignment: Int, to offset: Int64)

    /// The offset after the last record delivered, or behind offsets after it that turned out to hold none.
    func position(_ assignment: Int) -> Int64

    /// The end of the partition as last seen by this consumer; never a call to a server.
    func knownEnd(_ assignment: Int) -> Int64

    /// The next batch of any partition that is not paused; nil if none came within the time or ``wake()`` was called.
    ///
    /// Throws with coordinates for bytes that can't be read, and again at the next call unless the caller seeks beyond.
    /// Throws ``LogError/Code/offsetOutOfRange`` for a position below the first record or beyond the end.
    func poll(timeout milliseconds: Int64) throws(LogError) -> RecordBatch?

    /// Ends a waiting ``poll(timeout:)``, from any thread; if none waits, the next returns at once.
    func wake()

    /// Gives up all partitions.
    func close()
}

/// Writes records.
///
/// Used by one thread.
///
/// With a transactional id: records go into the open transaction, ``commitTransaction(offsets:group:)`` makes them and the
/// offsets durable and visible as one, and nothing of an aborted one is ever read by others. Without: records become visible
/// when the log has written them, ``flush()`` waits for that.
public protocol LogProducer: AnyObject {
    /// The number under which this producer knows a topic. Asked once per topic, not per record.
    func number(ofTopic name: String) throws(LogError) -> Int

    /// The number of partitions of a topic known by number.
    func partitions(ofTopic number: Int) -> Int32

    /// Begins a transaction.
    func beginTransaction() throws(LogError)

    /// Hands over one record; its bytes are copied before the call returns.
    ///
    /// - Parameters:
    ///   - record: the record.
    ///   - topic: from ``number(ofTopic:)``.
    ///   - partition: below ``partitions(ofTopic:)``.
    func send(_ record: borrowing OutgoingRecord, topic: Int, partition: Int32) throws(LogError)

    /// Begins what belongs together: without transactions, what is handed over until ``release()`` is written whole or not at all.
    ///
    /// Only where a log can write records of several partitions as one, and only up to the largest transaction it takes; else it does
    /// nothing. May be called again before ``release()``. A producer that is closed meanwhile gives up what it holds.
    func hold()

    /// Ends what belongs together.
    func release() throws(LogError)

    /// How many bytes were handed over and are not yet written.
    var pendingBytes: Int { get }

    /// Says that nothing more is handed over for now: what a log collects to write together is not worth waiting for.
    ///
    /// Takes a millisecond at most.
    func push()

    /// Waits until everything handed over is written (in a transaction: can be committed), and throws what failed since the
    /// last call.
    func flush() throws(LogError)

    /// The offset of the last record written to a partition by this producer; -1 if there was none. Right after a flush or commit.
    func lastOffset(topic: Int, partition: Int32) -> Int64

    /// Commits the transaction with a group's offsets; returns the log's own id of the commit, which only grows.
    func commitTransaction(offsets: [TopicPartition: CommittedOffset], group: (any LogGroup)?) throws(LogError) -> Int64

    /// Gives up everything since ``beginTransaction()``.
    func abortTransaction() throws(LogError)

    /// Ends the producer; an open transaction is given up.
    func close()
}

extension Log {
    /// Unknown.
    public func newestCommit() throws(LogError) -> Int64? { nil }

    /// For logs that can't tell.
    public func groups() throws(LogError) -> [GroupDescription] {
        throw LogError(.unsupported, "this log can't list its groups")
    }

    /// For logs that can't do it.
    public func setCommittedOffsets(
        _ offsets: [TopicPartition: CommittedOffset], group: String
    ) throws(LogError) {
        throw LogError(.unsupported, "this log can't change the offsets of a group from outside")
    }
}

extension LogProducer {
    /// Does nothing: for logs that don't wait for more.
    public func push() {}

    /// Does nothing: for logs that write each partition's records by themselves.
    public func hold() {}

    /// Does nothing, as ``hold()``.
    public func release() throws(LogError) {}
}
