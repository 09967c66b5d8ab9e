public import TributaryCore

/// Where a source begins where its application has committed nothing, or something that isn't there any more: Kafka Streams'
/// `AutoOffsetReset`.
public struct OffsetReset: Sendable, Hashable, CustomStringConvertible {
    /// The ways to find the place.
    package enum Place: Sendable, Hashable {
        case earliest
        case latest
        case time(Int64)
        case last(Duration)
        case fail
    }

    package let place: Place

    /// At the first record that is there.
    public static let earliest = OffsetReset(place: .earliest)

    /// Behind the last record that is there.
    public static let latest = OffsetReset(place: .latest)

    /// At the first record that has a time or a later one; behind the last if there is none.
    ///
    /// - Parameter time: ms since the epoch, or a `Date`.
    public static func timestamp(_ time: some RecordTime) -> OffsetReset {
        OffsetReset(place: .time(time.millisecondsSinceEpoch))
    }

    /// At the first record of the last so much time before the start, by the wall clock; behind the last record if there is none.
    ///
    /// - Parameter duration: zero or more; less is refused.
    public static func byDuration(_ duration: Duration) -> OffsetReset { OffsetReset(place: .last(duration)) }

    /// Nowhere: the start fails with `LogError.Code.noOffset`, which names topic and partition (Kafka Streams' `none`).
    public static let fail = OffsetReset(place: .fail)

    /// The way, for messages.
    public var description: String {
        switch place {
        case .earliest: "earliest"
        case .latest: "latest"
        case .time(let time): "at \(time) ms"
        case .last(let duration): "the last \(duration)"
        case .fail: "fail"
        }
    }

    /// Why it can't be; nil if it can.
    package var problem: String? {
        guard case .last(let duration) = place, duration < .zero else { return nil }
        return "the source is to begin \(duration) before the start, but that must be zero or more"
    }
}

/// How the records of a source are read.
@usableFromInline
struct SourceSettings: Sendable {
    /// Nil for the application's.
    @usableFromInline var timestamps: TimestampExtractor?
    /// Nil for the application's.
    @usableFromInline var reset: OffsetReset?

    @usableFromInline
    init(timestamps: TimestampExtractor? = nil, reset: OffsetReset? = nil) {
        self.timestamps = timestamps
        self.reset = reset
    }

    /// What a stream's or table's parameters say, of which one may give times.
    @inlinable
    init<Key, Value>(
        _ graph: TopologyGraph, _ name: String, _ key: Serde<Key>, _ value: Serde<Value>,
        _ timestamps: TimestampExtractor?, ofValue: (@Sendable (Value) throws -> any RecordTime)?,
        ofRecord: (@Sendable (SourceRecord<Key, Value>) throws -> any RecordTime)?, _ reset: OffsetReset?
    ) {
        let given = [
            timestamps, ofValue.map { .value(named: name, value, $0) },
            ofRecord.map { .record(named: name, key, value, $0) },
        ].compactMap { $0 }
        self.init(timestamps: given.first, reset: reset)
        if given.count > 1 {
            graph.fail(
                .conflict,
                "the source '\(name)' is told its records' times in \(given.count) ways: a record has one timestamp")
        }
        graph.check(reset, of: name)
    }
}
