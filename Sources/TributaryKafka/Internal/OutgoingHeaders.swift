internal import CRdKafka
internal import TributaryCore

/// A header list on its way to librdkafka, which takes it over with the record.
@safe struct OutgoingHeaders: ~Copyable {
    private(set) var pointer: OpaquePointer?
    nonisolated(unsafe) private static let empty: UnsafeMutableRawPointer = .allocate(byteCount: 1, alignment: 1)

    init() {}

    deinit { if let pointer = unsafe pointer { unsafe rd_kafka_headers_destroy(pointer) } }

    /// librdkafka has taken it over.
    mutating func given() { unsafe pointer = nil }

    /// Adds a header of lineage.
    mutating func add(_ key: HeaderKeys.Key, _ value: RawSpan) {
        let list = unsafe list()
        unsafe value.withUnsafeBytes { bytes in
            _ = unsafe rd_kafka_header_add(
                list, key.text, key.count, bytes.baseAddress ?? UnsafeRawPointer(Self.empty), bytes.count)
        }
    }

    /// Adds the headers of an encoded list.
    ///
    /// - Throws: ``MalformedBytes`` if it is none.
    mutating func add(encoded span: RawSpan) throws(MalformedBytes) {
        try Headers.validate(span)
        let list = unsafe list()
        Headers.forEach(in: span) { name, value, isNull in
            unsafe name.withUnsafeBytes { nameBytes in
                unsafe value.withUnsafeBytes { valueBytes in
                    let start = unsafe isNull ? nil : valueBytes.baseAddress ?? UnsafeRawPointer(Self.empty)
                    _ = unsafe rd_kafka_header_add(
                        list,
                        (nameBytes.baseAddress ?? UnsafeRawPointer(Self.empty)).assumingMemoryBound(to: CChar.self),
                        nameBytes.count, start, isNull ? 0 : valueBytes.count)
                }
            }
        }
    }

    @unsafe private mutating func list() -> OpaquePointer? {
        if unsafe pointer == nil { unsafe pointer = rd_kafka_headers_new(4) }
        return unsafe pointer
    }
}
