internal import TributaryCore
internal import TributaryDSL
public import TributaryLineage
internal import TributaryState

/// What fails in a task: who is asked, what is kept, what ends the task.
extension StreamTask {
    /// Something threw on behalf of a node.
    public func processingFailed(node: String, _ error: any Error, _ meta: borrowing RecordMeta) throws {
        try failed(.processing, node, error, meta)
    }

    /// A sink could not write or send a record.
    public func serializationFailed(
        node: String, topic: String, _ error: any Error, _ meta: borrowing RecordMeta
    ) throws {
        try failed(.production, node, error, meta)
    }

    /// A serde refused the bytes of a record or of a stored value.
    public func deserializationFailed(node: String, _ error: any Error, _ meta: borrowing RecordMeta) throws {
        try failed(.deserialization, node, error, meta)
    }

    /// A record's timestamp is below 0 (no error), or its extractor threw.
    func refuse(_ queue: PartitionQueue, _ batch: RecordBatch, _ index: Int, _ error: (any Error)?) throws {
        hot.value.batch = batch
        hot.value.index = index
        hot.value.needsCommit = true
        let origin = origin(queue, batch, index)
        guard let error else {
            return count(.invalidTimestamp, node: queue.partition.topic, coordinate: coordinates(origin))
        }
        let lineage = CollectionOfOne(Lineage.none)
        let headers = StrippedHeaders(batch.headers(index)).list
        var key = RawSpan.empty
        var hasKey = false
        if let bytes = batch.key(index) {
            key = bytes
            hasKey = true
        }
        // A letter needs a time, and the record has none.
        let meta = RecordMeta(
            key: key, hasKey: hasKey, keyIsStale: false, timestamp: max(queue.partitionTime, 0), origin: origin,
            headers: headers.span.bytes, lineage: lineage.span)
        try failed(.timestamp, node(of: queue), error, meta)
    }

    func node(of queue: PartitionQueue) -> String {
        names.reader(of: queue.partition.topic) ?? queue.partition.topic
    }

    private func failed(
        _ step: FailureStep, _ node: String, _ error: any Error, _ meta: borrowing RecordMeta
    ) throws {
        // What failed inside of another node has been decided there.
        if let failure = error as? TaskFailure { throw failure }
        let step = StreamTask.step(step, error)
        let coordinate = coordinates(meta.origin)
        let failure = failure(step, node: node, coordinate, error)
        guard StreamTask.isForHandlers(error, step) else {
            stores.noteDamage(error)
            throw failure
        }
        let (reason, handler) = decision(step)
        let response = handler(
            FailedRecord(
                step: step, node: node, store: failure.store, task: taskID, coordinate: coordinate, key: failure.key,
                error: error))
        if let topic = configuration.deadLetterTopic {
            do { try sendDeadLetter(to: topic, node, error, coordinate, meta) } catch let refusal {
                let both = DeadLetterError(topic: topic, error: refusal, cause: error)
                throw self.failure(.production, node: node, coordinate, both)
            }
        }
        guard response == .continue else {
            log(
                .error, "a record failed", [("step", step.rawValue), ("node", node)] + words(coordinate, error),
                source: "TributaryRuntime", context: meta.lineage.context)
            throw failure
        }
        recorder.noteFailure(error)
        count(reason, node: node, coordinate: coordinate, error: error, context: meta.lineage.context)
    }

    // A stored value that a serde refuses is a matter of bytes, whoever reads it.
    private static func step(_ step: FailureStep, _ error: any Error) -> FailureStep {
        (error as? StoreError)?.code == .undecodable ? .deserialization : step
    }

    /// Whether a record that failed like this may be left out: not where the state or the log failed.
    private static func isForHandlers(_ error: any Error, _ step: FailureStep) -> Bool {
        if let error = error as? StoreError { return error.code == .undecodable || error.code == .invalidRequest }
        guard let error = error as? LogError else { return true }
        return step == .production && [.tooLarge, .invalidRequest, .unknownTopic].contains(error.code)
    }

    private func decision(
        _ step: FailureStep
    ) -> (reason: DropReason, handler: @Sendable (FailedRecord) -> ErrorResponse) {
        switch step {
        case .timestamp: (.invalidTimestamp, configuration.deserializationHandler)
        case .deserialization: (.deserialization, configuration.deserializationHandler)
        case .production: (.production, configuration.productionHandler)
        case .processing, .restore, .start, .flush, .commit: (.processing, configuration.processingHandler)
        }
    }

