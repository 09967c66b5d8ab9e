import TributaryCore

/// A new log and the short ways to use it that the checks share.
struct LogFixture {
    let log: any Log
    let patience: Int64

    @discardableResult
    func topic(_ name: String, partitions: Int32 = 1) throws -> TopicPartition {
        try log.createTopics([TopicSpecification(name, partitions: partitions)])
        return TopicPartition(name, 0)
    }

    func producer(_ transactionalID: String? = nil) throws -> any LogProducer {
        try log.makeProducer(ProducerConfiguration(clientID: "conformance", transactionalID: transactionalID))
    }

    func consumer(readCommitted: Bool = true, maximumBatchBytes: Int = 1 << 20) throws -> any LogConsumer {
        try log.makeConsumer(
            ConsumerConfiguration(
                clientID: "conformance", readCommitted: readCommitted, maximumBatchBytes: maximumBatchBytes))
    }

    func group(_ name: String = "group", tasks: Int = 1) throws -> any LogGroup {
        try log.joinGroup(GroupConfiguration(group: name, clientID: "conformance", tasks: tasks))
    }

    func send(_ record: LoggedRecord, to place: TopicPartition, with producer: any LogProducer) throws {
        let number = try producer.number(ofTopic: place.topic)
        try producer.send(
            OutgoingRecord(
                timestamp: record.timestamp, key: record.key?.span.bytes, value: record.value?.span.bytes,
                headers: record.headers.encoded.span.bytes, context: record.context, cell: record.cell.span.bytes,
                lineageHeaders: record.lineageHeaders.encoded.span.bytes), topic: number, partition: place.partition)
    }

    /// Writes values with keys and timestamps made up, without a transaction, and waits until they are written.
    func write(_ values: [String], to place: TopicPartition) throws {
        let producer = try producer()
        for (index, value) in values.enumerated() {
            try send(record(value, timestamp: Int64(index)), to: place, with: producer)
        }
        try producer.flush()
        producer.close()
    }

    func record(_ value: String?, key: String? = "k", timestamp: Int64 = 0) -> LoggedRecord {
        LoggedRecord(timestamp: timestamp, key: key.map { Array($0.utf8) }, value: value.map { Array($0.utf8) })
    }

    /// Reads until `count` records have come, and fails if they don't or if more do.
    func read(_ count: Int, from place: TopicPartition, at offset: Int64 = 0) throws -> [LoggedRecord] {
        let consumer = try consumer()
        defer { consumer.close() }
        _ = try consumer.assign(place, from: offset)
        let records = try poll(consumer, count: count)
        try expectSilence(consumer)
        return records
    }

    /// Polls until `count` records have come, and fails if they don't.
    func poll(_ consumer: any LogConsumer, count: Int) throws -> [LoggedRecord] {
        var records: [LoggedRecord] = []
        let end = TimeSource.system.monotonic.milliseconds + patience
        while records.count < count {
            let left = end - TimeSource.system.monotonic.milliseconds
            guard left > 0 else {
                throw Unexpected("expected \(count) records, got \(records.count) in \(patience) ms")
            }
            guard let batch = try consumer.poll(timeout: left) else { continue }
            for index in 0..<batch.count { records.append(LoggedRecord(batch, index)) }
        }
        try expect(records.count, equals: count, "number of records")
        return records
    }

    func expectSilence(_ consumer: any LogConsumer) throws {
        if let batch = try consumer.poll(timeout: 0) {
            throw Unexpected("expected no more records, got \(batch.count) more")
        }
    }

    func values(_ records: [LoggedRecord]) -> [String] {
        records.map { $0.value.map { String(decoding: $0, as: UTF8.self) } ?? "null" }
    }
}
