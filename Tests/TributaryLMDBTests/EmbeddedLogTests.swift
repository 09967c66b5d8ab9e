import TestSupport
import Testing
import TributaryCore
import TributaryLMDB

@Suite(.timeLimit(.minutes(10))) struct EmbeddedLogTests {
    @Test func `every part of a record comes back as it was sent`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        try log.createTopics([TopicSpecification("t")])
        var full = TestRecord("key", "value", at: 1_700_000_000_000)
        full.headers = Headers([("a", [1]), ("a", nil), ("b", []), ("", [0])])
        full.context = TraceContext(traceHigh: 1, traceLow: 2, span: 3, flags: 1)
        full.cell = [1, 2, 3]
        full.lineageHeaders = Headers([("tracestate", [65])])
        var records = [
            full, TestRecord(nil, nil, at: -5), TestRecord("", ""), TestRecord("", nil), TestRecord(nil, ""),
            TestRecord("k", String(repeating: "x", count: 300_000), at: .max), TestRecord("k", "v", at: .min),
        ]
        try log.write(records, to: "t")
        for index in records.indices { records[index].offset = Int64(index) }
        #expect(try log.read("t") == records)
        #expect(try log.read("t", from: 4) == Array(records[4...]))
        #expect(try log.watermarks(TopicPartition("t", 0), committed: true) == Watermarks(low: 0, high: 7))
    }

    @Test func `many batches come back in order from any offset, and survive reopening`() throws {
        let folder = try TemporaryFolder()
        var records: [TestRecord] = []
        for index in 0..<20_000 {
            var record = TestRecord("key \(index)", "value \(index)", at: Int64(index))
            record.offset = Int64(index)
            records.append(record)
        }
        let cluster: String
        do {
            let log = try openLog(folder)
            cluster = log.clusterID
            try log.createTopics([TopicSpecification("t", partitions: 2)])
            try log.write(records, to: "t", 1)
            log.close()
            #expect(throws: LogError.self) { try log.topics() }
        }
        let log = try openLog(folder)
        #expect(log.clusterID == cluster)
        #expect(try log.read("t", 0).isEmpty)
        #expect(try log.read("t", 1) == records)
        for start in [1, 1233, 9_999, 19_999] {
            #expect(try log.read("t", 1, from: Int64(start)) == Array(records[start...]))
        }
        #expect(try log.read("t", 1, from: 20_000).isEmpty)
        #expect(throws: LogError.self) { try log.read("t", 1, from: 20_001) }
    }

    @Test func `a small batch limit cuts batches and loses nothing`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        try log.createTopics([TopicSpecification("t")])
        try log.write((0..<1000).map { TestRecord("k", "value \($0)") }, to: "t")
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "c", maximumBatchBytes: 100))
        _ = try consumer.assign(TopicPartition("t", 0), from: 10)
        var offsets: [Int64] = []
        while let batch = try consumer.poll(timeout: 0) {
            #expect(batch.count < 12)
            for index in 0..<batch.count { offsets.append(batch.offset(index)) }
        }
        #expect(offsets == Array(10..<1000))
    }

    @Test func `partitions take turns, pause, resume and seek`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        try log.createTopics([TopicSpecification("t", partitions: 2)])
        try log.write((0..<5).map { TestRecord("a", "\($0)") }, to: "t", 0)
        try log.write((0..<5).map { TestRecord("b", "\($0)") }, to: "t", 1)
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "c"))
        let first = try consumer.assign(TopicPartition("t", 0), from: 0)
        let second = try consumer.assign(TopicPartition("t", 1), from: 3)
        #expect(consumer.knownEnd(first) == 5)
        consumer.pause(first)
        let batch = try #require(try consumer.poll(timeout: 0))
        #expect(batch.assignment == second && batch.count == 2 && batch.nextOffset == 5)
        #expect(try consumer.poll(timeout: 0) == nil)
        #expect(consumer.position(second) == 5 && consumer.position(first) == 0)
        consumer.resume(first)
        consumer.seek(first, to: 4)
        #expect(try consumer.poll(timeout: 0)?.offset(0) == 4)
        consumer.unassign(first)
        #expect(try consumer.assign(TopicPartition("t", 0), from: 0) == first)
    }

    @Test func `a transaction is seen whole after its commit and never after its abort`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        try log.createTopics([TopicSpecification("t", partitions: 2), TopicSpecification("in", partitions: 4)])
        let group = try log.joinGroup(GroupConfiguration(group: "g", clientID: "c", tasks: 2))
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "c", transactionalID: "tx"))
        let topic = try producer.number(ofTopic: "t")
        #expect(throws: LogError.self) { try producer.send(TestRecord("a", "0"), to: topic) }
        try producer.beginTransaction()
        try producer.send(TestRecord("a", "1"), to: topic)
        try producer.abortTransaction()
        try producer.beginTransaction()
        try producer.send(TestRecord("a", "2"), to: topic)
        try producer.send(TestRecord("b", "3"), to: topic, 1)
        #expect(producer.pendingBytes > 0)
        try producer.flush()
        #expect(try log.texts("t").isEmpty)
        let offsets = [TopicPartition("in", 3): CommittedOffset(7, metadata: "m")]
        let commit = try producer.commitTransaction(offsets: offsets, group: group)
        #expect(try log.texts("t") == ["0 a=2"] && log.texts("t", 1) == ["0 b=3"])
        #expect(producer.lastOffset(topic: topic, partition: 0) == 0 && producer.pendingBytes == 0)
        #expect(try log.committedOffsets(group: "g") == offsets)
        #expect(try log.lastCommit(transactionalID: "tx") == commit && log.lastCommit() == commit)
        try producer.beginTransaction()
        try producer.send(TestRecord("a", "4"), to: topic)
        #expect(try producer.commitTransaction(offsets: [:], group: nil) == commit + 1)
        #expect(producer.lastOffset(topic: topic, partition: 0) == 1)
    }

    @Test func `a second producer with a transactional id fences the first`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        try log.createTopics([TopicSpecification("t")])
        let first = try log.makeProducer(ProducerConfiguration(clientID: "c", transactionalID: "tx"))
        let topic = try first.number(ofTopic: "t")
        try first.beginTransaction()
        try first.send(TestRecord("a", "old"), to: topic)
        let second = try log.makeProducer(ProducerConfiguration(clientID: "d", transactionalID: "tx"))
        #expect(code { _ = try first.commitTransaction(offsets: [:], group: nil) } == .fenced)
        let number = try second.number(ofTopic: "t")
        try second.beginTransaction()
        try second.send(TestRecord("a", "new"), to: number)
        _ = try second.commitTransaction(offsets: [:], group: nil)
        #expect(try log.texts("t") == ["0 a=new"])
    }

    @Test func `a group has one member, tells its tasks once and keeps offsets with metadata`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        try log.createTopics([TopicSpecification("t", partitions: 2)])
        let configuration = GroupConfiguration(group: "my app/ü", clientID: "c", tasks: 3)
        let group = try log.joinGroup(configuration)
        #expect(code { _ = try log.joinGroup(configuration) } == .inUse)
        #expect(try group.nextChange(timeout: 0) == .assigned([0, 1, 2]))
        #expect(try group.nextChange(timeout: 1) == nil)
        let place = TopicPartition("t", 0)
        try group.commit([place: CommittedOffset(5, metadata: "x"), TopicPartition("t", 1): CommittedOffset(6)])
        #expect(try group.committed([place]) == [place: CommittedOffset(5, metadata: "x")])
        #expect(try log.committedOffsets(group: "my app").isEmpty)
        #expect(try log.committedOffsets(group: "my app/ü").count == 2)
        group.leave()
        #expect(code { try group.commit([place: CommittedOffset(1)]) } == .fenced)
        _ = try log.joinGroup(configuration)
    }

    @Test func `topics are made, described and deleted, and a new one of the same name is another`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        try log.createTopics([TopicSpecification("t", partitions: 3, settings: ["cleanup.policy": "compact"])])
        let old = try #require(try log.topic("t"))
        #expect(old.partitions == 3 && old.settings == ["cleanup.policy": "compact"])
        #expect(code { try log.createTopics([TopicSpecification("t")]) } == .topicExists)
        #expect(code { try log.createTopics([TopicSpecification("a b")]) } == .invalidRequest)
        #expect(
            code { try log.createTopics([TopicSpecification("u", settings: ["nonsense": "1"])]) } == .invalidRequest)
        try log.write((0..<10).map { TestRecord("k", "\($0)") }, to: "t")
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "c"))
        _ = try consumer.assign(TopicPartition("t", 0), from: 0)
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "c"))
        let number = try producer.number(ofTopic: "t")
        try log.deleteTopics(["t"])
        #expect(try log.topic("t") == nil && log.topics().isEmpty)
        #expect(code { try log.deleteTopics(["t"]) } == .unknownTopic)
        #expect(code { _ = try consumer.poll(timeout: 0) } == .unknownTopic)
        try producer.send(TestRecord("k", "lost"), to: number)
        #expect(code { try producer.flush() } == .unknownTopic)
        try log.createTopics([TopicSpecification("t")])
        #expect(try log.topic("t")?.identity != old.identity)
        #expect(try log.texts("t").isEmpty)
    }

    @Test func `what a topic or the log can't take is refused when it is sent`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder) { $0.maximumTransactionBytes = 100_000 }
        try log.createTopics([
            TopicSpecification("c", settings: ["cleanup.policy": "compact"]),
            TopicSpecification("s", settings: ["max.message.bytes": "1000"]),
        ])
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "c", transactionalID: "tx"))
        let compacted = try producer.number(ofTopic: "c")
        let small = try producer.number(ofTopic: "s")
        try producer.beginTransaction()
        #expect(code { try producer.send(TestRecord(nil, "v"), to: compacted) } == .invalidRequest)
        #expect(code { try producer.send(TestRecord("k", "v"), to: compacted, 7) } == .unknownTopic)
        #expect(
            code { try producer.send(TestRecord("k", String(repeating: "x", count: 1000)), to: small) } == .tooLarge)
        let large = TestRecord("k", String(repeating: "x", count: 60_000))
        try producer.send(large, to: compacted)
        #expect(code { try producer.send(large, to: compacted) } == .transactionFull)
        _ = try producer.commitTransaction(offsets: [:], group: nil)
        #expect(try log.read("c").count == 1)
    }

    @Test func `offsets by time are the first at or after it`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder) { $0.batchBytes = 1024 }
        try log.createTopics([TopicSpecification("t", partitions: 2)])
        try log.write((0..<1000).map { TestRecord("k", "v", at: Int64($0) * 10) }, to: "t")
        let place = TopicPartition("t", 0)
        #expect(try log.offsets(atOrAfter: [place: -1, TopicPartition("t", 1): 0]) == [place: 0])
        #expect(try log.offsets(atOrAfter: [place: 4321]) == [place: 433])
        #expect(try log.offsets(atOrAfter: [place: 9990]) == [place: 999])
        #expect(try log.offsets(atOrAfter: [place: 9991]).isEmpty)
        try log.deleteRecords(before: [place: 500])
        #expect(try log.offsets(atOrAfter: [place: 0]) == [place: 500])
    }
}

/// The code of the log error that a call throws; nil if it throws none.
func code(_ body: () throws -> Void) -> LogError.Code? {
    do {
        try body()
        return nil
    } catch {
        return (error as? LogError)?.code
    }
}
