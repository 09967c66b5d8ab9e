import TestSupport
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryState
import TributaryTesting

extension ManualClock {
    /// Lets time pass.
    func advance(_ milliseconds: Int64) { advance(by: .milliseconds(milliseconds)) }
}

/// Partition 0 of an application, started, fed, committed, killed and started again by hand, as its thread would.
final class TaskRig {
    static let day: Int64 = 86_400_000
    let log: MemoryLog
    let clock = ManualClock(1_700_000_000_000)
    let engines: KeptEngines
    let topology: Topology
    var configuration: RuntimeConfiguration
    private let lines = Guarded<[LogMessage]>([])
    private let group: any LogGroup
    private var running: Running?
    private var restored: [RestoreProgress] = []

    private struct Running {
        var task: StreamTask
        var committer: Committer
        var producer: any LogProducer
        var consumer: any LogConsumer
    }

    /// Makes the topics of a topology on an empty log.
    init(_ builder: StreamsBuilder, applicationID: String = "app", cacheBytes: Int = 0) throws {
        topology = try builder.build()
        log = MemoryLog()
        engines = try KeptEngines()
        configuration = RuntimeConfiguration(applicationID: applicationID)
        configuration.cacheBytes = cacheBytes
        configuration.time = clock.source
        configuration.log = LogSink(level: .info) { [lines] line in lines.withLock { $0.append(line) } }
        for source in topology.sources where !source.isInternal {
            try log.createTopics([TopicSpecification(source.topic)])
        }
        for topic in topology.internalTopics {
            try log.createTopics([TopicSpecification("\(applicationID)-\(topic.name)", settings: topic.settings)])
        }
        group = try log.joinGroup(GroupConfiguration(group: applicationID, clientID: "rig", tasks: 1))
    }

    /// The task, once it is started.
    var task: StreamTask {
        get throws {
            guard let running else { throw TestFailure("the task is not started") }
            return running.task
        }
    }

    /// What is on disk.
    var state: KeptState { engines.state("0_0") }

    /// The warnings since the last call.
    func takeWarnings() -> [LogMessage] {
        lines.withLock { lines in
            defer { lines = [] }
            return lines.filter { $0.level >= .warning }
        }
    }

    /// Why a store was not trusted at the last start; nil if it was.
    func takeDistrust(of store: String) -> String? {
        takeWarnings().first { line in
            line.message == "a store is rebuilt from its changelog"
                && line.metadata.contains { $0.key == "store" && $0.value == store }
        }?.metadata.first { $0.key == "reason" }?.value
    }

    /// Makes the task, restores its stores and starts its nodes.
    ///
    /// - Returns: how many changelog records each store was given.
    @discardableResult
    func start() throws -> [String: Int64] {
        let id = configuration.applicationID
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "rig", transactionalID: "\(id)-1"))
        let assembly = TaskAssembly(
            topology, configuration: configuration, log: log, producer: producer, sendsCells: true,
            random: FastRandom(seed: 1))
        let progress = Guarded<[String: Int64]>([:])
        let state = try TaskState(
            topology, topology.subTopologies, task: "0_0", partition: 0, configuration: configuration,
            engines: engines)
        do {
            try StateRestorer(
                log, configuration: configuration,
                onProgress: { one in progress.withLock { $0[one.store] = one.records } }
            ).restore(state)
        } catch {
            state.close()
            throw error
        }
        let task = try assembly.makeTask(topology.subTopologies, state)
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "rig"))
        let sources = topology.sources.map { TopicPartition($0.isInternal ? "\(id)-\($0.topic)" : $0.topic, 0) }
        let start = try TaskStart(
            sources, log: log, group: group, names: ResolvedTopology(topology, applicationID: id),
            configuration: configuration)
        try assembly.start(task, at: start)
        for source in sources { _ = try consumer.assign(source, from: start.positions[source]?.offset ?? 0) }
        running = Running(
            task: task, committer: Committer(assembly, group, configuration), producer: producer, consumer: consumer)
        return progress.withLock { $0 }
    }

    /// Appends a record to a source topic.
    func send(_ topic: String, _ key: String, _ value: String?, timestamp: Int64? = nil) throws {
        try log.append(
            LoggedRecord(
                timestamp: timestamp ?? clock.milliseconds, key: Array(key.utf8), value: value.map { Array($0.utf8) }),
            to: TopicPartition(topic, 0))
    }

    /// Processes everything that is there.
    func process() throws {
        guard let running else { throw TestFailure("the task is not started") }
        let sources = topology.sources.map(\.topic)
        try Lineage.bound(to: running.task.box) {
            while let batch = try running.consumer.poll(timeout: 0) {
                try running.task.add(batch, to: TopicPartition(sources[batch.assignment], 0))
            }
            while try running.task.processNext() { _ = try running.task.punctuateStreamTime() }
        }
    }

    /// Commits as a thread does: caches, the log, and the state if it is time or if told to.
    func commit(force: Bool = false) throws {
        guard let running else { throw TestFailure("the task is not started") }
        _ = try Lineage.bound(to: running.task.box) {
            try running.committer.commit([running.task], andDurably: force ? [running.task] : [])
        }
    }

    /// Ends the task without a commit, as a kill does: what the log has committed stays, and of the state what was durable.
    func kill() throws {
        guard let running else { throw TestFailure("the task is not started") }
        try? running.producer.abortTransaction()
        running.task.close()
        running.consumer.close()
        running.producer.close()
        self.running = nil
    }

    /// Everything between two starts: processed, committed, made durable, ended.
    func runOnce() throws {
        try start()
        try process()
        try commit(force: true)
        try kill()
    }

    /// The big-endian counts of a store by their keys.
    func counts(_ store: String) throws -> [String: Int64] {
        let scan = try task.store(store).scan(from: nil, through: nil, reverse: false)
        var counts: [String: Int64] = [:]
        while let row = try scan.next() {
            counts[String(decoding: row.key, as: UTF8.self)] = row.value.span.bytes.integer(at: 0, as: Int64.self) ?? -1
        }
        return counts
    }
}
