internal import TributaryCore

/// Says when records are written that are older than their topic keeps them: they are deleted as soon as somebody looks.
///
/// Once an hour for a partition, by the first and the newest record of each batch.
final class RecordAges: Sendable {
    private let time: TimeSource
    private let logs: LogSink
    /// When it was said last, in milliseconds of the clock that never jumps.
    private let said = Guarded<[TopicPartition: Int64]>([:])

    private static let interval: Int64 = 3_600_000
    private static let partitions = 10_000

    init(_ configuration: EmbeddedLogConfiguration) {
        time = configuration.time
        logs = configuration.logs
    }

    /// Looks at the time of a record of a topic that keeps records for `age` milliseconds.
    func look(at timestamp: Int64, _ age: Int64, _ topic: String, _ partition: Int32) {
        guard timestamp < time.wall.milliseconds.subtractingSaturated(age) else { return }
        let place = TopicPartition(topic, partition)
        let now = time.monotonic.milliseconds
        let isDue = said.withLock { said -> Bool in
            if let last = said[place], now.subtractingSaturated(last) < Self.interval { return false }
            if said.count >= Self.partitions { said.removeAll() }
            said[place] = now
            return true
        }
        guard isDue else { return }
        logs(
            .warning, "records are older than their topic keeps them, and will be deleted soon",
            [
                ("topic", topic), ("partition", "\(partition)"), ("timestamp", "\(timestamp)"),
                ("retention.ms", "\(age)"),
            ], source: "TributaryLMDB")
    }
}
