import TestSupport
import Testing
import TributaryCore
import TributaryLMDB

/// Times and settings at the ends of what 64 bits hold.
@Suite(.timeLimit(.minutes(10))) struct ExtremeTests {
    private let times: [Int64] = [0, .min, .max, .min + 1, -1, .max - 1, 1, .min, .min, .max, .max, 0]

    @Test(arguments: [1, 64]) func `records of any time come back as they were written`(_ size: Int) throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        let settings = [
            "cleanup.policy": "compact", "min.compaction.lag.ms": "\(Int64.max)", "delete.retention.ms": "\(Int64.max)",
        ]
        try log.createTopics([TopicSpecification("t", settings: ["retention.ms": "-1"])])
        try log.createTopics([TopicSpecification("compacted", settings: settings)])
        var random = FastRandom(seed: 7)
        var all = times
        for _ in 0..<200 { all.append(times[Int(random.next() % 12)] &+ Int64(bitPattern: random.next() % 5) &- 2) }
        for topic in ["t", "compacted"] {
            for start in stride(from: 0, to: all.count, by: size) {
                let part = all[start..<min(start + size, all.count)]
                try log.write(part.map { TestRecord("k \($0)", "v", at: $0) }, to: topic)
            }
            #expect(try log.read(topic).map(\.timestamp) == all)
            for time in times {
                let place = TopicPartition(topic, 0)
                let first = all.firstIndex { $0 >= time }
                #expect(try log.offsets(atOrAfter: [place: time])[place] == first.map { Int64($0) })
            }
            try log.performMaintenance()
        }
        #expect(try log.read("t").map(\.timestamp) == all)
        #expect(try log.verify().isEmpty)
    }

    private static let retentions: [Int64] = [.max, .max - 1, 0]

    @Test(arguments: ["wall", "stream"], retentions) func `any retention can be calculated with`(
        _ kind: String, _ retention: Int64
    ) throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        let settings = ["retention.ms": "\(retention)", "tributary.retention.time": kind]
        try log.createTopics([TopicSpecification("t", settings: settings)])
        for time in times { try log.write([TestRecord("k", "v", at: time)], to: "t") }
        try log.performMaintenance()
        let low = try log.watermarks(TopicPartition("t", 0), committed: true).low
        // From the front, what is older than that; the record at Int64.max never is.
        let now = kind == "stream" ? Int64.max : TimeSource.system.wall.milliseconds
        let oldest = now.subtractingSaturated(retention)
        #expect(low == Int64(times.firstIndex { $0 >= oldest } ?? 0))
    }

    @Test func `a setting of the log below 0 is refused`() throws {
        let folder = try TemporaryFolder()
        #expect(code { _ = try openLog(folder) { $0.linger = .milliseconds(Int64.min) } } == .configuration)
        #expect(code { _ = try openLog(folder) { $0.maintenanceInterval = .milliseconds(-1) } } == .configuration)
    }

    @Test(arguments: [Int64.max, Int64.max - 1]) func `any setting of the log can be calculated with`(_ number: Int64)
        throws
    {
        let folder = try TemporaryFolder()
        let log = try openLog(folder) {
            $0.linger = .milliseconds(number)
            $0.maintenanceInterval = .milliseconds(number)
            $0.lockTimeout = .milliseconds(number)
            $0.diskReserveBytes = min(number, 1)
            $0.lingerBytes = Int(number)
            $0.batchBytes = Int(number)
        }
        try log.createTopics([TopicSpecification("t")])
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "c"))
        let topic = try producer.number(ofTopic: "t")
        for index in 0..<100 { try producer.send(TestRecord("k", "\(index)"), to: topic) }
        try producer.flush()
        #expect(try log.read("t").count == 100)
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "c"))
        _ = try consumer.assign(TopicPartition("t", 0), from: 0)
        #expect(try consumer.poll(timeout: number == .max ? number : 0)?.count == 100)
        log.close()
    }

    @Test func `a full transaction is not the record's fault, and without transactions there is always room`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder) {
            $0.maximumTransactionBytes = 10_000
            $0.lingerBytes = 1 << 20
            $0.linger = .milliseconds(60_000)
        }
        try log.createTopics([
            TopicSpecification("t"), TopicSpecification("small", settings: ["max.message.bytes": "1000"]),
        ])
        let record = TestRecord("k", String(repeating: "x", count: 3000))
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "c", transactionalID: "tx"))
        let topic = try producer.number(ofTopic: "t")
        let small = try producer.number(ofTopic: "small")
        for _ in 0..<2 {
            try producer.beginTransaction()
            for _ in 0..<3 { try producer.send(record, to: topic) }
            #expect(code { try producer.send(record, to: topic) } == .transactionFull)
            #expect(code { try producer.send(record, to: small) } == .tooLarge)
            let large = TestRecord("k", String(repeating: "x", count: 11_000))
            #expect(code { try producer.send(large, to: topic) } == .tooLarge)
            _ = try producer.commitTransaction(offsets: [:], group: nil)
        }
        #expect(try log.read("t").count == 6)
        let plain = try log.makeProducer(ProducerConfiguration(clientID: "c"))
        let number = try plain.number(ofTopic: "t")
        for _ in 0..<10 { try plain.send(record, to: number) }
        try plain.flush()
        #expect(try log.read("t").count == 16)
    }
}
