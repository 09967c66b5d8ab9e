import Foundation
import TributaryJSON

/// A JSON text after a byte that selects the type: decoded, and what was decoded is encoded and decoded again.
///
/// With TRIBUTARY_FUZZ_FOUNDATION in the environment Foundation must do the same, but for what `Divergence` in the tests names.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 0 else { return 0 }
    let bytes = unsafe Array(UnsafeBufferPointer(start: start + 1, count: count - 1))
    switch unsafe start.pointee & 15 {
    case 0: coders.check(Anything.self, bytes)
    case 1: coders.check(Record.self, bytes)
    case 2: coders.check([Int].self, bytes)
    case 3: coders.check([Double].self, bytes)
    case 4: coders.check([String: [Float]].self, bytes)
    case 5: coders.check(Integers.self, bytes)
    case 6: coders.check([Special].self, bytes)
    case 7: coders.check([String].self, bytes)
    case 8: coders.check([Decimal].self, bytes)
    case 9: snakeCoders.check(Record.self, bytes)
    case 10: snakeCoders.check([String: Int?].self, bytes)
    case 11: snakeCoders.checkKeys(bytes)
    case 12: coders.checkFast(bytes)
    case 13: coders.check([Choice].self, bytes)
    case 14: coders.check([UInt64].self, bytes)
    default: coders.check(Tree.self, bytes)
    }
    return 0
}

/// The coders of both sides, used for all inputs in turn.
final class Coders: @unchecked Sendable {  // libFuzzer has one thread
    let decoder: FastJSONDecoder
    let encoder: FastJSONEncoder
    let theirDecoder = JSONDecoder()
    let theirEncoder = JSONEncoder()
    let comparesFoundation = ProcessInfo.processInfo.environment["TRIBUTARY_FUZZ_FOUNDATION"] != nil

    init(isSnake: Bool) {
        var reading = FastJSONDecoder.Options()
        var writing = FastJSONEncoder.Options()
        writing.outputFormatting = .sortedKeys
        theirEncoder.outputFormatting = .sortedKeys
        if isSnake {
            reading.keyDecodingStrategy = .convertFromSnakeCase
            reading.dateDecodingStrategy = .secondsSince1970
            writing.keyEncodingStrategy = .convertToSnakeCase
            theirDecoder.keyDecodingStrategy = .convertFromSnakeCase
            theirDecoder.dateDecodingStrategy = .secondsSince1970
            theirEncoder.keyEncodingStrategy = .convertToSnakeCase
        }
        decoder = FastJSONDecoder(options: reading)
        encoder = FastJSONEncoder(options: writing)
    }

    func check<Value: Codable & Equatable>(_ type: Value.Type, _ bytes: [UInt8]) {
        let ours = Outcome { try decoder.decode(type, from: bytes) }
        if comparesFoundation {
            let theirs = Outcome { try theirDecoder.decode(type, from: Data(bytes)) }
            if ours != theirs, !isNamedDifference(bytes) {
                let text = String(decoding: bytes, as: UTF8.self)
                // Foundation reads no wide integers with a fraction or an exponent.
                if case (.value, .failure) = (ours, theirs), text.contains(/\d[.eE]/) { return }
                // It cuts the fraction of an integer beyond 2^53 off.
                if case (.failure, .value) = (ours, theirs), text.contains(/\d{16}\d*\.\d|\d\.\d{16}/) { return }
                // It goes through the members of a dictionary in any order, and finds any of several errors.
                if case (.failure, .failure) = (ours, theirs), text.contains("{") { return }
                fail(bytes, "\(ours)", "\(theirs)")
            }
        }
        guard case .value(let value) = ours else { return }
        let text = Outcome { try encoder.encode(value) }
        if comparesFoundation {
            let theirs = Outcome { [UInt8](try theirEncoder.encode(value)) }
            if text != theirs, !isNamedDifference(bytes) { fail(bytes, "\(text)", "\(theirs)") }
        }
        // A snake's keys do not come back the same.
        guard theirEncoder.keyEncodingStrategy.isDefault, case .value(let again) = text else { return }
        let back = Outcome { try decoder.decode(type, from: again) }
        if back != ours { fail(bytes, "\(ours)", "\(back)") }
    }

