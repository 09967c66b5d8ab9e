internal import TributaryCore
public import TributaryDSL
public import TributaryLineage
public import TributaryState

extension StreamTask: TaskServices {
    /// How often it is looked which results have waited for time to pass, ms.
    public var emitInterval: Int64 { configuration.emitInterval.milliseconds }

    /// A store of the task, or that of a global table.
    public func store(_ name: String) throws -> StateStore {
        if let globals, isGlobalStore(name) { return try globals.stores.store(name) }
        return try stores.store(name)
    }

    /// Whether a store is that of a global table.
    public func isGlobalStore(_ name: String) -> Bool { topology.stores[name]?.isGlobal == true }

    /// The number of an output topic.
    public func outputTopic(_ name: String) throws -> Int {
        let isInternal = names.isInternal(name)
        let topic = names.topic(name)
        let number = try collector.topic(topic, isInternal: isInternal)
        if number >= hot.value.sendOperations.count {
            hot.value.sendOperations.grow(to: number * 2, filling: -1)
        }
        if hot.value.sendOperations[number] < 0 {
            hot.value.sendOperations[number] = recorder.operation(
                "send \(topic)", kind: .producer,
                attributes: [
                    AttributeNames.messagingSystem: .string("kafka"),
                    AttributeNames.messagingOperationName: .string("send"),
                    AttributeNames.messagingOperationType: .string("send"),
                    AttributeNames.messagingDestinationName: .string(topic),
                    AttributeNames.messagingKafkaCluster: .string(cluster),
                    AttributeNames.task: .string(taskID),
                ])
        }
        return number
    }

    /// Sends a record.
    public func send(
        topic: Int, key: RawSpan?, partitionKeyCount: Int, value: RawSpan?, _ meta: borrowing RecordMeta
    ) throws {
        do {
            try collector.send(
                topic, key: key, partitionKeyCount: partitionKeyCount, value: value, meta, recorder,
                operation: hot.value.sendOperations[topic])
        } catch {
            try serializationFailed(node: sink(to: topic), topic: collector.name(topic), error, meta)
        }
    }

    /// How many partitions an output topic has.
    public func partitions(ofTopic number: Int) -> Int32 { collector.partitions(number) }

    /// Sends a record to a partition that was chosen for it.
    public func send(
        topic: Int, partition: Int32, key: RawSpan?, value: RawSpan?, _ meta: borrowing RecordMeta
    ) throws {
        do {
            try collector.send(
                topic, partition: partition, key: key, value: value, meta, recorder,
                operation: hot.value.sendOperations[topic])
        } catch {
            try serializationFailed(node: sink(to: topic), topic: collector.name(topic), error, meta)
        }
    }

    /// A record was left out: of those that an operator is there to leave out no line is logged.
    public func dropped(_ reason: DropReason, node: String, _ meta: borrowing RecordMeta) {
        switch reason {
        case .duplicate: hot.value.duplicates &+= 1
        case .throttled: hot.value.throttled &+= 1
        default:
            return count(reason, node: node, coordinate: coordinates(meta.origin), context: meta.lineage.context)
        }
        recorder.noteDropped(reason.rawValue, node: node)
    }

    func count(
        _ reason: DropReason, node: String, coordinate: RecordCoordinate?, error: (any Error)? = nil,
        context: TraceContext = .none
    ) {
        unintendedDrops[reason, default: 0] += 1
        recorder.noteDropped(reason.rawValue, node: node)
        // Superseded, not lost: with each row that changes faster than it is answered.
        if reason == .stale { return }
        let now = configuration.time.monotonic.milliseconds
        tellHiddenDrops(at: now)
        guard dropNotices.admit(at: now) else { return }
        log(
            .warning, "a record was left out",
            [("reason", reason.rawValue), ("node", node)] + words(coordinate, error),
            source: "TributaryRuntime", context: context)
    }

    /// Says how many records were left out without a line of their own, once their second is over.
    func tellHiddenDrops(at now: Int64) {
        let count = dropNotices.takeHidden(at: now)
        guard count > 0 else { return }
        log(
            .warning, "more records were left out",
            [("count", "\(count)"), ("total", "\(dropped.values.reduce(0, +))")], source: "TributaryRuntime")
    }

    func coordinates(_ origin: RecordOrigin) -> RecordCoordinate? {
        topics.name(origin.topic).map {
            RecordCoordinate(topic: $0, partition: origin.partition, offset: origin.offset)
        }
    }

    /// Coordinates of the record being processed.
    public func coordinate(of origin: RecordOrigin) -> (topic: String?, partition: Int32, offset: Int64) {
        (topics.name(origin.topic), origin.partition, origin.offset)
    }

    /// Calls back by stream time or wall clock.
    public func schedule(
        every interval: Int64, _ clock: PunctuationClock, node: String, _ callback: @escaping (Int64) throws -> Void
    ) -> Punctuation {
        guard !isGlobal else { return refusePunctuation(node) }
        return switch clock {
        case .streamTime: streamPunctuations.add(every: interval, firstDue: 0, callback)
        case .wallClock:
            wallPunctuations.add(every: interval, firstDue: hot.value.monotonic.addingSaturated(interval), callback)
        }
    }

    // Global stores hold what their topics say, in each thread, and again after a restart.
    private func refusePunctuation(_ node: String) -> Punctuation {
        failed(by: ProcessorError("'\(node)' fills a global store, and so can't schedule punctuations"))
        let punctuation = Punctuation()
        punctuation.cancel()
        return punctuation
    }

    /// Asks for a commit.
    public func requestCommit() { hot.value.commitRequested = true }

    /// How far the node of a store had come at the last commit.
    public func progress(of store: String) -> Int64? { progress[store] }

    /// Keeps how far the node of a store has come.
    public func setProgress(of store: String, _ time: Int64) { progress[store] = time }

    /// Notes what ends the task.
    public func failed(by error: any Error) { if swallowed == nil { swallowed = error } }

    /// Throws what left something half done, if something did and user code has swallowed it.
    func checkSwallowed() throws {
        guard let error = swallowed ?? stores.failure else { return }
        throw error
    }
}
