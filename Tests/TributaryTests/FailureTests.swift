import Synchronization
import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryFoundation
import TributaryState
import TributaryTesting

/// A record that fails: who is asked, what is said, what is kept.
@Suite(.timeLimit(.minutes(10))) struct FailureTests {
    struct Reading: Codable, Sendable {
        var value: Double
    }

    enum Refused: Error { case negative }

    final class Seen: Sendable {
        private let list = Guarded<[FailedRecord]>([])
        var all: [FailedRecord] { list.withLock { $0 } }
        func add(_ failed: FailedRecord) { list.withLock { $0.append(failed) } }
    }

    func driver(
        _ topology: Topology, cacheBytes: Int = 0, _ response: ErrorResponse, _ seen: Seen,
        timestamps: TimestampExtractor = .failOnInvalid
    ) throws -> TopologyTestDriver {
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = cacheBytes
        configuration.runtime.timestamps = timestamps
        configuration.runtime.deadLetterTopic = "dead"
        let handler: @Sendable (FailedRecord) -> ErrorResponse = { failed in
            seen.add(failed)
            return response
        }
        configuration.runtime.deserializationHandler = handler
        configuration.runtime.processingHandler = handler
        configuration.runtime.productionHandler = handler
        return try TopologyTestDriver(topology, configuration: configuration)
    }

    func dead(_ driver: TopologyTestDriver) throws -> [LoggedRecord] {
        try driver.takeRecords().filter { $0.topic == "dead" }.map(\.record)
    }

    func header(_ record: LoggedRecord, _ name: String) -> String? {
        record.headers.list.first { $0.name == name }.flatMap { $0.value }.map { String(decoding: $0, as: UTF8.self) }
    }

    func failure(_ body: () throws -> Void) throws -> TaskFailure {
        do { try body() } catch let failure as TaskFailure { return failure }
        throw TestFailure("nothing failed")
    }

    // MARK: What a serde can't write to a store

    func sums() throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .double).groupByKey()
            .aggregate(into: Reading(value: 0), as: "sums", value: .json(Reading.self)) { sum, value in
                sum.value += value
            }
            .toStream().to("out")
        return try builder.build()
    }

    func latest() throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .double).mapValues(value: .json(Reading.self)) { Reading(value: $0) }
            .toTable(as: "latest").toStream().to("out")
        return try builder.build()
    }

    func windowed() throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .double).groupByKey().windowedBy(.tumbling(size: .seconds(10)))
            .aggregate(into: Reading(value: 0), as: "sums", value: .json(Reading.self)) { sum, value in
                sum.value += value
            }
            .toStream().to("out")
        return try builder.build()
    }

    @Test(arguments: [0, 1 << 20], ["sums", "latest", "windowed"])
    func `a NaN that JSON can't hold asks the handler, and is left out`(_ cacheBytes: Int, _ kind: String) throws {
        let seen = Seen()
        let topology = try kind == "sums" ? sums() : kind == "latest" ? latest() : windowed()
        let driver = try driver(topology, cacheBytes: cacheBytes, .continue, seen)
        for (offset, value) in [1, Double.nan, 2].enumerated() {
            try driver.pipe("in", "key", value, timestamp: Int64(offset), .string, .double)
        }
        let failed = try #require(seen.all.first)
        #expect(seen.all.count == 1)
        #expect(failed.step == .processing && failed.task == "0_0" && failed.key == Array("key".utf8))
        #expect(failed.coordinate == RecordCoordinate(topic: "in", partition: 0, offset: 1))
        #expect(topology.nodes.contains { $0.name == failed.node })
        #expect(driver.dropped == [.processing: 1] && driver.finishedRecords("out") == 2)
        #expect(try dead(driver).map(\.key) == [Array("key".utf8)])
        driver.close()
    }

    @Test func `what no handler lets pass says node, task, record, key and reason in words`() throws {
        let seen = Seen()
        let topology = try sums()
        let driver = try driver(topology, .fail, seen)
        let failure = try failure { try driver.pipe("in", "key", Double.nan, timestamp: 0, .string, .double) }
        #expect(failure.step == .processing && failure.task == "0_0" && failure.key == Array("key".utf8))
        #expect(failure.coordinate == RecordCoordinate(topic: "in", partition: 0, offset: 0))
        let node = try #require(failure.node)
        #expect(
            "\(failure)"
                == "task 0_0 failed in step processing at node \(node), record in-0@0, key of 3 bytes: serde 'json(Reading)': "
                + "not encodable as JSON: NaN at 'value': the format has none")
        #expect(seen.all.count == 1)
        driver.close()
    }

    @Test func `an error without words of its own is named with its type`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).filter { _, value in
            guard value.isEmpty else { throw Refused.negative }
            return true
        }.to("out")
        let driver = try driver(builder.build(), .fail, Seen())
        let failure = try failure { try driver.pipe("in", "a", "b", timestamp: 0, .string, .string) }
        #expect("\(failure)".hasSuffix(": Refused.negative"))
        driver.close()
    }

    // MARK: Timestamps

    @Test(arguments: [false, true])
    func `a timestamp that is refused, or an extractor that throws, asks the handler`(_ throwsItself: Bool) throws {
        let extractor =
            throwsItself
            ? TimestampExtractor(name: "own") { record in
                guard record.timestamp >= 0 else { throw Refused.negative }
                return record.timestamp
            } : .failOnInvalid
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).to("out")
        for response in [ErrorResponse.continue, .fail] {
            let seen = Seen()
            let driver = try driver(builder.build(), response, seen, timestamps: extractor)
            try driver.pipe("in", "a", "1", timestamp: 5, .string, .string)
            func pipe() throws { try driver.pipe("in", "b", "2", timestamp: -7, .string, .string) }
            if response == .continue {
                try pipe()
                try driver.pipe("in", "a", "3", timestamp: 6, .string, .string)
                #expect(driver.dropped == [.invalidTimestamp: 1] && driver.finishedRecords("out") == 2)
                let letters = try dead(driver)
                #expect(letters.map(\.key) == [Array("b".utf8)] && letters.map(\.value) == [Array("2".utf8)])
            } else {
                let failure = try failure(pipe)
                #expect(failure.step == .timestamp && failure.node == "KSTREAM-SOURCE-0000000000")
                #expect(failure.coordinate?.offset == 1 && failure.key == Array("b".utf8))
            }
            #expect(seen.all.map(\.step) == [.timestamp])
            driver.close()
        }
    }

    @Test func `an extractor that throws for a record whose own timestamp is good asks the handler`() throws {
        let builder = StreamsBuilder()
        let extractor = TimestampExtractor(name: "own") { record in
            guard record.value?.byteCount == 1 else { throw Refused.negative }
            return record.timestamp + 100
        }
        builder.stream("in", key: .string, value: .string, timestamps: extractor).to("out")
        let seen = Seen()
        let driver = try driver(builder.build(), .continue, seen)
        for value in ["1", "long", "3"] { try driver.pipe("in", "k", value, timestamp: 5, .string, .string) }
        #expect(seen.all.map(\.step) == [.timestamp] && seen.all.first?.coordinate?.offset == 1)
        #expect(driver.log.records(in: TopicPartition("out", 0)).map(\.timestamp) == [105, 105])
        driver.close()
    }

    @Test func `an extractor for all sources is asked for good timestamps, too`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).to("out")
        let extractor = TimestampExtractor(name: "own") { record in record.timestamp + 100 }
        let driver = try driver(builder.build(), .fail, Seen(), timestamps: extractor)
        for time: Int64 in [5, -7] { try driver.pipe("in", "k", "v", timestamp: time, .string, .string) }
        #expect(driver.log.records(in: TopicPartition("out", 0)).map(\.timestamp) == [105, 93])
        driver.close()
    }

    // MARK: Stored values

    @Test func `a stored value that its serde refuses asks the handler for bytes`() throws {
        let picky = Serde<String>(
            name: "picky",
            decode: { bytes in
                let text = String(decoding: [UInt8](copying: bytes), as: UTF8.self)
                guard text != "bad" else { throw SerdeError(.malformed, serde: "picky", "not this one") }
                return text
            }, encode: { value, writer in writer.append(utf8: value) })
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).mapValues(value: picky) { $0 }
            .groupByKey().reduce(as: "last") { _, new in new }.toStream().to("out")
        let seen = Seen()
        let driver = try driver(builder.build(), .continue, seen)
        for value in ["good", "bad", "good"] { try driver.pipe("in", "k", value, timestamp: 0, .string, .string) }
        #expect(seen.all.map(\.step) == [.deserialization] && seen.all.first?.coordinate?.offset == 2)
        #expect(driver.dropped == [.deserialization: 1])
        driver.close()
    }

    // MARK: Dead letters

    func counted() throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts").toStream()
            .mapValuesWithKey(named: "check", value: .int64) { key, count in
                if key.hasPrefix("bad") { throw Refused.negative }
                return count
            }
            .to("out", key: .string, value: .int64)
        return try builder.build()
    }

    /// The letters of an application that counts some records in one commit.
    func letters(cacheBytes: Int) async throws -> [LoggedRecord] {
        let log = MemoryLog()
        try log.createTopics([.kept("in"), .kept("out"), .kept("dead")])
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
        let topic = try producer.number(ofTopic: "in")
        let keys = ["good", "bad-1", "bad-1"] + (0..<40).map { "other-\($0)" }
        for (index, name) in keys.enumerated() {
            try producer.send(
                OutgoingRecord(
                    timestamp: Int64(index), key: Array(name.utf8).span.bytes, value: Array("v".utf8).span.bytes),
                topic: topic, partition: 0)
        }
        try producer.flush()
        let folder = try TemporaryFolder()
        var configuration = StreamsConfiguration(
            applicationID: "count", log: .open(log), stateDirectory: folder.path, commitInterval: .seconds(60),
            cacheBytes: cacheBytes, handlesSignals: false)
        configuration.runtime.deadLetterTopic = "dead"
        configuration.runtime.processingHandler = { _ in .continue }
        let app = try StreamsApplication(counted(), configuration: configuration)
        app.onStateChange { new, _ in
            guard new == .running else { return }
            Task {
                while app.metrics.records < keys.count { try await Task.sleep(for: .milliseconds(2)) }
                app.shutdown()
            }
        }
        try await app.run()
        return log.records(in: TopicPartition("dead", 0))
    }

    // By eviction while another record is processed; by the flush of the commit.
    @Test(arguments: [1000, 1 << 20])
    func `a row that fails as its cache is written out is kept itself, with where it comes from`(
        _ cacheBytes: Int
    ) async throws {
        let letters = try await letters(cacheBytes: cacheBytes)
        let letter = try #require(letters.last)
        #expect(letters.count == 1)
        #expect(letter.key == Array("bad-1".utf8) && letter.value == [0, 0, 0, 0, 0, 0, 0, 2])
        #expect(letter.timestamp == 2 && letter.context.isValid)
        #expect(header(letter, "__streams.errors.store") == "counts")
        #expect(header(letter, "__streams.errors.node") == "check")
        #expect(header(letter, "__streams.errors.topic") == "in")
        #expect(header(letter, "__streams.errors.offset") == "2")
        #expect(header(letter, "__streams.errors.message") == "Refused.negative")
    }

    private final class Ticking: Processor {
        let clock: PunctuationClock
        init(_ clock: PunctuationClock) { self.clock = clock }
        func initialize(_ context: ProcessorContext<String, String>) throws {
            context.schedule(every: .milliseconds(10), clock) { _ in
                try context.forward(Record(key: "k", value: "v", timestamp: 0))
                throw Refused.negative
            }
        }
        func process(_ record: Record<String, String>) throws {}
    }

    // By stream time right behind a record.
    @Test(arguments: [PunctuationClock.wallClock, .streamTime])
    func `a punctuation that fails leaves no letter: it has no record`(_ clock: PunctuationClock) throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .process(key: .string, value: .string) { Ticking(clock) }.to("out")
        let seen = Seen()
        let driver = try driver(builder.build(), .continue, seen)
        try driver.pipe("in", "a", "1", timestamp: 5, .string, .string)
        try driver.advanceWallClock(by: .milliseconds(20))
        #expect(seen.all.count == 1 && seen.all.first?.coordinate == nil && seen.all.first?.key == nil)
        #expect(try dead(driver).isEmpty)
        driver.close()
    }

    private final class Starting: Processor {
        func initialize(_ context: ProcessorContext<String, String>) throws { throw Refused.negative }
        func process(_ record: Record<String, String>) throws {}
    }

    @Test func `a processor that can't be initialised is named`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).process(named: "mine") { Starting() }
        let failure = try failure { _ = try driver(builder.build(), .continue, Seen()) }
        #expect(failure.step == .start && failure.node == "mine" && failure.task == "0_0")
    }

    // MARK: Windows

    // The cache writes keys in their order: "a", whose window is the newer, before "b", whose window is old by then.
    @Test func `a flush of writes that came in order warns of none, one of a late write does`() throws {
        final class Writer: Processor {
            var store: WindowStore<String, String>?
            func initialize(_ context: ProcessorContext<String, String>) throws {
                store = try context.windowStore("rows", key: .string, value: .string)
            }
            func process(_ record: Record<String, String>) throws {
                for (key, start) in [("b", Int64(0)), ("a", 1_000_000)] {
                    try store?.put(key, "v", windowStart: start)
                }
                if record.value == "late" { try store?.put("c", "v", windowStart: 0) }
            }
        }
        for (value, expired) in [("in order", Int64(0)), ("late", 1)] {
            let builder = StreamsBuilder()
            builder.addStateStore(
                StoreDescription(
                    name: "rows",
                    kind: .window(retention: 100_000, size: 1000, retainsDuplicates: false, timestamped: true),
                    isCached: true))
            builder.stream("in", key: .string, value: .string).process(stores: ["rows"]) { Writer() }
            let driver = try driver(builder.build(), cacheBytes: 1 << 20, .fail, Seen())
            try driver.pipe("in", "k", value, timestamp: 0, .string, .string)
            #expect(driver.dropped[.expired] ?? 0 == expired, "\(value)")
            driver.close()
        }
    }

    // MARK: Topics that aren't there
}

extension TopologyTestDriver {
    /// How many records a topic has had.
    fileprivate func finishedRecords(_ topic: String) -> Int { log.records(in: TopicPartition(topic, 0)).count }
}