    /// The failure that ends the task, with what is at hand: a store's row that is being written out, else the record being processed.
    ///
    /// - Parameters:
    ///   - step: what the task was doing.
    ///   - node: the node, where one was at work.
    ///   - coordinate: of the record that it concerns.
    ///   - error: what was thrown; one that is a failure already stays as it is.
    func failure(
        _ step: FailureStep, node: String?, _ coordinate: RecordCoordinate?, _ error: any Error
    ) -> TaskFailure {
        if let failure = error as? TaskFailure { return failure }
        var key: [UInt8]?
        var coordinate = coordinate
        if let row = stores.flushes.row {
            key = row.key
            coordinate = coordinate ?? coordinates(row.origin)
        } else if let resumed {
            key = resumed.key
        } else if let batch = hot.value.batch, stores.flushes.isEmpty, let bytes = batch.key(hot.value.index) {
            key = [UInt8](copying: bytes)
        }
        return TaskFailure(
            step: step, node: node, store: stores.flushes.store, task: taskID, coordinate: coordinate, key: key,
            cause: error)
    }

    /// Does something that no record is the cause of: what it throws names task and step.
    func within<Result>(_ step: FailureStep, _ body: () throws -> Result) throws -> Result {
        do { return try body() } catch let error as LogError where error.code == .closed {
            // The log is being closed: the task is not what failed.
            throw error
        } catch {
            throw failure(step, node: nil, nil, error)
        }
    }

    /// The node that sends to a topic, for messages.
    func sink(to number: Int) -> String {
        let topic = collector.name(number)
        return names.sender(to: topic) ?? topic
    }

    func words(_ coordinate: RecordCoordinate?, _ error: (any Error)?) -> [(key: String, value: String)] {
        (coordinate.map { [(key: "record", value: "\($0)")] } ?? [])
            + (error.map { [(key: "error", value: ErrorText.of($0))] } ?? [])
    }

    // MARK: Dead letters

    /// Sends what failed: the source record's bytes, or a store's row that was being written out, with the failing record's timestamp
    /// and headers, and the cause (Docs/Semantics.md, Errors and dead letters).
    private func sendDeadLetter(
        to topic: String, _ node: String, _ error: any Error, _ coordinate: RecordCoordinate?,
        _ meta: borrowing RecordMeta
    ) throws {
        let row = stores.flushes.row
        var key: [UInt8]?
        var value: [UInt8]?
        if let row {
            (key, value) = (row.key, row.value)
        } else if let resumed {
            (key, value) = (resumed.key, resumed.value)
        } else if let batch = hot.value.batch, stores.flushes.isEmpty {
            if let bytes = batch.key(hot.value.index) { key = [UInt8](copying: bytes) }
            if let bytes = batch.value(hot.value.index) { value = [UInt8](copying: bytes) }
        } else {
            return
        }
        let number = try outputTopic(topic)
        var headers = Headers(checked: meta.headers)
        let kind = String(describing: type(of: error))
        let text = ErrorText.of(error)
        headers.append(DeadLetterHeaders.exception, Array(kind.utf8))
        headers.append(DeadLetterHeaders.message, Array(text.utf8))
        headers.append(DeadLetterHeaders.stacktrace, Array("\(kind): \(text)".utf8))
        headers.append(DeadLetterHeaders.topic, Array((coordinate?.topic ?? "").utf8))
        headers.append(DeadLetterHeaders.partition, Array(String(coordinate?.partition ?? -1).utf8))
        headers.append(DeadLetterHeaders.offset, Array(String(coordinate?.offset ?? -1).utf8))
        if let row {
            headers.append(DeadLetterHeaders.store, Array(row.store.utf8))
            headers.append(DeadLetterHeaders.node, Array(node.utf8))
        }
        let list = headers.encoded
        let lineage = CollectionOfOne(meta.lineage)
        let letter = RecordMeta(
            key: RawSpan.empty, hasKey: false, keyIsStale: false, timestamp: meta.timestamp, origin: meta.origin,
            headers: list.span.bytes, lineage: lineage.span)
        // Not through `send`: a letter that is refused must not become another.
        try collector.send(
            number, key: key?.span.bytes, partitionKeyCount: key?.count ?? 0, value: value?.span.bytes, letter,
            recorder,
            operation: hot.value.sendOperations[number])
    }
}

/// The names of the headers that dead letters have: Kafka Streams', and two of our own for rows of stores.
enum DeadLetterHeaders {
    static let exception = "__streams.errors.exception"
    static let message = "__streams.errors.message"
    static let stacktrace = "__streams.errors.stacktrace"
    static let topic = "__streams.errors.topic"
    static let partition = "__streams.errors.partition"
    static let offset = "__streams.errors.offset"
    static let store = "__streams.errors.store"
    static let node = "__streams.errors.node"
}
