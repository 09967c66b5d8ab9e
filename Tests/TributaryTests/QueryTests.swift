import TestSupport
import Testing
import Tributary
import TributaryLMDB

extension ApplicationTests {
    @Test func `committed windows are read from the state's file by the caller`() async throws {
        let folder = try TemporaryFolder()
        let log = try EmbeddedLog.open(at: folder.path)
        try log.createTopics([.kept("in"), .kept("out")])
        // Timestamps 0..<300, three keys: 10 records of each key in a window of 30 ms.
        try produce(log, 300, keys: 3)
        let builder = StreamsBuilder()
        _ = builder.stream("in", key: .string, value: .string).groupByKey()
            .windowedBy(.tumbling(size: .milliseconds(30), grace: .seconds(1))).count(as: "windows")
        var configuration = StreamsConfiguration(
            applicationID: "windows", log: .open(log), commitInterval: .milliseconds(10))
        configuration.handlesSignals = false
        configuration.runtime.stateFlushInterval = .milliseconds(10)
        let app = try StreamsApplication(builder.build(), configuration: configuration)
        let store = try app.windowStore("windows", key: .string, value: .int64)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await app.run() }
            group.addTask {
                while app.metrics.records < 300 { try await Task.sleep(for: .milliseconds(5)) }
                let current = try await store.fetch("key-1", from: 30, through: 90)
                #expect(current.map(\.key.window.start) == [30, 60, 90])
                #expect(current.map(\.value) == [10, 10, 10])
                var committed = try await store.fetch("key-1", from: 30, through: 90, .committed)
                while committed.count < 3 {
                    try await Task.sleep(for: .milliseconds(10))
                    committed = try await store.fetch("key-1", from: 30, through: 90, .committed)
                }
                #expect(committed.map(\.key.window.start) == [30, 60, 90])
                #expect(committed.map(\.value) == [10, 10, 10])
                #expect(committed.map(\.cell?.count) == [10, 10, 10])
                let nobody = try await store.fetch("key-", from: 0, through: 1000, .committed)
                #expect(nobody.isEmpty)
                app.shutdown()
            }
            try await group.waitForAll()
        }
        log.close()
    }
}

extension ApplicationTests {
    private func windowTopology() throws -> Topology {
        let builder = StreamsBuilder()
        let grouped = builder.stream("in", key: .string, value: .string).groupByKey()
        _ = grouped.count(as: "counts")
        _ = grouped.windowedBy(.tumbling(size: .milliseconds(30), grace: .seconds(1))).count(as: "windows")
        return try builder.build()
    }

    @Test func `a window store answers with keys and windows`() async throws {
        let folder = try TemporaryFolder()
        let log = try EmbeddedLog.open(at: folder.path)
        try log.createTopics([.kept("in"), .kept("out")])
        try produce(log, 90, keys: 3)
        var configuration = StreamsConfiguration(applicationID: "windows", log: .open(log))
        configuration.handlesSignals = false
        configuration.runtime.stateFlushInterval = .milliseconds(10)
        let app = try StreamsApplication(windowTopology(), configuration: configuration)
        let store = try app.windowStore("windows", key: .string, value: .int64)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await app.run() }
            group.addTask {
                while app.metrics.records < 90 { try await Task.sleep(for: .milliseconds(5)) }
                let all = try await store.all()
                #expect(Set(all.map { "\($0.key.key) \($0.key.window.start) \($0.value)" }).count == 9)
                #expect(all.allSatisfy { $0.value == 10 && $0.key.window.end == $0.key.window.start + 30 })
                #expect(Set(all.map(\.key.key)) == ["key-0", "key-1", "key-2"])
                let some = try await store.fetchAll(from: 30, through: 30)
                #expect(some.count == 3 && some.allSatisfy { $0.key.window.start == 30 })
                #expect(try await store.get("key-2", windowStart: 60)?.value == 10)
                #expect(try await store.get("key-2", windowStart: 61) == nil)
                while try await store.all(.committed).count < 9 { try await Task.sleep(for: .milliseconds(10)) }
                app.shutdown()
            }
            try await group.waitForAll()
        }
        log.close()
    }

    @Test func `a store is asked as what it is, with its own serdes`() throws {
        let app = try StreamsApplication(
            windowTopology(), configuration: StreamsConfiguration(applicationID: "q", log: .embedded(at: "/nowhere")))
        func refusal<Result>(_ body: () throws(StoreError) -> Result) -> String {
            do throws(StoreError) {
                _ = try body()
                return ""
            } catch { return "\(error)" }
        }
        let windowed = refusal { () throws(StoreError) in try app.store("windows", key: .string, value: .int64) }
        #expect(windowed.contains("ask windowStore for it"))
        let session = refusal { () throws(StoreError) in try app.sessionStore("windows", key: .string, value: .int64) }
        #expect(session.contains("its rows are of keys and windows: ask windowStore for it"))
        let versions = refusal { () throws(StoreError) in try app.versionedStore("counts", of: Int64.self) }
        #expect(versions.contains("its rows are of keys alone: ask store for it"))
        let plain = refusal { () throws(StoreError) in try app.windowStore("counts", key: .string, value: .int64) }
        #expect(plain.contains("ask store for it"))
        let unknown = refusal { () throws(StoreError) in try app.store("count", key: .string, value: .int64) }
        #expect(unknown.contains("only: counts, windows"))
        let value = refusal { () throws(StoreError) in try app.store("counts", key: .string, value: .int32) }
        #expect(value.contains("its values are of the serde 'int64', not 'int32'"))
        let key = refusal { () throws(StoreError) in try app.windowStore("windows", key: .bytes, value: .int64) }
        #expect(key.contains("its keys are of the serde 'string', not 'bytes'"))
    }
}
