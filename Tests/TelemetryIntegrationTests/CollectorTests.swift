import Testing
import Tributary
import TributaryLineage

@testable import TributaryTelemetry

/// What a real collector makes of what is sent.
@Suite(
    .enabled(if: otelScript != nil, "needs TRIBUTARY_OTEL_SCRIPT"), .serialized, .timeLimit(.minutes(10)))
struct CollectorTests {
    func batch() -> SpanBatch {
        var process = SpanRecord(
            context: TraceContext(traceHigh: 1, traceLow: 2, span: 3, flags: 3), parent: 9,
            start: 1_795_000_000_000_000_001, end: 1_795_000_000_000_700_000, operation: 0)
        process.flags = SpanRecord.parentIsRemote
        process.partition = 4
        process.offset = 1 << 60
        var put = SpanRecord(
            context: TraceContext(traceHigh: 1, traceLow: 2, span: 4, flags: 1), parent: 3,
            start: 1_795_000_000_000_100_000, end: 1_795_000_000_000_200_000, operation: 1)
        put.links = 2
        put.flags = SpanRecord.failed
        put.detail = 0
        var row = LinkRecord(.joined, TraceContext(traceHigh: 5, traceLow: 6, span: 7, flags: 1))
        row.topic = 0
        row.partition = 3
        row.offset = 44
        return SpanBatch(
            operations: [
                SpanOperation(
                    name: "process orders", kind: .consumer,
                    attributes: [AttributeNames.messagingSystem: .string("kafka")]),
                SpanOperation(name: "put counts", kind: .internal),
            ], topics: ["rates"], spans: [process, put],
            links: [LinkRecord(.previous, TraceContext(traceHigh: 8, traceLow: 9, span: 10, flags: 0)), row],
            details: [
                SpanDetail(attributes: ["d": .double(0.25), "b": .bool(true)], errorType: "Bad", errorMessage: "ü")
            ])
    }

