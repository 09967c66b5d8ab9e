/// A topic to be created.
public struct TopicSpecification: Sendable, Hashable {
    /// The name: 1-249 characters of `[A-Za-z0-9._-]`, not `.` or `..`.
    public var name: String
    /// The number of partitions, at least 1.
    public var partitions: Int32
    /// Settings under Kafka's names (`cleanup.policy`, `retention.ms`, ...); those not given have the log's defaults.
    public var settings: [String: String]

    /// Describes a topic to be created.
    public init(_ name: String, partitions: Int32 = 1, settings: [String: String] = [:]) {
        self.name = name
        self.partitions = partitions
        self.settings = settings
    }
}

/// A topic as the log knows it.
public struct TopicDescription: Sendable, Hashable {
    /// The name.
    public var name: String
    /// An identity that a topic of the same name made later doesn't share.
    public var identity: String
    /// Which topic of this name it is, from 1: one more each time that it was deleted and made again.
    ///
    /// Part of what cells of lineage know of a source. Always 1 on a log that doesn't count such lives (Kafka).
    public var life: UInt64
    /// The number of partitions.
    public var partitions: Int32
    /// Settings that differ from the log's defaults, under Kafka's names.
    public var settings: [String: String]

    /// Describes a topic.
    public init(name: String, identity: String, life: UInt64 = 1, partitions: Int32, settings: [String: String]) {
        self.life = life
        self.name = name
        self.identity = identity
        self.partitions = partitions
        self.settings = settings
    }
}

/// The ends of a partition.
public struct Watermarks: Sendable, Hashable {
    /// The offset of the first record that is still there.
    public var low: Int64
    /// The offset after the last record.
    public var high: Int64

    /// Makes a pair of ends.
    public init(low: Int64, high: Int64) {
        self.low = low
        self.high = high
    }
}

/// What a group has committed for a partition.
public struct CommittedOffset: Sendable, Hashable {
    /// The offset of the next record to process.
    public var offset: Int64
    /// Text of the group's own; Kafka Streams keeps partition time there.
    public var metadata: String
    /// For committing: the identity of the topic whose offset this is, empty for whichever has the name now.
    ///
    /// It is ``TopicDescription/identity``. Where the topic of that name is another by now, the commit is refused with
    /// `unknownTopic`; on Kafka the broker forgets a deleted topic's offsets, and this is not looked at. Offsets that are asked for
    /// don't have it.
    public var topicIdentity: String

    /// Makes a committed offset.
    public init(_ offset: Int64, metadata: String = "", topicIdentity: String = "") {
        self.offset = offset
        self.metadata = metadata
        self.topicIdentity = topicIdentity
    }
}

/// A group as the log knows it.
public struct GroupDescription: Sendable, Hashable {
    /// The name.
    public var name: String
    /// Who is in it, in words: processes, or clients and their hosts.
    public var members: [String]

    /// Describes a group.
    public init(name: String, members: [String] = []) {
        self.name = name
        self.members = members
    }
}

/// Whether an application's results may be doubled by a failure.
public enum ProcessingGuarantee: String, Sendable, Hashable {
    /// Nothing is lost; after a failure records may be processed again.
    case atLeastOnce = "at_least_once"
    /// Outputs, state and offsets are committed as one.
    case exactlyOnce = "exactly_once_v2"
}

/// What an application does on a log unless its user says otherwise.
public struct LogDefaults: Sendable, Hashable {
    /// The guarantee that suits the log.
    public var guarantee: ProcessingGuarantee
    /// The guarantees that the log can give.
    public var guarantees: Set<ProcessingGuarantee>
    /// The commit interval that suits the log with exactly-once.
    public var exactlyOnceCommitInterval: Duration
    /// The commit interval that suits the log with at-least-once.
    public var atLeastOnceCommitInterval: Duration
    /// Where state goes unless said otherwise; nil if the user must say.
    public var stateDirectory: String?
    /// Settings of this log that an application's own topics get besides those of Kafka Streams.
    public var internalTopicSettings: [String: String] = [:]
    /// How the program `tributary` is told of this log, such as `--log ./data`; empty where it can't be.
    public var commandOption = ""

    /// Makes a set of defaults.
    public init(
        guarantee: ProcessingGuarantee, guarantees: Set<ProcessingGuarantee> = [.atLeastOnce, .exactlyOnce],
        exactlyOnceCommitInterval: Duration = .milliseconds(100),
        atLeastOnceCommitInterval: Duration = .seconds(30), stateDirectory: String? = nil
    ) {
        self.guarantee = guarantee
        self.guarantees = guarantees
        self.exactlyOnceCommitInterval = exactlyOnceCommitInterval
        self.atLeastOnceCommitInterval = atLeastOnceCommitInterval
        self.stateDirectory = stateDirectory
    }
}
