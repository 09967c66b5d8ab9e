import Glibc
import Synchronization
import Testing
import TributaryCore
import TributaryDSL
import TributaryTesting

@testable import TributaryRuntime

/// What outlives a run of an application: the log, the state on disk, the machine's clocks.
final class World {
    let clock = ManualClock(1_000_000)
    let log = MemoryLog()
    /// The log as the application sees it.
    let refusing: RefusingLog
    let engines: KeptEngines

    init(topics: String..., partitions: Int32 = 1) throws {
        engines = try KeptEngines()
        refusing = RefusingLog(log)
        try log.createTopics(topics.map { TopicSpecification($0, partitions: partitions) })
    }

    /// Appends a record of strings as another program would.
    func send(_ topic: String, _ key: String?, _ value: String?, at timestamp: Int64, partition: Int32 = 0) throws {
        _ = try log.append(
            LoggedRecord(
                offset: 0, timestamp: timestamp, key: key.map { Array($0.utf8) }, value: value.map { Array($0.utf8) },
                headers: Headers(), context: .none, cell: [], lineageHeaders: Headers()),
            to: TopicPartition(topic, partition))
    }

    /// All records of a partition, as `key=value`; values of 8 bytes as numbers.
    func texts(_ topic: String, partition: Int32 = 0) -> [String] {
        log.records(in: TopicPartition(topic, partition)).map { record in
            let key = record.key.map { String(decoding: $0, as: UTF8.self) } ?? "null"
            return "\(key)=\(record.value.map(text) ?? "null")"
        }
    }

    /// The last value of each key of a changelog.
    func latest(_ topic: String, partition: Int32 = 0) -> [String: String] {
        var rows: [String: String] = [:]
        for record in log.records(in: TopicPartition(topic, partition)) {
            rows[String(decoding: record.key ?? [], as: UTF8.self)] = record.value.map(text)
        }
        return rows
    }

    private func text(_ value: [UInt8]) -> String {
        if let number = value.span.bytes.integer(at: 0, as: Int64.self), value.count == 8 { return "\(number)" }
        return String(decoding: value, as: UTF8.self)
    }

    func committed(_ topic: String, partition: Int32 = 0) throws -> Int64? {
        try log.committedOffsets(group: ThreadUnderTest.id)[TopicPartition(topic, partition)]?.offset
    }
}

/// An application's one stream thread on a log in memory and clocks that stand, whose rounds the test's own thread makes.
final class ThreadUnderTest {
    static let id = "app"
    let world: World
    let loop: ThreadLoop
    let thread: StreamThread
    let registry = MetricsRegistry()
    private let group: any LogGroup
    private var isClosed = false

    /// Starts it, and waits until all tasks run unless told not to.
    init(
        _ world: World, _ topology: Topology, waits: Bool = true,
        _ configure: (inout RuntimeConfiguration) -> Void = { _ in }
    ) throws {
        self.world = world
        var configuration = RuntimeConfiguration(applicationID: Self.id)
        configuration.time = world.clock.source
        configuration.seed = 1
        configure(&configuration)
        let plan = try TopicPlan(topology, applicationID: Self.id, log: world.log)
        try plan.prepare(world.log)
        let group = try world.log.joinGroup(
            GroupConfiguration(group: Self.id, clientID: "test", tasks: plan.tasks.count))
        self.group = group
        let context = ThreadContext(
            topology: topology, plan: plan, configuration: configuration, log: world.refusing, group: group,
            engines: world.engines, metrics: registry, onRestore: { _ in }, onRunning: {}, onEnd: { _ in })
        thread = StreamThread(index: 1, tasks: plan.tasks, context: context)
        do { loop = try ThreadLoop(thread, context) } catch {
            group.leave()
            throw error
        }
        do {
            try loop.begin(plan.tasks)
            // Restored by a thread of its own.
            while waits && !loop.runsAll {
                try loop.takeRestored()
                usleep(100)
            }
        } catch {
            crash()
            throw error
        }
    }

    /// Makes rounds that wait for nothing.
    func rounds(_ count: Int = 3) throws {
        for _ in 0..<count {
            loop.waker.wake()
            try loop.round()
        }
    }

    /// Makes rounds until something is so, and commits after each.
    func rounds(until isDone: () -> Bool) throws {
        for _ in 0..<100_000 where !isDone() {
            world.clock.advance(by: .milliseconds(100))
            try rounds(1)
            usleep(100)
        }
        #expect(isDone())
    }

    /// Lets time pass in steps, with a round in each.
    func pass(milliseconds: Int64, steps: Int64 = 10) throws {
        for _ in 0..<steps {
            world.clock.advance(by: .milliseconds(milliseconds / steps))
            try rounds(1)
        }
    }

    /// Ends as an application that is stopped: with a commit.
    ///
    /// - Parameters:
    ///   - change: made before, and waited for.
    func stop(after change: () -> Void = {}) throws {
        defer { crash() }
        change()
        try rounds(1)
        try rounds(until: { loop.runsAll })
        try rounds()
        try loop.end()
    }

    /// Ends as one that is killed.
    func crash() {
        guard !isClosed else { return }
        isClosed = true
        loop.close()
        group.leave()
    }

    deinit { crash() }
}
