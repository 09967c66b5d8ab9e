import Foundation
import Testing

@testable import TributaryJSON

/// What a coder remembers from one value to the next must not show.
@Suite struct ReuseTests {
    struct Pair: Codable, Equatable {
        struct Inner: Codable, Equatable { var b: Int? }
        var a: Inner?
        var b: Int?
        var last: String?
    }

    @Test func `keys are found in texts of changing shape`() {
        let texts = [
            #"{"a":{"b":1},"b":2}"#, #"{"b":2,"a":{"b":1}}"#, #"{"x":[{"b":7}],"b":2}"#, #"{"x":{"b":1}}"#,
            #"{"a":{"b":1}}"#, #"{"b":1,"b":2}"#, #"{"x":1,"b":1,"b":2}"#, #"{"\u0062":3,"last":"l"}"#, #"{"a":null}"#,
            #"{}"#, #"{"a":{"a":1,"b":4,"b":5},"last":"x","b":6}"#, #"{"a":{},"x":{"last":"no"},"last":"yes"}"#,
            #"{"last":"first","b":9,"a":{"b":null}}"#, #"{"a":1}"#, #"{"b":"wrong"}"#, #"{"last":{"last":1}}"#,
        ]
        let decoder = FastJSONDecoder()
        let foundation = JSONDecoder()
        var random = Seeded(state: 7)
        for _ in 0..<2_000 {
            let text = texts[Int.random(in: 0..<texts.count, using: &random)]
            let ours = outcome { try decoder.decode(Pair.self, from: Array(text.utf8)) }
            let theirs = outcome { try foundation.decode(Pair.self, from: Data(text.utf8)) }
            #expect(ours == theirs, "\(text)")
        }
    }

    /// Asks for keys by name.
    struct Asking: Decodable {
        var found: [String: Int] = [:]
        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: AnyKey.self)
            for name in ReuseTests.names {
                if let value = try container.decodeIfPresent(Int.self, forKey: AnyKey(stringValue: name)) {
                    found[name] = value
                }
                #expect(container.contains(AnyKey(stringValue: name)) == (found[name] != nil))
            }
        }
    }

    /// Names of all lengths around those that lie in words, which share their begins, and some that aren't ASCII.
    static let names = (0...34).flatMap { length in
        let name = String("abcdefghijklmnopqrstuvwxyz0123456789".prefix(length))
        return [name, name + "é", name + "A"]
    }

    @Test func `names of all lengths are told apart`() throws {
        let decoder = FastJSONDecoder()
        for skipped in 0..<4 {
            let names = Self.names.enumerated().filter { $0.offset % 4 != skipped }
            let members = names.map { "\"\($0.element)\":\($0.offset)" }
            let value = try decoder.decode(Asking.self, from: Array("{\(members.joined(separator: ","))}".utf8))
            #expect(value.found == Dictionary(uniqueKeysWithValues: names.map { ($0.element, $0.offset) }))
        }
    }

    struct Writing: Encodable {
        var names: [String]
        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: AnyKey.self)
            for (number, name) in names.enumerated() { try container.encode(number, forKey: AnyKey(stringValue: name)) }
        }
    }

    @Test func `names of all lengths are written and sorted as Foundation does`() throws {
        var options = FastJSONEncoder.Options()
        options.outputFormatting = .sortedKeys
        let encoder = FastJSONEncoder(options: options)
        let plain = FastJSONEncoder()
        let foundation = JSONEncoder()
        foundation.outputFormatting = .sortedKeys
        var random = Seeded(state: 11)
        let odd = ["a/b", "a\"b", "a\\b", "\u{1}", "customerName/", "eightbyt\u{1F}", "eightbyte\"", "/"]
        for count in [1, 2, 3, 7, 20, 30, 200] {
            let all = Self.names + odd
            let names = (0..<count).map { _ in all[Int.random(in: 0..<all.count, using: &random)] }
            let theirs = try foundation.encode(Writing(names: names))
            #expect(try encoder.encode(Writing(names: names)) == [UInt8](theirs))
            // Unsorted, of equal names the last counts as well.
            let unsorted = try plain.encode(Writing(names: names))
            let values = try FastJSONDecoder().decode([String: Int].self, from: unsorted)
            #expect(values == (try JSONDecoder().decode([String: Int].self, from: theirs)))
        }
    }

    @Test func `texts of all lengths come and go as with Foundation`() throws {
        let encoder = FastJSONEncoder()
        let decoder = FastJSONDecoder()
        let foundation = JSONEncoder()
        for length in 0...40 {
            let plain = String(repeating: "x", count: length)
            var texts = [plain, plain + "é", "é" + plain, plain + "👩‍👩‍👧", plain + "\u{7F}"]
            for place in 0..<length {
                for special in ["\"", "\\", "/", "\n", "\0", "\u{1F}", "\u{2028}"] {
                    texts.append(plain.prefix(place) + special + plain.dropFirst(place + 1))
                }
            }
            for text in texts {
                let bytes = try encoder.encode(text)
                #expect(bytes == [UInt8](try foundation.encode(text)))
                #expect(try decoder.decode(String.self, from: bytes) == text)
            }
        }
    }

    /// Holds a container for each element, and reads them in the end.
    struct Holding: Decodable {
        var sum = 0
        init(from decoder: any Decoder) throws {
            var list = try decoder.unkeyedContainer()
            var containers: [KeyedDecodingContainer<AnyKey>] = []
            while !list.isAtEnd { containers.append(try list.nestedContainer(keyedBy: AnyKey.self)) }
            for container in containers { sum += try container.decode(Int.self, forKey: AnyKey(stringValue: "n")) }
        }
    }

    @Test func `thousands of containers can be held at once, again and again`() throws {
        let decoder = FastJSONDecoder()
        for count in [3_000, 1, 2_000, 3] {
            let text = "[\((1...count).map { "{\"n\":\($0)}" }.joined(separator: ","))]"
            #expect(try decoder.decode(Holding.self, from: Array(text.utf8)).sum == count * (count + 1) / 2)
        }
    }

    @Test func `numbers of all lengths are read as Foundation does`() {
        let decoder = FastJSONDecoder()
        let foundation = JSONDecoder()
        let digits = "12345678901234567890123"
        for whole in 1...23 {
            let head = String(digits.prefix(whole))
            for text in ["\(head)", "-\(head)", "[\(head)"] {
                let list = text.hasPrefix("[") ? "\(text)]" : "[\(text)]"
                let ours = outcome { try decoder.decode([Int64].self, from: Array(list.utf8)) }
                #expect(ours == outcome { try foundation.decode([Int64].self, from: Data(list.utf8)) }, "\(list)")
            }
            for part in 1...23 {
                let list = "[\(head).\(digits.suffix(part)), -0.\(head)e\(part)]"
                let ours = outcome { try decoder.decode([Double].self, from: Array(list.utf8)) }
                #expect(ours == outcome { try foundation.decode([Double].self, from: Data(list.utf8)) }, "\(list)")
            }
        }
    }

    @Test func `short texts look as the coders expect`() {
        // If not, all still works, slower.
        #expect(ShortText.isUsable)
    }
}
