/// A type whose values can be keys and values of records, since it names its serde: none need be given where it is used.
///
/// The standard types name theirs: `String`, `Substring`, `[UInt8]`, `Int16`, `Int32`, `Int64`, `Int`, `Float`, `Double`, `Bool`,
/// optionals of such types, and `UUID`, `Date` and `Data` in `TributaryFoundation`. A type of one's own names its own once:
///
/// ```swift
/// extension Order: Recordable {
///     static var serde: Serde<Order> { .json() }
/// }
/// ```
///
/// It is asked while a topology is built, not for each record. A serde that an operator is given has precedence.
public protocol Recordable: SendableMetatype {
    /// How values are written and read where nothing else is said.
    static var serde: Serde<Self> { get }
}

extension Serde {
    /// The serde that the type names; nil if the type isn't ``Recordable``.
    public static var standard: Serde<Value>? {
        (Value.self as? any Recordable.Type)?.erasedSerde as? Serde<Value>
    }
}

extension Recordable {
    fileprivate static var erasedSerde: Any { serde }
}

extension String: Recordable {
    /// As ``Serde/string`` writes it.
    public static var serde: Serde<String> { .string }
}

extension Substring: Recordable {
    /// As ``Serde/substring`` writes it.
    public static var serde: Serde<Substring> { .substring }
}

extension Array: Recordable where Element == UInt8 {
    /// As ``Serde/bytes`` writes it.
    public static var serde: Serde<[UInt8]> { .bytes }
}

extension Bool: Recordable {
    /// As ``Serde/bool`` writes it.
    public static var serde: Serde<Bool> { .bool }
}

extension Int16: Recordable {
    /// As ``Serde/int16`` writes it.
    public static var serde: Serde<Int16> { .int16 }
}

extension Int32: Recordable {
    /// As ``Serde/int32`` writes it.
    public static var serde: Serde<Int32> { .int32 }
}

extension Int64: Recordable {
    /// As ``Serde/int64`` writes it.
    public static var serde: Serde<Int64> { .int64 }
}

extension Int: Recordable {
    /// As ``Serde/int`` writes it.
    public static var serde: Serde<Int> { .int }
}

extension Float: Recordable {
    /// As ``Serde/float`` writes it.
    public static var serde: Serde<Float> { .float }
}

extension Double: Recordable {
    /// As ``Serde/double`` writes it.
    public static var serde: Serde<Double> { .double }
}

extension Optional: Recordable where Wrapped: Recordable {
    /// The wrapped type's, with null as `nil`.
    public static var serde: Serde<Wrapped?> { Wrapped.serde.optional }
}
