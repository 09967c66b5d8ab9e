import TestSupport
import TributaryCore
import TributaryLMDB

/// Opens a log with a small map and no maintenance of its own.
func openLog(
    _ folder: TemporaryFolder, _ change: (inout EmbeddedLogConfiguration) -> Void = { _ in }
) throws -> EmbeddedLog {
    var configuration = EmbeddedLogConfiguration()
    configuration.mapSize = 1 << 30
    configuration.durability = .relaxed
    configuration.maintenanceInterval = .zero
    change(&configuration)
    return try EmbeddedLog.open(at: folder.path + "/log", configuration: configuration)
}

/// A record as a test writes and compares it.
struct TestRecord: Equatable {
    var key: [UInt8]?
    var value: [UInt8]?
    var timestamp: Int64 = 0
    var headers = Headers()
    var context = TraceContext.none
    var cell: [UInt8] = []
    var lineageHeaders = Headers()
    var offset: Int64 = -1

    init(_ key: String?, _ value: String?, at timestamp: Int64 = 0) {
        self.key = key.map { Array($0.utf8) }
        self.value = value.map { Array($0.utf8) }
        self.timestamp = timestamp
    }
}

extension LogProducer {
    func send(_ record: TestRecord, to topic: Int, _ partition: Int32 = 0) throws(LogError) {
        let none: [UInt8] = []
        let key = record.key ?? none
        let value = record.value ?? none
        let keyBytes = unsafe key.span.bytes
        let valueBytes = unsafe value.span.bytes
        let headers = unsafe record.headers.encoded.span.bytes
        let lineageHeaders = unsafe record.lineageHeaders.encoded.span.bytes
        let cell = unsafe record.cell.span.bytes
        switch (record.key == nil, record.value == nil) {
        case (false, false):
            try send(
                OutgoingRecord(
                    timestamp: record.timestamp, key: keyBytes, value: valueBytes, headers: headers,
                    context: record.context, cell: cell, lineageHeaders: lineageHeaders), topic: topic,
                partition: partition)
        case (true, false):
            try send(
                OutgoingRecord(
                    timestamp: record.timestamp, key: nil, value: valueBytes, headers: headers, context: record.context,
                    cell: cell, lineageHeaders: lineageHeaders), topic: topic, partition: partition)
        case (false, true):
            try send(
                OutgoingRecord(
                    timestamp: record.timestamp, key: keyBytes, value: nil, headers: headers, context: record.context,
                    cell: cell, lineageHeaders: lineageHeaders), topic: topic, partition: partition)
        case (true, true):
            try send(
                OutgoingRecord(
                    timestamp: record.timestamp, key: nil, value: nil, headers: headers, context: record.context,
                    cell: cell, lineageHeaders: lineageHeaders), topic: topic, partition: partition)
        }
    }
}

extension RecordBatch {
    func record(_ index: Int) -> TestRecord {
        var record = TestRecord(nil, nil, at: timestamp(index))
        if let key = key(index) { record.key = [UInt8](copying: key) }
        if let value = value(index) { record.value = [UInt8](copying: value) }
        record.headers = Headers(checked: headers(index))
        record.lineageHeaders = Headers(checked: lineageHeaders(index))
        record.context = context(index)
        record.cell = [UInt8](copying: cell(index))
        record.offset = offset(index)
        return record
    }
}

extension EmbeddedLog {
    /// Writes records with a producer of their own and waits until they are written.
    func write(_ records: [TestRecord], to topic: String, _ partition: Int32 = 0) throws {
        let producer = try makeProducer(ProducerConfiguration(clientID: "test"))
        let number = try producer.number(ofTopic: topic)
        for record in records { try producer.send(record, to: number, partition) }
        try producer.flush()
        producer.close()
    }

    /// All records of a partition from an offset on.
    func read(_ topic: String, _ partition: Int32 = 0, from offset: Int64? = nil) throws -> [TestRecord] {
        let place = TopicPartition(topic, partition)
        let start = try offset ?? watermarks(place, committed: true).low
        let consumer = try makeConsumer(ConsumerConfiguration(clientID: "test"))
        _ = try consumer.assign(place, from: start)
        var records: [TestRecord] = []
        while let batch = try consumer.poll(timeout: 0) {
            for index in 0..<batch.count { records.append(batch.record(index)) }
        }
        consumer.close()
        return records
    }

    /// Keys and values of a partition as text, for comparing.
    func texts(_ topic: String, _ partition: Int32 = 0) throws -> [String] {
        try read(topic, partition).map { record in
            let key = record.key.map { String(decoding: $0, as: UTF8.self) } ?? "-"
            let value = record.value.map { String(decoding: $0, as: UTF8.self) } ?? "-"
            return "\(record.offset) \(key)=\(value)"
        }
    }
}

extension EmbeddedLog {
    /// What a walk over everything finds wrong.
    func verify() throws -> [LogError] {
        var verifier = EmbeddedLogVerifier(self)
        verifier.run()
        return verifier.findings
    }
}
