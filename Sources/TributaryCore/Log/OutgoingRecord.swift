/// A record on its way to a log: views of bytes that the log copies before the call returns.
///
/// One value in place of seven arguments, handed on as a pointer. The lineage lies beside the user's headers, in the forms that logs store:
/// a producer makes headers of it where its log has nothing else.
public struct OutgoingRecord: ~Escapable {
    /// Milliseconds since the epoch.
    public let timestamp: Int64
    /// The key's bytes; nil for a null key.
    public let key: RawSpan?
    /// The value's bytes; nil for a tombstone.
    public let value: RawSpan?
    /// The user's headers as an encoded list (``Headers``); empty for none.
    ///
    /// Must not hold the lineage headers.
    public let headers: RawSpan
    /// Becomes the header `traceparent`; ``TraceContext/none`` for none.
    public let context: TraceContext
    /// Becomes the header `tributary-cell`; empty for none.
    public let cell: RawSpan
    /// An encoded list of the rarer lineage headers (`tracestate`, `tributary-elements`); empty for none.
    public let lineageHeaders: RawSpan

    /// Makes a record; without lineage and headers unless they are given.
    @inlinable
    @inline(__always)
    @_lifetime(copy key, copy value, copy headers, copy cell, copy lineageHeaders)
    public init(
        timestamp: Int64, key: RawSpan?, value: RawSpan?, headers: RawSpan = .empty, context: TraceContext = .none,
        cell: RawSpan = .empty, lineageHeaders: RawSpan = .empty
    ) {
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.headers = headers
        self.context = context
        self.cell = cell
        self.lineageHeaders = lineageHeaders
    }

    /// The bytes of key and value.
    @inlinable public var payloadCount: Int { (key?.byteCount ?? 0) &+ (value?.byteCount ?? 0) }

    /// The bytes of its lineage as the embedded log stores them.
    @inlinable public var lineageCount: Int {
        (context.isValid ? TraceContext.storedSize : 0) &+ cell.byteCount &+ lineageHeaders.byteCount
    }
}
