import Testing
import TributaryCore
import TributaryKafka
import TributaryTesting

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What brokers' and librdkafka's errors come to, on pretended brokers.
@Suite(.timeLimit(.minutes(10))) struct MockFaultTests {
    /// Numbers of Kafka's requests.
    enum Request {
        static let produce: Int16 = 0
        static let offsetCommit: Int16 = 8
        static let heartbeat: Int16 = 12
    }

    struct Fixture {
        let log: MockedLog
        let producer: any LogProducer
        let topic: Int

        init(_ properties: [String: String] = [:]) throws {
            log = try MockedLog { $0.properties = properties }
            try log.createTopics([TopicSpecification("t", partitions: 2)])
            producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
            topic = try producer.number(ofTopic: "t")
        }

        func send(_ value: [UInt8], timestamp: Int64 = 5, headers: [UInt8] = []) throws(LogError) {
            try producer.send(
                OutgoingRecord(timestamp: timestamp, key: nil, value: value.span.bytes, headers: headers.span.bytes),
                topic: topic, partition: 1)
        }
    }

    @Test func `a reader that is slower than the broker doesn't wait for a fetcher that rests`() throws {
        let fixture = try Fixture([
            "consumer.queued.max.messages.kbytes": "64", "consumer.fetch.message.max.bytes": "32768",
        ])
        let value = [UInt8](repeating: 7, count: 1000)
        for _ in 0..<10 {
            for _ in 0..<64 { try fixture.send(value) }
            try fixture.producer.flush()  // a fetch gives whole batches
        }
        let consumer = try fixture.log.makeConsumer(ConsumerConfiguration(clientID: "slow", maximumBatchBytes: 8000))
        let assignment = try consumer.assign(TopicPartition("t", 1), from: 0)
        let start = MonotonicClock.milliseconds
        while consumer.position(assignment) < 640 {
            guard let batch = try consumer.poll(timeout: 5000) else { break }
            #expect(batch.count > 0)
            // Long enough for the queue to be full again.
            usleep(2000)
        }
        // 640 KB through a queue of 64 KB: rests of a second at each filling would be about nine.
        #expect(consumer.position(assignment) == 640)
        #expect(MonotonicClock.milliseconds - start < 4000)
    }

    @Test func `a push sends what would have lingered, and without one it lingers`() throws {
        let fixture = try Fixture(["producer.linger.ms": "3000"])
        // The first record of a partition is waited for before a second is taken.
        try fixture.send([0])
        try fixture.producer.flush()
        try fixture.send([1])
        let place = TopicPartition("t", 1)
        usleep(300_000)
        #expect(try fixture.log.watermarks(place, committed: false).high == 1)
        let start = MonotonicClock.milliseconds
        fixture.producer.push()
        while try fixture.log.watermarks(place, committed: false).high < 2, MonotonicClock.milliseconds - start < 2000 {
            usleep(5000)
        }
        #expect(try fixture.log.watermarks(place, committed: false).high == 2)
        #expect(MonotonicClock.milliseconds - start < 1500)
    }

    @Test(
        arguments: [
            (10, LogError.Code.tooLarge), (29, .denied), (32, .invalidRequest), (87, .invalidRequest),
        ] as [(Int32, LogError.Code)])
    func `a record that a broker refuses is an error of the flush, with its partition`(
        _ code: Int32, _ expected: LogError.Code
    ) throws {
        let fixture = try Fixture()
        fixture.log.cluster.fail(request: Request.produce, with: Array(repeating: code, count: 20))
        let error = #expect(throws: LogError.self) {
            // librdkafka refuses by itself what goes to a topic that was denied once.
            for _ in 0..<3 { try fixture.send([1]) }
            try fixture.producer.flush()
        }
        #expect(error?.code == expected)
        #expect(error?.topic == "t")
        #expect(error?.partition == 1)
    }

    @Test func `errors that pass are waited out`() throws {
        let fixture = try Fixture()
        // Not the leader, then not enough replicas, then the request took too long.
        fixture.log.cluster.fail(request: Request.produce, with: [6, 19, 7])
        for index in 0..<10 { try fixture.send([UInt8(index)]) }
        try fixture.producer.flush()
        #expect(fixture.producer.lastOffset(topic: fixture.topic, partition: 1) == 9)
        #expect(try readAll(fixture.log, "t", partitions: 2).map(\.value) == (0..<10).map { [UInt8($0)] })
    }

    @Test func `a broker that goes and comes back costs time and nothing else`() throws {
        let fixture = try Fixture()
        try fixture.send([0])
        try fixture.producer.flush()
        fixture.log.cluster.setBroker(isUp: false)
        for index in 1..<100 { try fixture.send([UInt8(index)]) }
        #expect(fixture.producer.pendingBytes == 99)
        let cluster = fixture.log.cluster
        let helper = Task {
            try await Task.sleep(for: .milliseconds(500))
            cluster.setBroker(isUp: true)
        }
        defer { helper.cancel() }
        try fixture.producer.flush()
        #expect(try readAll(fixture.log, "t", partitions: 2).map(\.value) == (0..<100).map { [UInt8($0)] })
    }

    @Test func `records that could not be written in time are an error, and the producer goes on`() throws {
        let fixture = try Fixture(["delivery.timeout.ms": "2000"])
        try fixture.send([0])
        try fixture.producer.flush()
        fixture.log.cluster.setBroker(isUp: false)
        for _ in 0..<5 { try fixture.send([1]) }
        let error = #expect(throws: LogError.self) { try fixture.producer.flush() }
        #expect(error?.code == .unavailable)
        #expect(error?.isRetriable == true)
        #expect(error?.message.contains("4 more") == true)
        fixture.log.cluster.setBroker(isUp: true)
        try fixture.send([2])
        try fixture.producer.flush()
        #expect(try readAll(fixture.log, "t", partitions: 2).last?.value == [2])
    }

    @Test func `without a broker the second record to a partition says so`() throws {
        let fixture = try Fixture(["delivery.timeout.ms": "1000"])
        fixture.log.cluster.setBroker(isUp: false)
        try fixture.send([1])
        // Until a broker knows this producer, a record is not sent before the one ahead of it is written.
        let error = #expect(throws: LogError.self) { try fixture.send([2]) }
        #expect(error?.code == .unavailable)
        #expect(error?.partition == 1)
    }

    @Test func `a full buffer holds the sender up, and drops nothing`() throws {
        let fixture = try Fixture(["queue.buffering.max.messages": "50"])
        for index in 0..<1000 { try fixture.send([UInt8(truncatingIfNeeded: index)]) }
        try fixture.producer.flush()
        #expect(try readAll(fixture.log, "t", partitions: 2).count == 1000)
    }

    @Test func `timestamp 0 goes out as 1 and is counted, one below 0 is refused`() throws {
        let fixture = try Fixture()
        for time in [0, 0, 1, 2] as [Int64] { try fixture.send([1], timestamp: time) }
        let error = #expect(throws: LogError.self) { try fixture.send([1], timestamp: -1) }
        #expect(error?.code == .invalidRequest)
        try fixture.producer.flush()
        #expect(fixture.log.kafka.raisedTimestamps == 2)
        #expect(try readAll(fixture.log, "t", partitions: 2).map(\.timestamp) == [1, 1, 1, 2])
    }

    @Test func `offsets are committed again when the coordinator was between two states`() throws {
        let log = try MockedLog()
        try log.createTopics([TopicSpecification("t", partitions: 1)])
        let group = try log.joinGroup(GroupConfiguration(group: "g", clientID: "test", tasks: 2))
        let place = TopicPartition("t", 0)
        try group.commit([place: CommittedOffset(1)])
        // Loading, then moved elsewhere.
        log.cluster.fail(request: Request.offsetCommit, with: [14, 16])
        try group.commit([place: CommittedOffset(2, metadata: "m")])
        #expect(try group.committed([place]) == [place: CommittedOffset(2, metadata: "m")])
        log.cluster.fail(request: Request.offsetCommit, with: [29])
        let error = #expect(throws: LogError.self) { try group.commit([place: CommittedOffset(3)]) }
        #expect(error?.code == .denied)
        group.leave()
    }

    @Test func `a member that lost its tasks takes them back and goes on`() throws {
        // The coordinator keeps the member that it doesn't know until its session is over, and takes 3 s for a join.
        let log = try MockedLog {
            $0.sessionTimeout = .milliseconds(4000)
            $0.requestTimeout = .milliseconds(40_000)
        }
        try log.createTopics([TopicSpecification("t", partitions: 1)])
        let group = try log.joinGroup(GroupConfiguration(group: "g", clientID: "test", tasks: 2))
        let place = TopicPartition("t", 0)
        try group.commit([place: CommittedOffset(1)])
        #expect(try group.nextChange(timeout: 0) == .assigned([0, 1]))
        // The coordinator knows no such member: its session was over.
        log.cluster.fail(request: Request.heartbeat, with: [25])
        #expect(try group.nextChange(timeout: 10_000) == .lost([0, 1]))
        try group.commit([place: CommittedOffset(2)])
        #expect(try group.nextChange(timeout: 0) == .assigned([0, 1]))
        #expect(try group.committed([place]) == [place: CommittedOffset(2)])
        group.leave()
    }

    @Test func `without a broker, opening the log fails in time and says why`() throws {
        var configuration = KafkaConfiguration(bootstrap: "127.0.0.1:9")
        configuration.connectTimeout = .milliseconds(500)
        let error = #expect(throws: LogError.self) { _ = try KafkaLog.connect(to: configuration) }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("127.0.0.1:9") == true)
        #expect(error?.message.contains("refused") == true)
    }

    @Test(arguments: ["no.such.property", "group.id", "producer.acks", "consumer.isolation.level", "linger.ms"])
    func `properties that are unknown, ours, or nonsense are refused`(_ name: String) throws {
        var configuration = KafkaConfiguration(bootstrap: "127.0.0.1:9", properties: [name: "nonsense"])
        configuration.connectTimeout = .milliseconds(500)
        let error = #expect(throws: LogError.self) {
            let log = try KafkaLog.connect(to: configuration)
            _ = try log.makeProducer(ProducerConfiguration(clientID: "test"))
        }
        #expect(error?.code == .configuration)
        #expect(error?.message.contains(name.split(separator: ".").last ?? "?") == true)
    }
}
