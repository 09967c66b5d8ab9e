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
        configuration.runtime.stateFlushInterval = 10
        let app = try StreamsApplication(builder.build(), configuration: configuration)
        let store = app.store("windows", key: .string, value: .int64)
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
