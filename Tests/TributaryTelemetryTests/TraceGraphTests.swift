import TestSupport
import Testing
import TributaryCore
import TributaryLineage

@testable import TributaryTelemetry

@Suite struct TraceGraphTests {
    func graph(_ batches: SpanBatch...) -> TraceGraph {
        let exporter = InMemorySpanExporter()
        for batch in batches { exporter.export(batch) }
        return TraceGraph(exporter.spans())
    }

    @Test func `a trace is a tree with durations, coordinates and links`() {
        let graph = graph(Sample.count())
        let trace = Sample.context(2, 1).traceID
        #expect(
            graph.text(ofTrace: trace) == """
                process orders  0.700 ms  orders-0@8  (remote parent)
                  put counts  0.012 ms
                      previous -> put counts 0000000000000abc0000000000000001/000000000000000b
                    flush counts  0.000 ms
                        merged -> put counts 0000000000000abc0000000000000001/000000000000000b
                        joined -> rates-3@44 00000000000000000000000000000000/0000000000000000

                """)
        #expect(graph.text(ofTrace: "ff").isEmpty)
        #expect(graph.traceIDs == [Sample.context(1, 1).traceID, trace])
    }

    @Test func `a trace as JSON is well formed`() throws {
        let json = graph(Sample.count()).json(ofTrace: Sample.context(2, 1).traceID)
        #expect(
            json.hasPrefix(
                #"[{"traceId":"0000000000000abc0000000000000002","spanId":"0000000000000014","name":"process"#))
        #expect(json.hasSuffix(#""children":[]}]}]}]"#))
        #expect(json.filter { $0 == "{" }.count == json.filter { $0 == "}" }.count)
        #expect(graph(Sample.count()).json(ofTrace: "00") == "[]")
    }

    @Test func `why follows parents and links to the source records`() {
        let graph = graph(Sample.count())
        let answer = graph.why(SpanID(Sample.context(2, 22)))
        #expect(
            answer.sources == [
                RecordCoordinate(topic: "orders", partition: 0, offset: 7),
                RecordCoordinate(topic: "orders", partition: 0, offset: 8),
                RecordCoordinate(topic: "rates", partition: 3, offset: 44),
            ])
        #expect(answer.isComplete && answer.boundSources.isEmpty)
        #expect(answer.steps.map { $0.span.span } == [22, 21, 20, 11, 10])
        #expect(graph.text(of: answer).hasPrefix("orders-0@7\norders-0@8\nrates-3@44\nflush counts"))
        #expect(graph.json(of: answer).hasPrefix(#"{"complete":true,"truncated":false,"sources":[{"topic":"orders","#))
    }

    @Test func `history, triggers and internal topics are no sources`() {
        var batch = Sample.count()
        // The flush was triggered by its parent, and its links are history.
        batch.spans[4].flags |= SpanRecord.parentIsTrigger
        batch.links[1].type = .superseded
        batch.links[2].type = .trigger
        let answer = graph(batch).why(SpanID(Sample.context(2, 22)))
        #expect(answer.sources.isEmpty && answer.steps.count == 1)
        let all = graph(Sample.count()).why(SpanID(Sample.context(2, 22))) { $0 == "orders" }
        #expect(all.sources == [RecordCoordinate(topic: "rates", partition: 3, offset: 44)])
        // The producer's spans aren't there.
        #expect(!all.isComplete && all.steps.contains { $0.isMissing && $0.span.span == 0x99 })
        #expect(TraceGraph.isInternalTopic("app-counts-repartition"))
        #expect(TraceGraph.isInternalTopic("app-counts-changelog"))
        #expect(TraceGraph.isInternalTopic("app-x-subscription-registration-7-topic"))
        #expect(!TraceGraph.isInternalTopic("orders"))
    }

    @Test func `what was only reached through bound links is marked`() {
        var batch = Sample.count()
        batch.links[0].type = .bound
        batch.links[1].type = .bound
        let answer = graph(batch).why(SpanID(Sample.context(2, 22)))
        #expect(answer.boundSources == [RecordCoordinate(topic: "orders", partition: 0, offset: 7)])
        #expect(answer.sources.count == 3)
    }

    @Test func `what the walk can't find is said, by what it is`() {
        func answer(_ change: (inout SpanBatch) -> Void, isRow: Bool = false, from span: UInt64 = 22) -> WhyAnswer {
            var batch = Sample.count()
            change(&batch)
            return graph(batch).why(SpanID(Sample.context(2, span)), isRow: isRow)
        }
        func gaps(_ change: (inout SpanBatch) -> Void) -> [WhyAnswer.Gap] { answer(change).steps.compactMap(\.gap) }
        #expect(gaps { _ in } == [])
        // A row whose trace wasn't sampled, whether its span is there or not.
        #expect(gaps { $0.links[0].context.flags = 0 } == [.notSampled])
        #expect(
            gaps {
                $0.links[0].context = Sample.context(7, 7, flags: 0)
                $0.links[1].context = Sample.context(7, 7, flags: 0)
            } == [.notSampled])
        // Its context names the record's span, or another store's write: it made none itself.
        #expect(gaps { $0.links[1].context = Sample.context(1, 10) } == [.noWrite])
        #expect(
            gaps {
                $0.operations.append(
                    SpanOperation(
                        name: "put others", kind: .internal,
                        attributes: [AttributeNames.dbCollectionName: .string("others")]))
                $0.spans[1].operation = 3
            } == [.noWrite])
        // The flush's last write made no span, or was not sampled.
        #expect(gaps { $0.spans[4].parent = 20 } == [.noWrite])
        #expect(gaps { $0.spans[4].flags |= SpanRecord.parentIsUnsampled } == [.notSampled])
        // Links that aren't there.
        #expect(gaps { $0.spans[4].flags |= SpanRecord.lacksLinks } == [.truncated])
        #expect(gaps { $0.spans[4].contributors = 9 } == [.truncated])
        #expect(
            gaps {
                $0.spans[4].contributors = 9
                $0.links[1].type = .superseded
                $0.links[2].type = .superseded
            } == [])
        #expect(gaps { $0.spans.remove(at: 1) } == [.notThere])
        // A stored row whose context is not that of a write.
        #expect(answer({ _ in }, isRow: true, from: 20).steps.map(\.gap) == [.noWrite])
        #expect(answer({ _ in }, isRow: true).isComplete && answer({ _ in }, from: 20).isComplete)

        let unsampled = answer { $0.links[0].context.flags = 0 }
        #expect(!unsampled.isComplete && unsampled.count(of: .notSampled) == 1)
        let text = graph(Sample.count()).text(of: unsampled)
        #expect(text.contains("sources may be missing: rows whose trace was not sampled (1)"))
        #expect(graph(Sample.count()).json(of: unsampled).hasPrefix(#"{"complete":false,"truncated":false"#))
        #expect(graph(Sample.count()).json(of: unsampled).contains(#""gap":"notSampled""#))
    }

    @Test func `links say that their span was not sampled in both encodings`() throws {
        var batch = Sample.count()
        batch.links[0].context.flags = 0
        batch.spans[4].flags |= SpanRecord.parentIsUnsampled
        let read = try OTLPJSON.spans(ofLine: Sample.json(batch).span.bytes)
        let exporter = InMemorySpanExporter()
        exporter.export(batch)
        #expect(read.flatMap(\.links).map(\.isSampled) == [false, true, true])
        #expect(exporter.spans().flatMap(\.links).map(\.isSampled) == [false, true, true])
        #expect(read.last?.attributes["tributary.parent.sampled"] == .bool(false))
    }

    @Test func `cycles and spans that come twice do no harm`() {
        var batch = SpanBatch(operations: Sample.operations)
        for (span, parent) in [(1, 2), (2, 1), (3, 3)] as [(UInt64, UInt64)] {
            var record = SpanRecord(
                context: Sample.context(9, span), parent: parent, start: 0, end: 1, operation: 1)
            record.firstLink = 0
            record.links = 1
            batch.spans.append(record)
        }
        batch.links = [LinkRecord(.merged, Sample.context(9, 1))]
        let graph = graph(batch, batch)
        #expect(graph.spans.count == 3)
        #expect(graph.why(SpanID(Sample.context(9, 1))).steps.count == 2)
        #expect(graph.text(ofTrace: Sample.context(9, 1).traceID).isEmpty)
    }
}

