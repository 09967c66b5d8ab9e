internal import Synchronization
public import TributaryCore
public import TributaryDSL
public import TributaryLineage
internal import TributaryRuntime
internal import TributaryState

/// Runs a topology record by record, without a log's files, threads or clocks: Kafka Streams' `TopologyTestDriver`.
///
/// All sub-topologies run as one task `0_0` with one partition per topic, on the runtime's own task, cache, layers and engines;
/// only the log, the clock and the ids are the driver's. After each record the task commits, so a cache merges updates made
/// while processing one record only. Everything is synchronous and repeatable. Used by one thread.
public final class TopologyTestDriver {
    /// The log: read topics from it, or write to them.
    public let log: MemoryLog
    /// The metrics of the task since it was last started, as those of an application's thread; taken over at each commit.
    public private(set) var metricsRegistry: MetricsRegistry
    let topology: Topology
    private var configuration: TestDriverConfiguration
    private let clock: ManualClock
    private let spans = DriverSpans()
    private(set) var task: StreamTask
    // Keeps the global tables.
    private var globals: StreamTask?
    private var instruments: DriverInstruments
    private var collector: RecordCollector
    private var committer: Committer
    private var producer: DriverProducer
    private var consumer: any LogConsumer
    private var group: any LogGroup
    private var assignments: [Int: TopicPartition] = [:]
    /// How many records of each topic were looked at.
    var taken: [String: Int] = [:]
    /// What the topology has written to.
    let produced: ProducedTopics
    /// Opens stores of the task at hand.
    var storeOpener: StoreOpener?
    /// After how many more commits of records the next one is a crash; nil for never.
    private var commitsBeforeCrash: Int?
    private var isClosed = false

    /// Makes the topics, the task with its stores, and initialises processors.
    ///
    /// - Throws: what a node or store throws when it is made.
    public init(_ topology: Topology, configuration: TestDriverConfiguration = TestDriverConfiguration()) throws {
        let topology = try topology.resolvingPatterns(configuration.topics)
        self.topology = topology
        var configuration = configuration
        clock = ManualClock(configuration.initialWallClock)
        configuration.runtime.time = clock.source
        configuration.runtime.asyncExecutor = DriverExecutor.shared
        configuration.runtime.deliversEarly = false
        if configuration.runtime.lineage.exporter == nil && configuration.runtime.lineage.spans > .none {
            configuration.runtime.lineage.exporter = spans
        }
        self.configuration = configuration
        log = MemoryLog(clusterID: configuration.clusterID)
        try TopologyTestDriver.createTopics(topology, log, configuration)
        produced = ProducedTopics()
        let parts = try TopologyTestDriver.start(topology, log, configuration, produced)
        task = parts.task
        globals = parts.globals
        instruments = parts.instruments
        metricsRegistry = parts.instruments.registry
        collector = parts.collector
        committer = parts.committer
        producer = parts.producer
        consumer = parts.consumer
        group = parts.group
        assignments = parts.assignments
    }

    private struct Parts {
        let task: StreamTask
        let globals: StreamTask?
        let instruments: DriverInstruments
        let collector: RecordCollector
        let committer: Committer
        let producer: DriverProducer
        let consumer: any LogConsumer
        let group: any LogGroup
        let assignments: [Int: TopicPartition]
    }

    private static func createTopics(
        _ topology: Topology, _ log: MemoryLog, _ configuration: TestDriverConfiguration
    ) throws {
        var names: [TopicSpecification] = []
        for source in topology.sources + topology.globalSources where !source.isInternal {
            names.append(TopicSpecification(source.topic, partitions: configuration.partitions))
        }
        let resolved = ResolvedTopology(topology, applicationID: configuration.runtime.applicationID)
        for topic in topology.internalTopics {
            names.append(
                TopicSpecification(
                    resolved.internalTopic(topic.name), partitions: configuration.partitions,
                    settings: topic.settings))
        }
        for name in names where try log.topic(name.name) == nil { try log.createTopics([name]) }
    }

