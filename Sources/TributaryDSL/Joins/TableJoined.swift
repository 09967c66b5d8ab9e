internal import TributaryCore

/// Settings of a join of two tables by foreign key, as Kafka Streams' class of the same name.
public struct TableJoined<Key, ForeignKey>: Sendable {
    /// Begins the names of the nodes, of the topics between the tables and of the store of subscriptions.
    public var name: String?
    /// Chooses the partition of a left row's key, from 0 to below `partitions`, where the left table's topics aren't partitioned by the key's
    /// bytes; without it an answer goes where the question came from.
    public var partitioner: (@Sendable (_ key: Key, _ partitions: Int32) throws -> Int32)?
    /// The same for keys of the right table.
    public var otherPartitioner: (@Sendable (_ key: ForeignKey, _ partitions: Int32) throws -> Int32)?

    /// Makes settings.
    public init(
        named name: String? = nil,
        partitioner: (@Sendable (_ key: Key, _ partitions: Int32) throws -> Int32)? = nil,
        otherPartitioner: (@Sendable (_ key: ForeignKey, _ partitions: Int32) throws -> Int32)? = nil
    ) {
        self.name = name
        self.partitioner = partitioner
        self.otherPartitioner = otherPartitioner
    }
}

/// The names of the nodes, topics and store of a join by foreign key.
@usableFromInline
struct ForeignKeyNames: Sendable {
    @usableFromInline let registrationTopic: String
    @usableFromInline let registration: String
    @usableFromInline let registrationSink: String
    @usableFromInline let registrationSource: String
    @usableFromInline let store: String
    @usableFromInline let receive: String
    @usableFromInline let lookup: String
    @usableFromInline let foreign: String
    @usableFromInline let responseTopic: String
    @usableFromInline let responseSink: String
    @usableFromInline let responseSource: String
    @usableFromInline let resolver: String
    @usableFromInline let output: String

    // Indices are used up in this order whether or not there is a name.
    @usableFromInline
    init(_ graph: TopologyGraph, _ named: String?) {
        func name(_ prefix: String, _ suffix: String) -> String {
            graph.name("KTABLE-\(prefix)-", named.map { "\($0)-\(suffix)" })
        }
        let first = graph.newUniqueName("KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-")
        registrationTopic = "\(named.map { "\($0)-subscription-registration" } ?? first)-topic"
        registration = name("FK-JOIN-SUBSCRIPTION-REGISTRATION", "subscription-registration-processor")
        registrationSink = name("SINK", "subscription-registration-sink")
        registrationSource = name("SOURCE", "subscription-registration-source")
        store = name("FK-JOIN-SUBSCRIPTION-STATE-STORE", "subscription-store")
        receive = name("FK-JOIN-SUBSCRIPTION-PROCESSOR", "subscription-receive")
        lookup = name("FK-JOIN-SUBSCRIPTION-PROCESSOR", "subscription-join-foreign")
        foreign = name("FK-JOIN-SUBSCRIPTION-PROCESSOR", "foreign-join-subscription")
        let second = graph.newUniqueName("KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-")
        responseTopic = "\(named.map { "\($0)-subscription-response" } ?? second)-topic"
        responseSink = name("SINK", "subscription-response-sink")
        responseSource = name("SOURCE", "subscription-response-source")
        resolver = name("FK-JOIN-SUBSCRIPTION-RESPONSE-RESOLVER-PROCESSOR", "subscription-response-resolver")
        output = name("FK-JOIN-OUTPUT", "result")
    }
}

/// The numbers of the nodes.
@usableFromInline
struct ForeignKeyNodes: Sendable {
    @usableFromInline let registration: Int
    @usableFromInline let registrationSink: Int
    @usableFromInline let registrationSource: Int
    @usableFromInline let receive: Int
    @usableFromInline let lookup: Int
    @usableFromInline let foreign: Int
    @usableFromInline let responseSink: Int
    @usableFromInline let responseSource: Int
    @usableFromInline let resolver: Int
    @usableFromInline let output: Int

    @usableFromInline
    init(_ graph: TopologyGraph, _ names: ForeignKeyNames, left: Int, right: Int) {
        registration = graph.add(names.registration, parents: [left])
        registrationSink = graph.add(
            names.registrationSink, .sink(topic: names.registrationTopic), parents: [registration])
        registrationSource = graph.add(names.registrationSource, .source(topics: [names.registrationTopic]))
        receive = graph.add(names.receive, parents: [registrationSource], stores: [names.store])
        lookup = graph.add(names.lookup, parents: [receive])
        foreign = graph.add(names.foreign, parents: [right], stores: [names.store])
        responseSink = graph.add(names.responseSink, .sink(topic: names.responseTopic), parents: [lookup, foreign])
        responseSource = graph.add(names.responseSource, .source(topics: [names.responseTopic]))
        resolver = graph.add(names.resolver, parents: [responseSource])
        output = graph.add(names.output, parents: [resolver])
    }
}
