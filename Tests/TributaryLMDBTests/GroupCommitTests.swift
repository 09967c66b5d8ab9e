import Glibc
import Synchronization
import TestSupport
import Testing
import TributaryCore
import TributaryLMDB

@Suite(.timeLimit(.minutes(10))) struct GroupCommitTests {
    /// Holds up the writer of `log`, has `bodies` run each on a thread of its own, and lets the writer go when all they commit
    /// waits: what waits is then written as one group.
    private func together(
        _ folder: TemporaryFolder, _ log: EmbeddedLog, _ faults: LMDBFaults, _ bodies: [@Sendable () throws -> Void]
    ) throws {
        let sent = SentProducer(
            try log.makeProducer(ProducerConfiguration(clientID: "c", transactionalID: "first")))
        let child = try startChild("hold-writer", folder)
        _ = faults.takeSteps()
        let first = TestThread {
            do {
                let producer = sent.producer
                let topic = try producer.number(ofTopic: "t")
                try producer.beginTransaction()
                try producer.send(TestRecord("first", "1"), to: topic)
                _ = try producer.commitTransaction(offsets: [:], group: nil)
            } catch { Issue.record(error) }
        }
        // Taken by the writer, which now waits for the child.
        usleep(20_000)
        while log.waitingWrites > 0 { usleep(1000) }
        let threads = bodies.map { body in TestThread { do { try body() } catch { Issue.record(error) } } }
        while log.waitingWrites < bodies.count { usleep(1000) }
        child.kill()
        for thread in threads + [first] { thread.join() }
    }

    private func commits(_ faults: LMDBFaults) -> Int {
        faults.takeSteps().count { if case .commit = $0 { true } else { false } }
    }

    @Test func `transactions of several threads are written together and each is whole`() throws {
        let folder = try TemporaryFolder()
        let faults = LMDBFaults()
        let log = try openLog(folder) { $0.faults = faults }
        try log.createTopics([TopicSpecification("t", partitions: 4)])
        let ids = Guarded<[Int64]>([])
        let producers = try (0..<4).map {
            SentProducer(try log.makeProducer(ProducerConfiguration(clientID: "c", transactionalID: "tx \($0)")))
        }
        for round in 0..<5 {
            try together(
                folder, log, faults,
                producers.enumerated().map { index, producer in
                    {
                        let producer = producer.producer
                        let topic = try producer.number(ofTopic: "t")
                        try producer.beginTransaction()
                        for other: Int32 in 0..<4 {
                            try producer.send(TestRecord("\(index)", "\(round)"), to: topic, other)
                        }
                        let commit = try producer.commitTransaction(offsets: [:], group: nil)
                        ids.withLock { $0.append(commit) }
                    }
                })
            // That which came first, and the four as one.
            #expect(commits(faults) == 2)
        }
        let all = ids.withLock { $0 }
        #expect(Set(all).count == 20 && all.max() == 25)
        for partition: Int32 in 0..<4 {
            let records = try log.read("t", partition)
            #expect(records.map(\.offset) == (0..<Int64(records.count)).map { $0 })
            for sender in 0..<4 {
                let rounds = records.filter { $0.key == Array("\(sender)".utf8) }.compactMap(\.value)
                #expect(rounds == (0..<5).map { Array("\($0)".utf8) })
            }
        }
        #expect(try log.verify().isEmpty)
    }

    @Test func `a refused member of a group fails alone`() throws {
        let folder = try TemporaryFolder()
        let faults = LMDBFaults()
        let log = try openLog(folder) {
            $0.faults = faults
            $0.mapSize = 4 << 20
        }
        try log.createTopics([TopicSpecification("t", partitions: 2)])
        // One is too large for the map, the other isn't.
        let outcomes = Guarded<[String: LogError.Code?]>([:])
        let producers = try ["large", "small"].map {
            SentProducer(try log.makeProducer(ProducerConfiguration(clientID: "c", transactionalID: $0)))
        }
        try together(
            folder, log, faults,
            ["large", "small"].enumerated().map { index, name in
                {
                    let producer = producers[index].producer
                    let topic = try producer.number(ofTopic: "t")
                    try producer.beginTransaction()
                    for _ in 0..<(name == "large" ? 50 : 1) {
                        try producer.send(TestRecord("k", String(repeating: name, count: 20_000)), to: topic)
                    }
                    let failure = code { _ = try producer.commitTransaction(offsets: [:], group: nil) }
                    outcomes.withLock { $0[name] = failure }
                }
            })
        #expect(outcomes.withLock { $0["large"] } == .some(.mapFull))
        #expect(outcomes.withLock { $0["small"] } == .some(nil))
        #expect(try log.read("t").count == 2)
    }

    @Test func `a waiting reader is woken by a commit and by wake`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        try log.createTopics([TopicSpecification("t")])
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "c"))
        _ = try consumer.assign(TopicPartition("t", 0), from: 0)
        let writer = TestThread {
            do { try log.write([TestRecord("k", "1")], to: "t") } catch { Issue.record(error) }
        }
        #expect(try consumer.poll(timeout: 20_000)?.count == 1)
        writer.join()
        consumer.wake()
        let started = TimeSource.system.monotonic.milliseconds
        #expect(try consumer.poll(timeout: 20_000) == nil)
        #expect(TimeSource.system.monotonic.milliseconds - started < 10_000)
        log.close()
        #expect(code { _ = try consumer.poll(timeout: 20_000) } == .closed)
    }
}

/// A producer that goes to another thread, which then is its only user.
private struct SentProducer: @unchecked Sendable {
    let producer: any LogProducer
    init(_ producer: any LogProducer) { self.producer = producer }
}

/// A thread that can be waited for.
final class TestThread {
    private let body: Body
    private var id = pthread_t()

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    init(_ run: @escaping @Sendable () -> Void) {
        body = Body(run)
        let context = unsafe Unmanaged.passRetained(body).toOpaque()
        _ = unsafe pthread_create(
            &id, nil,
            { context in
                guard let context = unsafe context else { return nil }
                unsafe Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context)
    }

    func join() { _ = pthread_join(id, nil) }
}
