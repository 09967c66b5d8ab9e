import Testing
import TributaryCore
import TributaryLineage

@testable import TributaryTelemetry

@Suite struct OTLPProtobufTests {
    func bytes(_ body: (inout ByteWriter) -> Void) -> [UInt8] {
        var writer = ByteWriter()
        body(&writer)
        return writer.copy()
    }

    func hex(_ text: String) -> [UInt8] {
        let digits = text.utf8.filter { $0 != 0x20 }
        return stride(from: 0, to: digits.count, by: 2).map { index in
            UInt8(String(decoding: digits[index..<(index + 2)], as: UTF8.self), radix: 16) ?? 0
        }
    }

    func request(_ batch: SpanBatch, limit: Int = Int.max) -> [UInt8] {
        bytes { writer in
            var frame = OTLPFrame(.traces, .protobuf, resource: Sample.resource, to: &writer)
            var spans = OTLPSpans(.protobuf)
            _ = spans.append(
                batch, from: 0, limit: limit, room: Int.max, frame: &frame, to: &writer, isFirst: true, refused: {})
            frame.close(&writer)
        }
    }

    @Test func `attributes of each type, byte for byte`() {
        // Field 9, length; field 1, length, key; field 2, length; then the oneof's field and value.
        #expect(bytes { $0.append(field: 9, "a", .int(300)) } == hex("4a 08  0a 01 61  12 03  18 ac 02"))
        #expect(
            bytes { $0.append(field: 9, "a", .int(-1)) }
                == hex("4a 10  0a 01 61  12 0b  18 ff ff ff ff ff ff ff ff ff 01"))
        #expect(bytes { $0.append(field: 9, "a", .string("")) } == hex("4a 07  0a 01 61  12 02  0a 00"))
        #expect(bytes { $0.append(field: 9, "a", .bool(false)) } == hex("4a 07  0a 01 61  12 02  10 00"))
        #expect(
            bytes { $0.append(field: 1, "ab", .double(1.5)) }
                == hex("0a 0f  0a 02 61 62  12 09  21 00 00 00 00 00 00 f8 3f"))
        let long = String(repeating: "x", count: 200)
        #expect(
            bytes { $0.append(field: 9, "a", .string(long)) }
                == hex("4a d1 01  0a 01 61  12 cb 01  0a c8 01") + Array(long.utf8))
    }

    @Test func `a span, byte for byte`() {
        var span = SpanRecord(
            context: Sample.context(1, 10), parent: 0x99, start: 1, end: 258, operation: 0)
        span.flags = SpanRecord.parentIsRemote | SpanRecord.failed
        span.links = 1
        span.detail = 0
        let batch = SpanBatch(
            operations: [SpanOperation(name: "p", kind: .consumer)], spans: [span],
            links: [LinkRecord(.merged, Sample.context(2, 3))], details: [SpanDetail(errorMessage: "no")])
        let link =
            "0a 10 0000000000000abc 0000000000000002  12 08 0000000000000003"
            // KeyValue "tributary.link" = "merged"
            + "22 1a  0a 0e 7472696275746172792e6c696e6b  12 08  0a 06 6d6572676564"
            + "35 01 01 00 00"
        let expected =
            "0a 10 0000000000000abc 0000000000000001  12 08 000000000000000a  22 08 0000000000000099"
            + "2a 01 70  30 05  39 01 00 00 00 00 00 00 00  41 02 01 00 00 00 00 00 00"
            // KeyValue "error.type" = "_OTHER", since the error has no type
            + "4a 16  0a 0a 6572726f722e74797065  12 08  0a 06 5f4f54484552"
            // The link: 61 bytes, the length in 4 bytes.
            + "6a bd 80 80 00" + link
            // The status: message, code 2.
            + "7a 86 80 80 00  12 02 6e 6f  18 02"
            // The flags are field 16: sampled, remote known, parent remote.
            + "85 01  01 03 00 00"
        #expect(hex(link).count == 61)
        #expect(bytes { OTLPProtobuf.append(span, of: batch, shared: RawSpan(), to: &$0) } == hex(expected))
    }

    @Test(arguments: [0, 1] as [UInt8])
    func `a link says if its span was not sampled`(_ flags: UInt8) throws {
        var span = SpanRecord(context: Sample.context(1, 10), parent: 0, start: 1, end: 2, operation: 0)
        span.links = 1
        let batch = SpanBatch(
            operations: Sample.operations, spans: [span],
            links: [LinkRecord(.merged, Sample.context(2, 3, flags: flags))])
        let message = try ProtobufMessage(
            bytes { OTLPProtobuf.append(span, of: batch, shared: RawSpan(), to: &$0) })
        let attributes = try #require(try message.messages(13).first).attributes(4)
        #expect(attributes["tributary.link.sampled"]?.value == (flags == 0 ? .varint(0) : nil))
    }

    @Test func `a request has what the JSON has`() throws {
        var batch = Sample.count()
        batch.spans[1].flags = SpanRecord.failed
        batch.spans[1].detail = 0
        batch.details = [
            SpanDetail(
                name: "own \u{1F600}", attributes: ["messaging.system": .string("mine"), "d": .double(0.5)],
                errorType: "Bad", errorMessage: "words")
        ]
        let message = try ProtobufMessage(request(batch))
        let resource = try #require(try message.messages(1).first)
        #expect(message.fields.count == 1)
        let attributes = try #require(try resource.messages(1).first).attributes(1)
        #expect(attributes["service.name"]?.value == .bytes(Array("test".utf8)))
        let scope = try #require(try resource.messages(2).first)
        #expect(try scope.messages(1).first?.texts(1) == ["tributary"])
        let spans = try scope.messages(2)
        let expected = try OTLPJSON.spans(ofLine: Sample.json(batch).span.bytes)
        #expect(spans.count == expected.count)
        for (span, other) in zip(spans, expected) {
            #expect(span[1] == [.bytes(hex(other.context.traceID))])
            #expect(span[2] == [.bytes(hex(other.context.spanID))])
            #expect(span[4] == (other.parent == 0 ? [] : [.bytes(hex(parent(other)))]))
            #expect(span.texts(5) == [other.name])
            #expect(span[6] == [.varint(UInt64(other.kind))])
            #expect(span[7] == [.fixed64(UInt64(other.start))] && span[8] == [.fixed64(UInt64(other.end))])
            let own = try span.attributes(9)
            #expect(Set(own.keys) == Set(other.attributes.keys))
            for (name, value) in other.attributes { #expect(field(value) == own[name].map { [$0.number: $0.value] }) }
            let links = try span.messages(13)
            #expect(links.count == other.links.count)
            for (link, known) in zip(links, other.links) {
                #expect(link[1] == [.bytes(hex(known.context.traceID))])
                #expect(link[2] == [.bytes(hex(known.context.spanID))])
                #expect(try link.attributes(4).count == (known.coordinate == nil ? 1 : 4))
                let remote: UInt32 = known.coordinate == nil ? 0x100 : 0x300
                #expect(link[6] == [.fixed32(UInt32(known.context.flags) | remote)])
            }
            let status = try span.messages(15)
            #expect(status.first?[3] == (other.failed ? [.varint(2)] : nil))
            #expect(status.first?.texts(2) == other.errorMessage.map { [$0] })
        }
    }

    func parent(_ span: FinishedSpan) -> String {
        var context = span.context
        context.span = span.parent
        return context.spanID
    }

    func field(_ value: AttributeValue) -> [Int: ProtobufField] {
        switch value {
        case .string(let text): [1: .bytes(Array(text.utf8))]
        case .bool(let flag): [2: .varint(flag ? 1 : 0)]
        case .int(let number): [3: .varint(UInt64(bitPattern: number))]
        case .double(let number): [4: .fixed64(number.bitPattern)]
        }
    }

    @Test func `a request ends at its limits and the next one goes on`() throws {
        let batch = Sample.many(100, seed: 3)
        for encoding in [OTLPEncoding.protobuf, .json] {
            var spans = OTLPSpans(encoding)
            var from = 0
            var requests = 0
            var total = 0
            while from < batch.spans.count {
                var writer = ByteWriter()
                var frame = OTLPFrame(.traces, encoding, resource: Sample.resource, to: &writer)
                let (next, count) = spans.append(
                    batch, from: from, limit: 6000, room: 15, frame: &frame, to: &writer, isFirst: true, refused: {})
                frame.close(&writer)
                #expect(next > from && count == next - from && count <= 15 && writer.count <= 6000)
                if encoding == .json { #expect(try OTLPJSON.spans(ofLine: writer.bytes).count == count) }
                from = next
                total += count
                requests += 1
            }
            #expect(total == 100 && requests >= 7)
        }
    }

    @Test func `a span that is too large or has no ids is left out and counted`() throws {
        var batch = Sample.many(5, seed: 3)
        batch.spans[0].context = .none
        batch.spans[2].detail = 0
        batch.details = [SpanDetail(name: String(repeating: "n", count: 10_000))]
        var refused = 0
        var sent = 0
        var from = 0
        while from < 5 {
            var writer = ByteWriter()
            var spans = OTLPSpans(.protobuf)
            var frame = OTLPFrame(.traces, .protobuf, resource: Sample.resource, to: &writer)
            let (next, count) = spans.append(
                batch, from: from, limit: 4096, room: 100, frame: &frame, to: &writer, isFirst: true,
                refused: { refused += 1 })
            frame.close(&writer)
            #expect(writer.count <= 4096)
            sent += count
            from = next
        }
        #expect(refused == 2 && sent == 3)
    }

    @Test func `log records`() throws {
        let lines = [
            TimedLine(
                line: LogMessage(
                    .warning, "one", metadata: [("k", "v"), ("k", "w")], source: "A", context: Sample.context(2, 3)),
                time: 5),
            TimedLine(line: LogMessage(.info, "two", source: "B"), time: 6),
            TimedLine(line: LogMessage(.critical, "", source: "A"), time: 7),
        ]
        let message = try ProtobufMessage(
            bytes { OTLPLogs.append(lines, encoding: .protobuf, resource: Sample.resource, to: &$0) })
        let scopes = try #require(try message.messages(1).first).messages(2)
        #expect(try scopes.map { try $0.messages(1).first?.texts(1) } == [["A"], ["B"]])
        let records = try #require(scopes.first).messages(2)
        let first = try #require(records.first)
        #expect(records.count == 2)
        #expect(first[1] == [.fixed64(5)] && first[11] == [.fixed64(5)] && first[2] == [.varint(13)])
        #expect(first.texts(3) == ["warning"])
        #expect(try first.messages(5).first?.texts(1) == ["one"])
        #expect(try first.attributes(6)["k"]?.value == .bytes(Array("w".utf8)))
        #expect(first[8] == [.fixed32(1)])
        #expect(first[9] == [.bytes(hex("0000000000000abc 0000000000000002"))])
        #expect(first[10] == [.bytes(hex("0000000000000003"))])
        let last = try #require(records.last)
        #expect(last[2] == [.varint(21)] && last[8].isEmpty && last[9].isEmpty && last[10].isEmpty)

        let json = String(
            decoding: bytes { OTLPLogs.append([lines[0]], encoding: .json, resource: Sample.resource, to: &$0) },
            as: UTF8.self)
        #expect(
            json.hasSuffix(
                #""scope":{"name":"A","version":"0.1.0"},"logRecords":[{"timeUnixNano":"5","observedTimeUnixNano":"5","#
                    + #""severityNumber":13,"severityText":"warning","body":{"stringValue":"one"},"#
                    + #""attributes":[{"key":"k","value":{"stringValue":"w"}}],"flags":1,"#
                    + #""traceId":"0000000000000abc0000000000000002","spanId":"0000000000000003"}]}]}]}"#))
    }
}
