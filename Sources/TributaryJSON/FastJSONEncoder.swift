#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// Encodes values as JSON in UTF-8, as Foundation's `JSONEncoder` does, many times faster.
///
/// Reuses its buffers from call to call: keep one. One thread at a time; a call from within a call works. Without
/// ``Options/OutputFormatting/sortedKeys`` members are written in the order in which they are encoded.
public final class FastJSONEncoder {
    /// How an encoder writes dates, data, numbers and keys; the defaults are Foundation's.
    public struct Options: Sendable {
        /// How the text looks.
        public struct OutputFormatting: OptionSet, Sendable {
            /// The bits of the set.
            public let rawValue: UInt
            /// Makes a set of its bits.
            public init(rawValue: UInt) { self.rawValue = rawValue }
            /// One member or element a line, indented by two spaces a level.
            public static let prettyPrinted = OutputFormatting(rawValue: 1)
            /// Members in the order of their keys, byte by byte: equal values are equal bytes.
            public static let sortedKeys = OutputFormatting(rawValue: 2)
            /// A slash as it is, not as `\/`.
            public static let withoutEscapingSlashes = OutputFormatting(rawValue: 8)
        }

        /// How to write a `Date`.
        public enum DateStrategy: Sendable {
            /// As `Date` encodes itself: seconds since the begin of 2001.
            case deferredToDate
            /// A number of seconds since the begin of 1970.
            case secondsSince1970
            /// A number of milliseconds since the begin of 1970.
            case millisecondsSince1970
            /// A text as ISO 8601 and RFC 3339 define it, in whole seconds.
            case iso8601
            /// As the closure does; an empty object if it encodes nothing.
            case custom(@Sendable (Date, any Encoder) throws -> Void)
        }

        /// How to write `Data`.
        public enum DataStrategy: Sendable {
            /// As `Data` encodes itself: an array of numbers.
            case deferredToData
            /// A text in Base64.
            case base64
            /// As the closure does; an empty object if it encodes nothing.
            case custom(@Sendable (Data, any Encoder) throws -> Void)
        }

        /// How to write infinities and NaN, for which JSON has no number.
        public enum NonConformingFloatStrategy: Sendable {
            /// Not at all.
            case `throw`
            /// As these texts.
            case convertToString(positiveInfinity: String, negativeInfinity: String, nan: String)
        }

        /// How the keys of the types become those of the text; dictionaries keep theirs.
        public enum KeyStrategy: Sendable {
            /// As they are.
            case useDefaultKeys
            /// `oneTwo` as `one_two`.
            case convertToSnakeCase
            /// As the closure does, given the path to the key and the key.
            case custom(@Sendable (_ codingPath: [any CodingKey]) -> any CodingKey)
        }

        /// How the text looks.
        public var outputFormatting: OutputFormatting = []
        /// How to write a `Date`.
        public var dateEncodingStrategy = DateStrategy.deferredToDate
        /// How to write `Data`.
        public var dataEncodingStrategy = DataStrategy.base64
        /// How to write infinities and NaN.
        public var nonConformingFloatEncodingStrategy = NonConformingFloatStrategy.throw
        /// How the keys of the types become those of the text.
        public var keyEncodingStrategy = KeyStrategy.useDefaultKeys
        /// What encoders hand on to the types that they encode.
        public var userInfo: [CodingUserInfoKey: any Sendable] = [:]

        /// Foundation's defaults.
        public init() {}
    }

    /// The options that the encoder was made with.
    public let options: Options
    // Nothing while a call works with it.
    private let idle = Cell<EncodingState?>(nil)

    /// Makes an encoder with Foundation's defaults, or others.
    public init(options: Options = Options()) { self.options = options }

    /// Encodes `value` as one JSON text.
    ///
    /// - Throws: `EncodingError.invalidValue` if the value encodes nothing, nests deeper than 511, is longer than 2 GB or
    ///   holds a number that JSON hasn't; else what the type's `encode(to:)` throws.
    public func encode<Value: Encodable>(_ value: Value) throws -> [UInt8] {
        try encode(value) { $0.output.input.array }
    }

    /// Encodes `value` as one JSON text, and lends it to `body`: nothing is copied.
    ///
    /// - Throws: As the other method, or what `body` throws.
    public func encode<Value: Encodable>(_ value: Value, into body: (RawSpan) throws -> Void) throws {
        try encode(value) { try $0.output.withBytes(body) }
    }

    private func encode<Value: Encodable, Result>(
        _ value: Value, _ body: (EncodingState) throws -> Result
    ) throws -> Result {
        try withState { (state) throws in
            state.begin()
            do {
                try state.encode(value, at: 0)
                guard state.nodes[0].kind != .open else { throw invalid(value, "encodes nothing") }
                try state.write()
            } catch is JSONLimit {
                throw invalid(value, "nests too deep or becomes too long")
            }
            return try body(state)
        }
    }

    /// Calls `body` with the reused state, or a new one within a call.
    @inline(__always)
    func withState<Result>(_ body: (EncodingState) throws -> Result) throws -> Result {
        let state = idle.value.take() ?? EncodingState(options: options)
        do {
            let result = try body(state)
            put(state)
            return result
        } catch {
            put(state)
            throw error
        }
    }

    /// Ends a call; an encoder that has outlived it keeps the state, which is then no longer used here.
    @inline(__always)
    private func put(_ used: consuming EncodingState) {
        var state = used
        state.lending.settle()
        guard isKnownUniquelyReferenced(&state) else { return }
        state.shrink()
        idle.value = state
    }

    @inline(never)
    func invalid<Value>(_ value: Value, _ description: StaticString) -> EncodingError {
        .invalidValue(value, .init(codingPath: [], debugDescription: "\(Value.self) \(description)"))
    }
}

extension EncodingState {
    /// Gives memory back that only a giant value needed: 1 MB of each table stays, more or less.
    @inline(__always)
    func shrink() {
        if nodes.count > 1 << 15 { nodes.shrink(over: 1 << 15) }
        if texts.count > 1 << 20 { texts.shrink(over: 1 << 20) }
        if output.count > 1 << 20 { output.shrink(over: 1 << 20) }
    }
}
