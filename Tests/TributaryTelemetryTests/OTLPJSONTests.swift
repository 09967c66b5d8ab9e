import Testing
import TributaryCore
import TributaryLineage
import TributaryTelemetry

@Suite struct OTLPJSONTests {
    func spans(_ line: [UInt8]) throws(OTLPJSONError) -> [FinishedSpan] { try OTLPJSON.spans(ofLine: line.span.bytes) }

    @Test func `a span is written as collectors write it`() {
        var batch = Sample.count()
        batch.spans = Array(batch.spans.prefix(1))
        batch.links = []
        #expect(
            String(decoding: Sample.json(batch), as: UTF8.self)
                == #"{"resourceSpans":[{"resource":{"attributes":["#
                + #"{"key":"service.name","value":{"stringValue":"test"}},"#
                + #"{"key":"telemetry.sdk.language","value":{"stringValue":"swift"}},"#
                + #"{"key":"telemetry.sdk.name","value":{"stringValue":"tributary"}},"#
                + #"{"key":"telemetry.sdk.version","value":{"stringValue":"\#(TelemetryResource.libraryVersion)"}},"#
                + #"{"key":"tributary.case","value":{"stringValue":"case-1"}}]},"#
                + #""schemaUrl":"\#(TelemetryResource.schemaURL)","scopeSpans":[{"scope":{"#
                + #""name":"tributary","version":"\#(TelemetryResource.libraryVersion)"},"#
                + #""schemaUrl":"\#(TelemetryResource.schemaURL)","spans":["#
                + #"{"traceId":"0000000000000abc0000000000000001","spanId":"000000000000000a","#
                + #""parentSpanId":"0000000000000099","flags":769,"name":"process orders","kind":5,"#
                + #""startTimeUnixNano":"1000000","endTimeUnixNano":"1700000","attributes":["#
                + #"{"key":"messaging.destination.name","value":{"stringValue":"orders"}},"#
                + #"{"key":"messaging.system","value":{"stringValue":"kafka"}},"#
                + #"{"key":"messaging.destination.partition.id","value":{"stringValue":"0"}},"#
                + #"{"key":"messaging.kafka.offset","value":{"intValue":"7"}}],"status":{}}]}]}]}"# + "\n")
    }

    @Test func `what is written is read back whole`() throws {
        var batch = Sample.count()
        batch.spans[1].flags = SpanRecord.failed
        batch.spans[1].detail = 0
        batch.details = [
            SpanDetail(
                name: "a \"name\" \\ \u{1F600}\n\u{7f}",
                attributes: [
                    "d": .double(1.5), "e": .double(1e300), "b": .bool(false), "i": .int(Int64.min), "": .string(""),
                ],
                errorType: "Bad", errorMessage: "tab\there")
        ]
        let exporter = InMemorySpanExporter()
        exporter.export(batch)
        let read = try spans(Sample.json(batch))
        let written = exporter.spans()
        #expect(read.count == written.count)
        for (one, other) in zip(read, written) {
            var one = one
            // Flags of the wire also say whether contexts are remote.
            one.context.flags = other.context.flags
            one.service = nil
            #expect(one == other)
        }
    }

    @Test func `at most 128 links are written, and the number of the others`() throws {
        var batch = SpanBatch(operations: Sample.operations)
        var span = SpanRecord(context: Sample.context(1, 1), parent: 0, start: 0, end: 1, operation: 1)
        span.links = 500
        batch.spans = [span]
        batch.links = (0..<500).map { LinkRecord(.merged, Sample.context(1, UInt64($0) + 2)) }
        let read = try #require(try spans(Sample.json(batch)).first)
        #expect(read.links.count == 128 && read.droppedLinks == 372)
        #expect(read.attributes[AttributeNames.truncated] == .bool(true))
    }

    @Test func `other writers' JSON is read`() throws {
        let line = #"""
             { "resourceSpans": [ null0 {"unknown": [1.5e3, {}], "scopeSpans": [{"spans": [
             {"traceId":"0000000000000ABC0000000000000001","spanId":"000000000000000a","parentSpanId":"",
             "kind":2,"startTimeUnixNano":5,"endTimeUnixNano":"9","name":"\u00e4\ud83d\ude00",
             "attributes":[{"key":"a","value":{"intValue":7}},{"key":"l","value":{"arrayValue":{}}},{"key":"n"}],
             "links":[{"traceId":"0000000000000abc0000000000000002","spanId":"0000000000000003"}],
             "events":[{"name":"x"}]}]}]}]}
            """#
        let read = try spans(Array(line.replacing(" null0").utf8))
        let span = try #require(read.first)
        #expect(span.context == Sample.context(1, 10, flags: 0))
        #expect(span.name == "ä😀" && span.kind == 2 && span.start == 5 && span.end == 9)
        #expect(span.attributes == ["a": .int(7)])
        #expect(span.links == [.init(context: Sample.context(2, 3, flags: 0), type: nil)])
        #expect(try spans(Array("{}".utf8)).isEmpty)
        #expect(try spans(Array(#"{"resourceSpans":null,"resourceMetrics":[]}"#.utf8)).isEmpty)
    }

    @Test(arguments: [
        "", "nul", "[]", "{", "{}}", #"{"a":}"#, #"{"a":1,}"#, #"{"a":01}"#, #"{"a":-}"#, #"{"a":1.}"#, #"{"a":1e}"#,
        #"{"a":"\x"}"#, #"{"a":"\ud800"}"#, #"{"a":"\udc00"}"#, #"{"a":"\u12g4"}"#, "{\"a\":\"\n\"}", #"{"a":"#,
        #"{"resourceSpans":{}}"#, #"{"resourceSpans":[{"scopeSpans":[{"spans":[1]}]}]}"#,
        #"{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}"#,
        #"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00","spanId":"01"}]}]}]}"#,
    ])
    func `what is not a request is refused`(_ line: String) {
        #expect(throws: OTLPJSONError.self) { try spans(Array(line.utf8)) }
    }

    @Test func `depth is bounded and wrong UTF-8 refused`() {
        for count in [65, 100_000] {
            #expect(throws: OTLPJSONError.self) { try spans([UInt8](repeating: 0x5b, count: count)) }
        }
        #expect(throws: OTLPJSONError.self) { try spans(Array(#"{"a":""#.utf8) + [0xff] + Array(#""}"#.utf8)) }
        #expect(throws: OTLPJSONError.self) { try spans(Array(#"{"a":"\n"#.utf8) + [0xc3] + Array(#""}"#.utf8)) }
    }

    @Test func `cut and damaged lines are read or refused`() {
        let line = Sample.json(Sample.count()).dropLast()
        let accepted = TelemetryFuzzEntries.otlpJSON(line.span.bytes)
        #expect(accepted)
        for count in 0..<line.count {
            #expect(throws: OTLPJSONError.self) { try spans(Array(line.prefix(count))) }
        }
        var random = FastRandom(seed: 5)
        for index in line.indices {
            var wrong = Array(line)
            wrong[index] = UInt8(truncatingIfNeeded: random.next())
            _ = TelemetryFuzzEntries.otlpJSON(wrong.span.bytes)
        }
    }
}

extension String {
    fileprivate func replacing(_ part: String) -> String {
        let pieces = Array(utf8)
        let wanted = Array(part.utf8)
        guard let at = pieces.indices.first(where: { pieces[$0...].starts(with: wanted) }) else { return self }
        return String(decoding: pieces[..<at] + pieces[(at + wanted.count)...], as: UTF8.self)
    }
}
