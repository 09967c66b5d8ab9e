import Foundation
import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB

/// Processing that is paused, and state that is deleted, by the application itself.
@Suite(.timeLimit(.minutes(10))) struct PauseTests {
    private let folder: TemporaryFolder
    private let log: EmbeddedLog
    private let ticks = Guarded(0)

    init() throws {
        folder = try TemporaryFolder()
        log = try EmbeddedLog.open(at: folder.path)
        try log.createTopics([.kept("in"), .kept("out")])
    }

    private func send(_ count: Int) throws {
        let producer = try log.producer("in", of: String.self)
        for index in 0..<count { try producer.send("k", "\(index)", timestamp: Int64(index)) }
        try producer.close()
    }

    private func makeApplication() throws -> StreamsApplication {
        let builder = StreamsBuilder()
        let stream = builder.stream("in", of: String.self)
        stream.groupByKey().count(as: "counts").toStream().to("out")
        stream.process(key: .string, value: .string) { [ticks] in Ticker(ticks: ticks) }.forEach { _, _ in }
        return try StreamsApplication(
            builder.build(),
            configuration: StreamsConfiguration(
                applicationID: "app", log: .open(log), commitInterval: .milliseconds(10), logs: .none,
                handlesSignals: false))
    }

    private func wait(_ app: StreamsApplication, _ condition: () async throws -> Bool) async throws {
        while try await !condition() {
            try #require(app.state != .error)
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    @Test func `paused, no record is processed and nothing punctuates; the state stays and answers`() async throws {
        let app = try makeApplication()
        let store = try app.store("counts", key: .string, value: .int64)
        async let done: Void = app.run()
        try send(10)
        try await wait(app) { app.metrics.records == 10 && ticks.withLock { $0 } > 0 }
        app.pause()
        app.pause()
        #expect(app.isPaused)
        // The round at hand may end.
        _ = try await store.get("k")
        let before = ticks.withLock { $0 }
        try send(10)
        try await Task.sleep(for: .milliseconds(300))
        #expect(app.metrics.records == 10 && ticks.withLock { $0 } == before && app.state == .running)
        #expect(try await store.get("k")?.value == 10)
        // What was done before is committed.
        #expect(try log.committedOffsets(group: "app")[TopicPartition("in", 0)]?.offset == 10)
        app.resume()
        #expect(!app.isPaused)
        try await wait(app) { app.metrics.records == 20 && ticks.withLock { $0 } > before }
        #expect(try await store.get("k")?.value == 20)
        app.shutdown()
        try await done
    }

    @Test func `an application that was paused before it runs begins when it is resumed, and stops while paused`()
        async throws
    {
        try send(5)
        let app = try makeApplication()
        app.pause()
        async let done: Void = app.run()
        try await wait(app) { app.state == .running }
        try await Task.sleep(for: .milliseconds(100))
        #expect(app.metrics.records == 0)
        app.resume()
        try await wait(app) { app.metrics.records == 5 }
        app.pause()
        app.shutdown()
        try await done
        #expect(app.state == .notRunning)
    }

    @Test func `state is deleted while nothing runs, refused while it does, and comes back from the changelog`()
        async throws
    {
        let directory = "\(folder.path)/state/app"
        let app = try makeApplication()
        // Nothing is there yet.
        try app.cleanUp()
        async let done: Void = app.run()
        try send(7)
        try await wait(app) { app.metrics.records == 7 }
        let running = #expect(throws: StoreError.self) { try app.cleanUp() }
        #expect(running?.code == .inUse)
        let other = try makeApplication()
        let error = #expect(throws: StoreError.self) { try other.cleanUp() }
        #expect(error?.code == .inUse && error?.message.contains("this process (") == true)
        app.shutdown()
        try await done
        #expect(FileManager.default.fileExists(atPath: directory))
        try app.cleanUp()
        #expect(!FileManager.default.fileExists(atPath: directory))
        try app.cleanUp()
        let next = try makeApplication()
        let store = try next.store("counts", key: .string, value: .int64)
        async let end: Void = next.run()
        try send(1)
        try await wait(next) { next.metrics.records == 1 }
        #expect(try await store.get("k")?.value == 8)
        next.shutdown()
        try await end
    }

    @Test func `a folder that holds something else is not deleted`() async throws {
        let app = try makeApplication()
        let directory = "\(folder.path)/state/app"
        try FileManager.default.createDirectory(atPath: "\(directory)/0_0", withIntermediateDirectories: true)
        #expect(FileManager.default.createFile(atPath: "\(directory)/letters.txt", contents: Data([1])))
        let error = #expect(throws: StoreError.self) { try app.cleanUp() }
        #expect(error?.code == .invalidRequest && error?.message.contains("letters.txt") == true)
        #expect(FileManager.default.fileExists(atPath: "\(directory)/0_0"))
    }
}

private final class Ticker: Processor {
    let ticks: Guarded<Int>

    init(ticks: Guarded<Int>) { self.ticks = ticks }

    func initialize(_ context: ProcessorContext<String, String>) throws {
        context.schedule(every: .milliseconds(5), .wallClock) { [ticks] _ in ticks.withLock { $0 += 1 } }
    }

    func process(_ record: Record<String, String>) throws {}
}
