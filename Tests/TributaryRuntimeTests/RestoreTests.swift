import TestSupport
import Testing
import TributaryCore
import TributaryDSL
import TributaryState
import TributaryTesting

@testable import TributaryRuntime

/// What a restore brings back, and when the state is made durable.
@Suite struct RestoreTests {
    private func makeRig(_ stores: [String], applicationID: String = "app") throws -> TaskRig {
        let builder = StreamsBuilder()
        for store in stores {
            _ = builder.stream("in-\(store)", key: .string, value: .string).groupByKey().count(as: store)
        }
        return try TaskRig(builder, applicationID: applicationID)
    }

    @Test func `a rebuild keeps what belongs to trusted stores, and of a store whose name begins another's nothing`()
        throws
    {
        let builder = StreamsBuilder()
        for store in ["a", "ab"] {
            _ = builder.stream("in-\(store)", key: .string, value: .string).groupByKey()
                .windowedBy(.tumbling(size: .seconds(60), grace: .zero)).count(as: store)
        }
        let rig = try TaskRig(builder)
        for store in ["a", "ab"] { try rig.send("in-\(store)", "k", "x", timestamp: 5_000_000) }
        try rig.runOnce()
        // The rows of `ab` are lost, and its changelog says less than its own time.
        var bytes = try #require(try rig.state.memory.metadata(StorePosition.metadataKey("ab")))
        bytes[8] = 200
        try rig.state.memory.setMetadata(StorePosition.metadataKey("ab"), bytes)
        try rig.state.memory.commit()
        try rig.start()
        let rebuild = try #require(rig.state.rebuilds.first)
        #expect(rebuild.tables.allSatisfy { $0.hasPrefix("a@") || $0 == "a.graves" })
        #expect(rebuild.metadata == ["commit", "position/a", "store/a", "store/ab", "time/a"])
    }

    @Test func `partition and stream times are there before the first record`() throws {
        let rig = try makeRig(["counts"])
        try rig.send("in-counts", "a", "x", timestamp: 7_000)
        try rig.send("in-counts", "a", "x", timestamp: 5_000)
        try rig.runOnce()
        try rig.start()
        #expect(try rig.task.streamTime == 7_000)
        #expect(try rig.task.offsets()[TopicPartition("in-counts", 0)]?.offset == 2)
        try rig.commit(force: true)
        try rig.kill()
        try rig.start()
        #expect(try rig.task.streamTime == 7_000, "what was restored must be committed again")
    }

    @Test func `an idle task's last commit is made durable in time`() throws {
        let rig = try makeRig(["counts"])
        rig.configuration.stateFlushInterval = .milliseconds(10_000)
        try rig.start()
        try rig.send("in-counts", "a", "x")
        try rig.process()
        try rig.commit()
        let before = rig.state.commits
        try rig.task.stores.idle()
        rig.clock.advance(9_999)
        try rig.task.stores.idle()
        #expect(rig.state.commits == before)
        rig.clock.advance(1)
        try rig.task.stores.idle()
        #expect(rig.state.commits == before + 1)
        try rig.task.stores.idle()
        #expect(rig.state.commits == before + 1)
        try rig.kill()
        #expect(try rig.start()["counts"] == 0)
    }

    @Test func `state is made durable when its interval is over, and not before`() throws {
        let rig = try makeRig(["counts"])
        rig.configuration.stateFlushInterval = .milliseconds(10_000)
        try rig.start()
        let before = rig.state.commits
        for second in 1...9 {
            rig.clock.advance(1_000)
            try rig.send("in-counts", "a", "\(second)")
            try rig.process()
            try rig.commit()
        }
        #expect(rig.state.commits == before)
        rig.clock.advance(1_000)
        try rig.commit()
        #expect(rig.state.commits == before + 1)
    }

    @Test func `state with as many dirty bytes as are allowed is made durable at once`() throws {
        let rig = try makeRig(["counts"])
        rig.configuration.stateFlushInterval = .milliseconds(10_000)
        rig.configuration.stateDirtyBytes = 2_000
        try rig.start()
        let before = rig.state.commits
        try rig.send("in-counts", "a", "x")
        try rig.process()
        try rig.commit()
        #expect(rig.state.commits == before)
        for key in 0..<100 { try rig.send("in-counts", "key \(key)", "x") }
        try rig.process()
        try rig.commit()
        #expect(rig.state.commits == before + 1)
    }

