import TestSupport
import Testing
import Tributary
import TributaryLMDB

/// Walks over a topic's records that go on where their group stood.
@Suite(.timeLimit(.minutes(10))) struct GroupedRecordsTests {
    private let folder: TemporaryFolder
    private let log: EmbeddedLog

    init() throws {
        folder = try TemporaryFolder()
        log = try EmbeddedLog.open(at: folder.path)
        try log.createTopics([TopicSpecification("words", partitions: 2, settings: ["retention.ms": "-1"])])
    }

    private func send(_ numbers: Range<Int>) throws {
        let producer = try log.producer("words", of: Int.self)
        for number in numbers { try producer.send("key-\(number)", number) }
        try producer.close()
    }

    private func words(_ group: String = "readers", latest: Bool = false) -> RecordSequence<String, Int> {
        log.records("words", of: Int.self, latest: latest, follows: false, group: group)
    }

    private func take(_ count: Int, _ group: String = "readers") async throws -> [Int] {
        var found: [Int] = []
        for try await record in words(group) {
            found.append(try #require(record.value))
            if found.count == count { break }
        }
        return found
    }

    private func committed(_ group: String = "readers") throws -> Int64 {
        try log.committedOffsets(group: group).values.reduce(0) { $0 + $1.offset }
    }

    @Test func `a walk goes on where the last one of its group has ended`() async throws {
        try send(0..<50)
        #expect(try await take(.max).sorted() == Array(0..<50))
        #expect(try committed() == 50)
        #expect(try await take(.max).isEmpty)
        try send(50..<60)
        #expect(try await take(.max).sorted() == Array(50..<60))
        // Another group has seen nothing, and one that begins at the end sees nothing of before.
        #expect(try await take(.max, "others").count == 60)
        var late = 0
        for try await _ in words("late", latest: true) { late += 1 }
        #expect(late == 0)
    }

    @Test func `the record on which a loop breaks comes again, those before don't`() async throws {
        try send(0..<20)
        let first = try await take(7)
        let second = try await take(.max)
        #expect(second.count == 14)
        #expect(Set(first.dropLast()).isDisjoint(with: second))
        let last = try #require(first.last)
        #expect(second.contains(last))
        #expect(try committed() == 20)
    }

    @Test func `a walk that follows commits while it waits for more`() async throws {
        try send(0..<10)
        let walk = Task { [log] in
            var count = 0
            for try await _ in log.records("words", of: Int.self, group: "readers") { count += 1 }
            return count
        }
        while try committed() < 10 { try await Task.sleep(for: .milliseconds(10)) }
        walk.cancel()
        #expect(try await walk.value == 10)
        #expect(try await take(.max).isEmpty)
    }

    @Test func `a record that is being worked on is not committed, however long that takes`() async throws {
        try send(0..<3)
        var seen = 0
        for try await _ in words() {
            seen += 1
            // Longer than between two commits.
            try await Task.sleep(for: .milliseconds(250))
            #expect(try committed() == seen - 1)
        }
        #expect(seen == 3)
        #expect(try committed() == 3)
    }

    @Test func `a group has one walk at a time, and the application of its name`() async throws {
        try send(0..<1)
        for try await _ in words() {
            let error = await #expect(throws: LogError.self) { for try await _ in words() {} }
            #expect(error?.code == .inUse)
        }
        let builder = StreamsBuilder()
        builder.stream("words", of: Int.self).forEach { _, _ in }
        let app = try StreamsApplication(
            builder.build(),
            configuration: StreamsConfiguration(
                applicationID: "readers", log: .open(log), logs: .none, handlesSignals: false))
        async let done: Void = app.run()
        while app.state != .running { try await Task.sleep(for: .milliseconds(5)) }
        let error = await #expect(throws: LogError.self) { for try await _ in words() {} }
        #expect(error?.code == .inUse)
        app.shutdown()
        try await done
    }

    @Test func `records that were deleted before they were consumed are left out`() async throws {
        try send(0..<40)
        _ = try await take(2)
        for partition in 0..<Int32(2) {
            let place = TopicPartition("words", partition)
            let high = try log.watermarks(place, committed: true).high
            try log.deleteRecords(before: [place: high - 1])
        }
        #expect(try await take(.max).count == 2)
    }
}
