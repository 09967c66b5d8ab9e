internal import TributaryCore
internal import TributaryLineage

/// Polls a topic on a thread of its own, a batch each time it is asked.
final class RecordReader<Key: Sendable, Value: Sendable>: Sendable {
    private typealias Batch = [ReceivedRecord<Key, Value>]

    private struct State: Sendable {
        var waiting: CheckedContinuation<[ReceivedRecord<Key, Value>]?, any Error>?
        var isStarted = false
        var isClosed = false
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
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "\(sequence.topic)-reader"))
        defer { consumer.close() }
        var partitions: [Int: Int32] = [:]
        var ends: [Int: Int64] = [:]
        for partition in 0..<topic.partitions {
            let place = TopicPartition(topic.name, partition)
            let watermarks = try log.watermarks(place, committed: true)
            let start = sequence.start == .earliest ? watermarks.low : watermarks.high
            let number = try consumer.assign(place, from: start)
            partitions[number] = partition
            ends[number] = watermarks.high
        }
        while true {
            let asked: Bool? = state.wait(milliseconds: nil) { state in
                state.isClosed ? false : state.waiting != nil ? true : nil
            }
            guard asked == true else { return }
            if !sequence.follows, ends.allSatisfy({ consumer.position($0.key) >= $0.value }) { return }
            guard let batch = try consumer.poll(timeout: 50), batch.count > 0 else { continue }
            let partition = partitions[batch.assignment] ?? 0
            var records: [ReceivedRecord<Key, Value>] = []
            records.reserveCapacity(batch.count)
            for index in 0..<batch.count {
                if !sequence.follows, let end = ends[batch.assignment], batch.offset(index) >= end { break }
                records.append(try record(batch, index, topic.name, partition, sequence))
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
