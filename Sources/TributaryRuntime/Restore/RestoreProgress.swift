public import TributaryCore

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

    package init(
        store: String, task: String, changelog: TopicPartition, start: Int64, end: Int64, position: Int64,
        records: Int64, isDone: Bool
    ) {
        self.store = store
        self.task = task
        self.changelog = changelog
        self.start = start
        self.end = end
        self.position = position
        self.records = records
        self.isDone = isDone
    }
}
