import Glibc
import Testing
import TributaryCore
import TributaryDSL
import TributaryTesting

@testable import TributaryRuntime

/// The life of a task: as a value, and as a thread lives it.
@Suite struct TaskLifeTests {
    private typealias Step = (event: TaskLife.Event, state: TaskLife.State, actions: [TaskLife.Action])

    private func live(_ steps: [Step]) {
        var life = TaskLife()
        for (number, step) in steps.enumerated() {
            #expect(life.handle(step.event) == step.actions, "step \(number)")
            #expect(life.state == step.state, "step \(number)")
        }
    }

    @Test func `a task is restored, runs, is committed and closed`() {
        live([
            (.assigned, .restoring, [.restore]), (.restored, .running, [.run]), (.revoked, .suspended, [.commit]),
            (.committed, .closed, [.close]), (.assigned, .restoring, [.restore]),
        ])
    }

    @Test func `what is lost or aborted is closed without a commit`() {
        live([
            (.assigned, .restoring, [.restore]), (.restored, .running, [.run]),
            (.aborted, .restoring, [.close, .restore]),
            (.restored, .running, [.run]), (.lost, .closed, [.close]),
        ])
        live([
            (.assigned, .restoring, [.restore]), (.restored, .running, [.run]), (.revoked, .suspended, [.commit]),
            (.aborted, .closed, [.close]),
        ])
    }

    @Test func `a restore that nobody wants any more is given up`() {
        live([(.assigned, .restoring, [.restore]), (.revoked, .closed, [.cancelRestore]), (.restored, .closed, [])])
        live([(.assigned, .restoring, [.restore]), (.lost, .closed, [.cancelRestore])])
    }

    @Test func `what says nothing new does nothing`() {
        live([
            (.restored, .created, []), (.lost, .created, []), (.assigned, .restoring, [.restore]),
            (.assigned, .restoring, []), (.aborted, .restoring, []), (.restored, .running, [.run]),
            (.assigned, .running, []), (.committed, .running, []),
        ])
    }

    // MARK: In a thread

