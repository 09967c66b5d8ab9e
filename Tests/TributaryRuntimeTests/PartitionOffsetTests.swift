import TestSupport
import Testing
import TributaryCore
import TributaryDSL
import TributaryTesting

@testable import TributaryRuntime

/// Which offset is committed for a partition some of whose offsets have no record: a Kafka transaction's marker, for example.
@Suite struct PartitionOffsetTests {
    private let place = TopicPartition("in", 0)

    private func empty(_ next: Int64) -> RecordBatch {
        let slots = UnsafeMutablePointer<RecordSlot>.allocate(capacity: 1)
        return RecordBatch(assignment: 0, slots: slots, count: 0, nextOffset: next) { slots.deallocate() }
    }

    @Test func `an empty batch moves the offset on, but not past records that wait`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).to("out")
        let rig = try TaskRig(builder)
        try rig.log.createTopics([TopicSpecification("out")])
        try rig.start()
        for value in ["a", "b"] { try rig.send("in", "k", value) }
        let consumer = try rig.log.makeConsumer(ConsumerConfiguration(clientID: "test"))
        _ = try consumer.assign(place, from: 0)
        let batch = try #require(try consumer.poll(timeout: 0))
        #expect(batch.count == 2)
        let task = try rig.task
        var offset: Int64? { task.offsets()[place]?.offset }
        try task.add(batch, to: place)
        #expect(offset == 0)
        // The marker behind them came in while both wait, and while one does.
        try task.add(empty(3), to: place)
        #expect(offset == 0)
        #expect(try task.processNext())
        #expect(offset == 1)
        try task.add(empty(4), to: place)
        #expect(offset == 1)
        #expect(try task.processNext())
        // Nothing waits any more: what had no record lies behind what is processed.
        #expect(offset == 4)
        try task.add(empty(5), to: place)
        #expect(offset == 5)
        try task.add(empty(4), to: place)
        #expect(offset == 5)
        try rig.kill()
    }

    @Test func `metadata of an offset that is not its format is no time`() {
        let good = OffsetMetadata.encode(partitionTime: 1_700_000_000_123)
        #expect(OffsetMetadata.partitionTime(good) == 1_700_000_000_123)
        let zeros = String(repeating: "A", count: 5000)  // decodes to bytes whose version is 0
        let texts = [
            "", "x", "====", "AgAAAAA", "Ag==", "äöü", zeros, "B" + good.dropFirst(), String(good.prefix(8)),
            good + "!",
            "{}", "Aw" + good.dropFirst(2),
        ]
        for text in texts { #expect(OffsetMetadata.partitionTime(text) == -1, "\(text)") }
    }
}
