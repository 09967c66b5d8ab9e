public import TributaryCore
public import TributaryDSL
public import TributaryLineage
public import TributaryState

/// Some sub-topologies on one partition: their nodes, stores, queues and clocks.
///
/// Used by one thread.
public final class StreamTask {
    /// The id, `<sub-topology>_<partition>`.
    public let taskID: String
    /// The partition of every source topic and changelog.
    public let partition: Int32
    /// The application's id.
    public var applicationID: String { configuration.applicationID }
    /// The task's recorder.
    public let recorder: LineageRecorder
    /// What closures see of the record being processed.
    public let box: LineageBox
    /// The greatest timestamp taken for processing, ms; -1 before the first.
    public var streamTime: Int64 { hot.value.streamTime }
    /// The wall clock when this record or punctuation began, ms.
    public var wallClock: Int64 { hot.value.wallClock }
    /// The timestamp of the first record of the last run, ms.
    var firstTimeOfRun: Int64 { hot.value.firstTimeOfRun }
    /// How many records were left out, by reason.
    public var dropped: [DropReason: Int64] {
        var all = unintendedDrops
        if hot.value.duplicates > 0 { all[.duplicate] = hot.value.duplicates }
        if hot.value.throttled > 0 { all[.throttled] = hot.value.throttled }
        return all
    }
    var unintendedDrops: [DropReason: Int64] = [:]
    var dropNotices = DropNotices()
    /// How often records were processed although a partition of the task had none, since the wait for it was over.
    public var enforcedProcessing: Int64 { hot.value.enforcedProcessing }
    func processedWithoutAll() { hot.value.enforcedProcessing &+= 1 }
    /// How many records were processed.
    public var processedRecords: Int64 { hot.value.processedRecords }

    let configuration: RuntimeConfiguration
    // Lines of this task.
    let log: LogSink
    let scope: Int
    let topology: Topology
    let names: ResolvedTopology
    let subTopologies: [Topology.SubTopology]
    let collector: RecordCollector
    let topics = TopicRegistry()
    let stores: TaskStores
    var queues: [PartitionQueue] = []
    let streamPunctuations = PunctuationQueue()
    let wallPunctuations = PunctuationQueue()
    var closers: [() -> Void] = []
    /// How far nodes have come, by the names of their stores; committed with the offsets.
    var progress: [String: Int64] = [:]
    struct Hot: ~Copyable {
        var streamTime: Int64 = -1
        var wallClock: Int64 = 0
        // What punctuations by wall clock are counted by: their intervals go on when somebody sets the clock.
        var monotonic: Int64 = 0
        var processedRecords: Int64 = 0
        var enforcedProcessing: Int64 = 0
        var firstTimeOfRun: Int64 = 0
        // Records that were left out on purpose: most may be.
        var duplicates: Int64 = 0
        var throttled: Int64 = 0
        var needsCommit = false
        var commitRequested = false
        // The record being processed.
        var batch: RecordBatch?
        var index = 0
        var sendOperations = FlatArray<Int32>(repeating: -1, count: 8)
    }
    // What changes with each record.
    let hot = Owned(Hot())
    /// What nodes let go on beside the thread.
    var pending: [any PendingWork] = []
    /// The source record that is gone on with; nil where it is the one being processed.
    var resumed: SourceCopy?
    /// Has the thread look what has come back.
    public var wakeUp: @Sendable () -> Void = {}
    // What user code may have swallowed, though no handler lets it pass.
    var swallowed: (any Error)?
    /// Whether something was done since the last commit, or a cache holds what isn't flushed.
    public var needsCommit: Bool { hot.value.needsCommit || stores.hasDirtyEntries }
    /// Whether a node asked for a commit.
    public var commitRequested: Bool { hot.value.commitRequested }
    var isClosed = false
    /// The task that keeps the global tables of the thread; nil if there are none.
    public var globals: StreamTask?
    // The log's cluster id, once it is known.
    private(set) var cluster = ""
    private var hasWarnedOfHeaders = false
    /// Nil where nobody measures.
    var metrics: TaskMetrics?
    /// Nil where nobody measures.
    var times: RecordTimes?

    /// Makes a task with its stores; nodes are made and processors initialised by ``start(cluster:at:)``.
    ///
    /// `state` must be restored; it is the task's from now on, also if this throws.
    public init(
        _ topology: Topology, _ subTopologies: [Topology.SubTopology], state: TaskState,
        configuration: RuntimeConfiguration, collector: RecordCollector, budget: CacheBudget?,
        recorder: LineageRecorder, box: LineageBox? = nil, deferral: DeferredEncoding = DeferredEncoding()
    ) throws {
        taskID = state.task
        partition = state.partition
        self.configuration = configuration
        self.topology = topology
        names = ResolvedTopology(topology, applicationID: configuration.applicationID)
        self.subTopologies = subTopologies
        self.collector = collector
        self.recorder = recorder
        let box = box ?? LineageBox(recorder)
        self.box = box
        log = configuration.log.adding([("task", state.task)])
        scope = box.addScope(log)
        hot.value.wallClock = configuration.time.wall.milliseconds
        hot.value.monotonic = configuration.time.monotonic.milliseconds
        do {
            stores = try TaskStores(
                topology, state, configuration: configuration, collector: collector, budget: budget,
                recorder: recorder, topics: topics, deferral: deferral)
        } catch {
            state.close()
            throw error
        }
        stores.onExpired = { [unowned self] store in self.count(.expired, node: store, coordinate: nil) }
        stores.onFlushFailure = { [unowned self] error in self.failure(.flush, node: nil, nil, error) }
    }

