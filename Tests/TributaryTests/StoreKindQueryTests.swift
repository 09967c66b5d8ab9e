import TestSupport
import Testing
import Tributary
import TributaryState

/// Queries of stores of sessions and versions, and of windows by ranges of keys, both ways; what is current and what is committed agree.
extension ApplicationTests {
    private func kinds() throws -> Topology {
        let builder = StreamsBuilder()
        let visits = builder.stream("visits", of: String.self).groupByKey()
        _ = visits.windowedBy(SessionWindows(gap: .seconds(5), grace: .seconds(60))).count(as: "sessions")
        _ = visits.windowedBy(.tumbling(size: .seconds(10), grace: .seconds(60))).count(as: "windows")
        _ = visits.count(as: "counts")
        _ = builder.table(
            "prices", key: .string, value: .string,
            materialized: Materialized(as: "versions", type: .versioned(history: .seconds(60))))
        return try builder.build()
    }

    /// Runs the body on a running application that has processed the records and committed its state.
    private func withKinds(_ body: @Sendable @escaping (StreamsApplication) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        let log = try EmbeddedLog.open(at: folder.path)
        try log.createTopics([.kept("visits"), .kept("prices")])
        let visits = try log.producer("visits", of: String.self)
        for (key, time) in [("ann", 1), ("ann", 3), ("bob", 4), ("annabel", 5), ("ann", 20), ("ann", 21)] {
            try visits.send(key, "x", timestamp: Int64(time) * 1000)
        }
        try visits.close()
        let prices = try log.producer("prices", of: String?.self)
        for (key, value, time) in [
            ("tea", "1", 1000), ("tea", "3", 3000), ("tea", "2", 2000), ("ham", "7", 1500), ("ham", nil, 2500),
        ] {
            try prices.send(key, value, timestamp: Int64(time))
        }
        try prices.close()
        var configuration = StreamsConfiguration(applicationID: "kinds", log: .open(log))
        configuration.handlesSignals = false
        configuration.runtime.stateFlushInterval = .milliseconds(10)
        let app = try StreamsApplication(kinds(), configuration: configuration)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await app.run() }
            group.addTask {
                defer { app.shutdown() }
                while app.metrics.records < 11 { try await Task.sleep(for: .milliseconds(5)) }
                let sessions = try app.sessionStore("sessions", of: Int64.self)
                let versions = try app.versionedStore("versions", of: String.self)
                while try await sessions.all(.committed).count < 4 { try await Task.sleep(for: .milliseconds(10)) }
                while try await versions.get("ham", at: 2000, .committed)?.validTo != 2500 {
                    try await Task.sleep(for: .milliseconds(10))
                }
                try await body(app)
            }
            try await group.waitForAll()
        }
        log.close()
    }

    @Test func `a session store answers by key, range and time, both ways`() async throws {
        try await withKinds { app in
            let store = try app.sessionStore("sessions", of: Int64.self)
            func text(_ rows: [QueryResult<Windowed<String>, Int64>]) -> [String] {
                rows.map { "\($0.key.key) \($0.key.window.start / 1000)-\($0.key.window.end / 1000) \($0.value)" }
            }
            let all = ["ann 1-3 2", "ann 20-21 2", "annabel 5-5 1", "bob 4-4 1"]
            for mode in [QueryMode.current, .committed] {
                #expect(text(try await store.all(mode)) == all)
                #expect(text(try await store.all(reverse: true, mode)) == all.reversed())
                #expect(text(try await store.fetch("ann", mode)) == ["ann 1-3 2", "ann 20-21 2"])
                #expect(text(try await store.fetch("ann", reverse: true, mode)) == ["ann 20-21 2", "ann 1-3 2"])
                let early = try await store.sessions(of: "ann", endingFrom: 0, startingThrough: 19_999, mode)
                #expect(text(early) == ["ann 1-3 2"])
                let late = try await store.sessions(of: "ann", endingFrom: 3001, startingThrough: .max, mode)
                #expect(text(late) == ["ann 20-21 2"])
                #expect(text(try await store.sessions(keysFrom: "annabel", through: nil, mode)) == Array(all[2...]))
                let some = try await store.sessions(
                    keysFrom: nil, through: "annabel", endingFrom: 3000, startingThrough: 5000, reverse: true, mode)
                #expect(text(some) == ["annabel 5-5 1", "ann 1-3 2"])
                #expect(try await store.get("ann", start: 20_000, end: 21_000, mode)?.value == 2)
                #expect(try await store.get("ann", start: 20_001, end: 21_000, mode) == nil)
                #expect(try await store.get("ann", start: 19_999, end: 21_000, mode) == nil)
                #expect(try await store.all(mode).map(\.cell?.count) == [2, 2, 1, 1])
            }
        }
    }

    @Test func `a store of versions answers with the newest, that of a time, and those of a range`() async throws {
        try await withKinds { app in
            let store = try app.versionedStore("versions", of: String.self)
            func text(_ versions: [VersionResult<String, String>]) -> [String] {
                versions.map { "\($0.row.value) \($0.row.timestamp)-\($0.validTo.map { "\($0)" } ?? "")" }
            }
            for mode in [QueryMode.current, .committed] {
                #expect(try await store.get("tea", mode)?.row.value == "3")
                #expect(try await store.get("ham", mode) == nil)
                #expect(try await store.get("tea", at: 2999, mode).map { text([$0]) } == ["2 2000-3000"])
                #expect(try await store.get("tea", at: 3000, mode).map { text([$0]) } == ["3 3000-"])
                #expect(try await store.get("tea", at: 999, mode) == nil)
                #expect(try await store.get("ham", at: 2500, mode) == nil)
                let all = ["1 1000-2000", "2 2000-3000", "3 3000-"]
                #expect(text(try await store.versions(of: "tea", mode)) == all)
                #expect(text(try await store.versions(of: "tea", reverse: true, mode)) == all.reversed())
                #expect(text(try await store.versions(of: "tea", from: 2000, through: 2500, mode)) == [all[1]])
                #expect(text(try await store.versions(of: "tea", from: 1999, through: 3000, mode)) == all)
                #expect(text(try await store.versions(of: "ham", mode)) == ["7 1500-2500"])
                #expect(text(try await store.all(mode)) == ["3 3000-"])
                #expect(try await store.range(from: "a", through: "s", mode).isEmpty)
                #expect(try await store.versions(of: "tea", mode).map(\.row.cell?.count) == [1, 1, 1])
            }
        }
    }

    @Test func `windows and rows answer by ranges of keys, both ways`() async throws {
        try await withKinds { app in
            let store = try app.windowStore("windows", of: Int64.self)
            let counts = try app.store("counts", of: Int64.self)
            func text(_ rows: [QueryResult<Windowed<String>, Int64>]) -> [String] {
                rows.map { "\($0.key.key) \($0.key.window.start / 1000) \($0.value)" }
            }
            let all = ["ann 0 2", "ann 20 2", "annabel 0 1", "bob 0 1"]
            for mode in [QueryMode.current, .committed] {
                #expect(text(try await store.all(mode)) == all)
                #expect(text(try await store.all(reverse: true, mode)) == all.reversed())
                let some = try await store.fetch(keysFrom: "ann", through: "annabel", from: 0, through: 0, mode)
                #expect(text(some) == ["ann 0 2", "annabel 0 1"])
                let back = try await store.fetch("ann", from: 0, through: 20_000, reverse: true, mode)
                #expect(text(back) == ["ann 20 2", "ann 0 2"])
                let late = try await store.fetchAll(from: 1, through: .max, reverse: true, mode)
                #expect(text(late) == ["ann 20 2"])
                #expect(try await counts.all(reverse: true, mode).map(\.key) == ["bob", "annabel", "ann"])
                let range = try await counts.range(from: "ann", through: "annabel", reverse: true, mode)
                #expect(range.map(\.key) == ["annabel", "ann"])
            }
        }
    }

    @Test func `a store that a supplier keeps is asked while the application runs, but not for what is committed`()
        async throws
    {
        let folder = try TemporaryFolder()
        let log = try EmbeddedLog.open(at: folder.path)
        try log.createTopics([.kept("in"), .kept("out")])
        let builder = StreamsBuilder(storeSupplier: MemorySupplier())
        builder.stream("in", of: String.self).groupByKey().count(as: "counts").toStream().to("out")
        let topology = try builder.build()
        for round in 1...2 {
            try produce(log, 30, keys: 3)
            var configuration = StreamsConfiguration(applicationID: "supplied", log: .open(log))
            configuration.handlesSignals = false
            let app = try StreamsApplication(topology, configuration: configuration)
            let store = try app.store("counts", of: Int64.self)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await app.run() }
                group.addTask {
                    defer { app.shutdown() }
                    while app.metrics.records < 30 { try await Task.sleep(for: .milliseconds(5)) }
                    #expect(try await store.all().map(\.value) == [Int64](repeating: Int64(round) * 10, count: 3))
                    let error = await #expect(throws: StoreError.self) { try await store.get("key-1", .committed) }
                    #expect(error?.message.contains("a store of the supplier 'memory' has no committed state") == true)
                }
                try await group.waitForAll()
            }
        }
        #expect(try latest(log, "out") == ["key-0": 20, "key-1": 20, "key-2": 20])
        log.close()
    }
}

private struct MemorySupplier: StoreSupplier {
    var name: String { "memory" }
    var isPersistent: Bool { false }
    func makeEngine(application: String, task: String) throws -> any StateEngine { MemoryEngine() }
}
