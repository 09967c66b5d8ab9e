import Testing
import TributaryCore
import TributaryLineage
import TributaryTelemetry

@Suite struct InMemorySpanExporterTests {
    @Test func `spans are resolved with names, attributes and links`() throws {
        let exporter = InMemorySpanExporter()
        exporter.export(Sample.count())
        let spans = exporter.spans()
        #expect(
            spans.map { $0.name } == ["process orders", "put counts", "process orders", "put counts", "flush counts"])
        let process = try #require(spans.first)
        #expect(process.kind == 5 && process.parentIsRemote && process.parent == 0x99)
        #expect(process.coordinate == RecordCoordinate(topic: "orders", partition: 0, offset: 7))
        #expect(process.attributes[AttributeNames.messagingDestinationPartition] == .string("0"))
        let flush = try #require(spans.last)
        #expect(
            flush.links == [
                .init(context: Sample.context(1, 11), type: .merged),
                .init(
                    context: .none, type: .joined,
                    coordinate: RecordCoordinate(topic: "rates", partition: 3, offset: 44)),
            ])
        #expect(flush.attributes[AttributeNames.contributors] == .int(3))
        #expect(flush.attributes[AttributeNames.truncated] == nil)
        #expect(flush.attributes[AttributeNames.windowEnd] == .int(10))
        #expect(flush.coordinate == nil)
    }

    @Test func `only the newest spans are kept`() {
        let exporter = InMemorySpanExporter(capacity: 100)
        for seed in 0..<50 { exporter.export(Sample.many(30, seed: UInt64(seed))) }
        #expect(exporter.count == 120)
        #expect(exporter.dropped == 50 * 30 - 120)
        #expect(exporter.spans().count == 120)
        #expect(exporter.spans().last == FinishedSpanProbe.last(of: Sample.many(30, seed: 49)))
        exporter.removeAll()
        #expect(exporter.spans().isEmpty)
    }

    @Test func `a failed span has its error and own attributes win`() throws {
        var batch = SpanBatch(operations: Sample.operations)
        var span = SpanRecord(context: Sample.context(1, 1), parent: 0, start: 0, end: 1, operation: 1)
        span.flags = SpanRecord.failed | SpanRecord.tombstone | SpanRecord.parentIsTrigger
        span.detail = 0
        span.contributors = 1000
        span.links = 500
        batch.spans = [span]
        batch.links = (0..<500).map { LinkRecord(.merged, Sample.context(1, UInt64($0) + 2)) }
        batch.details = [
            SpanDetail(
                name: "mine", attributes: [AttributeNames.dbCollectionName: .string("other")], errorType: "Bad",
                errorMessage: "no")
        ]
        let exporter = InMemorySpanExporter()
        exporter.export(batch)
        let finished = try #require(exporter.spans().first)
        #expect(finished.name == "mine" && finished.failed && finished.errorMessage == "no")
        #expect(finished.attributes[AttributeNames.errorType] == .string("Bad"))
        #expect(finished.attributes[AttributeNames.dbCollectionName] == .string("other"))
        #expect(finished.attributes[AttributeNames.messagingKafkaTombstone] == .bool(true))
        #expect(finished.attributes[AttributeNames.truncated] == .bool(true))
        #expect(finished.parentIsTrigger)
        #expect(finished.links.count == 128 && finished.droppedLinks == 372)
    }

    @Test func `numbers out of range don't stop the exporter`() {
        var span = SpanRecord(context: .none, parent: 0, start: 0, end: 0, operation: 99)
        span.firstLink = -5
        span.links = Int32.max
        span.detail = 7
        var link = LinkRecord(.bound, .none)
        link.topic = 12
        let batch = SpanBatch(spans: [span], links: [link])
        let exporter = InMemorySpanExporter()
        exporter.export(batch)
        #expect(exporter.spans().first?.links.count == 1)
        #expect(!Sample.json(batch).isEmpty)
    }
}

private enum FinishedSpanProbe {
    static func last(of batch: SpanBatch) -> FinishedSpan? {
        let exporter = InMemorySpanExporter()
        exporter.export(batch)
        return exporter.spans().last
    }
}
