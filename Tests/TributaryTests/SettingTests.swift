import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryTesting

/// Settings that can't be are refused before anything is opened; the greatest numbers mean never.
@Suite(.timeLimit(.minutes(10))) struct SettingTests {
    func topology() throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts").toStream().to("out")
        return try builder.build()
    }

    func configuration(_ id: String = "app") throws -> StreamsConfiguration {
        let log = MemoryLog()
        try log.createTopics([.kept("in"), .kept("out")])
        return StreamsConfiguration(applicationID: id, log: .open(log), handlesSignals: false)
    }

    func refused(_ change: (inout StreamsConfiguration) -> Void) throws -> SettingError {
        var configuration = try configuration()
        change(&configuration)
        do { _ = try StreamsApplication(topology(), configuration: configuration) } catch let error as SettingError {
            return error
        }
        throw TestFailure("not refused")
    }

    @Test(arguments: ["", ".", "..", "a/b", "../x", "a b", "ä", "a\u{0}b", "a:b", String(repeating: "a", count: 201)])
    func `an application's id that is no name of a topic or folder is refused`(_ id: String) throws {
        let error = try refused { $0.applicationID = id }
        #expect(error.setting == "applicationID" && error.value == "'\(id)'" && "\(error)".contains("1 to 200"))
    }

    @Test func `an application's id as long as can be is taken, unless an internal topic's name is too long`() throws {
        _ = try StreamsApplication(topology(), configuration: configuration(String(repeating: "a", count: 200)))
        let builder = StreamsBuilder()
        let long = String(repeating: "s", count: 200)
        builder.stream("in", key: .string, value: .string).groupByKey().count(as: long).toStream().to("out")
        #expect(throws: TopologyError.self) {
            try StreamsApplication(builder.build(), configuration: configuration(String(repeating: "a", count: 100)))
        }
    }

    @Test func `there is one application id`() throws {
        var configuration = try configuration()
        configuration.runtime.applicationID = "other"
        #expect(configuration.applicationID == "other")
        configuration.applicationID = "third"
        #expect(configuration.runtime.applicationID == "third")
    }

    @Test func `each number outside of its range is refused by name, value and range`() throws {
        let changes: [(String, String, (inout StreamsConfiguration) -> Void)] = [
            ("commitInterval", "-0.001 seconds", { $0.commitInterval = .milliseconds(-1) }),
            ("stateMapSize", "0", { $0.stateMapSize = 0 }),
            ("stateDirectory", "''", { $0.stateDirectory = "" }),
            ("commitInterval", "-0.005 seconds", { $0.runtime.commitInterval = .milliseconds(-5) }),
            ("cacheBytes", "-1", { $0.runtime.cacheBytes = -1 }),
            ("threads", "0", { $0.runtime.threads = 0 }),
            ("threads", "\(Int.max)", { $0.runtime.threads = .max }),
            ("bufferedRecords", "0", { $0.runtime.bufferedRecords = 0 }),
            ("maximumIdle", "-0.002 seconds", { $0.runtime.maximumIdle = .milliseconds(-2) }),
            ("stateFlushInterval", "-0.001 seconds", { $0.runtime.stateFlushInterval = .milliseconds(-1) }),
            ("graveRetention", "-0.001 seconds", { $0.runtime.graveRetention = .milliseconds(-1) }),
            ("stateDirtyBytes", "0", { $0.runtime.stateDirtyBytes = 0 }),
            ("transactionBytes", "0", { $0.runtime.transactionBytes = 0 }),
            ("recordsPerRound", "0", { $0.runtime.recordsPerRound = 0 }),
            ("deadLetterTopic", "'a/b'", { $0.runtime.deadLetterTopic = "a/b" }),
            ("lineage.limits.links", "-1", { $0.runtime.lineage.limits.links = -1 }),
            ("lineage.limits.valueLength", "-1", { $0.runtime.lineage.limits.valueLength = -1 }),
        ]
        for (name, value, change) in changes {
            let error = try refused(change)
            #expect(error.setting == name && error.value == value && !error.range.isEmpty, "\(name)")
        }
    }

    @Test(arguments: ["", "..", "a/b", "a b", String(repeating: "t", count: 250)])
    func `topics and stores whose names can't be are refused when the topology is built`(_ name: String) throws {
        let source = StreamsBuilder()
        source.stream(name, key: .string, value: .string).to("out")
        let sink = StreamsBuilder()
        sink.stream("in", key: .string, value: .string).to(name)
        let store = StreamsBuilder()
        store.stream("in", key: .string, value: .string).groupByKey().count(as: name).toStream().to("out")
        for builder in [source, sink, store] { #expect(throws: TopologyError.self) { try builder.build() } }
    }

    @Test func `a store can't be called like the table of another's graves`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey().count(as: "a.graves").toStream().to("out")
        #expect(throws: TopologyError.self) { try builder.build() }
    }

    @Test func `logs refuse settings that can't be`() throws {
        let folder = try TemporaryFolder()
        let changes: [(inout EmbeddedLogConfiguration) -> Void] = [
            { $0.mapSize = -1 }, { $0.linger = .milliseconds(-1) }, { $0.lingerBytes = -1 }, { $0.batchBytes = 0 },
            { $0.maximumTransactionBytes = 0 }, { $0.maintenanceInterval = .milliseconds(-1) },
            { $0.lockTimeout = .milliseconds(-1) }, { $0.diskReserveBytes = -1 },
        ]
        for change in changes {
            var configuration = EmbeddedLogConfiguration()
            change(&configuration)
            #expect { _ = try EmbeddedLog.open(at: folder.path, configuration: configuration) } throws: {
                ($0 as? LogError)?.code == .configuration && "\($0)".contains("has to be")
            }
        }
        let kafka: [(inout KafkaConfiguration) -> Void] = [
            { $0.connectTimeout = .zero }, { $0.requestTimeout = .milliseconds(-1) },
            { $0.sessionTimeout = .milliseconds(Int64.max) },
            { $0.replicationFactor = 0 },
        ]
        for change in kafka {
            var configuration = KafkaConfiguration(bootstrap: "127.0.0.1:1")
            change(&configuration)
            #expect { _ = try KafkaLog.connect(to: configuration) } throws: {
                ($0 as? LogError)?.code == .configuration && "\($0)".contains("has to be")
            }
        }
    }

    private final class Ticking: Processor {
        func initialize(_ context: ProcessorContext<String, String>) throws {
            for clock in [PunctuationClock.streamTime, .wallClock] {
                context.schedule(every: .seconds(Int64.max), clock) { _ in }
                context.schedule(every: .milliseconds(1), clock) { _ in }
            }
        }
        func process(_ record: Record<String, String>) throws {}
    }

    // The last record's time is the greatest there is.
    @Test func `the greatest numbers and times are taken, and mean never`() async throws {
        let builder = StreamsBuilder()
        let stream = builder.stream("in", key: .string, value: .string)
        stream.process { Ticking() }
        stream.groupByKey().count(as: "counts").toStream().to("out")
        let log = MemoryLog()
        try log.createTopics([.kept("in"), .kept("out")])
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
        let topic = try producer.number(ofTopic: "in")
        for time in [0, 5, Int64.max - 1, .max, .max] {
            try producer.send(
                OutgoingRecord(timestamp: time, key: Array("k".utf8).span.bytes, value: Array("v".utf8).span.bytes),
                topic: topic, partition: 0)
        }
        try producer.flush()
        let folder = try TemporaryFolder()
        var configuration = StreamsConfiguration(
            applicationID: "app", log: .open(log), stateDirectory: folder.path,
            commitInterval: .seconds(Int64.max), handlesSignals: false)
        configuration.runtime.maximumIdle = .milliseconds(Int64.max)
        configuration.runtime.stateFlushInterval = .milliseconds(Int64.max)
        configuration.runtime.graveRetention = .milliseconds(Int64.max)
        configuration.runtime.cacheBytes = .max
        configuration.runtime.bufferedRecords = .max
        configuration.runtime.stateDirtyBytes = .max
        configuration.runtime.transactionBytes = .max
        configuration.runtime.recordsPerRound = .max
        let app = try StreamsApplication(builder.build(), configuration: configuration)
        app.onStateChange { new, _ in
            guard new == .running else { return }
            Task {
                while app.metrics.records < 5 && app.state == .running { try await Task.sleep(for: .milliseconds(2)) }
                app.shutdown()
            }
        }
        try await app.run()
        #expect(log.records(in: TopicPartition("out", 0)).map(\.value) == [[0, 0, 0, 0, 0, 0, 0, 5]])
    }
}
