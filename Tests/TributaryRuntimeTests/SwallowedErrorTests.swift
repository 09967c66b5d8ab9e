import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryState
import TributaryTesting

@testable import TributaryRuntime

/// Errors that user code swallows although something was left half done: the task remembers them, and commits nothing any more.
@Suite struct SwallowedErrorTests {
    private struct Refusal: Error {}

    /// Runs a processor over a record, or two, and expects that the commit behind it fails and leaves nothing.
    ///
    /// Of what the processor forwards a node behind refuses "refused"; the changelog of its store refuses "unlogged".
    private func expectNoCommit(
        isCached: Bool = false, cacheBytes: Int = 10 << 20, records: Int = 1,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ step: @escaping @Sendable (Swallower, Record<String, String>) -> Void
    ) throws -> (any Error)? {
        let builder = StreamsBuilder()
        builder.addStateStore(StoreDescription(name: "rows", kind: .keyValue, isCached: isCached))
        builder.stream("in", key: .string, value: .string)
            .process(stores: ["rows"], key: .string, value: .string) { Swallower(step) }
            .mapValues { (value: String) throws -> String in
                if value == "refused" { throw Refusal() }
                return value
            }.to("out", key: .string, value: .string)
        let world = try World(topics: "in", "out")
        world.refusing.refusal.withLock { refusal in
            refusal = { topic, value in
                value == "unlogged" || value == "unsent" ? LogError(.unavailable, "as told", topic: topic) : nil
            }
        }
        let app = try ThreadUnderTest(world, builder.build()) { $0.cacheBytes = cacheBytes }
        for index in 0..<records { try world.send("in", "k\(index)", "v", at: 0) }
        var failure: (any Error)?
        do {
            try app.rounds()
            try app.pass(milliseconds: 1000)
        } catch let error as TaskFailure {
            failure = error.cause
        }
        #expect(try world.committed("in") == nil, sourceLocation: sourceLocation)
        app.crash()
        #expect(world.texts("out") == [], sourceLocation: sourceLocation)
        #expect(world.texts("app-rows-changelog") == [], sourceLocation: sourceLocation)
        return failure
    }

    @Test func `a put that the changelog refused`() throws {
        let failure = try expectNoCommit { swallower, record in
            try? swallower.rows?.put(record.key, "unlogged")
            // The row is in the store, and would not be there after a restore.
            try? swallower.context?.forward(record)
        }
        #expect((failure as? LogError)?.code == .unavailable)
    }

    @Test func `a put that evicts a row that the changelog refuses`() throws {
        let failure = try expectNoCommit(isCached: true, cacheBytes: 100, records: 2) { swallower, record in
            try? swallower.rows?.put(record.key, record.key == "k0" ? "unlogged" : "v")
        }
        #expect((failure as? LogError)?.code == .unavailable)
    }

    @Test func `a read that evicts a row that the changelog refuses`() throws {
        let failure = try expectNoCommit(isCached: true, cacheBytes: 100, records: 2) { swallower, record in
            try? swallower.rows?.put(record.key, "unlogged")
            _ = try? swallower.rows?.get("k0")
        }
        #expect((failure as? LogError)?.code == .unavailable)
    }

    @Test func `a forward on which a node behind failed`() throws {
        let failure = try expectNoCommit { swallower, record in
            try? swallower.rows?.put(record.key, record.value)
            try? swallower.context?.forward(record.with(value: "refused"))
        }
        #expect(failure is Refusal)
    }

    @Test func `a forward that the log refused`() throws {
        let failure = try expectNoCommit { swallower, record in
            try? swallower.context?.forward(record.with(value: "unsent"))
        }
        #expect((failure as? LogError)?.code == .unavailable)
    }

    @Test func `a forward in a punctuation on which a node behind failed`() throws {
        let failure = try expectNoCommit { swallower, record in
            swallower.context?.schedule(every: .milliseconds(10), .streamTime) { _ in
                try? swallower.context?.forward(record.with(value: "refused"))
            }
        }
        #expect(failure is Refusal)
    }

    @Test func `what a handler lets pass is no failure`() throws {
        let world = try World(topics: "in", "out")
        let builder = StreamsBuilder()
        builder.addStateStore(StoreDescription(name: "rows", kind: .keyValue, isPersistent: false))
        builder.stream("in", key: .string, value: .string)
            .process(stores: ["rows"], key: .string, value: .string) {
                Swallower { swallower, record in
                    try? swallower.context?.forward(record.with(value: "refused"))
                    try? swallower.context?.forward(record)
                }
            }
            .mapValues { (value: String) throws -> String in
                if value == "refused" { throw Refusal() }
                return value
            }.to("out", key: .string, value: .string)
        let app = try ThreadUnderTest(world, builder.build()) { $0.processingHandler = { _ in .continue } }
        try world.send("in", "a", "1", at: 0)
        try app.rounds()
        try app.pass(milliseconds: 200)
        #expect(world.texts("out") == ["a=1"])
        #expect(try world.committed("in") == 1)
    }
}

/// A processor that does as a closure says, with a store and its context.
private final class Swallower: Processor {
    private let step: (Swallower, Record<String, String>) -> Void
    private(set) var context: ProcessorContext<String, String>?
    private(set) var rows: KeyValueStore<String, String>?

    init(_ step: @escaping (Swallower, Record<String, String>) -> Void) { self.step = step }

    func initialize(_ context: ProcessorContext<String, String>) throws {
        self.context = context
        rows = try context.keyValueStore("rows", key: .string, value: .string)
    }

    func process(_ record: Record<String, String>) throws { step(self, record) }
}
