internal import TributaryCore

/// A topic's settings, parsed; the names, units and defaults are Kafka's, but for `tributary.retention.time`.
struct TopicSettings: Sendable, Equatable {
    /// Old records go (`cleanup.policy` has `delete`).
    var deletes = true
    /// Only the newest record of a key stays (`cleanup.policy` has `compact`).
    var compacts = false
    /// `retention.ms`; negative for none.
    var retentionMilliseconds: Int64 = 7 * 24 * 3_600_000
    /// `tributary.retention.time`: whether `retention.ms` is counted back from the newest record's time, not from the time of
    /// day; for topics whose records may be of any age, as the changelog of a window store in a backfill.
    var isRetainedByStreamTime = false
    /// `retention.bytes`; negative for none.
    var retentionBytes: Int64 = -1
    /// `delete.retention.ms`: how long a tombstone stays after compaction has seen it.
    var deleteRetentionMilliseconds: Int64 = 24 * 3_600_000
    /// `min.compaction.lag.ms`.
    var minimumCompactionLagMilliseconds: Int64 = 0
    /// `min.cleanable.dirty.ratio`.
    var minimumDirtyRatio: Double = 0.5
    /// `max.message.bytes`; the largest record.
    var maximumMessageBytes: Int = .max

    static let retentionTime = "tributary.retention.time"
    static let streamTime = "stream"

    /// How old a record may be when it is written, in milliseconds before the time of day, before it is deleted at once;
    /// negative for any age.
    var greatestAge: Int64 { deletes && !isRetainedByStreamTime ? retentionMilliseconds : -1 }

    /// Parses settings; throws for one that is unknown or can't be had.
    init(_ settings: [String: String], topic: String) throws(LogError) {
        func refuse(_ name: String, _ value: String, _ why: String) -> LogError {
            LogError(.invalidRequest, "\(name)=\(value): \(why)", topic: topic)
        }
        func number(_ name: String, _ value: String, from least: Int64) throws(LogError) -> Int64 {
            guard let number = Int64(value), number >= least else { throw refuse(name, value, "not such a number") }
            return number
        }
        for (name, value) in settings.sorted(by: { $0.key < $1.key }) {
            switch name {
            case "cleanup.policy":
                let words = value.split(separator: ",").map { $0.filter { $0 != " " } }
                guard !words.isEmpty, words.allSatisfy({ $0 == "delete" || $0 == "compact" }) else {
                    throw refuse(name, value, "it can be delete, compact, or both with a comma")
                }
                deletes = words.contains("delete")
                compacts = words.contains("compact")
            case "retention.ms": retentionMilliseconds = try number(name, value, from: -1)
            case Self.retentionTime:
                guard value == Self.streamTime || value == "wall" else {
                    throw refuse(name, value, "it is stream or wall")
                }
                isRetainedByStreamTime = value == Self.streamTime
            case "retention.bytes": retentionBytes = try number(name, value, from: -1)
            case "delete.retention.ms": deleteRetentionMilliseconds = try number(name, value, from: 0)
            case "min.compaction.lag.ms": minimumCompactionLagMilliseconds = try number(name, value, from: 0)
            case "min.cleanable.dirty.ratio":
                guard let ratio = Double(value), (0...1).contains(ratio) else {
                    throw refuse(name, value, "it must lie in 0...1")
                }
                minimumDirtyRatio = ratio
            case "max.message.bytes": maximumMessageBytes = Int(try number(name, value, from: 0))
            case "message.timestamp.type":
                guard value == "CreateTime" else { throw refuse(name, value, "this log keeps CreateTime only") }
            case "segment.bytes", "segment.ms", "segment.index.bytes":
                // There are no segments here: accepted, so that one set of settings serves both logs.
                _ = try number(name, value, from: 0)
            default: throw refuse(name, value, "unknown setting")
            }
        }
    }
}
