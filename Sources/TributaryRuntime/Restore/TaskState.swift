internal import TributaryCore
public import TributaryDSL
internal import TributaryLineage
internal import TributaryState

/// The state of one task before there is the task: its engines, opened, with its stores on them.
///
/// Opening and restoring may take long, so both may happen on another thread than the task's: engines belong to no thread between a
/// commit and the next use. Used by one thread at a time; then a ``StreamTask`` is made with it.
public final class TaskState {
    /// The task's id.
    public let task: String
    /// The partition of its changelogs.
    let partition: Int32
    let descriptions: [StoreDescription]
    private(set) var engines: TaskEngines
    // The stores as far as a restore needs them: no cache, no changelog to write.
    let stores: [StateStore]
    // Not the task's, which belongs to another thread; makes no spans.
    let recorder: LineageRecorder
    private let names: ResolvedTopology

    /// Opens the engines of a task, and makes those that aren't there.
    ///
    /// - Throws: `StoreError` for an engine that can't be opened, or that holds what another topology wrote.
    public init(
        _ topology: Topology, _ subTopologies: [Topology.SubTopology], task: String, partition: Int32,
        configuration: RuntimeConfiguration, engines: any EngineFactory
    ) throws {
        self.task = task
        self.partition = partition
        names = ResolvedTopology(topology, applicationID: configuration.applicationID)
        descriptions = subTopologies.flatMap(\.stores).compactMap { topology.stores[$0] }
        let lineage = configuration.lineage
        recorder = LineageRecorder(
            mode: lineage.mode, fingerprint: topology.fingerprint, time: configuration.time,
            propagators: lineage.propagators,
            headers: HeaderPolicy(
                captured: [], propagated: lineage.propagatedHeaders, propagatedBytes: lineage.propagatedHeaderBytes))
        var opened = try TaskEngines(
            descriptions, task: task, application: configuration.applicationID, factory: engines)
        var stores: [StateStore] = []
        do {
            for description in descriptions {
                guard let engine = opened.engine(description) else { continue }
                try TaskState.check(description, in: engine, task)
                stores.append(
                    try StateStore(
                        description, engine: engine, recorder: recorder, changelog: nil, budget: nil,
                        topics: NoTopics.shared))
            }
        } catch {
            opened.close()
            throw error
        }
        self.engines = opened
        self.stores = stores
    }

    /// Gives up the engines of a task that will not be made.
    public func close() { engines.close() }

    /// The changelog partition of a store.
    func changelog(_ store: String) -> TopicPartition {
        TopicPartition(names.topology.stores[store]?.sourceTopic ?? names.changelog(of: store), partition)
    }

    /// The source topic that a store is restored from; nil where a changelog is.
    func source(_ store: StoreDescription) -> Topology.Source? {
        guard let topic = store.sourceTopic, !store.isGlobal else { return nil }
        return names.topology.sources.first { $0.topic == topic }
    }

    /// The engine of a store.
    func engine(_ description: StoreDescription) -> (any StateEngine)? { engines.engine(description) }

    /// All stores are where their changelogs end: makes that durable.
    func restored() throws(StoreError) {
        for store in stores { try store.prepareCommit() }
        for engine in engines.all { try engine.commit() }
    }

    // A store of the same name that holds something else must not be read as if it were this one.
    private static func check(_ description: StoreDescription, in engine: any StateEngine, _ task: String)
        throws(StoreError)
    {
        let now = description.identity
        let key = descriptionKey(description.name)
        if let kept = try engine.metadata(key), kept != Array(now.utf8) {
            throw StoreError(
                .topologyMismatch,
                "task \(task)'s state was written by another topology: it holds \(String(decoding: kept, as: UTF8.self)), "
                    + "this topology needs \(now). Give the store another name, another application id, or delete the state",
                store: description.name)
        }
        try engine.setMetadata(key, Array(now.utf8))
    }

    /// The key, in the metadata beside the rows, of what a store holds.
    static func descriptionKey(_ store: String) -> String { "store/\(store)" }
}

/// Restored rows come from no topic that a cache would count.
private final class NoTopics: TopicNames, Sendable {
    static let shared = NoTopics()
    func nameLength(ofTopic number: Int32) -> Int { 0 }
}
