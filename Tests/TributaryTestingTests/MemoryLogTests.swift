import Testing
import TributaryCore
import TributaryTesting

@Suite struct MemoryLogTests {
    private let place = TopicPartition("t", 0)

    private func log(autoVisible: Bool = false) throws -> MemoryLog {
        let log = MemoryLog(clusterID: "conformance", autoVisible: autoVisible)
        try log.createTopics([TopicSpecification("t")])
        return log
    }

    private func send(_ value: String, with producer: any LogProducer) throws {
        try producer.send(
            OutgoingRecord(timestamp: 1, key: nil, value: Array(value.utf8).span.bytes),
            topic: try producer.number(ofTopic: "t"), partition: 0)
    }

    @Test func `records become visible at a flush, or at once if told so`() throws {
        for autoVisible in [false, true] {
            let log = try log(autoVisible: autoVisible)
            let producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
            try send("a", with: producer)
            #expect(log.records(in: place).count == (autoVisible ? 1 : 0))
            #expect((producer.pendingBytes > 0) == !autoVisible)
            try producer.flush()
            #expect(log.records(in: place).map(\.value) == [[0x61]])
        }
    }

    @Test func `deleted records can still be looked at`() throws {
        let log = try log()
        for value in [1, 2, 3] as [UInt8] {
            try log.append(LoggedRecord(timestamp: 0, key: nil, value: [value]), to: place)
        }
        try log.deleteRecords(before: [place: 2])
        #expect(log.records(in: place).map(\.offset) == [0, 1, 2])
        #expect(try log.watermarks(place, committed: true) == Watermarks(low: 2, high: 3))
        log.close()
        #expect(log.records(in: place).count == 3)
        #expect(log.records(in: TopicPartition("none", 0)).isEmpty)
    }

    @Test func `a second member is refused until the first has left`() throws {
        let log = try log()
        let configuration = GroupConfiguration(group: "app", clientID: "test", tasks: 1)
        let first = try log.joinGroup(configuration)
        #expect { _ = try log.joinGroup(configuration) } throws: { ($0 as? LogError)?.code == .inUse }
        first.leave()
        _ = try log.joinGroup(configuration)
    }

    @Test func `a test can take tasks away`() throws {
        let log = try log()
        let group = try log.joinGroup(GroupConfiguration(group: "app", clientID: "test", tasks: 2))
        #expect(try group.nextChange(timeout: 0) == .assigned([0, 1]))
        log.place(.lost([1]), inGroup: "app")
        #expect(try group.nextChange(timeout: 0) == .lost([1]))
        #expect(try group.nextChange(timeout: 0) == nil)
    }

    @Test func `a lineage header among the user's is refused`() throws {
        let log = try log()
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
        let number = try producer.number(ofTopic: "t")
        let headers = Headers([("traceparent", [1])])
        #expect {
            try producer.send(
                OutgoingRecord(timestamp: 1, key: nil, value: nil, headers: headers.encoded.span.bytes), topic: number,
                partition: 0)
        } throws: {
            ($0 as? LogError)?.code == .invalidRequest
        }
    }

    @Test func `a failed commit changes nothing`() throws {
        let log = try log()
        let group = try log.joinGroup(GroupConfiguration(group: "app", clientID: "test", tasks: 1))
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "test", transactionalID: "id"))
        try producer.beginTransaction()
        try send("a", with: producer)
        let offsets = [place: CommittedOffset(1), TopicPartition("none", 0): CommittedOffset(1)]
        #expect(throws: LogError.self) { _ = try producer.commitTransaction(offsets: offsets, group: group) }
        #expect(try log.committedOffsets(group: "app") == [:])
        #expect(log.records(in: place).isEmpty)
        try producer.abortTransaction()
    }
}
