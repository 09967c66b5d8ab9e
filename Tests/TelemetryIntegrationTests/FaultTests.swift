import Glibc
import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLineage

@testable import TributaryTelemetry

/// What becomes of spans when the server misbehaves.
@Suite(.enabled(if: otelScript != nil, "needs TRIBUTARY_OTEL_SCRIPT"), .serialized, .timeLimit(.minutes(10)))
struct FaultTests {
    func batch(_ count: Int, seed: UInt64) -> SpanBatch {
        var random = FastRandom(seed: seed)
        return SpanBatch(
            operations: [SpanOperation(name: "put counts", kind: .internal)],
            spans: (0..<count).map { index in
                SpanRecord(
                    context: TraceContext(traceHigh: seed, traceLow: random.next(), span: UInt64(index) + 1, flags: 1),
                    parent: 0, start: 1, end: 2, operation: 0)
            })
    }

    func exporter(_ endpoint: String, _ change: (inout OTLPConfiguration) -> Void = { _ in }) throws -> OTLPExporter {
        var configuration = OTLPConfiguration(endpoint: endpoint, signals: [.traces])
        configuration.spanDelay = .zero
        change(&configuration)
        return try OTLPExporter(configuration, resource: TelemetryResource(serviceName: "test"))
    }

    /// What the server has seen: one line a request.
    func seen(_ server: FaultServer) throws -> [JSONValue] {
        try contents(server.folder.path + "/fault.jsonl").split(separator: 0x0a).map {
            try JSONReader.read(Array($0).span.bytes)
        }
    }

    @Test func `nothing is lost that may be tried again, and the bytes are the same`() throws {
        let server = try FaultServer(
            #"[503,{"status":429,"headers":{"Retry-After":"1"}},{"drop":true},{"reset":true},502,504,200]"#)
        let exporter = try exporter(server.endpoint)
        exporter.export(batch(100, seed: 1))
        exporter.flush(timeout: .seconds(60))
        let counters = exporter.counters(.traces)
        #expect(counters.sent == 100 && counters.lost == 0)
        let requests = try seen(server)
        #expect(requests.count == 7)
        // libcurl itself goes on with a new connection where one that was kept open turns out to be dead.
        #expect((4...6).contains(counters.retries))
        // A connection that is reset before the body is read leaves no hash.
        #expect(Set(requests.compactMap { $0["sha"]?.string }).count == 1)
        exporter.shutdown(timeout: .seconds(1))
        server.stop()
    }

    @Test func `what must not be tried again is counted, and the next request goes through`() throws {
        let server = try FaultServer(#"[400,{"rejected":2,"message":"no room"},500,413,200]"#)
        let exporter = try exporter(server.endpoint)
        for seed in 1...5 {
            exporter.export(batch(10, seed: UInt64(seed)))
            exporter.flush(timeout: .seconds(60))
        }
        let counters = exporter.counters(.traces)
        #expect(counters.refused == 30 && counters.rejected == 2 && counters.sent == 18)
        #expect(try seen(server).count == 5 && counters.retries == 0)
        exporter.shutdown(timeout: .seconds(1))
        server.stop()
    }

    @Test func `a server that comes back gets what was made while it was away`() throws {
        let first = try FaultServer("[]")
        let port = try #require(first.endpoint.split(separator: ":").last.flatMap { Int($0) })
        let exporter = try exporter(first.endpoint)
        exporter.export(batch(50, seed: 1))
        exporter.flush(timeout: .seconds(20))
        first.stop()
        for seed in 2...20 { exporter.export(batch(50, seed: UInt64(seed))) }
        usleep(2_500_000)
        #expect(exporter.counters(.traces).sent == 50)
        let second = try FaultServer("[]", port: port)
        exporter.flush(timeout: .seconds(60))
        #expect(exporter.counters(.traces).sent == 1000 && exporter.counters(.traces).lost == 0)
        exporter.shutdown(timeout: .seconds(1))
        second.stop()
    }

    /// Takes spans and forgets them: what making spans costs by itself.
    struct Nowhere: SpanExporter {
        func export(_ batch: SpanBatch) {}
        func flush(timeout: Duration) {}
    }

    /// Counts records with every trace sampled; the records a second.
    func rate(_ exporter: any SpanExporter, records: Int) async throws -> Double {
        let folder = try TemporaryFolder()
        let log = try EmbeddedLog.open(at: folder.path + "/log")
        defer { log.close() }
        try log.createTopics([
            TopicSpecification("in", settings: ["retention.ms": "-1"]),
            TopicSpecification("out", settings: ["retention.ms": "-1"]),
        ])
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
        let topic = try producer.number(ofTopic: "in")
        for index in 0..<records {
            let key = Array("key-\(index % 1000)".utf8)
            try producer.send(
                OutgoingRecord(timestamp: Int64(index), key: key.span.bytes, value: key.span.bytes), topic: topic,
                partition: 0)
        }
        try producer.flush()
        producer.close()
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts").toStream().to("out")
        let app = try StreamsApplication(
            builder.build(),
            configuration: StreamsConfiguration(
                applicationID: "rate", log: .open(log), commitInterval: .milliseconds(100),
                lineage: LineageConfiguration(exporter: exporter), handlesSignals: false))
        let start = TimeSource.system.monotonic.nanoseconds()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await app.run() }
            group.addTask {
                while app.metrics.records < records && app.state != .error {
                    try await Task.sleep(for: .milliseconds(1))
                }
                app.shutdown()
            }
            try await group.waitForAll()
        }
        return Double(records) / (Double(TimeSource.system.monotonic.nanoseconds() - start) / 1e9)
    }

    @Test func `the application is as fast whatever the server does, and all that is lost is counted`() async throws {
        #if DEBUG
            let records = 50_000
        #else
            let records = 300_000
        #endif
        let slow = try FaultServer(
            "[" + (0..<100).map { _ in #"{"status":200,"delay":2}"# }.joined(separator: ",") + "]")
        let busy = try FaultServer("[" + (0..<1000).map { _ in "503" }.joined(separator: ",") + "]")
        let down = try FaultServer("[]")
        down.stop()
        var best: [String: Double] = [:]
        for _ in 0..<3 {
            best["nowhere"] = max(best["nowhere"] ?? 0, try await rate(Nowhere(), records: records))
            for (name, endpoint) in [("slow", slow.endpoint), ("busy", busy.endpoint), ("down", down.endpoint)] {
                let exporter = try exporter(endpoint)
                best[name] = max(best[name] ?? 0, try await rate(exporter, records: records))
                exporter.shutdown(timeout: .milliseconds(100))
                let counters = exporter.counters(.traces)
                // The record's span, the get and put of the store, and for each key and commit a flush and a send.
                #expect(
                    counters.sent + counters.lost + 2 * counters.skipped >= records * 2 && counters.queuedBytes == 0)
            }
        }
        let plain = best["nowhere"] ?? 0
        for (name, rate) in best.sorted(by: { $0.key < $1.key }) {
            print("\(name): \(Int(rate)) records/s, \(Int(rate * 100 / plain)) % of making spans alone")
            #expect(rate > plain / 3, "\(name) slows the application down")
        }
        slow.stop()
        busy.stop()
    }
}