    private func count() throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .groupByKey().count(as: "counts").toStream().to("out")
        return try builder.build()
    }

    @Test func `a revoked task commits, and goes on from there when it comes back`() throws {
        let world = try World(topics: "in", "out", partitions: 2)
        let app = try ThreadUnderTest(world, count()) { $0.commitInterval = .milliseconds(1_000_000) }
        try world.send("in", "a", "x", at: 0, partition: 1)
        try app.rounds()
        #expect(try world.committed("in", partition: 1) == nil)
        app.thread.place(.revoked([1])) {}
        try app.rounds()
        #expect(try world.committed("in", partition: 1) == 1)
        #expect(app.loop.tasks.map(\.taskID) == ["0_0"])
        try world.send("in", "a", "y", at: 0, partition: 1)
        try app.rounds()
        try app.stop(after: { app.thread.place(.assigned([1])) {} })
        #expect(world.texts("app-counts-changelog", partition: 1) == ["a=1", "a=2"])
    }

    @Test(arguments: [ProcessingGuarantee.exactlyOnce, .atLeastOnce])
    func `a lost task's work since the last commit counts only if it can't be taken back`(
        _ guarantee: ProcessingGuarantee
    ) throws {
        let world = try World(topics: "in", "out", partitions: 2)
        let app = try ThreadUnderTest(world, count()) {
            $0.commitInterval = .milliseconds(1_000_000)
            $0.guarantee = guarantee
            $0.cacheBytes = 0
        }
        try world.send("in", "a", "x", at: 0, partition: 1)
        try app.rounds()
        app.thread.place(.lost([1])) {}
        if guarantee == .exactlyOnce {
            // Tasks share a transaction: all begin again.
            #expect(throws: TasksLost.self) { try app.rounds() }
            #expect(app.loop.owned == [0])
        } else {
            try app.rounds()
            #expect(app.loop.tasks.map(\.taskID) == ["0_0"])
        }
        app.crash()
        #expect(try world.committed("in", partition: 1) == nil)
        #expect(world.texts("app-counts-changelog", partition: 1).isEmpty == (guarantee == .exactlyOnce))
    }

    @Test func `while one task is restored others process`() throws {
        let world = try World(topics: "in", "out", partitions: 2)
        let first = try ThreadUnderTest(world, count())
        for partition: Int32 in [0, 1] { try world.send("in", "a", "x", at: 0, partition: partition) }
        try first.rounds()
        try first.stop()
        // The state of one is gone, and it takes a while to open what is there.
        world.engines.forget("0_1")
        let gate = Monitor(false)
        world.engines.beforeOpening.withLock {
            $0 = { task in if task == "0_1" { _ = gate.wait(milliseconds: 60_000) { $0 ? true : nil } } }
        }
        let app = try ThreadUnderTest(world, count(), waits: false)
        for partition: Int32 in [0, 1] { try world.send("in", "a", "y", at: 0, partition: partition) }
        try app.rounds(until: { world.texts("app-counts-changelog", partition: 0) == ["a=1", "a=2"] })
        #expect(app.loop.tasks.map(\.taskID) == ["0_0"])
        #expect(!app.loop.hasTold)
        gate.change { $0 = true }
        try app.rounds(until: { world.texts("app-counts-changelog", partition: 1) == ["a=1", "a=2"] })
        #expect(app.loop.hasTold && app.loop.tasks.map(\.taskID) == ["0_0", "0_1"])
        try app.stop()
    }

    @Test func `what a thread has not processed of a task is no lag of its own when the task has gone`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .merge(builder.stream("other", key: .string, value: .string)).to("out")
        let world = try World(topics: "in", "other", "out", partitions: 2)
        let app = try ThreadUnderTest(world, builder.build()) { $0.maximumIdle = .milliseconds(1_000_000) }
        for value in ["x", "y"] { try world.send("in", "a", value, at: 0, partition: 1) }
        try app.rounds()
        #expect(app.thread.metrics.lag.value == 2)
        app.thread.place(.revoked([1])) {}
        try app.rounds()
        #expect(app.thread.metrics.lag.value == 0)
    }

    // MARK: Placement

    /// Says one change, and then that it is unavailable.
    private final class OneChange: LogGroup {
        let calls = Guarded(0)

        func nextChange(timeout milliseconds: Int64) throws(LogError) -> PlacementChange? {
            let call = calls.withLock { calls in
                calls += 1
                return calls
            }
            guard call == 1 else { throw LogError(.unavailable, "as told") }
            return .assigned([])
        }

        func committed(_ partitions: [TopicPartition]) throws(LogError) -> [TopicPartition: CommittedOffset] { [:] }
        func commit(_ offsets: [TopicPartition: CommittedOffset]) throws(LogError) {}
        func leave() {}
    }

    @Test func `the group goes on when a change has taken effect, and its failure ends the threads' work`() throws {
        let app = try ThreadUnderTest(World(topics: "in", "out"), count())
        let group = OneChange()
        let placement = Placement(group)
        try placement.begin([app.thread])
        usleep(100_000)
        #expect(group.calls.withLock { $0 } == 1)
        #expect {
            for _ in 0..<5_000 {
                try app.rounds(1)
                usleep(1_000)
            }
        } throws: { error in
            (error as? LogError)?.code == .unavailable
        }
        placement.end()
        #expect(group.calls.withLock { $0 } == 2)
    }

    // MARK: Beginning again

    @Test func `a commit is progress`() throws {
        let world = try World(topics: "in", "out")
        let app = try ThreadUnderTest(world, count())
        func pause() -> Int64? {
            app.thread.revival.withLock { $0.pause(after: LogError(.unavailable, "as told"), at: 0) { _ in .stop } }
        }
        #expect(pause() == 100)
        #expect(pause() == 200)
        try world.send("in", "a", "x", at: 0)
        try app.rounds()
        try app.pass(milliseconds: 1_000)
        #expect(pause() == 100)
    }

    @Test func `errors that go by are tried again for as long as is said, with pauses that grow`() {
        var revival = ThreadRevival(patience: 10_000)
        let away = LogError(.unavailable, "nobody answers")
        var asked = 0
        func pause(_ error: any Error, _ now: Int64) -> Int64? {
            revival.pause(after: error, at: now) { _ in
                asked += 1
                return .stop
            }
        }
        #expect(pause(away, 0) == 100)
        #expect(pause(away, 200) == 200)
        #expect(pause(TaskFailure(node: nil, task: "0_0", coordinate: nil, cause: away), 9_999) == 400)
        #expect(asked == 0)
        #expect(pause(away, 10_000) == nil && asked == 1)
        revival.noteProgress()
        #expect(pause(away, 20_000) == 100)
        #expect(pause(TasksLost(numbers: [1]), 20_001) == 200)
        #expect(pause(LogError(.outcomeUnknown, "nobody knows"), 20_001) == 400)
        #expect(pause(LogError(.diskFull, "no room"), 20_002) == nil && asked == 2)
    }

    @Test func `other errors are the user's to decide`() {
        struct Odd: Error {}
        var revival = ThreadRevival(patience: 10_000)
        for _ in 0..<20 {
            let pause = revival.pause(after: Odd(), at: 1_000_000) { $0 is Odd ? .replace : .stop }
            #expect((100...10_000).contains(pause ?? 0))
        }
    }
}
