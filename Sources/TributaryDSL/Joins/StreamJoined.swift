public import TributaryCore
public import TributaryState

/// Settings of a join of two streams, as Kafka Streams' class of the same name.
public struct StreamJoined<Key, Left, Right>: Sendable {
    /// Where the stores keep their entries.
    public typealias StoreType = Materialized<Key, Left>.StoreType

    /// Begins the names of the nodes, and of repartition topics if there are such.
    public var name: String?
    /// Begins the names of the stores and their changelogs; generated ones without.
    public var storeName: String?
    /// The keys' serde; nil for that of the streams.
    public var key: Serde<Key>?
    /// The serde of the left stream's values; nil for the stream's.
    public var left: Serde<Left>?
    /// The serde of the right stream's values; nil for the stream's.
    public var right: Serde<Right>?
    /// Where entries are kept; nil for the application's default.
    public var type: StoreType?
    /// Whether the stores have changelogs.
    public var logging: Bool
    /// Settings of the changelog topics.
    public var changelogSettings: [String: String]
    /// The store of the left stream's records, instead of one made for the join: a window store that keeps duplicates, with the join's window
    /// as its size and window and grace as its retention.
    public var leftStore: StoreDescription?
    /// The same for the right stream's, with another name.
    public var rightStore: StoreDescription?

    /// Makes settings.
    public init(
        named name: String? = nil, as storeName: String? = nil, key: Serde<Key>? = nil, left: Serde<Left>? = nil,
        right: Serde<Right>? = nil, type: StoreType? = nil, logging: Bool = true,
        changelogSettings: [String: String] = [:], leftStore: StoreDescription? = nil,
        rightStore: StoreDescription? = nil
    ) {
        self.name = name
        self.storeName = storeName
        self.key = key
        self.left = left
        self.right = right
        self.type = type
        self.logging = logging
        self.changelogSettings = changelogSettings
        self.leftStore = leftStore
        self.rightStore = rightStore
    }
}

/// The names of a join's nodes and stores.
@usableFromInline
struct StreamJoinNames: Sendable {
    @usableFromInline let leftWindowed: String
    @usableFromInline let rightWindowed: String
    @usableFromInline let left: String
    @usableFromInline let right: String
    @usableFromInline let merge: String
    @usableFromInline let leftStore: String
    @usableFromInline let rightStore: String
    @usableFromInline let unmatched: String

    // Indices are used up in this order whether or not there are names.
    @usableFromInline
    init(
        _ graph: TopologyGraph, _ kind: JoinKind, _ named: String?, store: String?, suppliedLeft: String?
    ) {
        let leftSuffix = kind.keepsRight ? "-outer-this-join" : "-this-join"
        let rightSuffix = kind.keepsLeft ? "-outer-other-join" : "-other-join"
        leftWindowed = graph.name("KSTREAM-WINDOWED-", named.map { "\($0)-this-windowed" })
        rightWindowed = graph.name("KSTREAM-WINDOWED-", named.map { "\($0)-other-windowed" })
        let leftPrefix = kind.keepsRight ? "KSTREAM-OUTERTHIS-" : "KSTREAM-JOINTHIS-"
        let generatedLeft = graph.newUniqueName(leftPrefix)
        let generatedRight = graph.newUniqueName(kind.keepsLeft ? "KSTREAM-OUTEROTHER-" : "KSTREAM-JOINOTHER-")
        left = named.map { $0 + leftSuffix } ?? generatedLeft
        right = named.map { $0 + rightSuffix } ?? generatedRight
        merge = graph.name("KSTREAM-MERGE-", named.map { "\($0)-merge" })
        leftStore = (store.map { $0 + leftSuffix } ?? generatedLeft) + "-store"
        rightStore = (store.map { $0 + rightSuffix } ?? generatedRight) + "-store"
        let shared = kind.keepsRight ? "-outer-shared-join" : "-left-shared-join"
        let begin = suppliedLeft ?? store
        unmatched =
            (begin.map { $0 + shared } ?? "KSTREAM-OUTERSHARED-" + generatedLeft.dropFirst(leftPrefix.count))
            + "-store"
    }
}

extension StreamJoined {
    /// The store that keeps one side's records.
    @usableFromInline
    func store(
        _ name: String, _ supplied: StoreDescription?, _ graph: TopologyGraph, _ windows: JoinWindows, serdes: String
    ) -> StoreDescription {
        if var supplied {
            if let problem = Self.problem(supplied, windows) { graph.fail(.invalidSetting, problem) }
            supplied.isCached = false
            supplied.isLogged = supplied.isLogged && logging
            supplied.serdes = serdes
            // As Kafka Streams has it for stores that aren't its own.
            supplied.changelogSettings.merge(["cleanup.policy": "compact,delete"]) { mine, _ in mine }
            return supplied
        }
        var description = base(
            name, graph,
            .window(
                retention: windows.retentionTime, size: windows.sizeTime, retainsDuplicates: true, timestamped: false))
        description.serdes = serdes
        description.logsHeaders = true
        description.keepsHeaders = graph.storesHeaders
        return description
    }

    /// The store of what has found no match yet.
    @usableFromInline
    func unmatched(_ name: String, _ graph: TopologyGraph, serdes: String) -> StoreDescription {
        var description = base(name, graph, .list)
        description.serdes = serdes
        if let leftStore {
            description.isPersistent = leftStore.isPersistent
            description.hasGeneratedName = false
        }
        return description
    }

    private func base(_ name: String, _ graph: TopologyGraph, _ kind: StoreDescription.Kind) -> StoreDescription {
        let isPersistent: Bool
        switch type {
        case nil: isPersistent = !graph.storesInMemory
        case .persistent, .withoutTimestamps: isPersistent = true
        case .inMemory: isPersistent = false
        case .leastRecentlyUsed, .versioned:
            graph.fail(
                .invalidSetting, "the store '\(name)' of a join keeps windows: its type can be persistent or inMemory")
            isPersistent = true
        }
        var description = StoreDescription(
            name: name, kind: kind, isPersistent: isPersistent, isCached: false, isLogged: logging)
        description.changelogSettings = changelogSettings
        description.hasGeneratedName = storeName == nil
        return description
    }

    private static func problem(_ store: StoreDescription, _ windows: JoinWindows) -> String? {
        let needed = StoreDescription.Kind.window(
            retention: windows.retentionTime, size: windows.sizeTime, retainsDuplicates: true, timestamped: false)
        guard store.kind != needed else { return nil }
        return
            "the store '\(store.name)' of a join has to be a window store that keeps duplicates, without timestamps, "
            + "of windows of \(windows.sizeTime) ms with a retention of \(windows.retentionTime) ms"
    }
}
