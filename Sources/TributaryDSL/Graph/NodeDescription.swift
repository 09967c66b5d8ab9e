/// A node of a topology: what `describe()` shows of it.
public struct NodeDescription: Sendable, Hashable {
    /// The kinds of nodes.
    public enum Kind: Sendable, Hashable {
        /// Reads topics.
        case source(topics: [String])
        /// Reads all topics that fit a pattern.
        case patternSource(TopicPattern)
        /// Does something with each record.
        case processor
        /// Sends records to a topic; nil if a closure chooses it.
        case sink(topic: String?)
    }

    /// The name, unique in the topology.
    public var name: String
    /// What it does.
    public var kind: Kind
    /// The nodes that call it, by number, in the order in which they were connected.
    public var parents: [Int]
    /// The stores it uses, by name.
    public var stores: [String]
}

/// A topic that the application makes for itself; names are without the application's prefix.
public struct InternalTopic: Sendable, Hashable {
    /// The kinds of internal topics.
    public enum Kind: String, Sendable, Hashable {
        /// Holds what a store was told, to rebuild it.
        case changelog
        /// Brings records of one key together.
        case repartition
    }

    /// The name without the application's id.
    public var name: String
    /// What it is for.
    public var kind: Kind
    /// The number of partitions that the user asked for.
    public var partitions: Int32?
    /// Settings under Kafka's names.
    public var settings: [String: String]
    /// The store of a changelog.
    public var store: String?
    /// Whether the name was generated.
    public var hasGeneratedName: Bool
}
