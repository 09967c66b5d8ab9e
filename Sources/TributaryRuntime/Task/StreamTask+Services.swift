internal import TributaryCore
public import TributaryDSL
public import TributaryLineage
public import TributaryState

extension StreamTask: TaskServices {
    /// A store of the task.
    public func store(_ name: String) throws -> StateStore { try stores.store(name) }

    /// The number of an output topic.
    public func outputTopic(_ name: String) throws -> Int {
        let isInternal = topology.internalTopics.contains { $0.kind == .repartition && $0.name == name }
        let topic = isInternal ? "\(applicationID)-\(name)" : name
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
        } catch let error as LogError where error.code == .tooLarge || error.code == .invalidRequest {
            try serializationFailed(node: collector.name(topic), topic: collector.name(topic), error, meta)
        }
    }

    /// A node's closure threw.
    public func processingFailed(node: String, _ error: any Error, _ meta: borrowing RecordMeta) throws {
        try failed(.processing, .processing, node, error, meta, configuration.processingHandler)
    }

    /// A sink could not write or send a record.
    public func serializationFailed(
        node: String, topic: String, _ error: any Error, _ meta: borrowing RecordMeta
    ) throws {
        try failed(.production, .production, node, error, meta, configuration.productionHandler)
    }

    /// A source's bytes were refused.
    public func deserializationFailed(node: String, _ error: any Error, _ meta: borrowing RecordMeta) throws {
        try failed(.deserialization, .deserialization, node, error, meta, configuration.deserializationHandler)
    }

    func failed(
        _ step: FailedRecord.Step, _ reason: DropReason, _ node: String, _ error: any Error,
        _ meta: borrowing RecordMeta, _ handler: @Sendable (FailedRecord) -> ErrorResponse
    ) throws {
        if let failure = error as? TaskFailure { throw failure }
        let coordinate = coordinates(meta.origin)
        let failure = TaskFailure(node: node, task: taskID, coordinate: coordinate, cause: error)
        // The state and the log themselves failed: no handler can let that pass.
        if error is StoreError || (error is LogError && step != .production) {
            stores.noteDamage(error)
            throw failure
        }
        let response = handler(
            FailedRecord(step: step, node: node, task: taskID, coordinate: coordinate, error: error))
        if let topic = configuration.deadLetterTopic { try sendDeadLetter(to: topic, error, coordinate, meta) }
        guard response == .continue else {
            log(
                .error, "a record failed", [("step", step.rawValue), ("node", node)] + words(coordinate, error),
                source: "TributaryRuntime", context: meta.lineage.context)
            throw failure
        }
        recorder.noteFailure(error)
        count(reason, node: node, coordinate: coordinate, error: error, context: meta.lineage.context)
    }

    // The source record's bytes, the failing record's timestamp and headers, and the cause (semantics 12.2).
    func sendDeadLetter(
        to topic: String, _ error: any Error, _ coordinate: RecordCoordinate?, _ meta: borrowing RecordMeta
    ) throws {
        guard let batch = hot.value.batch else { return }
        let index = hot.value.index
        let number = try outputTopic(topic)
        var headers = Headers(checked: meta.headers)
        let kind = String(describing: type(of: error))
        headers.append("__streams.errors.exception", Array(kind.utf8))
        headers.append("__streams.errors.message", Array(String(describing: error).utf8))
        headers.append("__streams.errors.stacktrace", Array("\(kind): \(error)".utf8))
        headers.append("__streams.errors.topic", Array((coordinate?.topic ?? "").utf8))
        headers.append("__streams.errors.partition", Array(String(coordinate?.partition ?? -1).utf8))
        headers.append("__streams.errors.offset", Array(String(coordinate?.offset ?? -1).utf8))
        let list = headers.encoded
        let lineage = CollectionOfOne(meta.lineage)
        let letter = RecordMeta(
            key: RawSpan.empty, hasKey: false, keyIsStale: false, timestamp: meta.timestamp, origin: meta.origin,
            headers: list.span.bytes, lineage: lineage.span)
        let key = batch.key(index)
        try send(
            topic: number, key: key, partitionKeyCount: key?.byteCount ?? 0, value: batch.value(index),
            letter)
    }

    /// A record was left out.
    public func dropped(_ reason: DropReason, node: String, _ meta: borrowing RecordMeta) {
        count(reason, node: node, coordinate: coordinates(meta.origin), context: meta.lineage.context)
    }

    func count(
        _ reason: DropReason, node: String, coordinate: RecordCoordinate?, error: (any Error)? = nil,
        context: TraceContext = .none
    ) {
        dropped[reason, default: 0] += 1
        recorder.noteDropped(reason.rawValue, node: node)
        log(
            .warning, "a record was left out",
            [("reason", reason.rawValue), ("node", node)] + words(coordinate, error),
            source: "TributaryRuntime", context: context)
    }

    private func words(_ coordinate: RecordCoordinate?, _ error: (any Error)?) -> [(key: String, value: String)] {
        (coordinate.map { [(key: "record", value: "\($0)")] } ?? [])
            + (error.map { [(key: "error", value: "\($0)")] } ?? [])
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
        switch clock {
        case .streamTime: streamPunctuations.add(every: interval, firstDue: 0, callback)
        case .wallClock:
            wallPunctuations.add(every: interval, firstDue: hot.value.monotonic.addingSaturated(interval), callback)
        }
    }

    /// Asks for a commit.
    public func requestCommit() { hot.value.commitRequested = true }

    /// Notes what ends the task.
    public func failed(by error: any Error) { if swallowed == nil { swallowed = error } }

    /// Throws what left something half done, if something did and user code has swallowed it.
    func checkSwallowed() throws {
        guard let error = swallowed ?? stores.failure else { return }
        if error is TaskFailure { throw error }
        throw TaskFailure(node: "", task: taskID, coordinate: nil, cause: error)
    }
}
