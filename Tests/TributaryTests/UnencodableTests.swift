import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryFoundation
import TributaryLMDB
import TributaryState
import TributaryTesting

/// What comes of values that can't be encoded, where aggregates are encoded at the flush: the same as where each update encodes.
@Suite(.timeLimit(.minutes(10))) struct UnencodableTests {
    private struct Total: Codable, Sendable {
        var value = 0.0
    }

    private struct Refusal: Error {}

    /// What an application left behind.
    private struct Outcome: Equatable {
        var out: [String]
        var changelog: [String]
        var letters: [String]
        var asked: [String]
        var failure: String?
    }

    private struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var values: [Double]
        var response = ErrorResponse.continue
        var guarantee = ProcessingGuarantee.exactlyOnce
        var cacheBytes = 1 << 20
        var testDescription: String { "\(name), \(guarantee)" }
    }

    private func topology() throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .double).groupByKey()
            .aggregate(into: Total(), as: "totals", value: .json(Total.self)) { total, value in
                total.value += value
                if value == -1 { throw Refusal() }
                if value == -2 { total.value = 0 }
            }
            .toStream().to("out")
        return try builder.build()
    }

    private func texts(_ log: any Log, _ topic: String) throws -> [LoggedText] {
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "test"))
        defer { consumer.close() }
        _ = try consumer.assign(TopicPartition(topic, 0), from: 0)
        var found: [LoggedText] = []
        while let batch = try consumer.poll(timeout: 0) {
            for index in 0..<batch.count {
                var bytes: [UInt8] = []
                if let value = batch.value(index) { bytes = [UInt8](copying: value) }
                let headers = Headers(checked: batch.headers(index)).list.compactMap { header in
                    header.name.hasSuffix("offset") || header.name.hasSuffix("message")
                        ? header.value.map { String(decoding: $0, as: UTF8.self) } : nil
                }
                found.append(
                    LoggedText(
                        text: String(decoding: bytes, as: UTF8.self), bytes: bytes,
                        headers: headers.joined(separator: " ")))
            }
        }
        return found
    }

    private struct LoggedText {
        var text: String
        var bytes: [UInt8]
        var headers: String
    }

    /// Runs an application over the values of one key, which come before it starts, until all are committed or it ends.
    private func outcome(_ one: Case, defers: Bool, stopsAtOnce: Bool = false) async throws -> (Outcome, [LogMessage]) {
        let folder = try TemporaryFolder()
        let log = try EmbeddedLog.open(at: folder.path + "/log")
        defer { log.close() }
        try log.createTopics(["in", "out", "dead"].map { TopicSpecification($0, settings: ["retention.ms": "-1"]) })
        let producer = try log.producer("in", key: .string, value: .double)
        for value in one.values { try producer.send("key", value, timestamp: 0) }
        try producer.close()
        var configuration = StreamsConfiguration(
            applicationID: "app", log: .open(log), stateDirectory: folder.path + "/state", cacheBytes: one.cacheBytes)
        // Long enough for all records to come in one commit.
        configuration.commitInterval = stopsAtOnce ? .seconds(3600) : .milliseconds(500)
        configuration.runtime.guarantee = one.guarantee
        configuration.runtime.defersEncoding = defers
        configuration.runtime.deadLetterTopic = "dead"
        let asked = Guarded<[String]>([])
        let lines = Guarded<[LogMessage]>([])
        configuration.runtime.processingHandler = { failed in
            asked.withLock { $0.append("\(failed.step) \(failed.coordinate.map { "\($0)" } ?? "") \(failed.error)") }
            return one.response
        }
        configuration.onThreadFailure = { error in
            asked.withLock { $0.append("\(error)") }
            return .stop
        }
        configuration.runtime.log = LogSink(level: .warning) { line in lines.withLock { $0.append(line) } }
        let app = try StreamsApplication(topology(), configuration: configuration)
        var failure: String?
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await app.run() }
                group.addTask {
                    while app.state != .error {
                        let committed = try log.committedOffsets(group: "app")[TopicPartition("in", 0)]?.offset ?? 0
                        if committed >= one.values.count { break }
                        if stopsAtOnce, app.metrics.records >= one.values.count { break }
                        try await Task.sleep(for: .milliseconds(5))
                    }
                    app.shutdown()
                }
                try await group.waitForAll()
            }
        } catch {
            failure = "\(error)"
        }
        return (
            Outcome(
                out: try texts(log, "out").map(\.text), changelog: try texts(log, "app-totals-changelog").map(\.text),
                letters: try texts(log, "dead").map { "\($0.bytes) \($0.headers)" }, asked: asked.withLock { $0 },
                failure: failure),
            lines.withLock { $0 }.filter { $0.message.hasPrefix("a stream thread begins again") }
        )
    }

    private static let cases = [ProcessingGuarantee.exactlyOnce, .atLeastOnce].flatMap { guarantee in
        [
            Case(name: "a value is left out", values: [1, .nan, 2, 3], guarantee: guarantee),
            Case(name: "several are", values: [1, .infinity, 2, .nan, 3], guarantee: guarantee),
            Case(name: "the first of a row", values: [.nan, 2, 3], guarantee: guarantee),
            Case(name: "a value fails", values: [1, 2, .nan, 3], response: .fail, guarantee: guarantee),
            Case(name: "a closure throws", values: [1, 2, -1, 3], guarantee: guarantee),
            Case(name: "a closure fails", values: [1, 2, -1, 3], response: .fail, guarantee: guarantee),
            Case(name: "no room", values: [1, 2, .nan, 3], guarantee: guarantee, cacheBytes: 1),
        ]
    }

    @Test(arguments: UnencodableTests.cases)
    private func `a value that can't be encoded has the outcome that it has where each update encodes`(
        _ one: Case
    ) async throws {
        let (deferred, begun) = try await outcome(one, defers: true)
        let (atOnce, none) = try await outcome(one, defers: false)
        // How a failed run was read doesn't say how often it was tried.
        #expect(deferred == atOnce)
        #expect(none.isEmpty)
        #expect(begun.count <= 1)
        #expect(begun.isEmpty == (one.values.first?.isNaN == true || one.cacheBytes == 1))
        #expect(!deferred.asked.isEmpty && deferred.asked.allSatisfy { $0.contains("in-0@") })
    }

    @Test(arguments: [ProcessingGuarantee.exactlyOnce, .atLeastOnce])
    func `an application that is stopped commits what could not be encoded at once`(
        _ guarantee: ProcessingGuarantee
    ) async throws {
        let one = Case(name: "stopped", values: [1, 2, .nan, 3], guarantee: guarantee)
        let (deferred, begun) = try await outcome(one, defers: true, stopsAtOnce: true)
        let (atOnce, _) = try await outcome(one, defers: false, stopsAtOnce: true)
        #expect(deferred == atOnce)
        #expect(deferred.failure == nil && deferred.out == [#"{"value":6}"#])
        #expect(begun.count == 1)
    }

    @Test func `a value that can't be encoded and is overwritten before the flush fails nobody`() async throws {
        let one = Case(name: "overwritten", values: [1, .nan, -2, 4])
        let (deferred, begun) = try await outcome(one, defers: true)
        #expect(begun.isEmpty && deferred.asked.isEmpty && deferred.letters.isEmpty)
        #expect(deferred.out == [#"{"value":4}"#])
    }
}
