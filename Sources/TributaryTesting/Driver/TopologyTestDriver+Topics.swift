public import TributaryCore
public import TributaryDSL

/// Topics with their serdes, and what was written.
extension TopologyTestDriver {
    /// A source topic to write to.
    ///
    /// - Parameters:
    ///   - name: its name.
    ///   - key: the keys' serde.
    ///   - value: the values' serde.
    ///   - start: the first record's time, ms; nil for the driver's wall clock.
    ///   - step: how much later each next record is that says no time of its own; zero or more.
    /// - Throws: ``DriverError`` for a topic that the topology doesn't read, or a step below zero.
    public func inputTopic<Key, Value>(
        _ name: String, key: Serde<Key>, value: Serde<Value>, startingAt start: Int64? = nil,
        advancingBy step: Duration = .zero
    ) throws -> TestInputTopic<Key, Value> {
        try TestInputTopic(self, name, key, value, time: start ?? wallClock, step: step)
    }

    /// A source topic to write to, whose types name their serdes.
    public func inputTopic<Key: Recordable, Value: Recordable>(
        _ name: String, keyedBy key: Key.Type = String.self, of value: Value.Type, startingAt start: Int64? = nil,
        advancingBy step: Duration = .zero
    ) throws -> TestInputTopic<Key, Value> {
        try inputTopic(name, key: Key.serde, value: Value.serde, startingAt: start, advancingBy: step)
    }

    /// A topic to read, which need not be there yet.
    public func outputTopic<Key, Value>(
        _ name: String, key: Serde<Key>, value: Serde<Value>
    ) -> TestOutputTopic<Key, Value> { TestOutputTopic(self, name, key, value) }

    /// A topic to read, whose types name their serdes.
    public func outputTopic<Key: Recordable, Value: Recordable>(
        _ name: String, keyedBy key: Key.Type = String.self, of value: Value.Type
    ) -> TestOutputTopic<Key, Value> { outputTopic(name, key: Key.serde, value: Value.serde) }

    /// Everything written since the last call, by topic in offset order, internal topics too; what ``pipe(topic:key:value:timestamp:headers:context:)``
    /// wrote is left out.
    public func takeRecords() throws -> [(topic: String, record: LoggedRecord)] {
        var list: [(topic: String, record: LoggedRecord)] = []
        for topic in try log.topics() {
            let records = log.records(in: TopicPartition(topic.name, 0))
            let from = taken[topic.name] ?? 0
            if from < records.count { list += records[from...].map { (topic.name, $0) } }
            taken[topic.name] = records.count
        }
        return list
    }

    /// Takes what was written to one topic since the last call, decoded; records of other topics stay to be taken.
    ///
    /// - Throws: what the serdes throw for bytes that they refuse.
    public func takeRecords<Key, Value>(
        from topic: String, _ key: Serde<Key>, _ value: Serde<Value>
    ) throws -> [Record<Key, Value>] {
        try outputTopic(topic, key: key, value: value).readRecords()
    }

    /// Takes what was written to one topic since the last call, decoded by the serdes that the types name.
    public func takeRecords<Key: Recordable, Value: Recordable>(
        from topic: String, keyedBy key: Key.Type = String.self, of value: Value.Type
    ) throws -> [Record<Key, Value>] {
        try takeRecords(from: topic, Key.serde, Value.serde)
    }

    /// The names of all topics that the topology has written to, changelogs and repartition topics among them, sorted.
    public var producedTopicNames: [String] { produced.names.sorted() }

    /// How many records of a topic were not taken yet.
    func unread(_ topic: String) -> Int {
        max(log.records(in: TopicPartition(topic, 0)).count - (taken[topic] ?? 0), 0)
    }

    /// Takes the next record of a topic.
    func takeRecord(from topic: String) -> LoggedRecord? {
        let records = log.records(in: TopicPartition(topic, 0))
        let from = taken[topic] ?? 0
        guard from < records.count else { return nil }
        taken[topic] = from + 1
        return records[from]
    }
}
