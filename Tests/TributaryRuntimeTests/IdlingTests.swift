import Testing
import TributaryCore
import TributaryDSL
import TributaryTesting

@testable import TributaryRuntime

/// `maximumIdle` (Docs/Semantics.md, Tasks): how long a task with records waits for its partitions that have none.
@Suite struct IdlingTests {
    private func merged(_ topics: String...) throws -> Topology {
        let builder = StreamsBuilder()
        var streams = topics.map { builder.stream($0, key: .string, value: .string) }
        let first = streams.removeFirst()
        streams.reduce(first) { $0.merge($1) }.to("out")
        return try builder.build()
    }

    @Test func `each task waits for its own partitions, whatever others do`() throws {
        let world = try World(topics: "left", "right", "out", partitions: 2)
        let app = try ThreadUnderTest(world, merged("left", "right")) { $0.maximumIdle = .milliseconds(5_000) }
        try app.rounds()
        // Task 1 gets records of both partitions all the time, task 0 of one.
        try world.send("left", "a", "1", at: 0, partition: 0)
        for step in 0..<4 {
            for topic in ["left", "right"] { try world.send(topic, "b", "\(step)", at: Int64(step), partition: 1) }
            try app.pass(milliseconds: 1_000, steps: 1)
            try app.rounds(2)
        }
        // What was processed since the last commit isn't to be seen yet.
        #expect(world.texts("out") == ["b=0", "b=0", "b=1", "b=1", "b=2"])
        for topic in ["left", "right"] { try world.send(topic, "b", "x", at: 10, partition: 1) }
        try app.pass(milliseconds: 1_000, steps: 1)
        try app.rounds(2)
        try app.pass(milliseconds: 200)
        #expect(world.texts("out").filter { $0.hasPrefix("a") } == ["a=1"])
        #expect(app.loop.tasks[0].enforcedProcessing == 1)
        #expect(app.loop.tasks[1].enforcedProcessing == 0)
    }

    @Test func `a partition is waited for from when it was first noticed to be empty, each for itself`() throws {
        let world = try World(topics: "one", "two", "three", "out")
        let app = try ThreadUnderTest(world, merged("one", "two", "three")) { $0.maximumIdle = .milliseconds(5_000) }
        try world.send("one", "a", "1", at: 0)
        try world.send("two", "a", "2", at: 1)
        try app.rounds()
        try app.pass(milliseconds: 4_000)
        #expect(world.texts("out") == [])
        // "three" has 1 s left; "two" is empty from the next record on, and gets 5 s.
        try app.pass(milliseconds: 1_000)
        #expect(world.texts("out") == ["a=1"])
        try world.send("one", "a", "3", at: 2)
        try app.rounds()
        try app.pass(milliseconds: 4_000)
        #expect(world.texts("out") == ["a=1", "a=2"])
        try app.pass(milliseconds: 2_000)
        #expect(world.texts("out") == ["a=1", "a=2", "a=3"])
    }

    @Test func `a record that comes ends the wait, and the next wait is a whole one`() throws {
        let world = try World(topics: "left", "right", "out")
        let app = try ThreadUnderTest(world, merged("left", "right")) { $0.maximumIdle = .milliseconds(5_000) }
        try world.send("left", "a", "2", at: 2)
        try app.rounds()
        try app.pass(milliseconds: 4_000)
        try world.send("right", "a", "1", at: 1)
        try app.rounds()
        try app.pass(milliseconds: 4_000)
        #expect(world.texts("out") == ["a=1"])
        try app.pass(milliseconds: 2_000)
        #expect(world.texts("out") == ["a=1", "a=2"])
    }

    @Test func `without waiting what is there is processed, except before records that are known to be on their way`()
        throws
    {
        let world = try World(topics: "left", "right", "out")
        let app = try ThreadUnderTest(world, merged("left", "right")) { $0.maximumIdle = .zero }
        // Each is read by a poll of its own.
        try world.send("left", "a", "2", at: 2)
        try world.send("right", "a", "1", at: 1)
        try app.rounds()
        try app.pass(milliseconds: 200)
        #expect(world.texts("out") == ["a=1", "a=2"])
        try world.send("left", "a", "3", at: 3)
        try app.rounds()
        try app.pass(milliseconds: 200)
        #expect(world.texts("out") == ["a=1", "a=2", "a=3"])
    }

    @Test func `the wait for a partition begins before there are records of others`() throws {
        let world = try World(topics: "left", "right", "out")
        let app = try ThreadUnderTest(world, merged("left", "right")) {
            $0.maximumIdle = .milliseconds(5_000)
            // With the last record the round is over.
            $0.recordsPerRound = 1
        }
        try world.send("left", "a", "1", at: 0)
        try world.send("right", "a", "2", at: 1)
        try app.rounds()
        try app.pass(milliseconds: 6_000)
        #expect(world.texts("out") == ["a=1", "a=2"])
        try app.pass(milliseconds: 4_000)
        try world.send("left", "a", "3", at: 2)
        try app.rounds()
        try app.pass(milliseconds: 2_000)
        #expect(world.texts("out") == ["a=1", "a=2", "a=3"])
    }

    @Test func `a partition that is known to have records is waited for, however long they take`() throws {
        let world = try World(topics: "left", "right", "out")
        try world.send("left", "a", "2", at: 2)
        try world.send("right", "a", "1", at: 1)
        let app = try ThreadUnderTest(world, merged("left", "right")) { $0.maximumIdle = .zero }
        let right = try #require(app.loop.tasks.first?.queues.first { $0.partition.topic == "right" })
        app.loop.consumer.pause(right.assignment)
        try app.rounds()
        try app.pass(milliseconds: 1_000)
        #expect(world.texts("out") == [])
        app.loop.consumer.resume(right.assignment)
        try app.rounds()
        try app.pass(milliseconds: 1_000)
        #expect(world.texts("out") == ["a=1", "a=2"])
    }

    @Test func `a partition of which enough waits is not read on until it is processed`() throws {
        let world = try World(topics: "left", "right", "out")
        let app = try ThreadUnderTest(world, merged("left", "right")) {
            $0.maximumIdle = .milliseconds(1_000_000)
            $0.bufferedRecords = 5
        }
        let left = try #require(app.loop.tasks.first?.queues.first { $0.partition.topic == "left" })
        for index in 0..<20 {
            try world.send("left", "a", "\(index)", at: Int64(index))
            try app.rounds(1)
        }
        #expect(left.count == 6)
        try world.send("right", "b", "x", at: 100)
        try app.rounds(30)
        try app.pass(milliseconds: 1_000)
        #expect(world.texts("out") == (0..<20).map { "a=\($0)" })
    }
}
