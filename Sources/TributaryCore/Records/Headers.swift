/// The headers of a record: an ordered list of names and values, duplicates and null values kept.
///
/// Held encoded, as batches and envelopes store them, so that a list that nobody looks into is copied as bytes and an empty
/// one costs nothing. Layout: varint count; for each: varint length, name (UTF-8); varint length + 1 (0 = null), value.
public struct Headers: Sendable, Hashable {
    /// The encoded list; empty if there are no headers.
    public private(set) var encoded: [UInt8]

    /// No headers.
    public init() { encoded = [] }

    /// The headers of `list`, in order.
    public init(_ list: [(name: String, value: [UInt8]?)]) {
        guard !list.isEmpty else {
            encoded = []
            return
        }
        var writer = ByteWriter()
        writer.append(varint: UInt64(list.count))
        for (name, value) in list { Headers.append(name: name, value: value, to: &writer) }
        encoded = writer.copy()
    }

    /// A list that is already encoded.
    ///
    /// - Throws: ``MalformedBytes`` if it is not one.
    public init(encoded span: RawSpan) throws(MalformedBytes) {
        try Headers.validate(span)
        encoded = [UInt8](copying: span)
    }

    /// Copies an encoded list that has been checked, for example by the log that it came from.
    public init(checked span: RawSpan) { encoded = [UInt8](copying: span) }

    /// Whether there are none.
    public var isEmpty: Bool { encoded.isEmpty }

    /// The number of headers.
    public var count: Int {
        var reader = unsafe ByteReader(encoded.span.bytes)
        return (try? reader.varint()).map { Int(truncatingIfNeeded: $0) } ?? 0
    }

    /// All headers in order.
    public var list: [(name: String, value: [UInt8]?)] {
        var list: [(name: String, value: [UInt8]?)] = []
        unsafe Headers.forEach(in: encoded.span.bytes) { name, value, isNull in
            list.append(
                (String(decoding: [UInt8](copying: name), as: UTF8.self), isNull ? nil : [UInt8](copying: value)))
        }
        return list
    }

    /// The value of the last header called `name`; nil if there is none or it is null.
    public func last(_ name: String) -> [UInt8]? {
        list.last { $0.name == name }?.value
    }

    /// Appends a header.
    public mutating func append(_ name: String, _ value: [UInt8]?) {
        self = Headers(list + [(name, value)])
    }

    /// Removes every header called `name`.
    public mutating func removeAll(_ name: String) {
        self = Headers(list.filter { $0.name != name })
    }

    /// Writes one header of an encoded list.
    public static func append(name: String, value: [UInt8]?, to writer: inout ByteWriter) {
        let bytes = Array(name.utf8)
        writer.append(varint: UInt64(bytes.count))
        writer.append(bytes)
        if let value {
            writer.append(varint: UInt64(value.count) + 1)
            writer.append(value)
        } else {
            writer.append(varint: 0)
        }
    }

    /// Checks that `span` is one whole encoded list, or empty.
    public static func validate(_ span: RawSpan) throws(MalformedBytes) {
        guard !span.isEmpty else { return }
        var reader = ByteReader(span)
        let count = try reader.varint()
        guard count <= UInt64(span.byteCount) else { throw .badLength(offset: 0, length: count) }
        for _ in 0..<count {
            _ = try reader.lengthPrefixed()
            let at = reader.offset
            let size = try reader.varint()
            guard size <= UInt64(reader.remaining) + 1 else { throw .badLength(offset: at, length: size) }
            if size > 1 { _ = try reader.span(Int(size - 1)) }
        }
        guard reader.remaining == 0 else { throw .badLength(offset: reader.offset, length: UInt64(reader.remaining)) }
    }

    /// Calls `body` with name, value and whether the value is null for each header of an encoded list, in order.
    ///
    /// Stops silently where the list is malformed: logs check lists with ``validate(_:)`` when they read them.
    @inlinable
    public static func forEach(in span: RawSpan, _ body: (RawSpan, RawSpan, Bool) -> Void) {
        guard !span.isEmpty else { return }
        var reader = ByteReader(span)
        guard let count = try? reader.varint() else { return }
        var left = count
        while left > 0 {
            left -= 1
            do throws(MalformedBytes) {
                let name = try reader.lengthPrefixed()
                let size = try reader.varint()
                if size == 0 {
                    body(name, RawSpan.empty, true)
                } else {
                    let value = try reader.span(Int(truncatingIfNeeded: size - 1))
                    body(name, value, false)
                }
            } catch {
                return
            }
        }
    }

    /// Whether two lists have the same headers in the same order.
    public static func == (left: Headers, right: Headers) -> Bool { left.encoded == right.encoded }
}
