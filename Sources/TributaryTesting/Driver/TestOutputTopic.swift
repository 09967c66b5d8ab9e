internal import TributaryCore
public import TributaryDSL

/// A topic that a test reads, as Kafka Streams' class of the same name: what was written since it was last read, by any way, oldest first.
///
/// Any topic, changelogs and repartition topics by their whole names. Used by one thread. Outlives restarts of the driver.
public final class TestOutputTopic<Key, Value> {
    /// The topic's name.
    public let name: String
    private let driver: TopologyTestDriver
    private let key: Serde<Key>
    private let value: Serde<Value>

    init(_ driver: TopologyTestDriver, _ name: String, _ key: Serde<Key>, _ value: Serde<Value>) {
        self.driver = driver
        self.name = name
        self.key = key
        self.value = value
    }

    /// How many records there are to read.
    public var count: Int { driver.unread(name) }

    /// Whether there is nothing to read.
    public var isEmpty: Bool { count == 0 }

    /// Reads the next record.
    ///
    /// - Throws: ``DriverError`` if there is none; what the serdes throw for bytes that they refuse.
    public func readRecord() throws -> Record<Key, Value> {
        guard let record = driver.takeRecord(from: name) else { throw DriverError("there is no record in '\(name)'") }
        return Record(
            key: try key.value(record.key), value: try value.value(record.value), timestamp: record.timestamp,
            headers: record.headers)
    }

    /// Reads the next record's key and value.
    public func readKeyValue() throws -> (key: Key, value: Value) {
        let record = try readRecord()
        return (record.key, record.value)
    }

    /// Reads the next record's value; its key needn't be one that the serde knows.
    public func readValue() throws -> Value {
        guard let record = driver.takeRecord(from: name) else { throw DriverError("there is no record in '\(name)'") }
        return try value.value(record.value)
    }

    /// Reads all records.
    public func readRecords() throws -> [Record<Key, Value>] {
        var records: [Record<Key, Value>] = []
        while !isEmpty { records.append(try readRecord()) }
        return records
    }

    /// Reads all keys and values.
    public func readKeyValues() throws -> [(key: Key, value: Value)] {
        try readRecords().map { ($0.key, $0.value) }
    }

    /// Reads all values.
    public func readValues() throws -> [Value] {
        var values: [Value] = []
        while !isEmpty { values.append(try readValue()) }
        return values
    }
}

extension TestOutputTopic where Key: Hashable {
    /// Reads all records as a table: of each key the last value.
    public func readMap() throws -> [Key: Value] {
        Dictionary(try readRecords().map { ($0.key, $0.value) }) { $1 }
    }
}
