#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// Decodes values from JSON in UTF-8, as Foundation's `JSONDecoder` does, many times faster.
///
/// Reuses its scratch from call to call: keep one. One thread at a time; a call from within a call, as from a custom
/// strategy, works. The text must be strict JSON (RFC 8259), all of it, also where nobody reads; any value may stand at the
/// top. Of two members with one key the first counts. Values, errors and coding paths are those of Foundation's decoder,
/// but where RFC 8259 says otherwise: no comma before a bracket; what nobody reads is checked too; UTF-8 only, not UTF-16;
/// zero with an exponent is zero; integers of any width may have an exponent; keys are compared byte by byte.
public final class FastJSONDecoder {
    /// How a decoder reads dates, data, numbers and keys; the defaults are Foundation's.
    public struct Options: Sendable {
        /// How to read a `Date`.
        public enum DateStrategy: Sendable {
            /// As `Date` decodes itself: seconds since the begin of 2001.
            case deferredToDate
            /// A number of seconds since the begin of 1970.
            case secondsSince1970
            /// A number of milliseconds since the begin of 1970.
            case millisecondsSince1970
            /// A text as ISO 8601 and RFC 3339 define it, without a fraction of a second.
            case iso8601
            /// As the closure does.
            case custom(@Sendable (_ decoder: any Decoder) throws -> Date)
        }

        /// How to read `Data`.
        public enum DataStrategy: Sendable {
            /// As `Data` decodes itself: an array of numbers.
            case deferredToData
            /// A text in Base64.
            case base64
            /// As the closure does.
            case custom(@Sendable (_ decoder: any Decoder) throws -> Data)
        }

        /// How to read infinities and NaN, for which JSON has no number.
        public enum NonConformingFloatStrategy: Sendable {
            /// Not at all.
            case `throw`
            /// As these texts.
            case convertFromString(positiveInfinity: String, negativeInfinity: String, nan: String)
        }

        /// How the keys of the text become those of the types; dictionaries keep theirs.
        public enum KeyStrategy: Sendable {
            /// As they are.
            case useDefaultKeys
            /// `one_two` as `oneTwo`.
            case convertFromSnakeCase
            /// As the closure does, given the path to the key and the key.
            case custom(@Sendable (_ codingPath: [any CodingKey]) -> any CodingKey)
        }

        /// How to read a `Date`.
        public var dateDecodingStrategy = DateStrategy.deferredToDate
        /// How to read `Data`.
        public var dataDecodingStrategy = DataStrategy.base64
        /// How to read infinities and NaN.
        public var nonConformingFloatDecodingStrategy = NonConformingFloatStrategy.throw
        /// How the keys of the text become those of the types.
        public var keyDecodingStrategy = KeyStrategy.useDefaultKeys
        /// What decoders hand on to the types that they decode.
        public var userInfo: [CodingUserInfoKey: any Sendable] = [:]

        /// Foundation's defaults.
        public init() {}
    }

    /// The options that the decoder was made with.
    public let options: Options
    // Nothing while a call works with it.
    private let idle = Cell<DecodingState?>(nil)

    /// Makes a decoder with Foundation's defaults, or others.
    public init(options: Options = Options()) { self.options = options }

    /// Decodes one value from `bytes`, one JSON text of less than 4 GB.
    ///
    /// - Throws: `DecodingError`: `dataCorrupted` with the byte offset in its description if the bytes are not JSON, are
    ///   not UTF-8 or nest more than 512 deep; else what the type's initializer throws.
    public func decode<Value: Decodable>(_ type: Value.Type, from bytes: RawSpan) throws -> Value {
        try bytes.withInput { try decode(type, input: $0) }
    }

    /// Decodes one value from `bytes`; the same as from a span.
    public func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        try unsafe decode(type, from: bytes.span.bytes)
    }

    private func decode<Value: Decodable>(_ type: Value.Type, input: RawInput) throws -> Value {
        try withState(input) { (state) throws in
            do throws(JSONFault) { try state.scan() } catch { throw error.error }
            return try state.decode(type, at: 0)
        }
    }

    /// Calls `body` with the reused state, or a new one within a call, set to read `input`.
    @inline(__always)
    func withState<Result>(_ input: RawInput, _ body: (DecodingState) throws -> Result) throws -> Result {
        let state = idle.value.take() ?? DecodingState(options: options)
        do {
            do throws(JSONFault) { try state.load(input) } catch { throw error.error }
            let result = try body(state)
            put(state)
            return result
        } catch {
            put(state)
            throw error
        }
    }

    /// Ends a call; a decoder that has outlived it keeps the state.
    @inline(__always)
    private func put(_ used: consuming DecodingState) {
        var state = used
        state.lending.settle()
        guard isKnownUniquelyReferenced(&state) else { return }
        state.shrink()
        idle.value = state
    }
}
