import Testing
import TributaryCore
import TributaryLineage

@testable import TributaryTelemetry

@Suite struct SpanLimitTests {
    /// One span with five links of Tributary's own, one of the user's, and an event; all with something left out.
    private func batch(links: Int) -> SpanBatch {
        var detail = SpanDetail(name: "s")
        detail.droppedAttributes = 1
        detail.droppedEvents = 2
        detail.droppedLinks = 3
        var event = SpanEvent("e", time: 1)
        event.droppedAttributes = 4
        detail.events = [event]
        var link = SpanDetail.Link(Sample.context(8, 8))
        link.droppedAttributes = 5
        detail.links = [link]
        var span = SpanRecord(context: Sample.context(1, 1), parent: 0, start: 1, end: 2, operation: -1)
        span.detail = 0
        span.links = 5
        var batch = SpanBatch(
            spans: [span], links: (1...5).map { LinkRecord(.merged, Sample.context(2, $0)) }, details: [detail])
        batch.limits.links = links
        return batch
    }

    private func write(_ batch: SpanBatch, _ encoding: OTLPEncoding) -> [UInt8] {
        var writer = ByteWriter()
        var frame = OTLPFrame(.traces, encoding, resource: Sample.resource, to: &writer)
        var spans = OTLPSpans(encoding)
        _ = spans.append(
            batch, from: 0, limit: Int.max, room: Int.max, frame: &frame, to: &writer, isFirst: true, refused: {})
        frame.close(&writer)
        return writer.copy()
    }

    @Test(arguments: [(128, 6, 3), (6, 6, 3), (5, 5, 4), (2, 2, 7), (0, 0, 9), (-1, 0, 9)])
    func `links above the limit are counted in both encodings`(_ limit: Int, _ links: Int, _ dropped: Int) throws {
        let batch = batch(links: limit)
        let span = try ProtobufMessage(write(batch, .protobuf)).messages(1)[0].messages(2)[0].messages(2)[0]
        #expect(span[13].count == links && span[14] == [.varint(UInt64(dropped))])
        let isTruncated = try span.attributes(9)["tributary.lineage.truncated"] != nil
        #expect(isTruncated == (limit < 5))
        #expect(span[10] == [.varint(1)] && span[12] == [.varint(2)])
        #expect(try span.messages(11)[0][4] == [.varint(4)])
        if links == 6 { #expect(try span.messages(13)[5][5] == [.varint(5)]) }
        let request = try JSONReader.read(write(batch, .json).span.bytes)
        let scope = request["resourceSpans"]?.array?.first?["scopeSpans"]?.array?.first
        let json = try #require(scope?["spans"]?.array?.first)
        #expect(json["links"]?.array?.count ?? 0 == links && json["droppedLinksCount"]?.int64 == Int64(dropped))
        #expect(json["droppedAttributesCount"]?.int64 == 1 && json["droppedEventsCount"]?.int64 == 2)
        #expect(json["events"]?.array?.first?["droppedAttributesCount"]?.int64 == 4)
        if links == 6 { #expect(json["links"]?.array?.last?["droppedAttributesCount"]?.int64 == 5) }
    }

    @Test func `a batch that lost spans keeps its limits`() {
        var queue = SpanQueue(limit: 3000)
        for _ in 0..<40 {
            var batch = Sample.many(10, seed: UInt64.random(in: 0 ... .max))
            batch.limits.links = 7
            queue.add(batch)
        }
        #expect(queue.counts.dropped > 0)
        while let batch = queue.take() { #expect(batch.limits.links == 7) }
    }
}
