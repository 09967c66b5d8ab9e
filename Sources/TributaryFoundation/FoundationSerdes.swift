public import TributaryCore
internal import TributaryJSON

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

extension Serde where Value: Codable & SendableMetatype {
    /// JSON through `Codable`, keys sorted so that equal values are equal bytes.
    ///
    /// Numbers, dates and optionals are as Foundation's coders write them, by coders of our own (`TributaryJSON`), which take about half a microsecond
    /// for a value of three members; strict RFC 8259.
    public static func json(_ type: Value.Type = Value.self) -> Serde<Value> {
        let name = "json(\(type))"
        let coders = JSONCoders()
        return Serde(
            name: name,
            decode: { bytes in
                do { return try coders.with { try $0.decoder.decode(Value.self, from: bytes) } } catch {
                    throw SerdeError(.malformed, serde: name, "not JSON of \(Value.self): \(ErrorText.of(error))")
                }
            },
            encode: { value, writer in
                do {
                    try coders.with { coder in try coder.encoder.encode(value) { writer.append($0) } }
                } catch {
                    throw SerdeError(.unwritable, serde: name, "not encodable as JSON: \(ErrorText.of(error))")
                }
            })
    }
}

extension Serde where Value == UUID {
    /// The 36 characters of a UUID as Kafka's `UUIDSerializer` writes them: UTF-8, lower case.
    public static var uuid: Serde<UUID> {
        Serde(
            name: "uuid", size: .fixed(36),
            decode: { bytes in
                guard let text = String(strictUTF8: bytes), let value = UUID(uuidString: text) else {
                    throw SerdeError(.malformed, serde: "uuid", "36 characters of a UUID expected")
                }
                return value
            },
            encode: { value, writer in writer.append(utf8: value.uuidString.lowercased()) })
    }
}

extension Serde where Value == Date {
    /// Milliseconds since the epoch, 8 bytes, big-endian.
    public static var date: Serde<Date> {
        Serde(
            name: "date", size: .fixed(8),
            decode: { bytes in
                guard bytes.byteCount == 8, let milliseconds = bytes.integer(at: 0, as: Int64.self) else {
                    throw SerdeError(.malformed, serde: "date", "8 bytes expected, \(bytes.byteCount) found")
                }
                return Date(timeIntervalSince1970: Double(milliseconds) / 1000)
            },
            encode: { value, writer in
                let milliseconds = (value.timeIntervalSince1970 * 1000).rounded()
                guard let whole = Int64(exactly: milliseconds) else {
                    throw SerdeError(.unwritable, serde: "date", "a date outside of 64-bit milliseconds")
                }
                writer.append(bigEndian: whole)
            })
    }
}

extension Serde where Value == Data {
    /// The bytes themselves.
    public static var data: Serde<Data> {
        Serde(
            name: "bytes", size: .computed { $0.count }, decode: { bytes in Data([UInt8](copying: bytes)) },
            encode: { data, writer in writer.append([UInt8](data)) })
    }
}
