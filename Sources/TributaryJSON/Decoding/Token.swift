/// One value or key of a scanned text; an object or array is followed by its content.
struct Token: BitwiseCopyable {
    enum Kind: UInt8, BitwiseCopyable { case null, no, yes, number, string, key, object, array }

    /// What the scanner found out about a value.
    struct Flags: OptionSet, BitwiseCopyable {
        let rawValue: UInt8
        /// The bytes lie in the arena, without escapes, not in the text.
        static let inArena = Flags(rawValue: 1)
        /// The number has a minus sign.
        static let negative = Flags(rawValue: 2)
        /// The number has more digits, or a greater exponent, than the token can hold.
        static let long = Flags(rawValue: 4)
        /// Two keys of the object may be the same.
        static let suspect = Flags(rawValue: 8)
        /// The key came before in the same object: nobody finds it.
        static let hidden = Flags(rawValue: 16)
        /// The keys of the object are converted; a key has its old bytes in `extra`.
        static let converted = Flags(rawValue: 32)
        /// Stands for a missing member, `next` is the object.
        static let absent = Flags(rawValue: 64)
    }

    var kind: Kind
    var flags: Flags = []
    /// The power of ten of a number; the type of an object's keys.
    var exponent: Int16 = 0
    // Object, array: the index after the last token inside; while it is open the one around it, plus one. Key: its object.
    var next: UInt32 = 0
    /// The first byte of the value; of a string or key the first after the quote.
    var start: UInt32
    /// Bytes of a string, key or number; members of an object, elements of an array.
    var size: UInt32 = 0
    // Number: its digits as an integer. Object: the next member in the low half, a filter of the keys in the high half; while
    // it is open, the filter. Key: its first eight bytes, zeros behind them; with converted bytes the old start and size.
    var extra: UInt64 = 0

    @inline(__always)
    var isContainer: Bool { kind.rawValue >= Kind.object.rawValue }

    /// Where an object's search begins.
    var cursor: Int {
        @inline(__always) get { Int(truncatingIfNeeded: extra & 0xFFFF_FFFF) }
        @inline(__always) set {
            extra = extra & 0xFFFF_FFFF_0000_0000 | UInt64(truncatingIfNeeded: newValue) & 0xFFFF_FFFF
        }
    }

    /// A bit for each key of an object, of which two halves are one.
    var filter: UInt64 {
        @inline(__always) get { extra &>> 32 }
        @inline(__always) set { extra = extra & 0xFFFF_FFFF | (newValue | newValue &<< 32) & 0xFFFF_FFFF_0000_0000 }
    }

    /// The number of an object's type of keys, zero for none and from 2^16 on.
    var keyType: Int {
        @inline(__always) get { Int(UInt16(bitPattern: exponent)) }
        @inline(__always) set { exponent = Int16(bitPattern: UInt16(exactly: newValue) ?? 0) }
    }

    /// The name of the value in error messages.
    var name: String {
        switch kind {
        case .null: "null"
        case .no, .yes: "a truth value"
        case .number: "a number"
        case .string, .key: "a string"
        case .object: "an object"
        case .array: "an array"
        }
    }
}

/// Why bytes are not JSON.
struct JSONFault: Error {
    let message: String
    let offset: Int

    var error: DecodingError {
        .dataCorrupted(.init(codingPath: [], debugDescription: "not JSON: \(message) at byte \(offset)"))
    }
}