@Suite struct TraceFileTests {
    @Test func `a malformed line is named with its file and number`() throws {
        let line = Sample.json(Sample.count())
        let bytes = line + [0x0a, 0x20, 0x0a] + Array("{\n".utf8) + line
        let error = #expect(throws: TraceFileError.self) { try TraceFile.spans(bytes.span.bytes, path: "a.jsonl") }
        #expect(error?.line == 4 && error?.code == .malformedLine)
        #expect(error?.description == "a.jsonl:4: a name is missing at byte 1")
        var skipped: [Int?] = []
        let spans = try TraceFile.spans(bytes.span.bytes, path: "a.jsonl") { skipped.append($0.line) }
        #expect(spans.count == 10 && skipped == [4])
    }

    @Test func `files that aren't there or too large are refused`() throws {
        let missing = #expect(throws: TraceFileError.self) { try TraceFile.read("/nowhere/spans.jsonl") }
        #expect(missing?.code == .io && missing?.path == "/nowhere/spans.jsonl")
        let folder = try TemporaryFolder()
        try folder.file("a.jsonl", Sample.json(Sample.count()))
        let large = #expect(throws: TraceFileError.self) { try TraceFile.read(folder.path + "/a.jsonl", limit: 100) }
        #expect(large?.code == .tooLarge)
        try folder.file("a.jsonl.gz", gzipped)
        #expect(try TraceFile.read(folder.path + "/a.jsonl.gz").isEmpty)
        try folder.file("b.jsonl.gz", Array(gzipped.dropLast(9)))
        let cut = #expect(throws: TraceFileError.self) { try TraceFile.read(folder.path + "/b.jsonl.gz") }
        #expect(cut?.code == .gzip)
    }
}
