/// What `StreamsBuilder.build(explicitNames:optimization:)` may do so that a topology has fewer topics and stores: Kafka Streams'
/// `topology.optimization`.
///
/// Each changes which internal topics there are, so that an application that has state can't change it without a reset.
public struct TopologyOptimization: OptionSet, Sendable, Hashable {
    /// The options as bits.
    public let rawValue: Int

    /// Options of bits.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// A table of a topic has that topic for its changelog, instead of one of its own (`reuse.ktable.source.topics`).
    ///
    /// The topic must keep the last record of each key (`cleanup.policy=compact`): what it has lost a restore doesn't find.
    public static let reuseSourceTopics = TopologyOptimization(rawValue: 1)

    /// Where several groupings, joins or tables follow one change of key, records are repartitioned once, right behind the change
    /// (`merge.repartition.topics`).
    ///
    /// What lies between then runs behind the topic. Topics of `repartition` stay.
    public static let mergeRepartitionTopics = TopologyOptimization(rawValue: 2)

    /// A join of a stream with itself, of any kind, keeps its records once (`single.store.self.join`).
    ///
    /// A record that comes so late that its store drops it then makes no pair with itself (Docs/Semantics.md, Joins of streams).
    public static let singleStoreSelfJoins = TopologyOptimization(rawValue: 4)

    /// For ``mergeRepartitionTopics``, `process` is a change of key, and `processValues` one of value (Kafka Streams'
    /// `__enable.process.processValue.fix__`).
    ///
    /// Without, what a processor forwards is repartitioned before it comes to the processor, if a change of key is above, which is right only for
    /// one that keeps keys. It is not in ``all``, as there.
    public static let processorsAsChanges = TopologyOptimization(rawValue: 8)

    /// All of them but ``processorsAsChanges``.
    public static let all: TopologyOptimization = [.reuseSourceTopics, .mergeRepartitionTopics, .singleStoreSelfJoins]
}