    @Test func `what was not made durable before a kill comes from the changelog`() throws {
        let rig = try makeRig(["counts"])
        try rig.start()
        for key in ["a", "b", "a"] { try rig.send("in-counts", key, "x") }
        try rig.process()
        try rig.commit(force: true)
        for key in ["a", "c"] { try rig.send("in-counts", key, "x") }
        try rig.process()
        try rig.commit()
        try rig.kill()
        #expect(try rig.start()["counts"] == 2)
        #expect(try rig.counts("counts") == ["a": 3, "b": 1, "c": 1])
    }

    @Test func `a stored row that can't be read stops the task, and the next start is told of it`() throws {
        let rig = try makeRig(["counts"])
        try rig.send("in-counts", "a", "x")
        try rig.runOnce()
        try rig.state.memory.table("counts").put(Array("a".utf8).span.bytes, [1, 2, 3].span.bytes)
        try rig.state.memory.commit()
        try rig.start()
        try rig.send("in-counts", "a", "x")
        #expect(throws: TaskFailure.self) { try rig.process() }
        #expect(rig.state.damage.count == 1)
        #expect(rig.state.damage.first?.contains("store counts") == true, "\(rig.state.damage)")
    }

    @Test
    func
        `a task has got on when it has processed and committed, or was idle for a while, but not when it was restored`()
        throws
    {
        let rig = try makeRig(["counts"])
        try rig.send("in-counts", "a", "x")
        try rig.start()
        #expect(rig.state.progress == 0)
        try rig.process()
        try rig.commit(force: true)
        #expect(rig.state.progress == 1)
        try rig.kill()
        try rig.start()
        try rig.task.stores.idle()
        #expect(rig.state.progress == 1)
        rig.clock.advance(10_000)
        try rig.task.stores.idle()
        #expect(rig.state.progress == 2)
    }

    @Test func `a state commit that fails leaves the state at the one before`() throws {
        let rig = try makeRig(["counts"])
        try rig.start()
        try rig.send("in-counts", "a", "x")
        try rig.process()
        try rig.commit(force: true)
        try rig.send("in-counts", "a", "x")
        try rig.process()
        rig.state.failsCommit = true
        #expect { try rig.commit(force: true) } throws: { error in
            guard let failure = error as? TaskFailure else { return false }
            return failure.step == .commit && failure.task == "0_0" && failure.cause is StoreError
        }
        try rig.kill()
        #expect(try rig.start()["counts"] == 1)
        #expect(try rig.counts("counts") == ["a": 2])
    }

    @Test func `a window store's time is made durable with its rows`() throws {
        let builder = StreamsBuilder()
        _ = builder.stream("in", key: .string, value: .string).groupByKey()
            .windowedBy(.tumbling(size: .seconds(60), grace: .zero)).count(as: "windows")
        let rig = try TaskRig(builder)
        try rig.start()
        try rig.send("in", "k", "x", timestamp: 5_000_000)
        try rig.process()
        #expect(try rig.state.memory.metadata("time/windows") == nil)
        try rig.commit(force: true)
        try rig.kill()
        let time = try #require(try rig.state.memory.metadata("time/windows"))
        #expect(time.span.bytes.integer(at: 0, as: Int64.self) == 4_980_000)
    }

    @Test func `a store of the same name that holds something else is refused`() throws {
        let rig = try makeRig(["counts"])
        try rig.runOnce()
        let builder = StreamsBuilder()
        _ = builder.stream("in-counts", key: .string, value: .string).groupByKey()
            .windowedBy(.tumbling(size: .seconds(60), grace: .zero)).count(as: "counts")
        let other = try builder.build()
        #expect {
            let state = try TaskState(
                other, other.subTopologies, task: "0_0", partition: 0, configuration: rig.configuration,
                engines: rig.engines)
            state.close()
        } throws: { error in
            guard let error = error as? StoreError else { return false }
            return error.code == .topologyMismatch && error.store == "counts"
        }
    }
}
