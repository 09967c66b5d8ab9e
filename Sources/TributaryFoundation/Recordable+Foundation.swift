public import TributaryCore

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// A `Codable` type whose records are JSON: `extension Order: JSONRecordable {}` is all that it says.
public protocol JSONRecordable: Recordable, Codable {}

extension JSONRecordable {
    /// JSON, as `Serde.json` writes it.
    public static var serde: Serde<Self> { .json() }
}

extension UUID: Recordable {
    /// The 36 characters of Kafka's `UUIDSerializer`.
    public static var serde: Serde<UUID> { .uuid }
}

extension Date: Recordable {
    /// Milliseconds since the epoch, 8 bytes.
    public static var serde: Serde<Date> { .date }
}

extension Data: Recordable {
    /// The bytes themselves.
    public static var serde: Serde<Data> { .data }
}

extension Date: RecordTime {
    /// Milliseconds since 1970, rounded.
    public var millisecondsSinceEpoch: Int64 { Int64(exactly: (timeIntervalSince1970 * 1000).rounded()) ?? -1 }
}
