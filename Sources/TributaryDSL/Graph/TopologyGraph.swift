internal import TributaryCore
public import TributaryLineage
public import TributaryState

/// A topology while it is being described: nodes, stores and names in the order of the calls, which fixes generated names.
///
/// Used by one thread. Not a type that users name: streams and tables hold it.
public final class TopologyGraph {
    struct Store {
        var description: StoreDescription
        var nodes: [Int] = []
        var isNeeded = true
    }

    var counter = 0
    var storesInMemory = false
    var storesHeaders = false
    @usableFromInline var nodes: [NodeDescription] = []
    var stores: [String: Store] = [:]
    var storeOrder: [String] = []
    var sources: [SourceNode] = []
    var repartitions: [InternalTopic] = []
    var copartitions: [[Int]] = []
    var firstError: TopologyError?
    /// Stores that the user added by hand: no error if nothing uses them.
    var userStores: Set<String> = []
    /// Source nodes that another of the same topics replaced.
    var removed: Set<Int> = []

    // What the optimiser looks at.
    var keyChanges: [KeyChange] = []
    var merges: [KeyChange] = []
    var valueChanges: Set<Int> = []
    var processors: [KeyChange] = []
    var valueProcessors: Set<Int> = []
    var mergeables: [MergeableRepartition] = []
    var sourceTables: [SourceTable] = []
    var selfJoins: [SelfJoinCandidate] = []
    /// Where nodes that the optimiser added are among the others.
    var places: [Int: (Int, Int)] = [:]

    /// The filter node in front of each repartition source.
    var repartitionFilters: [Int: Int] = [:]
    /// The stream behind the repartition topic that joins of a node's stream share.
    var joinRepartitions: [Int: Any] = [:]
    /// How long the windows of an aggregation's node stay open behind their end, ms.
    @usableFromInline var windowGraces: [Int: Int64] = [:]
    /// Left joins: records with null keys come to them.
    @usableFromInline var relaxedJoins: [Int] = []
    @usableFromInline let letsNullKeysPass = FilterSet()

    @usableFromInline
    init() {}

    // MARK: Names

    func newName(_ prefix: String) -> String {
        let digits = String(counter)
        counter += 1
        return prefix + String(repeating: "0", count: max(0, 10 - digits.utf8.count)) + digits
    }

    /// A user's name, or a generated one; the index is used up in either case.
    @usableFromInline
    func name(_ prefix: String, _ named: String?) -> String {
        let generated = newName(prefix)
        guard let named else { return generated }
        check(name: named)
        return named
    }

    @usableFromInline
    func check(name: String) {
        guard TopicName.isValid(name) else {
            fail(.invalidName, "the name '\(name)' is not 1-249 characters of [A-Za-z0-9._-], or is '.' or '..'")
            return
        }
    }

    func check<Key, Value>(_ key: Serde<Key>?, _ value: Serde<Value>?) {
        if let key, let problem = key.problem { fail(.invalidSetting, "serde '\(key.name)': \(problem)") }
        if let value, let problem = value.problem { fail(.invalidSetting, "serde '\(value.name)': \(problem)") }
    }

    @usableFromInline
    func check(_ reset: OffsetReset?, of source: String) {
        if let problem = reset?.problem { fail(.invalidSetting, "\(source): \(problem)") }
    }

    /// Keeps the first error; `build()` throws it.
    @usableFromInline
    func fail(_ code: TopologyError.Code, _ message: String) {
        if firstError == nil { firstError = TopologyError(code, message) }
    }

    // MARK: Nodes

    @usableFromInline
    func add(_ name: String, _ kind: NodeDescription.Kind = .processor, parents: [Int] = [], stores: [String] = [])
        -> Int
    {
        nodes.append(NodeDescription(name: name, kind: kind, parents: parents, stores: []))
        let node = nodes.count - 1
        for store in stores { connect(store, to: node) }
        return node
    }

    @usableFromInline
    func connect(_ store: String, to node: Int) {
        if !nodes[node].stores.contains(store) { nodes[node].stores.append(store) }
        stores[store]?.nodes.append(node)
        stores[store]?.isNeeded = true
    }

    // MARK: Stores

    /// Adds the store of an operator, which shares it with no other.
    func addStore(_ description: StoreDescription, needed: Bool = true) {
        check(name: description.name)
        guard stores[description.name] == nil else {
            return fail(
                .conflict, "a store named '\(description.name)' is there already: give one of the two another name")
        }
        stores[description.name] = Store(description: description, isNeeded: needed)
        storeOrder.append(description.name)
    }

    /// Adds a store that processors share by its name; the same one may be added again.
    func addUserStore(_ description: StoreDescription) {
        if description.retention ?? 0 < 0 || description.windowSize ?? 0 < 0 {
            fail(.invalidSetting, "the window store '\(description.name)' has a retention or size below 0 ms")
        }
        if userStores.contains(description.name), stores[description.name]?.description == description { return }
        addStore(description)
        userStores.insert(description.name)
    }

    @usableFromInline
    func updateStore(_ name: String, _ change: (inout StoreDescription) -> Void) {
        guard var store = stores[name] else { return }
        change(&store.description)
        stores[name] = store
    }

    // MARK: Sources

    func addSource(_ source: SourceNode) { sources.append(source) }

    /// The topics of a source, each once.
    @usableFromInline
    func distinct(_ topics: [String], for source: String) -> [String] {
        if topics.isEmpty { fail(.notConnected, "the source '\(source)' has no topic: name at least one") }
        var seen: Set<String> = []
        return topics.filter { seen.insert($0).inserted }
    }

    /// The topics that some nodes read, by their order.
    static func topics(of list: some Sequence<Int>, _ nodes: [NodeDescription]) -> [String] {
        list.flatMap { node -> [String] in
            if case .source(let topics) = nodes[node].kind { topics } else { [] }
        }
    }

    static func twoReaders(of topic: String, _ one: String, _ other: String) -> TopologyError {
        TopologyError(
            .conflict,
            "topic '\(topic)' is read by both '\(one)' and '\(other)': read it once and use the stream or table twice")
    }
}

/// Reads topics and decodes their records: the typed top of a sub-topology.
struct SourceNode: Sendable {
    var node: Int
    var topics: [String]
    /// What the topics' names are like, of a source that reads all such.
    let pattern: TopicPattern?
    let isTable: Bool
    /// Whether it fills a global table.
    var isGlobal = false
    let settings: SourceSettings
    /// Whether the serdes take a record's bytes.
    let accepts: @Sendable (RawSpan?, RawSpan?) -> Bool
    /// Makes what the task calls with each record's bytes.
    let make: @Sendable (NodeContext) throws -> SourceEntry
}

/// What a task calls with each record of a source.
public final class SourceEntry {
    /// Takes key bytes are in the metadata, and the value's bytes (nil: null).
    public let process: (RawSpan?, borrowing RecordMeta) throws -> Void

    /// Makes an entry.
    @inlinable
    public init(_ process: @escaping (RawSpan?, borrowing RecordMeta) throws -> Void) { self.process = process }

    static func all(_ entries: [SourceEntry]) -> SourceEntry {
        if entries.count == 1, let only = entries.first { return only }
        return SourceEntry { value, meta in for entry in entries { try entry.process(value, meta) } }
    }
}
