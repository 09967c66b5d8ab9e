import Foundation
import Testing
import TributaryJSON

/// Where we differ from Foundation's coders on purpose, each for a section of RFC 8259.
///
/// All other tests expect the same.
enum Divergence: CaseIterable {
    /// No comma may stand before a bracket (sections 4 and 5); Foundation takes one.
    case commaBeforeBracket
    /// Zero times any power of ten is zero (section 6); Foundation finds an underflow.
    case zeroWithExponent
    /// What nobody reads must be JSON too (section 9); Foundation does not look into the value of a repeated key.
    case unreadValue
    /// JSON is UTF-8 (section 8.1); Foundation guesses UTF-16 and UTF-32 as well.
    case otherEncoding
    /// Names are equal if their code units are (section 8.3); Foundation's are if Swift's strings are.
    case equivalentKeys
    /// A number is its value, however it is written (section 6); Foundation reads integers with a fraction or an exponent
    /// up to 64 bits, and not the greatest `Int64`; beyond 2^53 it cuts the fraction off, where we refuse the number.
    case wideInteger

    /// A text, and what it is for us and for Foundation: a description of the value, or nothing if it is refused.
    var example: (bytes: [UInt8], ours: String?, theirs: String?) {
        switch self {
        case .commaBeforeBracket: (Array("[1,]".utf8), nil, "[1.0]")
        case .zeroWithExponent: (Array("[0e5]".utf8), "[0.0]", nil)
        case .unreadValue: (Array(#"{"a":1,"a":01}"#.utf8), nil, #"["a": 1.0]"#)
        case .otherEncoding: ([0x5B, 0, 0x31, 0, 0x5D, 0], nil, "[1.0]")
        case .equivalentKeys: (Array("{\"e\u{301}\":1}".utf8), "[\"e\u{301}\": 1.0]", "[\"e\u{301}\": 1.0]")
        case .wideInteger: (Array("[1e38]".utf8), "[1e+38]", "[1e+38]")
        }
    }

    /// True if the bytes may be read differently for this reason.
    func explains(_ bytes: [UInt8]) -> Bool {
        let text = String(decoding: bytes, as: UTF8.self)
        switch self {
        case .commaBeforeBracket: return text.contains(/,\s*[\]}]/)
        case .zeroWithExponent: return text.contains(/(^|[^0-9.])0(\.0+)?[eE]/)
        case .unreadValue:
            // Foundation's other parser looks at everything.
            return (try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)) == nil
        case .otherEncoding:
            return bytes.prefix(4).contains(0) || bytes.starts(with: [0xFE, 0xFF]) || bytes.starts(with: [0xFF, 0xFE])
        case .wideInteger: return text.contains(/\d[.eE]/) && (Double(text)?.magnitude ?? .infinity) >= 0x1p62
        case .equivalentKeys: return text.unicodeScalars.contains { $0.properties.canonicalCombiningClass.rawValue > 0 }
        }
    }
}

struct Accented: Decodable {
    enum CodingKeys: String, CodingKey { case value = "\u{e9}" }
    var value: Int
}

@Suite struct DivergenceTests {
    @Test(arguments: Divergence.allCases)
    func `each difference from Foundation is as it is named`(divergence: Divergence) {
        let (bytes, ours, theirs) = divergence.example
        #expect(divergence.explains(bytes))
        func shown(_ value: AnyJSON?) -> String? { value.map { $0.text } }
        #expect(shown(try? FastJSONDecoder().decode(AnyJSON.self, from: bytes)) == ours)
        #expect(shown(try? JSONDecoder().decode(AnyJSON.self, from: Data(bytes))) == theirs)
    }

    @Test func `integers of any width may have an exponent`() throws {
        #expect(
            try FastJSONDecoder().decode(Int128.self, from: Array("1e38".utf8)) == 100 * 1_000_000_000_000
                * 1_000_000_000_000 * 1_000_000_000_000)
        #expect(try FastJSONDecoder().decode(Int64.self, from: Array("9223372036854775807.0".utf8)) == .max)
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(Int128.self, from: Data("1e38".utf8)) }
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(Int64.self, from: Data("9223372036854775807.0".utf8))
        }
        let cut = "1844674407370955136.4"
        #expect(throws: DecodingError.self) { try FastJSONDecoder().decode(UInt64.self, from: Array(cut.utf8)) }
        #expect(try JSONDecoder().decode(UInt64.self, from: Data(cut.utf8)) == 1_844_674_407_370_955_136)
    }

    @Test func `keys that only Swift takes for equal are different`() throws {
        let bytes = Divergence.equivalentKeys.example.bytes
        let missing = #expect(throws: DecodingError.self) { try FastJSONDecoder().decode(Accented.self, from: bytes) }
        let isMissing = if case .keyNotFound = missing { true } else { false }
        #expect(isMissing)
        #expect(try JSONDecoder().decode(Accented.self, from: Data(bytes)).value == 1)
    }
}

extension AnyJSON {
    /// The value as Swift prints it, members sorted.
    var text: String {
        switch self {
        case .null: "nil"
        case .bool(let value): "\(value)"
        case .number(let value): "\(value)"
        case .string(let value): value.debugDescription
        case .array(let values): "[\(values.map(\.text).joined(separator: ", "))]"
        case .object(let members):
            "[\(members.sorted { $0.key < $1.key }.map { "\($0.key.debugDescription): \($0.value.text)" }.joined(separator: ", "))]"
        }
    }
}
