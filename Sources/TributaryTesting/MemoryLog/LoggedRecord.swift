public import TributaryCore

/// A record as a log holds it, with copies of all its bytes: for tests to look at.
public struct LoggedRecord: Sendable, Hashable {
    /// The offset in its partition.
    public var offset: Int64
    /// The timestamp, ms since the epoch.
    public var timestamp: Int64
    /// The key; nil if it is null.
    public var key: [UInt8]?
    /// The value; nil for a tombstone.
    public var value: [UInt8]?
    /// The headers, without those of lineage.
    public var headers: Headers
    /// The trace context; `TraceContext.none` if there is none.
    public var context: TraceContext
    /// The value of the `tributary-cell` header; empty if there is none.
    public var cell: [UInt8]
    /// The rarer lineage headers (`tracestate`, `tributary-elements`).
    public var lineageHeaders: Headers

    /// Makes a record.
    public init(
        offset: Int64 = 0, timestamp: Int64, key: [UInt8]?, value: [UInt8]?, headers: Headers = Headers(),
        context: TraceContext = .none, cell: [UInt8] = [], lineageHeaders: Headers = Headers()
    ) {
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.headers = headers
        self.context = context
        self.cell = cell
        self.lineageHeaders = lineageHeaders
    }

    /// Copies record `index` out of a batch.
    public init(_ batch: RecordBatch, _ index: Int) {
        offset = batch.offset(index)
        timestamp = batch.timestamp(index)
        if let span = batch.key(index) { key = [UInt8](copying: span) } else { key = nil }
        if let span = batch.value(index) { value = [UInt8](copying: span) } else { value = nil }
        headers = Headers(checked: batch.headers(index))
        context = batch.context(index)
        cell = [UInt8](copying: batch.cell(index))
        lineageHeaders = Headers(checked: batch.lineageHeaders(index))
    }

    /// The number of bytes that a batch holds of it.
    var byteCount: Int {
        (key?.count ?? 0) + (value?.count ?? 0) + headers.encoded.count + cell.count + lineageHeaders.encoded.count
            + TraceContext.storedSize
    }
}
