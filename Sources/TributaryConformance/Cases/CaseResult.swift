/// All that can be observed of a run: what a case expects, or what a runner saw.
///
/// What is nil was not observed: after an error only some of it exists.
public struct CaseResult: Sendable, Hashable {
    /// Where a run ended early.
    public enum Failure: Sendable, Hashable {
        /// Building the topology.
        case build
        /// Creating the task.
        case start
        /// A step, from 0.
        case step(Int)
    }

    /// A record that was written to a topic in a step, or seen by a peek.
    public struct Record: Sendable, Hashable {
        /// The key.
        public var key: CaseKey
        /// The value.
        public var value: CaseValue
        /// The timestamp; nil for what a peek saw.
        public var timestamp: Int64?
        /// The headers, in order.
        public var headers: [CaseHeader]

        /// Makes a record.
        public init(_ key: CaseKey, _ value: CaseValue, timestamp: Int64?, headers: [CaseHeader] = []) {
            self.key = key
            self.value = value
            self.timestamp = timestamp
            self.headers = headers
        }
    }

    /// A record of an internal topic: bytes as hexadecimal digits.
    public struct RawRecord: Sendable, Hashable {
        /// The key; nil for null.
        public var key: String?
        /// The value; nil for null.
        public var value: String?
        /// The timestamp; nil where the producer's clock is taken.
        public var timestamp: Int64?
        /// The headers, values as hexadecimal digits.
        public var headers: [CaseHeader]

        /// Makes a record.
        public init(_ key: String?, _ value: String?, timestamp: Int64?, headers: [CaseHeader] = []) {
            self.key = key
            self.value = value
            self.timestamp = timestamp
            self.headers = headers
        }
    }

    /// A row of a store.
    public struct Row: Sendable, Hashable {
        /// The key.
        public var key: CaseKey
        /// The value.
        public var value: CaseValue
        /// The timestamp; nil in plain stores.
        public var timestamp: Int64?
        /// The headers as `h=1,g=2`; nil unless the store keeps headers.
        public var headers: String?

        /// Makes a row.
        public init(_ key: CaseKey, _ value: CaseValue, timestamp: Int64? = nil, headers: String? = nil) {
            self.key = key
            self.value = value
            self.timestamp = timestamp
            self.headers = headers
        }
    }

    /// What is in a store at the end.
    public enum Store: Sendable, Hashable {
        /// The store exists; its contents are not compared.
        case opaque
        /// The rows, in any order.
        case rows([Row])
    }

    /// An internal topic as the library makes it.
    public struct InternalTopic: Sendable, Hashable {
        /// `changelog` or `repartition`.
        public var type: String
        /// The settings that the library gives it.
        public var config: [String: String]
        /// The number of partitions, if the topology fixes it.
        public var partitions: Int64?

        /// Makes a description.
        public init(type: String, config: [String: String], partitions: Int64? = nil) {
            self.type = type
            self.config = config
            self.partitions = partitions
        }
    }

    /// Where the run ended early; nil if it didn't.
    public var failure: Failure?
    /// What failed, in words; never compared.
    public var failureMessage: String?
    /// The lines of the topology's description.
    public var describe: [String]?
    /// For each step the records by topic; `peek:ID` is what that statement saw.
    public var steps: [[String: [Record]]]?
    /// The contents of each store.
    public var stores: [String: Store]?
    /// What was written to each changelog.
    public var changelogs: [String: [RawRecord]]?
    /// What was written to each repartition topic.
    public var repartitions: [String: [RawRecord]]?
    /// The internal topics.
    public var internalTopics: [String: InternalTopic]?
    /// Groups of topics that must have equally many partitions.
    public var copartition: [[String]]?
    /// How many records the task dropped.
    public var droppedRecords: Int64?

    /// A result in which nothing was observed.
    public init() {}
}

/// What a runner saw; the same shape as what a case expects.
public typealias ActualResult = CaseResult
