/// The serdes of Kafka's own `Serdes` class, with their byte layouts (`org.apache.kafka.common.serialization`).

extension Serde where Value == String {
    /// UTF-8.
    ///
    /// Bytes that are not UTF-8 are refused, not repaired.
    public static var string: Serde<String> {
        Serde(
            name: "string", size: .computed { $0.utf8.count },
            validate: { bytes in
                if bytes.isASCII { return }
                guard (try? UTF8Span(validating: Span(_bytes: bytes))) != nil else { throw SerdeError.notUTF8 }
            },
            decode: { bytes in
                guard let text = String(strictUTF8: bytes) else { throw SerdeError.notUTF8 }
                return text
            },
            encode: { text, writer in writer.append(utf8: text) })
    }
}

extension Serde where Value == Substring {
    /// UTF-8: the bytes of ``string``, so that pieces of a text need not be copied to be sent.
    public static var substring: Serde<Substring> {
        let text = Serde<String>.string
        return Serde(
            name: text.name, size: .computed { $0.utf8.count }, validate: text.validate,
            decode: { bytes in Substring(try text.decode(bytes)) },
            encode: { text, writer in writer.append(utf8: String(text)) })
    }
}

extension Serde where Value == [UInt8] {
    /// The bytes themselves.
    public static var bytes: Serde<[UInt8]> {
        Serde(
            name: "bytes", size: .computed { $0.count },
            decode: { bytes in [UInt8](copying: bytes) },
            encode: { bytes, writer in writer.append(bytes) })
    }
}

extension Serde where Value == Void {
    /// Nothing: reads any bytes, writes none.
    public static var void: Serde<Void> {
        Serde(
            name: "void", size: .fixed(0), decode: { _ in () },
            encode: { _, _ in })
    }
}

extension Serde where Value == Bool {
    /// One byte, 0 or 1.
    public static var bool: Serde<Bool> {
        Serde(
            name: "bool", size: .fixed(1), validate: { bytes in _ = try boolean(bytes) },
            decode: { bytes in try boolean(bytes) },
            encode: { value, writer in writer.append(value ? 1 : 0) })
    }
}

extension Serde where Value == Int16 {
    /// 2 bytes, big-endian.
    public static var int16: Serde<Int16> { .integer("int16") }
}

extension Serde where Value == Int32 {
    /// 4 bytes, big-endian.
    public static var int32: Serde<Int32> { .integer("int32") }
}

extension Serde where Value == Int64 {
    /// 8 bytes, big-endian.
    public static var int64: Serde<Int64> { .integer("int64") }
}

extension Serde where Value == Int {
    /// 8 bytes, big-endian: the bytes of ``int64``.
    public static var int: Serde<Int> {
        let wide = Serde<Int64>.int64
        return Serde(
            name: wide.name, size: .fixed(8), validate: wide.validate,
            decode: { bytes in
                try length(bytes, 8, "int64")
                return Int(truncatingIfNeeded: bytes.integer(at: 0, as: Int64.self) ?? 0)
            },
            encode: { value, writer in writer.append(bigEndian: Int64(value)) })
    }
}

extension Serde where Value == Float {
    /// 4 bytes, IEEE 754, big-endian.
    public static var float: Serde<Float> {
        Serde(
            name: "float", size: .fixed(4), validate: { bytes in try length(bytes, 4, "float") },
            decode: { bytes in
                try length(bytes, 4, "float")
                return Float(bitPattern: bytes.integer(at: 0, as: UInt32.self) ?? 0)
            },
            encode: { value, writer in writer.append(bigEndian: value.bitPattern) })
    }
}

extension Serde where Value == Double {
    /// 8 bytes, IEEE 754, big-endian.
    public static var double: Serde<Double> {
        Serde(
            name: "double", size: .fixed(8), validate: { bytes in try length(bytes, 8, "double") },
            decode: { bytes in
                try length(bytes, 8, "double")
                return Double(bitPattern: bytes.integer(at: 0, as: UInt64.self) ?? 0)
            },
            encode: { value, writer in writer.append(bigEndian: value.bitPattern) })
    }
}

extension Serde where Value: FixedWidthInteger & BitwiseCopyable & SendableMetatype {
    @inlinable
    static func integer(_ name: String) -> Serde<Value> {
        let size = MemoryLayout<Value>.size
        return Serde(
            name: name, size: .fixed(size), validate: { bytes in try length(bytes, size, name) },
            decode: { bytes in
                try length(bytes, size, name)
                return bytes.integer(at: 0, as: Value.self) ?? 0
            },
            encode: { value, writer in writer.append(bigEndian: value) })
    }
}

extension SerdeError {
    fileprivate static var notUTF8: SerdeError { SerdeError(.malformed, serde: "string", "the bytes are not UTF-8") }
}

@usableFromInline
func length(_ bytes: RawSpan, _ expected: Int, _ name: String) throws {
    guard bytes.byteCount == expected else {
        throw SerdeError(.malformed, serde: name, "\(expected) bytes expected, \(bytes.byteCount) found")
    }
}

private func boolean(_ bytes: RawSpan) throws -> Bool {
    guard bytes.byteCount == 1, let byte = bytes.byte(at: 0), byte < 2 else {
        throw SerdeError(.malformed, serde: "bool", "one byte, 0 or 1, expected")
    }
    return byte == 1
}