    private static func start(
        _ topology: Topology, _ log: MemoryLog, _ configuration: TestDriverConfiguration, _ produced: ProducedTopics,
        fromChangelogs: Bool = false
    ) throws -> Parts {
        let runtime = configuration.runtime
        let isTransactional = runtime.guarantee == .exactlyOnce
        let inner = try log.makeProducer(
            ProducerConfiguration(
                clientID: "driver", transactionalID: isTransactional ? "\(runtime.applicationID)-0" : nil))
        let producer = DriverProducer(inner, log, partitions: configuration.partitions, produced)
        var whole = runtime
        // Its records are few, and what a commit holds must not depend on their bytes.
        whole.transactionBytes = .max
        let assembly = TaskAssembly(
            topology, configuration: whole, log: log, producer: producer, sendsCells: true,
            random: FastRandom(seed: runtime.seed ?? 1))
        let engines = DriverEngines(make: fromChangelogs ? nil : configuration.persistentEngine)
        let state = try TaskState(
            topology, topology.subTopologies, task: "0_0", partition: 0, configuration: runtime,
            engines: engines)
        let group = try log.joinGroup(
            GroupConfiguration(group: runtime.applicationID, clientID: "driver", tasks: 1))
        let names = ResolvedTopology(topology, applicationID: runtime.applicationID)
        let sources = topology.sources.map { TopicPartition(names.topic($0.topic), 0) }
        let start = try TaskStart(sources, log: log, group: group, names: names, configuration: runtime)
        let registry = MetricsRegistry()
        do { try StateRestorer(log, configuration: runtime, metrics: registry).restore(state, at: start) } catch {
            state.close()
            throw error
        }
        let globals: StreamTask?
        do {
            globals = try GlobalTables(
                topology, log: log, configuration: runtime,
                engines: engines,
                thread: 1
            ).start(assembly)
        } catch {
            state.close()
            throw error
        }
        let task = try assembly.makeTask(topology.subTopologies, state)
        task.globals = globals
        let instruments = DriverInstruments(registry, task, globals, runtime)
        try assembly.start(task, at: start)
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "driver"))
        var assignments: [Int: TopicPartition] = [:]
        for source in sources {
            assignments[try consumer.assign(source, from: start.positions[source]?.offset ?? 0)] = source
        }
        for (source, next) in globals?.positions ?? [:] {
            assignments[try consumer.assign(source, from: next)] = source
        }
        return Parts(
            task: task, globals: globals, instruments: instruments, collector: assembly.collector,
            committer: Committer(assembly, group, whole), producer: producer, consumer: consumer, group: group,
            assignments: assignments)
    }

    // MARK: Driving

    /// Appends a record to a source topic and does all work that can be done: processing, stream-time punctuations, commits.
    ///
    /// - Throws: what the topology throws; ``DriverError`` for a topic that it doesn't read.
    public func pipe(
        topic: String, key: [UInt8]?, value: [UInt8]?, timestamp: Int64, headers: Headers = Headers(),
        context: TraceContext = .none
    ) throws {
        try append(topic: topic, key: key, value: value, timestamp: timestamp, headers: headers, context: context)
        try work()
    }

    /// Appends a record to a source topic, where it waits for the work that the next one that is piped brings.
    package func append(
        topic: String, key: [UInt8]?, value: [UInt8]?, timestamp: Int64, headers: Headers = Headers(),
        context: TraceContext = .none
    ) throws {
        try checkSource(topic)
        let place = TopicPartition(topic, 0)
        let record = LoggedRecord(
            offset: 0, timestamp: timestamp, key: key, value: value, headers: headers, context: context, cell: [],
            lineageHeaders: Headers())
        _ = try log.append(record, to: place)
        taken[topic, default: 0] += 1
    }

    func checkSource(_ topic: String) throws {
        let sources = topology.sources + topology.globalSources
        guard sources.contains(where: { $0.topic == topic && !$0.isInternal }) else {
            throw DriverError("the topology reads no topic '\(topic)'")
        }
    }

    /// Appends a typed record.
    public func pipe<Key, Value>(
        _ topic: String, _ key: Key, _ value: Value, timestamp: Int64, _ keySerde: Serde<Key>,
        _ valueSerde: Serde<Value>, headers: Headers = Headers()
    ) throws {
        try pipe(
            topic: topic, key: try keySerde.bytes(key), value: try valueSerde.bytes(value), timestamp: timestamp,
            headers: headers)
    }

    /// Appends a record whose types name their serdes.
    public func pipe<Key: Recordable, Value: Recordable>(
        _ topic: String, _ key: Key, _ value: Value, timestamp: Int64, headers: Headers = Headers()
    ) throws {
        try pipe(topic, key, value, timestamp: timestamp, Key.serde, Value.serde, headers: headers)
    }

    /// Lets time pass, on both clocks, runs each wall-clock punctuation that is due once, commits, and does what follows.
    public func advanceWallClock(by duration: Duration) throws {
        clock.advance(by: duration)
        try Lineage.bound(to: task.box) {
            let time = configuration.runtime.time
            task.update(wallClock: time.wall.milliseconds, monotonic: time.monotonic.milliseconds)
            _ = try task.punctuateWallClock()
            try commit()
        }
        try work()
    }

    private func work() throws {
        defer { storeOpener?.begin(at: task.streamTime) }
        while try Lineage.bound(to: task.box, { try workUntilCrash() }) { try crash() }
    }

    /// Returns true where the task is to be crashed before the commit that has come.
    private func workUntilCrash() throws -> Bool {
        var uncommitted = 0
        while true {
            try fetch()
            let isDone = try !task.processNext()
            if isDone && uncommitted == 0 { return false }
            if !isDone {
                _ = try task.punctuateStreamTime()
                uncommitted += 1
            }
            // What a commit writes may be records for this task.
            guard isDone || uncommitted >= configuration.recordsPerCommit else { continue }
            if let left = commitsBeforeCrash {
                commitsBeforeCrash = left > 0 ? left - 1 : nil
                if left == 0 { return true }
            }
            try commit()
            uncommitted = 0
        }
    }

    private func fetch() throws {
        while let batch = try consumer.poll(timeout: 0) {
            guard let partition = assignments[batch.assignment] else { continue }
            guard let globals, globals.positions[partition] != nil else {
                try task.add(batch, to: partition)
                continue
            }
            // Global tables follow their topics whatever the tasks do.
            try globals.add(batch, to: partition)
            while try globals.processNext() {}
        }
    }

    private func commit() throws {
        try committer.commit([task], andDurably: [task] + (globals.map { [$0] } ?? []))
        instruments.publish(collector)
    }

    // MARK: Looking

    /// The wall clock, ms; moves with ``advanceWallClock(by:)`` only.
    public var wallClock: Int64 { clock.milliseconds }

    /// The greatest timestamp that was processed, ms; -1 before the first.
    public var streamTime: Int64 { task.streamTime }

    /// How many records were left out.
    public var droppedRecords: Int64 { dropped.values.reduce(0, +) }

    /// How many records were left out, by reason.
    public var dropped: [DropReason: Int64] { task.dropped.merging(globals?.dropped ?? [:], uniquingKeysWith: +) }

    /// The finished spans so far, with operations, links and details; only if the configuration brings no exporter of its own.
    public var finishedSpans: [SpanBatch] { spans.batches }

    // MARK: Ending

    /// Closes the task as an application that stops does, and starts it again from what is left: the log, and the persistent
    /// engine if `configuration` makes one that survives.
    public func restart() throws {
        try commit()
        try reopen()
    }

    /// Ends the task without a commit, as a crash does, and starts it again.
    public func crash() throws {
        try? producer.abortTransaction()
        try reopen()
    }

    /// Closes the task as an application that stops does, and starts it again with nothing but the log: all stores are restored from their
    /// changelogs, whatever engine `configuration` makes.
    public func restoreFromChangelogs() throws {
        try commit()
        try reopen(fromChangelogs: true)
    }

    /// Has the task crash in place of a commit, while the records that are piped next are processed: what was done since the
    /// commit before is taken back and done anew, on the state that is left.
    ///
    /// Exactly once, that is what happens without a crash; at least once, records that were sent are sent again.
    ///
    /// - Parameter commits: how many commits are still done before; nil takes back what was asked for. At least 0.
    public func crash(insteadOfCommitAfter commits: Int?) {
        commitsBeforeCrash = commits.map { max($0, 0) }
    }

    private func reopen(fromChangelogs: Bool = false) throws {
        storeOpener = nil
        task.close()
        globals?.close()
        consumer.close()
        producer.close()
        group.leave()
        // A second task must not make the ids of the first again: a trace may have spans of both.
        configuration.runtime.seed = (configuration.runtime.seed ?? 1) &+ 1
        let parts = try TopologyTestDriver.start(
            topology, log, configuration, produced, fromChangelogs: fromChangelogs)
        task = parts.task
        globals = parts.globals
        instruments = parts.instruments
        metricsRegistry = parts.instruments.registry
        collector = parts.collector
        committer = parts.committer
        producer = parts.producer
        consumer = parts.consumer
        group = parts.group
        assignments = parts.assignments
        try Lineage.bound(to: task.box) {
            // What the time from before has made due waits for no record.
            if try task.punctuateStreamTime() || task.needsCommit { try commit() }
        }
    }

    /// Ends the driver.
    ///
    /// Calling it again does nothing.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        task.close()
        globals?.close()
        consumer.close()
        producer.close()
        group.leave()
    }

    deinit { close() }
}

/// What a test asked of a driver that it can't do.
public struct DriverError: Error, CustomStringConvertible {
    /// What is wrong.
    public let description: String

    init(_ description: String) { self.description = description }
}
