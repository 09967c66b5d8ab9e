internal import TributaryCore
internal import TributaryDSL

/// What a thread does again since a value that stayed unencoded could not be encoded.
struct Redoing: Sendable {
    /// The stores that encode at each update from now on: one whose values have failed would fail again.
    var stores: Set<String> = []
    /// How far the attempt that was given up had come; empty once that is committed.
    var ends: [TopicPartition: Int64] = [:]
}

extension ThreadLoop {
    /// How far the source partitions are processed.
    var processed: [TopicPartition: Int64] {
        var offsets: [TopicPartition: Int64] = [:]
        for queue in tasks.flatMap(\.queues) { offsets[queue.partition] = queue.nextOffset }
        return offsets
    }

    /// Whether a thread that is asked to stop goes on: with what it would have committed if it had encoded at each update.
    var isRedoing: Bool { !redoing.ends.isEmpty && !thread.isPaused && isBehind }

    /// Something was committed.
    func noteRedone() {
        guard !redoing.ends.isEmpty, !isBehind else { return }
        redoing.ends = [:]
        isRedone.withLock { $0 = true }
    }

    /// Whether there is something to process that was processed already.
    private var isBehind: Bool {
        if lives.values.contains(where: { $0.state == .restoring }) { return true }
        return tasks.lazy.flatMap(\.queues).contains { queue in
            guard let end = redoing.ends[queue.partition], queue.nextOffset < end else { return false }
            // Some of it may have been deleted meanwhile.
            let known = consumer.knownEnd(queue.assignment)
            return queue.count > 0 || known < 0 || known > consumer.position(queue.assignment)
        }
    }
}
