internal import TributaryCore
public import TributaryLineage

extension KStream {
    /// Begins to split the stream: each record goes to the first branch whose predicate is true.
    @inlinable
    public func split(named: String? = nil) -> BranchedKStream<Key, Value> {
        let name = graph.name("KSTREAM-BRANCH-", named)
        let id = graph.add(name, parents: [node])
        return BranchedKStream(stream: self, node: id, name: name)
    }
}

/// A stream that is being split, as Kafka Streams' `BranchedKStream`.
///
/// Ends with ``defaultBranch(_:)`` or ``noDefaultBranch()``.
public final class BranchedKStream<Key, Value> {
    @usableFromInline
    struct Branch: Sendable {
        @usableFromInline let name: String
        @usableFromInline let predicate: (@Sendable (Key, Value) throws -> Bool)?
        @usableFromInline let output: Output<Key, Value>
        @usableFromInline let node: Int
    }

    @usableFromInline let stream: KStream<Key, Value>
    @usableFromInline let node: Int
    @usableFromInline let name: String
    @usableFromInline var branches: [Branch] = []

    @usableFromInline
    init(stream: KStream<Key, Value>, node: Int, name: String) {
        self.stream = stream
        self.node = node
        self.name = name
    }

    /// Adds a branch; branches are tried in the order in which they were added.
    ///
    /// - Parameters:
    ///   - name: of the branch, behind the splitter's name; its number by default.
    ///   - predicate: whether a record belongs to the branch.
    @inlinable
    public func branch(
        _ name: String? = nil, @Returning<Bool> _ predicate: @escaping @Sendable (Key, Value) throws -> Bool
    ) -> BranchedKStream<Key, Value> {
        add(name ?? String(branches.count + 1), predicate)
        return self
    }

    /// Ends the split: records of no branch go to one more.
    ///
    /// Returns the branches.
    @inlinable
    public func defaultBranch(_ name: String? = nil) -> Branches<Key, Value> {
        add(name ?? "0", nil)
        return noDefaultBranch()
    }

    /// Ends the split: records of no branch end here.
    ///
    /// Returns the branches.
    @inlinable
    public func noDefaultBranch() -> Branches<Key, Value> {
        let branches = self.branches
        let name = self.name
        stream.output.attach(node, name) { context in
            let user = UserCode(name, context.services)
            let sinks = try branches.map { try $0.output.sink(in: context) }
            let predicates = branches.map(\.predicate)
            return NodeInput(
                call: { key, value, meta in
                    for index in predicates.indices {
                        if let predicate = predicates[index] {
                            guard let passes = try user.run(meta, { try predicate(key, value) }) else { return }
                            guard passes else { continue }
                        }
                        return try sinks[index].call(key, value, meta)
                    }
                },
                delete: { key, meta in
                    // A tombstone has no value to choose by: it goes to every branch that could hold its key.
                    for sink in sinks { try sink.delete(key, meta) }
                })
        }
        return Branches(
            splitter: name, streams: branches.map { ($0.name, stream(below: $0)) }, graph: stream.graph, node: node)
    }

    @usableFromInline
    func stream(below branch: Branch) -> KStream<Key, Value> {
        KStream(
            graph: stream.graph, node: branch.node, output: branch.output, keySerde: stream.keySerde,
            valueSerde: stream.valueSerde, needsRepartition: stream.needsRepartition, sources: stream.sources)
    }

    @usableFromInline
    func add(_ suffix: String, _ predicate: (@Sendable (Key, Value) throws -> Bool)?) {
        let graph = stream.graph
        let child = name + suffix
        _ = graph.newUniqueName("unused-")
        graph.check(name: child)
        let id = graph.add(child, parents: [node])
        branches.append(Branch(name: child, predicate: predicate, output: Output<Key, Value>(), node: id))
    }
}

/// The streams that a split stream has become, by the names of their branches.
public struct Branches<Key, Value> {
    private let splitter: String
    private let streams: [(name: String, stream: KStream<Key, Value>)]
    private let graph: TopologyGraph
    private let node: Int

    @usableFromInline
    init(splitter: String, streams: [(name: String, stream: KStream<Key, Value>)], graph: TopologyGraph, node: Int) {
        self.splitter = splitter
        self.streams = streams
        self.graph = graph
        self.node = node
    }

    /// The stream of a branch; by its number if it was given no name, `0` being the default one.
    ///
    /// A name that no branch has is an error of ``StreamsBuilder/build(explicitNames:optimization:)``, which says what there is. With the splitter's
    /// name in front, as in Kafka Streams, it is found, too.
    public subscript(name: String) -> KStream<Key, Value> {
        if let found = streams.first(where: { $0.name == splitter + name || $0.name == name }) { return found.stream }
        graph.fail(.notConnected, "'\(splitter)' has no branch '\(name)', only \(names.joined(separator: ", "))")
        return KStream(
            graph: graph, node: node, output: Output<Key, Value>(), keySerde: streams.first?.stream.keySerde,
            valueSerde: streams.first?.stream.valueSerde, needsRepartition: false, sources: [])
    }

    /// The names of the branches, in the order in which they were added.
    public var names: [String] { streams.map { String($0.name.dropFirst(splitter.count)) } }

    /// The streams by the names that Kafka Streams gives: the splitter's name, then the branch's.
    public var byFullName: [String: KStream<Key, Value>] {
        Dictionary(streams.map { ($0.name, $0.stream) }, uniquingKeysWith: { first, _ in first })
    }
}
