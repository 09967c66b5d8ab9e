/// What a ``Serde`` could not read or write.
public struct SerdeError: Error, Sendable, CustomStringConvertible {
    /// What kind of refusal it was.
    public enum Code: Sendable, Hashable {
        /// The bytes are not what the serde reads.
        case malformed
        /// The value cannot be written.
        case unwritable
        /// A null key or value where the serde has none.
        case unexpectedNull
    }

    /// What kind of refusal it was.
    public let code: Code
    /// The serde's name.
    public let serde: String
    /// What was wrong, in words, without the record's contents.
    public let message: String

    /// Makes an error of a serde.
    public init(_ code: Code, serde: String, _ message: String) {
        self.code = code
        self.serde = serde
        self.message = message
    }

    /// One sentence.
    public var description: String { "serde '\(serde)': \(message)" }
}

/// What a serde can say about the length of what it writes, so that a cache can count bytes without encoding.
public enum EncodedSize<Value>: Sendable {
    /// Always this many bytes.
    case fixed(Int)
    /// Computed from the value, cheaper than encoding it.
    case computed(@Sendable (Value) -> Int)
    /// Only known once encoded.
    case unknown
}

/// How values of one type become bytes and back, in a layout that Kafka clients of other languages share.
///
/// A value of closures rather than a protocol: it is found by `.string`, `.int64`, `.json(Account.self)` at the call, is erased
/// once, and any format can be made by two closures. The closures may be called on any thread, several at once, and may throw
/// anything: the application's handler is asked. A type that names its own is ``Recordable``, and then none need be given.
public struct Serde<Value>: Sendable {
    /// The name for messages and for the topology's fingerprint.
    public let name: String
    /// Reads a value; the view ends when the closure returns.
    public let decode: @Sendable (RawSpan) throws -> Value
    /// Appends a value's bytes to the writer.
    public let encode: @Sendable (Value, inout ByteWriter) throws -> Void
    /// Checks bytes without making a value, where that is cheaper than decoding; nil if every byte string is a value.
    public let validate: (@Sendable (RawSpan) throws -> Void)?
    /// What is known of the encoded length.
    public let size: EncodedSize<Value>
    /// How the bytes are made of a record's key and a window; ``KeySchema/plain`` but for keys of windowed records.
    public let keys: KeySchema
    /// Why nothing can be written or read with it; nil if it can.
    ///
    /// `build()` refuses a topology with such a serde.
    public let problem: String?
    /// How null is written in `Value`, if it has a null; ``decode`` and ``encode`` never see it.
    public let nullability: Nullability<Value>?

    /// Makes a serde of two closures.
    ///
    /// - Parameters:
    ///   - name: stands in messages and in the fingerprint; change it when the format changes.
    ///   - size: what is known of the encoded length.
    ///   - keys: what a key's last bytes are, where they don't decide a record's partition.
    ///   - problem: why nothing can be written or read with it, for a serde whose settings make no sense.
    ///   - validate: refuses bytes that `decode` would refuse. Without it, such bytes surface where a value is first asked for
    ///     unless `decodes` always succeeds.
    ///   - decode: reads a value.
    ///   - encode: appends a value's bytes.
    public init(
        name: String, size: EncodedSize<Value> = .unknown, keys: KeySchema = .plain, problem: String? = nil,
        validate: (@Sendable (RawSpan) throws -> Void)? = nil,
        decode: @escaping @Sendable (RawSpan) throws -> Value,
        encode: @escaping @Sendable (Value, inout ByteWriter) throws -> Void
    ) {
        self.name = name
        self.size = size
        self.keys = keys
        self.problem = problem
        self.validate = validate
        self.decode = decode
        self.encode = encode
        nullability = Nullability<Value>.of()
    }

    /// The bytes of a value as an array; nil for null.
    public func bytes(_ value: Value) throws -> [UInt8]? {
        if let nullability, nullability.isNull(value) { return nil }
        var writer = ByteWriter(capacity: 64)
        try encode(value, &writer)
        return writer.copy()
    }

    /// The value of bytes, nil for null.
    public func value(_ bytes: [UInt8]?) throws -> Value {
        guard let bytes else {
            guard let nullability else {
                throw SerdeError(.unexpectedNull, serde: name, "null where the type has none")
            }
            return nullability.null()
        }
        return try unsafe decode(bytes.span.bytes)
    }
}

// The serde of an optional: null bytes are `nil`, everything else is the wrapped serde's.
extension Serde {
    /// The same format for a type that includes null, where a serde of an optional is expected: `.optional(.string)`.
    public static func optional<Wrapped>(_ inner: Serde<Wrapped>) -> Serde<Wrapped?> where Value == Wrapped? {
        inner.optional
    }

    /// The same format for a type that includes null.
    public var optional: Serde<Value?> {
        let inner = self
        let size: EncodedSize<Value?> =
            switch inner.size {
            case .fixed(let count): .computed { value in if case .none = value { 0 } else { count } }
            case .computed(let count): .computed { $0.map(count) ?? 0 }
            case .unknown: .unknown
            }
        return Serde<Value?>(
            name: "\(inner.name)?", size: size, keys: inner.keys, problem: inner.problem, validate: inner.validate,
            decode: { bytes in .some(try inner.decode(bytes)) },
            encode: { value, writer in
                guard let value else { throw SerdeError(.unwritable, serde: inner.name, "null has no bytes") }
                try inner.encode(value, &writer)
            })
    }
}
