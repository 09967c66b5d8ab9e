import Synchronization
import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB

@Suite(.timeLimit(.minutes(10))) struct ApplicationTests {
    func countTopology() throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .groupByKey().count(as: "counts").toStream().to("out")
        return try builder.build()
    }

    func produce(_ log: any Log, _ count: Int, keys: Int) throws {
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
        let topic = try producer.number(ofTopic: "in")
        for index in 0..<count {
            let key = Array("key-\(index % keys)".utf8)
            try producer.send(
                OutgoingRecord(timestamp: Int64(index), key: key.span.bytes, value: key.span.bytes), topic: topic,
                partition: 0)
        }
        try producer.flush()
        producer.close()
    }

    /// Runs until the lag is 0, then stops cleanly.
    func runUntilDone(_ topology: Topology, _ configuration: StreamsConfiguration, records: Int64) async throws {
        let app = try StreamsApplication(topology, configuration: configuration)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await app.run() }
            group.addTask {
                while app.metrics.records < records && app.state != .error {
                    try await Task.sleep(for: .milliseconds(5))
                }
                app.shutdown()
            }
            try await group.waitForAll()
        }
        #expect(app.state == .notRunning)
    }

    func latest(_ log: any Log, _ topic: String) throws -> [String: Int64] {
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "test"))
        _ = try consumer.assign(TopicPartition(topic, 0), from: 0)
        var found: [String: Int64] = [:]
        while let batch = try consumer.poll(timeout: 0) {
            for index in 0..<batch.count {
                guard let key = batch.key(index), let value = batch.value(index) else { continue }
                found[String(decoding: [UInt8](copying: key), as: UTF8.self)] = value.integer(at: 0, as: Int64.self)
            }
        }
        consumer.close()
        return found
    }

    @Test(arguments: [ProcessingGuarantee.exactlyOnce, .atLeastOnce])
    func `a count on the embedded log is exact, also after a restart`(_ guarantee: ProcessingGuarantee) async throws {
        let folder = try TemporaryFolder()
        let log = try EmbeddedLog.open(at: folder.path)
        try log.createTopics([.kept("in"), .kept("out")])
        try produce(log, 1000, keys: 10)
        var configuration = StreamsConfiguration(
            applicationID: "count", log: .open(log), guarantee: guarantee, commitInterval: .milliseconds(20))
        configuration.handlesSignals = false
        try await runUntilDone(countTopology(), configuration, records: 1000)
        #expect(try latest(log, "out") == Dictionary(uniqueKeysWithValues: (0..<10).map { ("key-\($0)", 100) }))
        try produce(log, 500, keys: 10)
        try await runUntilDone(countTopology(), configuration, records: 500)
        #expect(try latest(log, "out") == Dictionary(uniqueKeysWithValues: (0..<10).map { ("key-\($0)", 150) }))
        log.close()
    }

    @Test func `what a transaction may hold doesn't depend on lineage`() async throws {
        func outputs(_ mode: LineageMode) async throws -> [String] {
            let folder = try TemporaryFolder()
            let log = try EmbeddedLog.open(at: folder.path)
            try log.createTopics([.kept("in"), .kept("out"), .kept("copy")])
            try produce(log, 3000, keys: 10)
            let builder = StreamsBuilder()
            let stream = builder.stream("in", key: .string, value: .string)
            stream.to("copy")
            stream.groupByKey().count(as: "counts").toStream().to("out")
            var configuration = StreamsConfiguration(
                applicationID: "count", log: .open(log), commitInterval: .seconds(3600))
            configuration.handlesSignals = false
            configuration.runtime.lineage.mode = mode
            configuration.runtime.lineage.sendsCells = true
            configuration.runtime.transactionBytes = 20_000
            try await runUntilDone(builder.build(), configuration, records: 3000)
            let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "test"))
            _ = try consumer.assign(TopicPartition("out", 0), from: 0)
            var list: [String] = []
            while let batch = try consumer.poll(timeout: 0) {
                for index in 0..<batch.count {
                    guard let key = batch.key(index), let value = batch.value(index) else { continue }
                    list.append("\([UInt8](copying: key)) \([UInt8](copying: value))")
                }
            }
            consumer.close()
            log.close()
            return list
        }
        let off = try await outputs(.off)
        #expect((50..<3000).contains(off.count))
        #expect(try await outputs(.cells) == off)
    }

    /// The rows of a task's store as the reader of another process would see them, envelope by envelope.
    func rows(_ directory: String, _ store: String) throws -> [[UInt8]: [UInt8]] {
        let reader = try LMDBStateReader(directory: directory)
        var rows: [[UInt8]: [UInt8]] = [:]
        try reader.forEach(store, from: nil, through: nil) { (key, value) throws(StoreError) in
            rows[[UInt8](copying: key)] = [UInt8](copying: value)
            return true
        }
        return rows
    }

    @Test func `a state directory that is gone is restored from the changelog byte for byte`() async throws {
        let folder = try TemporaryFolder()
        let log = try EmbeddedLog.open(at: folder.path)
        try log.createTopics([.kept("in"), .kept("out")])
        try produce(log, 5000, keys: 700)
        var configuration = StreamsConfiguration(
            applicationID: "count", log: .open(log), commitInterval: .milliseconds(20))
        configuration.handlesSignals = false
        try await runUntilDone(countTopology(), configuration, records: 5000)
        let state = "\(folder.path)/state/count"
        let before = try rows("\(state)/0_0", "counts")
        #expect(before.count == 700)
        removeTree(state)
        let restored = Guarded<Int64>(0)
        let app = try StreamsApplication(countTopology(), configuration: configuration)
        app.onRestore { progress in restored.withLock { $0 = max($0, progress.records) } }
        app.onStateChange { new, _ in if new == .running { app.shutdown() } }
        try await app.run()
        #expect(try rows("\(state)/0_0", "counts") == before)
        #expect(restored.withLock { $0 } >= 700)
        log.close()
    }

    @Test func `a state directory of another topology is refused and says why`() async throws {
        let folder = try TemporaryFolder()
        let log = try EmbeddedLog.open(at: folder.path)
        try log.createTopics([.kept("in"), .kept("out")])
        try produce(log, 10, keys: 3)
        var configuration = StreamsConfiguration(applicationID: "count", log: .open(log))
        configuration.handlesSignals = false
        try await runUntilDone(countTopology(), configuration, records: 10)
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .groupByKey().reduce(as: "counts") { $0 + $1 }.toStream().to("out")
        let other = try StreamsApplication(builder.build(), configuration: configuration)
        await #expect { try await other.run() } throws: { error in
            (error as? StoreError)?.code == .topologyMismatch
        }
        log.close()
    }

    @Test func `a second process of the same application is refused at once`() async throws {
        let folder = try TemporaryFolder()
        let log = try EmbeddedLog.open(at: folder.path)
        try log.createTopics([.kept("in"), .kept("out")])
        let group = try log.joinGroup(GroupConfiguration(group: "count", clientID: "other", tasks: 1))
        let app = try StreamsApplication(
            countTopology(), configuration: StreamsConfiguration(applicationID: "count", log: .open(log)))
        await #expect { try await app.run() } throws: { error in (error as? LogError)?.code == .inUse }
        group.leave()
        log.close()
    }

    @Test func `a missing source topic is named before the first record`() async throws {
        let folder = try TemporaryFolder()
        let app = try StreamsApplication(
            countTopology(),
            configuration: StreamsConfiguration(applicationID: "count", log: .embedded(at: folder.path)))
        await #expect { try await app.run() } throws: { error in
            "\(error)".contains("the source topic 'in', the output topic 'out' of node")
        }
    }

    @Test func `a running application answers queries with the cell of the value`() async throws {
        let folder = try TemporaryFolder()
        let log = try EmbeddedLog.open(at: folder.path)
        try log.createTopics([.kept("in"), .kept("out")])
        try produce(log, 100, keys: 10)
        var configuration = StreamsConfiguration(applicationID: "count", log: .open(log))
        configuration.handlesSignals = false
        configuration.runtime.stateFlushInterval = .milliseconds(10)
        let app = try StreamsApplication(countTopology(), configuration: configuration)
        let store = try app.store("counts", key: .string, value: .int64)
        await #expect { try await store.get("key-1") } throws: { error in (error as? StoreError)?.code == .closed }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await app.run() }
            group.addTask {
                while app.metrics.records < 100 { try await Task.sleep(for: .milliseconds(5)) }
                let found = try #require(try await store.get("key-1"))
                #expect(found.value == 10)
                let cell = try #require(found.cell)
                #expect(cell.count == 10)
                #expect(cell.sources.map(\.topic) == ["in"])
                #expect(cell.sources.map(\.first) == [1] && cell.sources.map(\.last) == [91])
                let nobody = try await store.get("nobody")
                #expect(nobody == nil)
                #expect(try await store.all().count == 10)
                var committed = try await store.get("key-1", .committed)
                while committed == nil {
                    try await Task.sleep(for: .milliseconds(5))
                    committed = try await store.get("key-1", .committed)
                }
                #expect(committed?.value == 10 && committed?.cell?.count == 10)
                #expect(try await store.get("nobody", .committed) == nil)
                app.shutdown()
            }
            try await group.waitForAll()
        }
        log.close()
    }
}
