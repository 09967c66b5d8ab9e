internal import TributaryCore
public import TributaryDSL

/// A type that keys of an interpreted topology have: plain, or with a window of the DSL's own.
protocol CaseKeyType: CaseKeyProtocol, Sendable {
    /// The key as cases write it.
    var caseKey: CaseKey { get }
    /// A plain key as a key of this type; nil if the type has windows.
    static func plain(_ key: CaseKey) -> Self?
}

extension CaseKey: CaseKeyType {
    var caseKey: CaseKey { self }
    static func plain(_ key: CaseKey) -> CaseKey? { key }
}

extension Windowed: CaseKeyProtocol where Key == CaseKey {
    /// The key as text, with its window.
    public var keyText: String? { caseKey.keyText }
    /// The key without its window; nil for null.
    public var innerKey: String? { key.innerKey }
    /// A windowed key is never null.
    public var isNull: Bool { false }
}

extension Windowed: CaseKeyType where Key == CaseKey {
    var caseKey: CaseKey { .windowed(key.innerKey, start: window.start, end: window.end) }
    static func plain(_ key: CaseKey) -> Windowed<CaseKey>? { nil }
}

/// A type that values of an interpreted topology have: text, or what `count` gives.
protocol CaseValueType: Sendable {
    /// The value as cases write it.
    var caseValue: CaseValue { get }
    /// A value as one of this type.
    static func make(_ value: CaseValue) throws(FunctionFailure) -> Self
    /// The explicit serde of the type.
    static var serde: Serde<Self> { get }
    /// Whether the values are counts.
    static var isInteger: Bool { get }
}

extension CaseValue: CaseValueType {
    var caseValue: CaseValue { self }
    static func make(_ value: CaseValue) -> CaseValue { value }
    static var serde: Serde<CaseValue> { .caseText }
    static var isInteger: Bool { false }
}

extension Int64: CaseValueType {
    var caseValue: CaseValue { .integer(self) }
    static func make(_ value: CaseValue) throws(FunctionFailure) -> Int64 {
        guard case .integer(let number) = value else { throw FunctionFailure("text where a count is expected") }
        return number
    }
    static var serde: Serde<Int64> { .int64 }
    static var isInteger: Bool { true }
}

extension Serde where Value == CaseValue {
    /// Text in UTF-8; null is data.
    static var caseText: Serde<CaseValue> {
        let text = Serde<String>.string
        return Serde(
            name: "text", size: .computed { $0.text?.utf8.count ?? 0 }, validate: text.validate,
            decode: { bytes in .text(try text.decode(bytes)) },
            encode: { value, writer in
                guard case .text(let string) = value else {
                    throw SerdeError(.unwritable, serde: "text", "a count where text is expected")
                }
                try text.encode(string, &writer)
            })
    }
}

extension Serde where Value == CaseKey {
    /// Text in UTF-8; null is data.
    static var caseKey: Serde<CaseKey> {
        let text = Serde<String>.string
        return Serde(
            name: "text", size: .computed { $0.innerKey?.utf8.count ?? 0 }, validate: text.validate,
            decode: { bytes in .text(try text.decode(bytes)) },
            encode: { key, writer in
                guard case .text(let string) = key else {
                    throw SerdeError(.unwritable, serde: "text", "a windowed key where a plain one is expected")
                }
                try text.encode(string, &writer)
            })
    }
}

/// How the bytes of keys are read back, by topic or store.
enum KeyFormat: Sendable, Hashable {
    /// UTF-8.
    case text
    /// UTF-8 and the start of a window of that size; `sequence`: and 4 bytes more, as in window stores.
    case timeWindowed(size: Int64, sequence: Bool)
    /// UTF-8, the end and the start of a session.
    case session

    /// The key of bytes.
    func key(_ bytes: [UInt8]?) throws -> CaseKey {
        guard let bytes else { return .null }
        switch self {
        case .text: return try Serde<CaseKey>.caseKey.value(bytes)
        case .session: return try Serde<Windowed<CaseKey>>.sessionWindowed(.caseKey).value(bytes).caseKey
        case .timeWindowed(let size, let sequence):
            let short = sequence ? Array(bytes.dropLast(4)) : bytes
            return try Serde<Windowed<CaseKey>>.timeWindowed(.caseKey, size: .milliseconds(size)).value(short).caseKey
        }
    }
}

/// How the bytes of keys and values are read back, by topic or store.
struct RecordFormat: Sendable, Hashable {
    var key = KeyFormat.text
    var hasIntegers = false

    /// The value of bytes.
    func value(_ bytes: [UInt8]?) throws -> CaseValue {
        guard let bytes else { return .null }
        return hasIntegers ? .integer(try Serde<Int64>.int64.value(bytes)) : try Serde<CaseValue>.caseText.value(bytes)
    }
}