    /// Makes the nodes, initialises processors and prepares the queues.
    ///
    /// - Parameters:
    ///   - cluster: the log's cluster id, which cells name.
    ///   - start: where the source partitions begin.
    public func start(cluster: String, at start: TaskStart) throws {
        self.cluster = cluster
        try metrics?.measureStores()
        // Processors ask for it when they are initialised.
        for position in start.positions.values { hot.value.streamTime = max(streamTime, position.partitionTime) }
        progress = start.progress
        let context = NodeContext(services: self, recorder: recorder)
        defer { context.release() }
        let entries = try topology.instantiate(subTopologies, in: context)
        closers = context.closers
        if losesWhatWasGivenOn { collector.holdAlwaysUntilCommit() }
        for subTopology in subTopologies {
            for name in subTopology.sourceTopics {
                let sources = isGlobal ? topology.globalSources : topology.sources
                guard let entry = entries[name], let source = sources.first(where: { $0.topic == name }) else {
                    continue
                }
                let topic = names.topic(name)
                let timestamps =
                    isGlobal
                    ? .logAndSkip : source.isInternal ? .failOnInvalid : source.timestamps ?? configuration.timestamps
                for place in sourcePartitions(of: topic, at: start) {
                    guard let position = start.positions[place] else { continue }
                    let queue = PartitionQueue(
                        place, topic: topics.number(topic), of: start.descriptions[topic], cluster: cluster,
                        isInternal: source.isInternal,
                        takesContexts: source.isInternal || recorder.propagators.contains(.traceContext), entry: entry,
                        timestamps: timestamps, usesOwnTimestamps: timestamps.keepsValid,
                        operation: recorder.operation(
                            "process \(topic)", kind: .consumer,
                            attributes: [
                                AttributeNames.messagingSystem: .string("kafka"),
                                AttributeNames.messagingOperationName: .string("process"),
                                AttributeNames.messagingOperationType: .string("process"),
                                AttributeNames.messagingDestinationName: .string(topic),
                                AttributeNames.messagingConsumerGroup: .string(applicationID),
                                AttributeNames.messagingKafkaCluster: .string(cluster),
                                AttributeNames.task: .string(taskID),
                            ]), nextOffset: position.offset)
                    queue.partitionTime = position.partitionTime
                    queues.append(queue)
                }
            }
        }
        // Whose turn it is where times are equal then depends on nothing but the topics' names.
        queues.sort { ($0.partition.topic, $0.partition.partition) < ($1.partition.topic, $1.partition.partition) }
        stores.sourcePlaces = { [unowned self] in self.sourcePlaces() }
        if isGlobal { try checkSwallowed() }
        // Processors may write and forward before the first record.
        hot.value.needsCommit = collector.isOpen || stores.wereWritten || start.isToBeCommitted
    }

    // MARK: Processing

    /// Hands over a batch of a source partition.
    public func add(_ batch: RecordBatch, to partition: TopicPartition) throws {
        guard let queue = queues.first(where: { $0.partition == partition }) else {
            throw LogError(
                .invalidRequest, "task \(taskID) does not read this partition", topic: partition.topic,
                partition: partition.partition)
        }
        queue.add(batch)
    }

    /// Whether records wait to be processed.
    var hasRecords: Bool { queues.contains { $0.count > 0 } }

    /// When the next wall-clock punctuation is due, by the monotonic clock, ms.
    var nextWallClockPunctuation: Int64 { wallPunctuations.earliest }

    /// Processes the record with the lowest timestamp among the heads of all queues; returns false if there is none.
    public func processNext() throws -> Bool { try processRun(limit: 1) > 0 }

    /// Processes records as long as they come from one batch: that of the head with the lowest timestamp.
    ///
    /// Ends before another queue's head has its turn, when a punctuation by stream time is due, and when as much was sent as
    /// a transaction may hold.
    ///
    /// - Returns: how many were processed; 0 if no queue has a head.
    public func processRun(limit: Int) throws -> Int {
        guard let queue = try chooseQueue(), let batch = queue.headBatch else { return 0 }
        var last = Int64.max
        if queues.count > 1 {
            // Of heads with the same timestamp that of the first queue, by name, goes first.
            var isBefore = true
            for other in queues {
                if other === queue {
                    isBefore = false
                } else if other.hasHead {
                    last = min(last, isBefore ? other.headTimestamp - 1 : other.headTimestamp)
                }
            }
        }
        hot.value.batch = batch
        hot.value.needsCommit = true
        do {
            let done = try run(queue, batch, limit, until: last)
            if !pending.isEmpty { _ = try deliver(waits: false) }
            return done
        } catch {
            let origin = origin(queue, batch, hot.value.index)
            throw failure(.processing, node: nil, coordinates(origin), error)
        }
    }

