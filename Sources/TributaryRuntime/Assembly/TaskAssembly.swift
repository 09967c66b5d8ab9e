public import TributaryCore
public import TributaryDSL
public import TributaryLineage
public import TributaryState

/// What the tasks of one thread share, and how a task is put together from its state.
///
/// A stream thread has one, the test driver too. Used by one thread.
public struct TaskAssembly {
    /// Sends what the tasks produce.
    public let collector: RecordCollector
    /// The tasks' recorder.
    public let recorder: LineageRecorder
    /// What closures see of the record being processed.
    public let box: LineageBox
    let deferral: DeferredEncoding
    private let topology: Topology
    private let configuration: RuntimeConfiguration
    private let budget: CacheBudget?
    private let cluster: String

    /// Makes what tasks share, over a producer.
    ///
    /// `cacheBytes` and `stateDirtyBytes` of `configuration` are those of the tasks of this assembly. `sendsCells` says whether records for topics
    /// that aren't the application's own carry their cell; `random` makes the ids of traces and spans. Who gives a `deferral` begins
    /// again without it when a commit fails for what it deferred.
    public init(
        _ topology: Topology, configuration: RuntimeConfiguration, log: any Log, producer: any LogProducer,
        sendsCells: Bool, random: FastRandom, deferral: DeferredEncoding = DeferredEncoding()
    ) {
        self.topology = topology
        self.deferral = deferral
        self.configuration = configuration
        cluster = log.clusterID
        let lineage = configuration.lineage
        let isTransactional = configuration.guarantee == .exactlyOnce
        collector = RecordCollector(
            producer, applicationID: configuration.applicationID, sendsCells: sendsCells,
            sendsContexts: lineage.propagators.contains(.traceContext), isTransactional: isTransactional,
            limit: configuration.transactionBytes, deferral: deferral,
            identity: { (try? log.topic($0))?.identity ?? "" })
        recorder = LineageRecorder(
            mode: lineage.mode, level: lineage.spans, sampler: lineage.sampler, exporter: lineage.exporter,
            fingerprint: topology.fingerprint, time: configuration.time, random: random, limits: lineage.limits,
            propagators: lineage.propagators,
            headers: HeaderPolicy(
                captured: lineage.capturedHeaders, propagated: lineage.propagatedHeaders,
                propagatedBytes: lineage.propagatedHeaderBytes),
            batchSpans: lineage.batchSpans)
        for source in topology.sources + topology.globalSources where !source.isInternal {
            let life = (try? log.topic(source.topic))?.life ?? 1
            recorder.know(
                source: SourcePartition.source(cluster: cluster, topic: source.topic, life: life), topic: source.topic)
        }
        box = LineageBox(recorder)
        budget = configuration.cacheBytes > 0 ? CacheBudget(limit: configuration.cacheBytes) : nil
    }

    /// Makes a task of its restored state, which is the task's from now on, also if this throws.
    ///
    /// ``start(_:at:)`` gives it nodes and sources.
    public func makeTask(_ subTopologies: [Topology.SubTopology], _ state: TaskState) throws -> StreamTask {
        try StreamTask(
            topology, subTopologies, state: state, configuration: configuration, collector: collector, budget: budget,
            recorder: recorder, box: box, deferral: deferral)
    }

    /// Makes a task's nodes and initialises its processors, which may write and forward already.
    public func start(_ task: StreamTask, at start: TaskStart) throws {
        try Lineage.bound(to: box) { try task.start(cluster: cluster, at: start) }
    }
}
