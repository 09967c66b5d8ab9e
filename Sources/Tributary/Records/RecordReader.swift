internal import TributaryCore
internal import TributaryLineage

/// Polls a topic on a thread of its own, a batch each time it is asked.
final class RecordReader<Key: Sendable, Value: Sendable>: Sendable {
    private struct State: Sendable {
        var waiting: CheckedContinuation<[ReceivedRecord<Key, Value>]?, any Error>?
        var isStarted = false
        var isClosed = false
        /// By partition the offset behind the last record that was consumed, for the group.
        var consumed: [Int32: Int64] = [:]
    }

    private let sequence: RecordSequence<Key, Value>
    private let state = Monitor(State())

    init(_ sequence: RecordSequence<Key, Value>) { self.sequence = sequence }

    // The thread holds the monitor, not the reader.
    deinit { Self.close(state) }

    private static func close(_ state: Monitor<State>) {
        let waiting = state.change { state in
            state.isClosed = true
            return state.waiting.take()
        }
        waiting?.resume(returning: nil)
    }

    /// Whether what is consumed is to be noted.
    var hasGroup: Bool { sequence.group != nil }

    /// Notes that whoever got a record is done with it.
    func noteConsumed(_ coordinate: RecordCoordinate) {
        state.withLock { $0.consumed[coordinate.partition] = coordinate.offset + 1 }
    }

    /// The next records; nil at the end.
    func batch() async throws -> [ReceivedRecord<Key, Value>]? {
        let state = state
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isClosed = state.change { state in
                    if state.isClosed { return true }
                    state.waiting = continuation
                    return false
                }
                if isClosed { return continuation.resume(returning: nil) }
                start()
            }
        } onCancel: {
            Self.close(state)
        }
    }

    private func start() {
        let isFirst = state.withLock { state in
            defer { state.isStarted = true }
            return !state.isStarted
        }
        guard isFirst else { return }
        let (state, sequence) = (state, sequence)
        let code = OSThread.start("tributary-read") {
            do { try Self.read(sequence, state) } catch {
                let waiting = state.change { state in
                    state.isClosed = true
                    return state.waiting.take()
                }
                waiting?.resume(throwing: error)
            }
            Self.close(state)
        }
        if code != 0 { Self.close(state) }
    }

    private static func read(_ sequence: RecordSequence<Key, Value>, _ state: Monitor<State>) throws {
        let log = sequence.log
        guard let topic = try log.topic(sequence.topic) else {
            throw LogError(.unknownTopic, "there is no topic '\(sequence.topic)'")
        }
        let group = try sequence.group.map { try join($0, topic, log, state) }
        let reader: PartitionReader
        do {
            reader = try PartitionReader(log, topic, startsLatest: sequence.start == .latest, group: group)
        } catch {
            group?.leave()
            throw error
        }
        defer { reader.close() }
        do { try walk(sequence, topic.name, reader, state) } catch {
            try? reader.commit(state.withLock { $0.consumed })
            throw error
        }
        try reader.commit(state.withLock { $0.consumed })
    }

    // A walk that was given up a moment ago may not have left yet.
    private static func join(
        _ name: String, _ topic: TopicDescription, _ log: any Log, _ state: Monitor<State>
    ) throws(LogError) -> any LogGroup {
        let deadline = MonotonicClock.milliseconds + 3000
        while true {
            do throws(LogError) {
                return try log.joinGroup(
                    GroupConfiguration(group: name, clientID: "\(topic.name)-reader", tasks: Int(topic.partitions)))
            } catch {
                guard error.code == .inUse, MonotonicClock.milliseconds < deadline,
                    state.wait(milliseconds: 20, { $0.isClosed ? true : nil }) == nil
                else { throw error }
            }
        }
    }

    private static func walk(
        _ sequence: RecordSequence<Key, Value>, _ topic: String, _ reader: PartitionReader, _ state: Monitor<State>
    ) throws {
        // How long a group isn't told of what was consumed.
        let interval: Int64 = 100
        while true {
            let isAsked: Bool? = state.wait(milliseconds: sequence.group == nil ? nil : interval) { state in
                state.isClosed ? false : state.waiting != nil ? true : nil
            }
            if isAsked == false { return }
            if sequence.group != nil {
                let consumed = state.withLock { $0.consumed }
                try reader.takeChanges(consumed)
                try reader.commit(consumed, after: interval)
                if isAsked == nil { continue }
            }
            if !sequence.follows, reader.isAtEnd { return }
            guard let found = try reader.poll(50), found.batch.count > 0 else { continue }
            var records: [ReceivedRecord<Key, Value>] = []
            records.reserveCapacity(found.batch.count)
            for index in 0..<found.batch.count {
                if !sequence.follows, found.batch.offset(index) >= found.end { break }
                records.append(try record(found.batch, index, topic, found.partition, sequence))
            }
            let waiting = state.change { $0.waiting.take() }
            waiting?.resume(returning: records)
        }
    }

    private static func record(
        _ batch: RecordBatch, _ index: Int, _ topic: String, _ partition: Int32, _ sequence: RecordSequence<Key, Value>
    ) throws -> ReceivedRecord<Key, Value> {
        let coordinate = RecordCoordinate(topic: topic, partition: partition, offset: batch.offset(index))
        var key: Key?
        var value: Value?
        do {
            if let bytes = batch.key(index) { key = try sequence.key.decode(bytes) }
            if let bytes = batch.value(index) { value = try sequence.value.decode(bytes) }
        } catch {
            throw UnreadableRecord(coordinate: coordinate, cause: error)
        }
        return ReceivedRecord(
            key: key, value: value, timestamp: batch.timestamp(index), headers: Headers(checked: batch.headers(index)),
            coordinate: coordinate, context: batch.context(index))
    }
}