    /// The bytes as names of keys.
    func checkKeys(_ bytes: [UInt8]) {
        let name = String(decoding: bytes, as: UTF8.self)
        let ours = Outcome { try encoder.encode(Named(name: name)) }
        guard comparesFoundation else { return }
        // A mark in front of a letter makes one character with it, which Foundation takes for the letter.
        guard name.allSatisfy({ $0.unicodeScalars.count == 1 || $0.isLetter }) else { return }
        let theirs = Outcome { [UInt8](try theirEncoder.encode(Named(name: name))) }
        if ours != theirs { fail(bytes, "\(ours)", "\(theirs)") }
        let text = Array((try? JSONEncoder().encode([name: 1])) ?? Data())
        let keys = Outcome { try decoder.decode(Keys.self, from: text) }
        let theirKeys = Outcome { try theirDecoder.decode(Keys.self, from: Data(text)) }
        if keys != theirKeys { fail(bytes, "\(keys)", "\(theirKeys)") }
    }

    /// What is written by hand against what the compiler writes.
    func checkFast(_ bytes: [UInt8]) {
        let fast = Outcome { try decoder.read([Record].self, from: bytes) }
        let slow = Outcome { try decoder.decode([Record].self, from: bytes) }
        switch (fast, slow) {
        case (.value(let value), .value):
            // Repeated keys are the last ones by hand.
            guard let text = try? encoder.encode(value) else { return }
            let written = try? encoder.write(value)
            if written != text { fail(bytes, "\(text)", "\(written ?? [])") }
        case (.failure, .failure), (.failure, .value), (.value, .failure):
            if case .value = slow, case .failure = fast, !isRepeating(bytes) { fail(bytes, "\(fast)", "\(slow)") }
            if case .value = fast, case .failure = slow, !isRepeating(bytes) { fail(bytes, "\(fast)", "\(slow)") }
        }
    }

    private func isRepeating(_ bytes: [UInt8]) -> Bool {
        let text = String(decoding: bytes, as: UTF8.self)
        return text.contains("\\u")
            || ["\"id\"", "\"name\"", "\"ok\"", "\"list\"", "\"inner\"", "\"amount\""].contains {
                text.components(separatedBy: $0).count > 2
            }
    }

    private func isNamedDifference(_ bytes: [UInt8]) -> Bool {
        if bytes.prefix(4).contains(0) || bytes.starts(with: [0xFE, 0xFF]) || bytes.starts(with: [0xFF, 0xFE]) {
            return true
        }
        let text = String(decoding: bytes, as: UTF8.self)
        if text.contains(/,\s*[\]}]/) || text.contains(/(^|[^0-9.])0(\.0+)?[eE]/) { return true }
        if text.unicodeScalars.contains(where: { $0.properties.canonicalCombiningClass.rawValue > 0 }) { return true }
        return (try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)) == nil
    }

    private func fail(_ bytes: [UInt8], _ ours: String, _ theirs: String) -> Never {
        fatalError("\(bytes)\nours:   \(ours.debugDescription)\ntheirs: \(theirs.debugDescription)")
    }
}

let coders = Coders(isSnake: false)
let snakeCoders = Coders(isSnake: true)

extension JSONEncoder.KeyEncodingStrategy {
    var isDefault: Bool { if case .useDefaultKeys = self { true } else { false } }
}

/// A value, or the case of the error and its path.
enum Outcome<Value: Equatable>: Equatable {
    case value(Value)
    case failure(String)

    init(_ body: () throws -> Value) {
        func path(_ context: DecodingError.Context) -> String {
            context.codingPath.map { "\($0.stringValue)/\($0.intValue ?? -1)" }.joined(separator: ".")
        }
        do { self = .value(try body()) } catch {
            switch error {
            case DecodingError.typeMismatch(let type, let context): self = .failure("mismatch \(type) \(path(context))")
            case DecodingError.valueNotFound(let type, let context): self = .failure("null \(type) \(path(context))")
            case DecodingError.keyNotFound(let key, let context):
                self = .failure("missing \(key.stringValue) \(path(context))")
            case DecodingError.dataCorrupted(let context): self = .failure("corrupted \(path(context))")
            case EncodingError.invalidValue(_, let context):
                self = .failure("invalid \(context.codingPath.map(\.stringValue).joined(separator: "."))")
            default: self = .failure("\(error)")
            }
        }
    }
}

