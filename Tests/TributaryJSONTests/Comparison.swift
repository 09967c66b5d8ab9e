import Foundation
import Testing
import TributaryJSON

/// A generator of random numbers that repeats.
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Any JSON value.
indirect enum AnyJSON: Codable, Equatable {
    case null, bool(Bool), number(Double), string(String), array([AnyJSON]), object([String: AnyJSON])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if (try? decoder.unkeyedContainer()) != nil {
            self = .array(try container.decode([AnyJSON].self))
        } else if (try? decoder.container(keyedBy: AnyKey.self)) != nil {
            self = .object(try container.decode([String: AnyJSON].self))
        } else {
            do { self = .string(try container.decode(String.self)) } catch DecodingError.typeMismatch {
                self = .number(try container.decode(Double.self))
            }
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}

struct AnyKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { return nil }
}

/// An outcome that can be compared: a value, or the case of the error and its path.
enum Outcome<Value: Equatable>: Equatable {
    case value(Value)
    case failure(String)
}

func outcome<Value: Equatable>(_ body: () throws -> Value) -> Outcome<Value> {
    do { return .value(try body()) } catch { return .failure(describe(error)) }
}

func describe(_ error: any Error) -> String {
    func path(_ keys: [any CodingKey]) -> String {
        keys.map { "\($0.stringValue)/\($0.intValue ?? -1)" }.joined(separator: ".")
    }
    switch error {
    case DecodingError.typeMismatch(let type, let context): return "mismatch \(type) \(path(context.codingPath))"
    case DecodingError.valueNotFound(let type, let context): return "no value \(type) \(path(context.codingPath))"
    case DecodingError.keyNotFound(let key, let context):
        return "no key \(key.stringValue) \(path(context.codingPath))"
    case DecodingError.dataCorrupted(let context): return "corrupted \(path(context.codingPath))"
    case EncodingError.invalidValue(_, let context): return "invalid \(path(context.codingPath))"
    default: return "\(error)"
    }
}

/// Decodes with both coders and expects the same.
func expectSame<Value: Decodable & Equatable>(
    _ type: Value.Type, _ text: String, except: Divergence? = nil, location: SourceLocation = #_sourceLocation
) {
    expectSame(type, [UInt8](text.utf8), except: except, location: location)
}

func expectSame<Value: Decodable & Equatable>(
    _ type: Value.Type, _ bytes: [UInt8], _ options: FastJSONDecoder.Options = .init(),
    foundation: JSONDecoder = JSONDecoder(), except: Divergence? = nil, location: SourceLocation = #_sourceLocation
) {
    let ours = outcome { try FastJSONDecoder(options: options).decode(type, from: bytes) }
    let theirs = outcome { try foundation.decode(type, from: Data(bytes)) }
    if let except, ours != theirs, except.explains(bytes) {
        if case (.value, .failure) = (ours, theirs) { return }
    }
    #expect(
        ours == theirs, "\(type) of \(String(decoding: bytes.prefix(200), as: UTF8.self))", sourceLocation: location)
}

/// Encodes with both coders, keys sorted, and expects the same bytes.
func expectSameBytes(
    _ value: some Encodable, _ given: FastJSONEncoder.Options = .init(), foundation: JSONEncoder = JSONEncoder(),
    location: SourceLocation = #_sourceLocation
) {
    var options = given
    options.outputFormatting.insert(.sortedKeys)
    foundation.outputFormatting.insert(.sortedKeys)
    let ours = outcome { String(decoding: try FastJSONEncoder(options: options).encode(value), as: UTF8.self) }
    let theirs = outcome { String(decoding: try foundation.encode(value), as: UTF8.self) }
    #expect(ours == theirs, sourceLocation: location)
}
