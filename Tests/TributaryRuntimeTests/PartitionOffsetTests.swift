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

    @Test func `a start goes on at the first record that retention has left`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).forEach { _, _ in }
        let rig = try TaskRig(builder)
        for value in ["a", "b", "c"] { try rig.send("in", "k", value) }
        try rig.start()
        try rig.kill()
        try rig.log.deleteRecords(before: [place: 2])
        let group = try rig.log.joinGroup(GroupConfiguration(group: "other", clientID: "test", tasks: 1))
        defer { group.leave() }
        let lines = Guarded<[String]>([])
        let sink = LogSink(level: .info) { line in lines.withLock { $0.append(line.message) } }
        rig.configuration.log = sink
        let names = try ResolvedTopology(builder.build(), applicationID: "other")
        func start() throws -> Int64? {
            try TaskStart([place], log: rig.log, group: group, names: names, configuration: rig.configuration)
                .positions[place]?.offset
        }
        #expect(try start() == 2)
        #expect(lines.withLock { $0 } == [])
        // Only a group that was there before has missed them.
        try group.commit([place: CommittedOffset(1, metadata: "", topicIdentity: "")])
        #expect(try start() == 2)
        #expect(lines.withLock { $0 } == ["records were deleted before they were processed"])
        try group.commit([place: CommittedOffset(3, metadata: "", topicIdentity: "")])
        #expect(try start() == 3)
    }
}