struct AnyName: CodingKey {
    var stringValue: String
    var intValue: Int? { Int(stringValue) }
    init(stringValue: String) { self.stringValue = stringValue }
    init(intValue: Int) { stringValue = "\(intValue)" }
}

struct Named: Encodable {
    var name: String
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: AnyName.self)
        try container.encode(1, forKey: AnyName(stringValue: name))
    }
}

struct Keys: Decodable, Equatable {
    var names: [String]
    init(from decoder: any Decoder) throws {
        names = try decoder.container(keyedBy: AnyName.self).allKeys.map(\.stringValue).sorted()
    }
}

indirect enum Anything: Codable, Equatable {
    case null, bool(Bool), number(Double), string(String), array([Anything]), object([String: Anything])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if (try? decoder.unkeyedContainer()) != nil {
            self = .array(try container.decode([Anything].self))
        } else if (try? decoder.container(keyedBy: AnyName.self)) != nil {
            self = .object(try container.decode([String: Anything].self))
        } else {
            self = .number(try container.decode(Double.self))
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

/// Objects in objects, with keys that are asked for out of order.
final class Tree: Codable, Equatable {
    var left: Tree?
    var right: Tree?
    var value: Int
    var more: [Tree]?
    static func == (one: Tree, other: Tree) -> Bool {
        one.value == other.value && one.left == other.left && one.right == other.right && one.more == other.more
    }
}

struct Integers: Codable, Equatable {
    var a: Int8?
    var b: Int16?
    var c: Int32?
    var d: Int64?
    var e: UInt8?
    var f: UInt16?
    var g: UInt32?
    var h: UInt64?
    var i: Int128?
    var j: UInt128?
}

struct Special: Codable, Equatable {
    var date: Date?
    var data: Data?
    var url: URL?
    var decimal: Decimal?
    var uuid: UUID?
}

enum Choice: Codable, Equatable {
    case one, two(Int, name: String), three(flag: Bool?)
}

struct Record: Codable, Equatable {
    struct Inner: Codable, Equatable { var amount: Double }
    var id: Int64
    var name: String
    var ok: Bool?
    var list: [Int?]
    var inner: Inner?
}

extension Record: JSONReadable, JSONWritable {
    init(json: inout JSONInput) throws {
        var id: Int64?
        var name: String?
        var ok: Bool?
        var list: [Int?]?
        var inner: Inner?
        try json.beginObject()
        while try json.nextMember() {
            if json.hasKey("id") {
                id = try json.read()
            } else if json.hasKey("name") {
                name = try json.read()
            } else if json.hasKey("ok") {
                ok = try json.read()
            } else if json.hasKey("list") {
                list = try json.read()
            } else if json.hasKey("inner") {
                inner = try json.read()
            } else {
                try json.skip()
            }
        }
        self.init(
            id: try json.required(id, "id"), name: try json.required(name, "name"), ok: ok,
            list: try json.required(list, "list"), inner: inner)
    }

    func write(json: inout JSONOutput) {
        json.beginObject()
        json.member("id", id)
        if let inner { json.member("inner", inner) }
        json.member("list", list)
        json.member("name", name)
        if let ok { json.member("ok", ok) }
        json.endObject()
    }
}

extension Record.Inner: JSONReadable, JSONWritable {
    init(json: inout JSONInput) throws {
        var amount: Double?
        try json.beginObject()
        while try json.nextMember() {
            if json.hasKey("amount") { amount = try json.read() } else { try json.skip() }
        }
        self.init(amount: try json.required(amount, "amount"))
    }

    func write(json: inout JSONOutput) {
        json.beginObject()
        json.member("amount", amount)
        json.endObject()
    }
}
