import TributaryCore
import TributaryLineage
import TributaryTelemetry

/// Contexts, batches and files for the tests of this target.
enum Sample {
    static func context(_ trace: UInt64, _ span: UInt64, flags: UInt8 = 1) -> TraceContext {
        TraceContext(traceHigh: 0xabc, traceLow: trace, span: span, flags: flags)
    }

    static let operations = [
        SpanOperation(
            name: "process orders", kind: .consumer,
            attributes: [
                AttributeNames.messagingSystem: .string("kafka"),
                AttributeNames.messagingDestinationName: .string("orders"),
            ]),
        SpanOperation(
            name: "put counts", kind: .internal, attributes: [AttributeNames.dbCollectionName: .string("counts")]),
        SpanOperation(
            name: "flush counts", kind: .internal, attributes: [AttributeNames.dbCollectionName: .string("counts")]),
    ]

    /// Two records of `orders`, their puts into `counts` in traces of their own, and the flush of both.
    static func count() -> SpanBatch {
        var batch = SpanBatch(operations: operations, topics: ["rates"])
        for record in UInt64(1)...2 {
            var process = SpanRecord(
                context: context(record, record * 10), parent: 0x99, start: Int64(record) * 1_000_000,
                end: Int64(record) * 1_000_000 + 700_000, operation: 0)
            process.flags = SpanRecord.parentIsRemote
            process.partition = 0
            process.offset = Int64(record) + 6
            batch.spans.append(process)
            var put = SpanRecord(
                context: context(record, record * 10 + 1), parent: record * 10, start: Int64(record) * 1_000_000 + 5000,
                end: Int64(record) * 1_000_000 + 17_500, operation: 1)
            if record == 2 {
                put.firstLink = 0
                put.links = 1
                batch.links.append(LinkRecord(.previous, context(1, 11)))
            }
            batch.spans.append(put)
        }
        var flush = SpanRecord(
            context: context(2, 22), parent: 21, start: 9_000_000, end: 9_000_999, operation: 2)
        flush.firstLink = 1
        flush.links = 2
        flush.contributors = 3
        flush.flags = SpanRecord.windowed
        flush.windowStart = 0
        flush.windowEnd = 10
        batch.links.append(LinkRecord(.merged, context(1, 11)))
        var row = LinkRecord(.joined, .none)
        row.topic = 0
        row.partition = 3
        row.offset = 44
        batch.links.append(row)
        batch.spans.append(flush)
        return batch
    }

    /// A batch of `count` spans, one to a trace, with ids that depend on `seed`.
    static func many(_ count: Int, seed: UInt64) -> SpanBatch {
        var random = FastRandom(seed: seed)
        return SpanBatch(
            operations: operations,
            spans: (0..<count).map { index in
                SpanRecord(
                    context: context(random.next(), UInt64(index) + 1), parent: 0, start: Int64(index),
                    end: Int64(index),
                    operation: 1)
            })
    }

    static let resource = TelemetryResource(
        serviceName: "test", attributes: [AttributeNames.testCase: .string("case-1")])

    static func json(_ batch: SpanBatch) -> [UInt8] {
        var writer = ByteWriter()
        OTLPJSON.appendLine(batch, resource: resource, to: &writer)
        return writer.copy()
    }
}
