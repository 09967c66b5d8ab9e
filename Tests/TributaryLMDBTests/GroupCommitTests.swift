import Glibc
import Synchronization
import TestSupport
import Testing
import TributaryCore
import TributaryLMDB

@Suite(.timeLimit(.minutes(5))) struct GroupCommitTests {
    @Test func `transactions of several threads are written together and each is whole`() async throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder) { $0.durability = .synced }
        try log.createTopics([TopicSpecification("t", partitions: 4)])
        let commits = await withTaskGroup(of: [Int64].self) { group in
            for partition: Int32 in 0..<4 {
                group.addTask {
                    var commits: [Int64] = []
                    do {
                        let producer = try log.makeProducer(
                            ProducerConfiguration(clientID: "c", transactionalID: "tx \(partition)"))
                        let topic = try producer.number(ofTopic: "t")
                        for round in 0..<25 {
                            try producer.beginTransaction()
                            for other: Int32 in 0..<4 {
                                try producer.send(TestRecord("\(partition)", "\(round)"), to: topic, other)
                            }
                            commits.append(try producer.commitTransaction(offsets: [:], group: nil))
                        }
                    } catch { Issue.record(error) }
                    return commits
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        #expect(Set(commits).count == 100 && commits.max() == 100)
        for partition: Int32 in 0..<4 {
            let records = try log.read("t", partition)
            #expect(records.map(\.offset) == Array(0..<100))
            for sender in ["0", "1", "2", "3"] {
                let rounds = records.filter { $0.key == Array(sender.utf8) }.compactMap(\.value)
                #expect(rounds == (0..<25).map { Array("\($0)".utf8) })
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
        // One is too large for the map, the other isn't; both wait while this thread holds the file's write lock.
        let done = Mutex<[String: LogError.Code?]>([:])
        let go = Atomic<Int>(0)
        let threads = ["large", "small"].map { name in
            TestThread {
                do {
                    let producer = try log.makeProducer(ProducerConfiguration(clientID: "c", transactionalID: name))
                    let topic = try producer.number(ofTopic: "t")
                    try producer.beginTransaction()
                    for _ in 0..<(name == "large" ? 50 : 1) {
                        try producer.send(TestRecord("k", String(repeating: name, count: 20_000)), to: topic)
                    }
                    go.add(1, ordering: .sequentiallyConsistent)
                    while go.load(ordering: .sequentiallyConsistent) < 2 { sched_yield() }
                    let failure = code { _ = try producer.commitTransaction(offsets: [:], group: nil) }
                    done.withLock { $0[name] = failure }
                } catch { Issue.record(error) }
            }
        }
        for thread in threads { thread.join() }
        #expect(done.withLock { $0["large"] } == .some(.mapFull))
        #expect(done.withLock { $0["small"] } == .some(nil))
        #expect(try log.read("t").count == 1)
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
