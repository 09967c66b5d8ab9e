/// A type that has a value standing for null, as `Optional` has `nil`.
///
/// Keys and values of Kafka records may be null. A type that conforms receives nulls as data in every closure; for any other
/// type a null value is a tombstone, which operators pass on without calling closures, and a null key is refused at the source.
public protocol NullableValue: SendableMetatype {
    /// The value that stands for null.
    static var nullValue: Self { get }
    /// Whether this is the value that stands for null.
    var isNullValue: Bool { get }
}

extension Optional: NullableValue {
    /// `nil`.
    @inlinable public static var nullValue: Wrapped? { nil }
    /// Whether this is `nil`.
    @inlinable public var isNullValue: Bool {
        if case .none = self { true } else { false }
    }
}

/// How null is written in a type, found once when a topology is built.
public struct Nullability<Value>: Sendable {
    /// Makes the value that stands for null.
    public let null: @Sendable () -> Value
    /// Whether a value stands for null.
    public let isNull: @Sendable (Value) -> Bool

    /// The nullability of `Value`, or nil if the type has no null.
    public static func of(_ type: Value.Type = Value.self) -> Nullability<Value>? {
        (type as? any NullableValue.Type)?.nullability as? Nullability<Value>
    }
}

extension NullableValue {
    fileprivate static var nullability: Any {
        Nullability<Self>(null: { nullValue }, isNull: { $0.isNullValue })
    }
}
