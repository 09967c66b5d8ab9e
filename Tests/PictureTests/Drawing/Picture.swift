import Testing
import Tributary
import TributaryTesting

/// What a picture is drawn from: a topology, what goes in, and which topics are shown.
struct Picture: Sendable, CustomTestStringConvertible {
    /// The file's name without its ending.
    let name: String
    /// What the picture shows, for those who can't see it.
    let title: String
    let build: @Sendable (StreamsBuilder) -> Void
    let inputs: [Input]
    let outputs: [Output]
    /// The distance of the lines in the grid, s.
    var grid: Int64 = 5
    /// Whether commits wait for the input that isn't held back, and caches merge until then.
    var isCached = false

    var testDescription: String { name }
}

/// A step from outside.
struct Input: Sendable {
    /// Nil for a step in which only time passes.
    var topic: String?
    var key: String?
    var text: String
    /// s.
    var time: Int64
    /// Whether the record is not yet processed.
    var isHeld = false
    let apply: @Sendable (TopologyTestDriver) throws -> Void

    static func record<Value: Recordable & Sendable>(
        _ topic: String, _ key: String, _ value: Value?, at time: Int64, held: Bool = false
    ) -> Input {
        Input(
            topic: topic, key: key, text: value.map { "\($0)" } ?? "deleted", time: time, isHeld: held
        ) { driver in
            let bytes = try value.flatMap { try Value.serde.bytes($0) }
            guard held else {
                return try driver.pipe(topic: topic, key: Array(key.utf8), value: bytes, timestamp: time * 1000)
            }
            try driver.log.append(
                LoggedRecord(timestamp: time * 1000, key: Array(key.utf8), value: bytes), to: TopicPartition(topic, 0))
        }
    }
}

/// A topic that is shown, and how its records are read.
struct Output: Sendable {
    let topic: String
    let read: @Sendable (LoggedRecord) throws -> Shown

    /// A record that came out.
    struct Shown: Equatable {
        var key: String
        /// From when to when, ms.
        var window: Window?
        /// Whether the window has its end in it.
        var isClosed = false
        var value: String?
        /// ms.
        var time: Int64
    }

    static func topic<Value: Recordable>(_ topic: String, of type: Value.Type) -> Output {
        Output(topic: topic) { record in
            Shown(
                key: String(decoding: record.key ?? [], as: UTF8.self), value: try text(type, record),
                time: record.timestamp)
        }
    }

    static func windows<Value: Recordable>(
        _ topic: String, _ key: Serde<Windowed<String>>, of type: Value.Type, closed: Bool = false
    ) -> Output {
        Output(topic: topic) { record in
            let windowed = try key.value(record.key)
            return Shown(
                key: windowed.key, window: windowed.window, isClosed: closed, value: try text(type, record),
                time: record.timestamp)
        }
    }

    private static func text<Value: Recordable>(_ type: Value.Type, _ record: LoggedRecord) throws -> String? {
        guard record.value != nil else { return nil }
        return "\(try type.serde.value(record.value))"
    }
}