    func send(_ encoding: OTLPEncoding, _ isCompressed: Bool, to endpoint: String, as service: String) throws {
        var configuration = OTLPConfiguration(endpoint: endpoint)
        configuration.updateEndpoints {
            $0.encoding = encoding
            $0.isCompressed = isCompressed
        }
        let exporter = try OTLPExporter(configuration, resource: TelemetryResource(serviceName: service))
        exporter.export(batch())
        exporter.logSink()(
            .error, "a message", [("k", "v")], source: "Test",
            context: TraceContext(traceHigh: 1, traceLow: 2, span: 3, flags: 1))
        let frame = PointFrame(
            attributes: ["a": .string("b")], start: 1_795_000_000_000_000_000, time: 1_795_000_001_000_000_000)
        let exemplar = MetricExemplar(
            .double(1.5), time: 1_795_000_000_500_000_000,
            context: TraceContext(traceHigh: 1, traceLow: 2, span: 3, flags: 1))
        exporter.export([
            Metric("s", unit: "By", .sum([NumberPoint(frame, .int(7))], isMonotonic: true, .cumulative)),
            Metric("g", .gauge([NumberPoint(frame, .double(-0.5))])),
            Metric(
                "h", unit: "s",
                .histogram(
                    [HistogramPoint(frame, sum: 3.5, bounds: [1, 2], counts: [1, 1, 0], exemplars: [exemplar])],
                    .cumulative)),
            Metric(
                "e",
                .exponentialHistogram(
                    [
                        ExponentialHistogramPoint(
                            frame, sum: 9, scale: 2, zeroCount: 1, positive: .init(offset: -1, counts: [2, 3]))
                    ], .cumulative)),
        ])
        exporter.shutdown(timeout: .seconds(20))
        for signal in OTLPSignal.allCases { #expect(exporter.counters(signal).lost == 0) }
    }

    @Test func `everything of a span, a log line and a metric arrives, in each form`() throws {
        let backend = try Backend()
        let forms: [(String, OTLPEncoding, Bool)] = [
            ("one", .protobuf, true), ("two", .protobuf, false), ("three", .json, true), ("four", .json, false),
        ]
        for (service, encoding, isCompressed) in forms {
            try send(encoding, isCompressed, to: backend.endpoint, as: service)
        }
        let spans = Dictionary(grouping: try backend.objects("spans")) { $0["service"]?.string ?? "" }
        let logs = Dictionary(grouping: try backend.objects("logs")) { $0["service"]?.string ?? "" }
        let metrics = Dictionary(grouping: try backend.objects("metrics")) { $0["service"]?.string ?? "" }
        for (service, _, _) in forms {
            try check(spans: spans[service] ?? [])
            try check(log: try #require(logs[service]))
            try check(metrics: metrics[service] ?? [])
        }
    }

    func check(spans: [JSONValue]) throws {
        #expect(spans.count == 2)
        let process = try #require(spans.first { $0["name"] == .string("process orders") })
        #expect(process["traceId"] == .string("00000000000000010000000000000002"))
        #expect(process["spanId"] == .string("0000000000000003"))
        #expect(process["parentSpanId"] == .string("0000000000000009"))
        #expect(process["kind"] == .string("CONSUMER") && process["flags"] == .integer(0x303))
        #expect(process["start"] == .integer(1_795_000_000_000_000_001))
        #expect(process["end"] == .integer(1_795_000_000_000_700_000) && process["status"] == .string("Unset"))
        #expect(
            process["attributes"]
                == .object([
                    "messaging.kafka.offset": .integer(1 << 60), "messaging.system": .string("kafka"),
                    "messaging.destination.partition.id": .string("4"),
                ]))
        #expect(process["scope"] == .string("tributary"))
        #expect(process["resource"]?["telemetry.sdk.language"] == .string("swift"))
        let put = try #require(spans.first { $0["name"] == .string("put counts") })
        #expect(put["status"] == .string("Error") && put["statusMessage"] == .string("ü"))
        #expect(
            put["attributes"]
                == .object(["d": .number(0.25), "b": .bool(true), "error.type": .string("Bad")]))
        #expect(
            put["links"]
                == .array([
                    .object([
                        "traceId": .string("00000000000000080000000000000009"),
                        "spanId": .string("000000000000000a"), "flags": .integer(0x100),
                        "attributes": .object([
                            "tributary.link": .string("previous"), "tributary.link.sampled": .bool(false),
                        ]),
                    ]),
                    .object([
                        "traceId": .string("00000000000000050000000000000006"),
                        "spanId": .string("0000000000000007"), "flags": .integer(0x301),
                        "attributes": .object([
                            "tributary.link": .string("joined"), "messaging.destination.name": .string("rates"),
                            "messaging.destination.partition.id": .string("3"),
                            "messaging.kafka.offset": .integer(44),
                        ]),
                    ]),
                ]))
    }

    func check(log: [JSONValue]) throws {
        let line = try #require(log.first)
        #expect(log.count == 1 && line["body"] == .string("a message") && line["severity"] == .integer(17))
        #expect(line["traceId"] == .string("00000000000000010000000000000002"))
        #expect(line["spanId"] == .string("0000000000000003") && line["scope"] == .string("Test"))
        #expect(line["attributes"] == .object(["k": .string("v")]) && line["flags"] == .integer(1))
    }

    func check(metrics: [JSONValue]) throws {
        #expect(metrics.count == 4)
        func metric(_ name: String) throws -> JSONValue {
            let found = try #require(metrics.first { $0["name"] == .string(name) })
            #expect(found["attributes"] == .object(["a": .string("b")]))
            return found
        }
        let sum = try metric("s")
        #expect(sum["value"] == .integer(7) && sum["monotonic"] == .bool(true) && sum["unit"] == .string("By"))
        #expect(try metric("g")["value"] == .number(-0.5))
        let histogram = try metric("h")
        #expect(histogram["count"] == .integer(2) && histogram["sum"] == .number(3.5))
        let exemplar = try #require(histogram["exemplars"]?.array?.first)
        #expect(exemplar["traceId"] == .string("00000000000000010000000000000002"))
        #expect(exemplar["spanId"] == .string("0000000000000003") && exemplar["value"] == .number(1.5))
        let exponential = try metric("e")
        #expect(exponential["count"] == .integer(6) && exponential["scale"] == .integer(2))
        #expect(exponential["zeroCount"] == .integer(1) && exponential["sum"] == .integer(9))
    }
}
