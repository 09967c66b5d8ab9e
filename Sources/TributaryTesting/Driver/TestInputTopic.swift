public import TributaryCore
public import TributaryDSL

/// A source topic that a test writes to, as Kafka Streams' class of the same name: it knows the serdes, and what time it is.
///
/// ```swift
/// let orders = try driver.inputTopic("orders", of: Order.self, startingAt: 0, advancingBy: .seconds(1))
/// try orders.pipe("k", order)             // at 0
/// try orders.pipe("k", other)             // at 1000
/// ```
///
/// Each record is processed before the call returns. Used by one thread. Outlives restarts of the driver.
public final class TestInputTopic<Key, Value> {
    /// The topic's name.
    public let name: String
    /// The timestamp of the next record that says none of its own, ms.
    public private(set) var time: Int64
    private let step: Int64
    private let driver: TopologyTestDriver
    private let key: Serde<Key>
    private let value: Serde<Value>

    init(
        _ driver: TopologyTestDriver, _ name: String, _ key: Serde<Key>, _ value: Serde<Value>, time: Int64,
        step: Duration
    ) throws {
        self.driver = driver
        self.name = name
        self.key = key
        self.value = value
        self.time = time
        self.step = try Self.checked(step)
        try driver.checkSource(name)
    }

    private static func checked(_ step: Duration) throws -> Int64 {
        guard step >= .zero else { throw DriverError("a topic's time doesn't go back: \(step)") }
        return step.milliseconds
    }

    private func next() -> Int64 {
        defer { time = time.addingSaturated(step) }
        return time
    }

    /// Processes a record.
    ///
    /// - Parameters:
    ///   - key: its key.
    ///   - value: its value.
    ///   - timestamp: its time, ms; nil for the topic's, which then goes on.
    ///   - headers: its headers.
    /// - Throws: what the topology throws, and what the serdes do.
    public func pipe(_ key: Key, _ value: Value, timestamp: Int64? = nil, headers: Headers = Headers()) throws {
        try driver.pipe(name, key, value, timestamp: timestamp ?? next(), self.key, self.value, headers: headers)
    }

    /// Processes a record without key.
    public func pipe(value: Value, timestamp: Int64? = nil, headers: Headers = Headers()) throws {
        try driver.pipe(
            topic: name, key: nil, value: try self.value.bytes(value), timestamp: timestamp ?? next(),
            headers: headers)
    }

    /// Processes records, each at its own time.
    public func pipe(_ records: [Record<Key, Value>]) throws {
        for record in records {
            try pipe(record.key, record.value, timestamp: record.timestamp, headers: record.headers)
        }
    }

    /// Processes keys with values, each at the topic's time.
    public func pipe(_ rows: [(key: Key, value: Value)]) throws {
        for row in rows { try pipe(row.key, row.value) }
    }

    /// Processes keys with values from a time on, whatever the topic's is.
    ///
    /// - Parameters:
    ///   - rows: the records.
    ///   - start: the first one's time, ms.
    ///   - step: how much later each next one is; zero or more.
    /// - Throws: what the topology throws, and what the serdes do; ``DriverError`` for a step below zero.
    public func pipe(
        _ rows: [(key: Key, value: Value)], startingAt start: Int64, advancingBy step: Duration = .zero
    ) throws {
        let step = try Self.checked(step)
        var time = start
        for row in rows {
            try pipe(row.key, row.value, timestamp: time)
            time = time.addingSaturated(step)
        }
    }

    /// Processes values without keys, each at the topic's time.
    public func pipe(values: [Value]) throws {
        for value in values { try pipe(value: value) }
    }

    /// Processes values without keys from a time on, whatever the topic's is.
    public func pipe(values: [Value], startingAt start: Int64, advancingBy step: Duration = .zero) throws {
        let step = try Self.checked(step)
        var time = start
        for value in values {
            try pipe(value: value, timestamp: time)
            time = time.addingSaturated(step)
        }
    }

    /// Lets the topic's time go on.
    ///
    /// - Throws: ``DriverError`` for a duration below zero.
    public func advanceTime(by duration: Duration) throws { time = time.addingSaturated(try Self.checked(duration)) }
}
