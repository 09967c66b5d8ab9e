import TestSupport
import Testing
import TributaryCore
import TributaryDSL
import TributaryState
import TributaryTesting

@testable import TributaryRuntime

/// When the state that a task finds is gone on with, and when it is built anew from the changelog.
@Suite struct TrustTests {
    private let changelog = TopicPartition("app-counts-changelog", 0)

    private func makeRig() throws -> TaskRig {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts").toStream().to("out")
        let rig = try TaskRig(builder)
        try rig.log.createTopics([TopicSpecification("out")])
        for key in ["a", "b", "a", "c"] { try rig.send("in", key, "x") }
        try rig.runOnce()
        #expect(rig.log.records(in: changelog).count == 4)
        return rig
    }

    private func position(_ rig: TaskRig) throws -> StorePosition {
        let bytes = try #require(try rig.state.memory.metadata(StorePosition.metadataKey("counts")))
        return try #require(try StorePosition(bytes, store: "counts"))
    }

    private func change(_ rig: TaskRig, _ edit: (inout StorePosition) -> Void) throws {
        var position = try position(rig)
        edit(&position)
        try position.save(store: "counts", in: rig.state.memory)
        try rig.state.memory.commit()
    }

    /// Starts the task, and expects that its store was built anew, for that reason, with what the changelog has.
    private func expectRebuilt(_ rig: TaskRig, _ reason: String, sourceLocation: SourceLocation = #_sourceLocation)
        throws
    {
        _ = rig.takeWarnings()
        let low = try rig.log.watermarks(changelog, committed: true).low
        let records = Int64(rig.log.records(in: changelog).count) - low
        let restored = try rig.start()
        let found = rig.takeDistrust(of: "counts")
        #expect(found?.contains(reason) == true, "\(found ?? "it was trusted")", sourceLocation: sourceLocation)
        #expect(rig.state.rebuilds.count == 1, sourceLocation: sourceLocation)
        #expect(restored["counts"] == records, sourceLocation: sourceLocation)
    }

    /// Starts the task, and expects that its store took only what came behind its position.
    private func expectTrusted(_ rig: TaskRig, replays: Int64, sourceLocation: SourceLocation = #_sourceLocation) throws
    {
        _ = rig.takeWarnings()
        let restored = try rig.start()
        #expect(rig.takeDistrust(of: "counts") == nil, sourceLocation: sourceLocation)
        #expect(rig.state.rebuilds.isEmpty, sourceLocation: sourceLocation)
        #expect(restored["counts"] == replays, sourceLocation: sourceLocation)
    }

    @Test func `state whose position is its changelog's end is gone on with`() throws {
        let rig = try makeRig()
        try expectTrusted(rig, replays: 0)
        #expect(try rig.counts("counts") == ["a": 2, "b": 1, "c": 1])
    }

    @Test func `a position beyond the changelog's end is not trusted`() throws {
        let rig = try makeRig()
        try change(rig) { $0.next = 5 }
        try expectRebuilt(rig, "beyond the changelog's end 4")
        #expect(try rig.counts("counts") == ["a": 2, "b": 1, "c": 1])
    }

    @Test func `a position before the changelog's start is not trusted`() throws {
        let rig = try makeRig()
        try change(rig) { $0.next = 1 }
        try rig.log.deleteRecords(before: [changelog: 2])
        try expectRebuilt(rig, "before the changelog's start 2")
        #expect(try rig.counts("counts") == ["a": 2, "c": 1])
    }

    @Test func `a changelog that was deleted and made again is another one`() throws {
        let rig = try makeRig()
        let records = rig.log.records(in: changelog)
        let settings = try #require(try rig.log.topic(changelog.topic)?.settings)
        try rig.log.deleteTopics([changelog.topic])
        try rig.log.createTopics([TopicSpecification(changelog.topic, settings: settings)])
        for record in records { try rig.log.append(record, to: changelog) }
        try expectRebuilt(rig, "another topic of the same name")
    }

    @Test func `a record at the position that is not the one applied is not trusted`() throws {
        let rig = try makeRig()
        try change(rig) { $0.lastHash ^= 1 }
        try expectRebuilt(rig, "is not the one that was applied")
    }

    @Test func `a record that compaction has taken away is not missed`() throws {
        let rig = try makeRig()
        try rig.log.deleteRecords(before: [changelog: 4])
        try expectTrusted(rig, replays: 0)
    }

    @Test func `state of a commit that the log doesn't know is not trusted`() throws {
        let rig = try makeRig()
        let commit = try #require(try rig.log.newestCommit())
        #expect(try position(rig).commitID == commit)
        try change(rig) { $0.commitID = commit + 1 }
        try expectRebuilt(rig, "belongs to the log's commit \(commit + 1)")
    }

    @Test func `state older than the changelog keeps tombstones is not trusted if something is to be applied`() throws {
        let rig = try makeRig()
        try change(rig) {
            $0.next = 3
            $0.last = -1
        }
        rig.clock.advance(TaskRig.day + 1)
        try expectRebuilt(rig, "older than the changelog keeps tombstones")
    }

    @Test func `state younger than that takes what came behind its position`() throws {
        let rig = try makeRig()
        try change(rig) {
            $0.next = 3
            $0.last = -1
        }
        rig.clock.advance(TaskRig.day)
        try expectTrusted(rig, replays: 1)
        #expect(try rig.counts("counts") == ["a": 2, "b": 1, "c": 1])
    }

    @Test func `state at its changelog's end is trusted however old it is`() throws {
        let rig = try makeRig()
        rig.clock.advance(100 * TaskRig.day)
        try expectTrusted(rig, replays: 0)
        // And is as young as that start, when a record comes behind it.
        try rig.send("in", "d", "x")
        try rig.process()
        try rig.commit()
        try rig.kill()
        rig.clock.advance(TaskRig.day / 2)
        try expectTrusted(rig, replays: 1)
        #expect(try rig.counts("counts") == ["a": 2, "b": 1, "c": 1, "d": 1])
    }

    @Test func `state of a task that was idle for days is trusted after a kill behind its next commit`() throws {
        let rig = try makeRig()
        try rig.start()
        for _ in 0..<72 {
            rig.clock.advance(3_600_000)
            try rig.task.stores.idle()
        }
        try rig.send("in", "d", "x")
        try rig.process()
        rig.clock.advance(1)
        try rig.commit()
        try rig.kill()
        try expectTrusted(rig, replays: 1)
        #expect(try rig.counts("counts") == ["a": 2, "b": 1, "c": 1, "d": 1])
    }

    @Test func `a store that nothing is written to ages no more than the others of its task`() throws {
        let builder = StreamsBuilder()
        for name in ["one", "two"] {
            _ = builder.stream(name, key: .string, value: .string).groupByKey().count(as: "\(name)-counts")
        }
        let rig = try TaskRig(builder)
        for name in ["one", "two"] { try rig.send(name, "a", "x") }
        try rig.runOnce()
        rig.clock.advance(TaskRig.day / 2)
        try rig.start()
        for _ in 0..<72 {
            rig.clock.advance(3_600_000)
            try rig.send("one", "b", "x")
            try rig.process()
            try rig.commit()
        }
        try rig.send("two", "c", "x")
        try rig.process()
        rig.clock.advance(1)
        try rig.commit()
        try rig.kill()
        _ = rig.takeWarnings()
        #expect(try rig.start() == ["one-counts": 0, "two-counts": 1])
        #expect(rig.takeDistrust(of: "two-counts") == nil)
    }

    @Test func `rows without a position are not trusted`() throws {
        let rig = try makeRig()
        try rig.state.memory.setMetadata(StorePosition.metadataKey("counts"), nil)
        try rig.state.memory.commit()
        let restored = try rig.start()
        #expect(restored["counts"] == 4 && rig.state.rebuilds.count == 1)
    }

    @Test func `a position that can't be read is not trusted`() throws {
        let rig = try makeRig()
        try rig.state.memory.setMetadata(StorePosition.metadataKey("counts"), [2, 1])
        try rig.state.memory.commit()
        let restored = try rig.start()
        #expect(restored["counts"] == 4 && rig.state.rebuilds.count == 1)
    }

    @Test func `rows without a position and without changelog records are given up`() throws {
        let builder = StreamsBuilder()
        _ = builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts")
        let rig = try TaskRig(builder)
        let row = [UInt8](repeating: 0, count: 24)
        try rig.state.memory.table("counts").put(Array("a".utf8).span.bytes, row.span.bytes)
        try rig.state.memory.commit()
        try rig.start()
        #expect(try rig.counts("counts") == [:])
    }

    @Test func `an engine that can't build stores anew gives up the rows that are not trusted`() throws {
        let rig = try makeRig()
        rig.state.hasFolder = false
        try change(rig) { $0.next = 5 }
        let row = [UInt8](repeating: 0, count: 24)
        try rig.state.memory.table("counts").put(Array("stray".utf8).span.bytes, row.span.bytes)
        try rig.state.memory.commit()
        #expect(try rig.start()["counts"] == 4)
        #expect(rig.state.rebuilds.isEmpty)
        #expect(try rig.counts("counts") == ["a": 2, "b": 1, "c": 1])
    }

    @Test func `old state is trusted where only the mark of a transaction lies behind its position`() throws {
        let rig = try makeRig()
        rig.clock.advance(2 * TaskRig.day)
        _ = rig.takeWarnings()
        let log = RefusingLog(rig.log)
        log.marked.withLock { $0 = [changelog] }
        let state = try TaskState(
            rig.topology, rig.topology.subTopologies, task: "0_0", partition: 0, configuration: rig.configuration,
            engines: rig.engines)
        defer { state.close() }
        try StateRestorer(log, configuration: rig.configuration).restore(state)
        #expect(rig.takeDistrust(of: "counts") == nil)
        #expect(rig.state.rebuilds.isEmpty)
        #expect(try position(rig).next == 5)
    }

    @Test func `a start that applies nothing keeps which record was applied last`() throws {
        let rig = try makeRig()
        let before = try position(rig)
        try rig.start()
        try rig.kill()
        let after = try position(rig)
        #expect(after.last == 3 && after.lastHash == before.lastHash && after.commitID == before.commitID)
        // So that it is still noticed when the changelog has another in its place.
        try change(rig) { $0.lastHash ^= 1 }
        try rig.start()
        #expect(rig.takeDistrust(of: "counts") != nil)
    }
}
