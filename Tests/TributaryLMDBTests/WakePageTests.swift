import Glibc
import TestSupport
import Testing
import TributaryCore

@testable import TributaryLMDB

/// Readers look only where something was written, and miss nothing.
@Suite(.timeLimit(.minutes(10))) struct WakePageTests {
    @Test func `partitions have counters on the page, spread over it`() {
        var places: Set<Int> = []
        for topic in 0..<UInt32(20) {
            for partition in 0..<Int32(40) { places.insert(WakePage.place(topic, partition)) }
        }
        #expect(places.allSatisfy { (1..<1008).contains($0) })
        #expect(places.count > 400)
        #expect((1..<1008).contains(WakePage.place(.max, -1)))
    }

    @Test func `of a thousand partitions a reader looks at those that were written to`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        try log.createTopics([TopicSpecification("t", partitions: 1000)])
        let consumer = try #require(try log.makeConsumer(ConsumerConfiguration(clientID: "c")) as? EmbeddedConsumer)
        for partition in 0..<Int32(1000) { _ = try consumer.assign(TopicPartition("t", partition), from: 0) }
        #expect(try consumer.poll(timeout: 0) == nil)
        let before = consumer.looks
        for round in 0..<100 {
            try log.write([TestRecord("k", "\(round)")], to: "t", Int32(round * 7 % 1000))
            let batch = try #require(try consumer.poll(timeout: 20_000))
            #expect(batch.count == 1)
            #expect(try consumer.poll(timeout: 0) == nil)
        }
        // Each is looked at twice, some share a counter; now and then, once a second, all are.
        #expect(consumer.looks - before < 100 * 100)
    }

    @Test func `partitions that share a counter are all read`() throws {
        let place = WakePage.place(1, 0)
        let other = try #require((1..<Int32(20_000)).first { WakePage.place(1, $0) == place })
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        // The first topic of a log has the number 1.
        try log.createTopics([TopicSpecification("t", partitions: other + 1)])
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "c"))
        for partition in [0, other] { _ = try consumer.assign(TopicPartition("t", partition), from: 0) }
        for partition in [other, 0, 0, other] {
            #expect(try consumer.poll(timeout: 0) == nil)
            try log.write([TestRecord("k", "1")], to: "t", partition)
            #expect(try consumer.poll(timeout: 0)?.count == 1)
        }
    }

    @Test func `what a process wrote that died before it told anybody is read within a second or two`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        try log.createTopics([TopicSpecification("t")])
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "c"))
        _ = try consumer.assign(TopicPartition("t", 0), from: 0)
        #expect(try consumer.poll(timeout: 0) == nil)
        // Its page is another's: nobody here is told.
        let path = folder.path + "/log/wake"
        try #require(unsafe rename(path, path + "-kept") == 0)
        _ = try startChild("commit", folder)
        #expect(try consumer.poll(timeout: 0) == nil)
        #expect(try consumer.poll(timeout: 20_000)?.count == 1)
    }
}