    typealias Entry = (RawSpan?, borrowing RecordMeta) throws -> Void

    func run(_ queue: PartitionQueue, _ batch: RecordBatch, _ limit: Int, until last: Int64) throws -> Int {
        var done = 0
        hot.value.firstTimeOfRun = queue.headTimestamp
        recorder.enter(scope)
        // Held here, so that no record pays for the closure's reference count.
        let entry = queue.entry.process
        recorder.pause()
        let times = times?.startRun() == true ? times : nil
        defer { queue.uncommitted &+= done }
        while true {
            try process(batch, queue.headIndex, queue, entry)
            try collector.endRecord()
            times?.took()
            done &+= 1
            guard queue.advance(in: batch), done < limit, queue.headTimestamp <= last,
                hot.value.streamTime < streamPunctuations.earliest, !collector.isFull
            else { return done }
        }
    }

    func chooseQueue() throws -> PartitionQueue? {
        var best: PartitionQueue?
        for queue in queues {
            if !queue.hasHead {
                try queue.prepareHead { batch, index, error in try refuse(queue, batch, index, error) }
            }
            if queue.hasHead, best == nil || queue.headTimestamp < best?.headTimestamp ?? 0 { best = queue }
        }
        return best
    }

    // MARK: Punctuation

    /// Takes the clocks for what comes next, ms.
    public func update(wallClock: Int64, monotonic: Int64) {
        hot.value.wallClock = wallClock
        hot.value.monotonic = monotonic
    }

    /// Runs punctuations that stream time has made due.
    public func punctuateStreamTime() throws -> Bool {
        guard streamTime >= 0 else { return false }
        return try punctuate(streamPunctuations, at: streamTime, showing: streamTime)
    }

    /// Runs punctuations that the wall clock has made due.
    public func punctuateWallClock() throws -> Bool {
        try punctuate(wallPunctuations, at: hot.value.monotonic, showing: wallClock)
    }

    private func punctuate(_ schedules: PunctuationQueue, at now: Int64, showing shown: Int64) throws -> Bool {
        guard now >= schedules.earliest else { return false }
        // No record is being processed.
        hot.value.batch = nil
        recorder.enter(scope)
        recorder.showNothing()
        do {
            guard try schedules.run(at: now, showing: shown) else { return false }
        } catch {
            throw failure(.processing, node: nil, nil, error)
        }
        hot.value.needsCommit = true
        return true
    }

    // MARK: Commit

    /// Flushes the caches, which forwards what they held.
    ///
    /// The first step of a commit.
    public func flush() throws {
        hot.value.batch = nil
        recorder.enter(scope)
        recorder.showNothing()
        try within(.flush) {
            repeat {
                _ = try deliver(waits: true)
                try stores.flush(metrics, configuration.time.monotonic)
            } while try expireBetweenRecords() || hasPending
            try checkSwallowed()
        }
    }

    /// The offsets to commit, with the partition times as metadata.
    public func offsets() -> [TopicPartition: CommittedOffset] {
        var offsets: [TopicPartition: CommittedOffset] = [:]
        if isGlobal { return offsets }
        for queue in queues {
            queue.committedOffset = queue.nextOffset
            offsets[queue.partition] = CommittedOffset(
                queue.nextOffset,
                metadata: OffsetMetadata.encode(partitionTime: queue.partitionTime, progress: progress),
                topicIdentity: queue.topicIdentity)
        }
        return offsets
    }

    /// The log has committed: the state now belongs to that commit.
    ///
    /// - Returns: whether the state was made durable.
    @discardableResult
    public func committed(_ commitID: Int64, force: Bool) throws -> Bool {
        hot.value.needsCommit = false
        hot.value.commitRequested = false
        defer { recorder.export() }
        if recorder.leftOutHeaders > 0 && !hasWarnedOfHeaders { warnOfHeaders() }
        tellHiddenDrops(at: configuration.time.monotonic.milliseconds)
        return try within(.commit) {
            try metrics?.measureStores()
            return try stores.committed(commitID, force: force)
        }
    }

    private func warnOfHeaders() {
        hasWarnedOfHeaders = true
        log(
            .warning, "headers are too long to go through stores and are left out",
            [
                ("headers", configuration.lineage.propagatedHeaders.joined(separator: ",")),
                ("limit", "\(configuration.lineage.propagatedHeaderBytes)"),
            ], source: "TributaryRuntime")
    }

    // MARK: End

    /// Ends the task: processors close, what isn't committed is given up.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        tellHiddenDrops(at: .max)
        for work in pending { work.cancel() }
        pending = []
        for close in closers { close() }
        closers = []
        streamPunctuations.removeAll()
        wallPunctuations.removeAll()
        for queue in queues { queue.clear() }
        queues = []
        metrics = nil
        stores.close()
        recorder.export()
        hot.value.batch = nil
    }
}
