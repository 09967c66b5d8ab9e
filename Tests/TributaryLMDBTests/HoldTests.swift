import Glibc
import Synchronization
import TestSupport
import Testing
import TributaryCore
import TributaryLMDB

/// What a producer without transactions is told to be one.
@Suite(.timeLimit(.minutes(5))) struct HoldTests {
    private func end(_ log: EmbeddedLog, _ topic: String) throws -> Int64 {
        try log.watermarks(TopicPartition(topic, 0), committed: true).high
    }

    private func open(
        _ folder: TemporaryFolder, _ change: (inout EmbeddedLogConfiguration) -> Void = { _ in }
    ) throws -> EmbeddedLog {
        let log = try openLog(folder) {
            $0.linger = .milliseconds(1)
            change(&$0)
        }
        try log.createTopics([TopicSpecification("a"), TopicSpecification("b")])
        return log
    }

    @Test func `what is held is not written before it is released, however long that takes`() throws {
        let folder = try TemporaryFolder()
        let log = try open(folder)
        defer { log.close() }
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "c"))
        defer { producer.close() }
        let (a, b) = (try producer.number(ofTopic: "a"), try producer.number(ofTopic: "b"))
        // The writer has been asked to come before the hold begins.
        try producer.send(TestRecord("k", "before"), to: a)
        producer.hold()
        try producer.send(TestRecord("k", "1"), to: a)
        producer.hold()
        usleep(30_000)
        #expect(try end(log, "a") == 0)
        try producer.send(TestRecord("k", "2"), to: b)
        usleep(30_000)
        #expect(try end(log, "a") == 0 && end(log, "b") == 0)
        #expect(producer.pendingBytes > 0)
        try producer.release()
        try producer.release()
        // By itself, as anything that is sent.
        for _ in 0..<2000 where try end(log, "b") == 0 { usleep(1000) }
        #expect(try end(log, "a") == 2 && end(log, "b") == 1)
        try producer.send(TestRecord("k", "3"), to: a)
        try producer.flush()
        #expect(producer.lastOffset(topic: a, partition: 0) == 2)
    }

    @Test(arguments: [0, 1 << 20])
    func `a reader never finds the first of two records that are held together without the second`(
        _ lingerBytes: Int
    ) throws {
        let folder = try TemporaryFolder()
        let log = try open(folder) { $0.lingerBytes = lingerBytes }
        defer { log.close() }
        let isOver = Atomic<Bool>(false)
        let torn = Atomic<Int>(0)
        let reader = TestThread {
            while !isOver.load(ordering: .relaxed) {
                guard let first = try? self.end(log, "a"), let second = try? self.end(log, "b") else { continue }
                if first > second { torn.add(1, ordering: .relaxed) }
            }
        }
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "c"))
        let (a, b) = (try producer.number(ofTopic: "a"), try producer.number(ofTopic: "b"))
        for number in 0..<1000 {
            producer.hold()
            try producer.send(TestRecord("k", "\(number)"), to: a)
            if number % 50 == 0 { usleep(3000) }
            try producer.send(TestRecord("k", "\(number)"), to: b)
            try producer.release()
        }
        try producer.flush()
        producer.close()
        isOver.store(true, ordering: .relaxed)
        reader.join()
        #expect(torn.load(ordering: .relaxed) == 0)
        #expect(try end(log, "a") == 1000 && end(log, "b") == 1000)
    }

    @Test func `a producer that is closed with half of what belongs together gives it up`() throws {
        let folder = try TemporaryFolder()
        let log = try open(folder)
        defer { log.close() }
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "c"))
        let a = try producer.number(ofTopic: "a")
        try producer.send(TestRecord("k", "1"), to: a)
        try producer.flush()
        producer.hold()
        try producer.send(TestRecord("k", "2"), to: a)
        producer.close()
        // What was given to the writer would be written by now, too.
        let other = try log.makeProducer(ProducerConfiguration(clientID: "d"))
        defer { other.close() }
        try other.send(TestRecord("k", "3"), to: try other.number(ofTopic: "a"))
        try other.flush()
        #expect(try log.texts("a") == ["0 k=1", "1 k=3"])
    }

    @Test func `a flush writes what is held, and a hold is nothing to a transaction`() throws {
        let folder = try TemporaryFolder()
        let log = try open(folder)
        defer { log.close() }
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "c"))
        defer { producer.close() }
        let a = try producer.number(ofTopic: "a")
        producer.hold()
        try producer.send(TestRecord("k", "1"), to: a)
        try producer.flush()
        #expect(try end(log, "a") == 1)
        let other = try log.makeProducer(ProducerConfiguration(clientID: "c", transactionalID: "t"))
        defer { other.close() }
        let again = try other.number(ofTopic: "a")
        try other.beginTransaction()
        other.hold()
        try other.send(TestRecord("k", "2"), to: again)
        try other.release()
        #expect(try end(log, "a") == 1)
        _ = try other.commitTransaction(offsets: [:], group: nil)
        #expect(try log.texts("a") == ["0 k=1", "1 k=2"])
    }
}
