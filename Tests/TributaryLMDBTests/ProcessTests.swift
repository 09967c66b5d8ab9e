import Glibc
import TestSupport
import Testing
import TributaryCore
import TributaryLMDB

/// Starts a child process in a role, and waits until it is ready.
func startChild(_ role: String, _ folder: TemporaryFolder) throws -> Program {
    let child = try Program([Program.own("log-test-process"), role, folder.path + "/log"])
    let said = child.read(milliseconds: 60_000)
    guard said == "ready\n" else { throw TestFailure("the child said: \(said)") }
    return child
}

private func now() -> Int64 {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

@Suite(.timeLimit(.minutes(10)), .serialized) struct ProcessTests {
    @Test func `a group held by another process is in use, and free when that is killed`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        let child = try startChild("join", folder)
        do {
            _ = try log.joinGroup(GroupConfiguration(group: "app", clientID: "c", tasks: 1))
            Issue.record("no failure")
        } catch {
            #expect(error.code == .inUse && error.message.contains("\(child.id)"))
        }
        child.kill()
        _ = try log.joinGroup(GroupConfiguration(group: "app", clientID: "c", tasks: 1))
    }

    @Test func `a reader in another process is woken soon after a commit`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        try log.createTopics([TopicSpecification("ask"), TopicSpecification("answer")])
        let child = try startChild("stamp", folder)
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "c", transactionalID: "tx"))
        let ask = try producer.number(ofTopic: "ask")
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "c"))
        _ = try consumer.assign(TopicPartition("answer", 0), from: 0)
        var delays: [Int64] = []
        for round in 0..<50 {
            try producer.beginTransaction()
            try producer.send(TestRecord("k", "\(round)"), to: ask)
            _ = try producer.commitTransaction(offsets: [:], group: nil)
            let committed = now()
            let batch = try #require(try consumer.poll(timeout: 20_000))
            #expect(batch.count == 1)
            delays.append((batch.value(0)?.integer(at: 0, as: Int64.self) ?? 0) - committed)
        }
        delays.sort()
        // Far from the second after which a reader looks by itself; the usual is well below a millisecond.
        #expect(delays[25] < 20_000_000, "median \(delays[25]) ns, worst \(delays[49]) ns")
        print("woken after \(delays[25]) ns (median), \(delays[45]) ns (p90), \(delays[49]) ns (worst)")
        child.kill()
    }

    @Test(arguments: ["count", "clean"]) func `a process killed at any time leaves whole transactions`(_ role: String)
        throws
    {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        let settings = ["cleanup.policy": role == "clean" ? "compact" : "delete", "min.cleanable.dirty.ratio": "0.01"]
        try log.createTopics([TopicSpecification("t", partitions: 2, settings: settings)])
        let place = TopicPartition("in", 0)
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "c"))
        var last: Int64 = 0
        for round in 0..<8 {
            let child = try startChild(role, folder)
            // Reads on until the child has got somewhere, and kills it in the middle of things.
            let start = try log.watermarks(TopicPartition("t", 0), committed: true).high
            let assignment = try consumer.assign(TopicPartition("t", 0), from: start)
            var seen = 0
            while seen < 100 * (round + 1), let batch = try consumer.poll(timeout: 20_000) { seen += batch.count }
            child.kill()
            consumer.unassign(assignment)
            let offset = try #require(try log.committedOffsets(group: "app")[place]?.offset)
            #expect(offset > last)
            last = offset
            for partition: Int32 in 0...1 {
                let ends = try log.watermarks(TopicPartition("t", partition), committed: true)
                #expect(ends == Watermarks(low: 0, high: offset * 5))
                let newest = try #require(try log.read("t", partition).last?.value)
                #expect(unsafe newest.span.bytes.integer(at: 0, as: Int64.self) == offset - 1)
            }
            #expect(try log.verify().isEmpty)
        }
    }
}
