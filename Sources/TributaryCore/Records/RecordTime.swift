/// A moment that can be a record's timestamp: milliseconds since the epoch as an `Int64`, and `Date` with `TributaryFoundation`.
public protocol RecordTime {
    /// Milliseconds since the epoch.
    var millisecondsSinceEpoch: Int64 { get }
}

extension Int64: RecordTime {
    /// The number itself.
    public var millisecondsSinceEpoch: Int64 { self }
}
