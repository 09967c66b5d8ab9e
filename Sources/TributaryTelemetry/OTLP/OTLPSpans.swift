internal import TributaryCore
internal import TributaryLineage

/// Writes spans of batches into requests, as many as fit.
struct OTLPSpans: ~Copyable {
    let encoding: OTLPEncoding
    // What spans of one operation share is written once and copied: encoded attributes by operation.
    private var shared = ByteWriter()
    private var ranges: [Range<Int>] = []
    private var known: [SpanOperation] = []

    init(_ encoding: OTLPEncoding) { self.encoding = encoding }

    /// Appends spans of a batch from index `from` on, until a limit is reached.
    ///
    /// - Parameters:
    ///   - limit: how large the whole request may get, its end included.
    ///   - room: how many spans may be appended.
    ///   - refused: called for each span that is left out: its ids are not valid, or it is larger than a request may be.
    /// - Returns: the index of the first span that is left for the next request, and how many were appended.
    mutating func append(
        _ batch: SpanBatch, from: Int, limit: Int, room: Int, frame: inout OTLPFrame, to writer: inout ByteWriter,
        isFirst: Bool, refused: () -> Void
    ) -> (next: Int, count: Int) {
        share(batch.operations)
        var index = from
        var count = 0
        while index < batch.spans.count && count < room {
            let span = batch.spans[index]
            guard span.context.isValid else {
                refused()
                index += 1
                continue
            }
            let mark = writer.count
            let before = frame
            frame.beginItem(&writer)
            let operation = Int(span.operation)
            let bytes = shared.bytes(in: ranges.indices.contains(operation) ? ranges[operation] : 0..<0)
            switch encoding {
            case .protobuf: OTLPProtobuf.append(span, of: batch, shared: bytes, to: &writer)
            case .json: OTLPJSON.append(span, of: batch, shared: bytes, to: &writer)
            }
            frame.endItem(&writer)
            if writer.count + OTLPSpans.endSize > limit {
                writer.truncate(to: mark)
                frame = before
                guard isFirst && count == 0 else { break }
                refused()
            } else {
                count += 1
            }
            index += 1
        }
        return (index, count)
    }

    /// How many bytes the end of a request takes.
    static let endSize = 16

    private mutating func share(_ operations: [SpanOperation]) {
        // The batches of a thread share one array, so that this compares its address only.
        guard operations != known else { return }
        known = operations
        shared.removeAll()
        ranges.removeAll(keepingCapacity: true)
        for operation in operations {
            let start = shared.count
            switch encoding {
            case .protobuf: shared.append(field: 9, sorted: operation.attributes)
            case .json: OTLPJSON.append(sorted: operation.attributes, to: &shared)
            }
            ranges.append(start..<shared.count)
        }
    }
}
