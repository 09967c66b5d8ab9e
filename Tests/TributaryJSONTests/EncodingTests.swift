import Foundation
import Testing
import TributaryJSON

@Suite struct EncodingTests {
    @Test func `records encode as with Foundation`() {
        expectSameBytes(Account(id: .min, owner: "a\"\\/\u{8}\u{c}\n\r\t\u{1}\u{1f}é😀\u{7f}", balance: 1234.56))
        expectSameBytes(
            Wide(a: -128, b: 2, c: 3, d: 4, e: 5, f: 6, g: .max, h: .max, i: .min, j: 0.1, k: true, l: .min, m: .max))
        let inner = Nested.Inner(
            names: ["a", ""], scores: ["z": 1, "a/b": 2, "é": 3, "\"": 4, "\u{1}": 5], numbered: [10: "x", 9: "y"],
            shape: .pair(1, "x"), colour: .red)
        expectSameBytes(Nested(inner: inner, list: [inner, inner], grid: [[], [1]], maybe: 1, holes: [1, nil]))
        expectSameBytes([Shape.circle(radius: .pi), .nothing, .rectangle(width: 1, height: 2)])
        expectSameBytes(Dog(name: "Rex", age: 3))
        expectSameBytes(Interleaved())
        expectSameBytes(Empty())
        expectSameBytes([Empty()])
        expectSameBytes(["a": Empty()])
        expectSameBytes(5)
        expectSameBytes("x")
        expectSameBytes(Int?.none)
        expectSameBytes(Mute())
        expectSameBytes([Mute()])
        expectSameBytes([String: Int]())
        expectSameBytes([Int]())
    }

    @Test func `special types and strategies encode as with Foundation`() throws {
        let special = Special(
            date: Date(timeIntervalSinceReferenceDate: 1.25), data: Data([1, 2, 250, 251, 252]),
            url: try #require(URL(string: "https://a.b/c")),
            decimal: try #require(Decimal(string: "123456789012345678901234567890.5")), uuid: UUID())
        expectSameBytes(special)
        let foundation = JSONEncoder()
        var options = FastJSONEncoder.Options()
        foundation.dateEncodingStrategy = .secondsSince1970
        options.dateEncodingStrategy = .secondsSince1970
        foundation.dataEncodingStrategy = .deferredToData
        options.dataEncodingStrategy = .deferredToData
        expectSameBytes(special, options, foundation: foundation)
        foundation.dateEncodingStrategy = .millisecondsSince1970
        options.dateEncodingStrategy = .millisecondsSince1970
        foundation.outputFormatting = .withoutEscapingSlashes
        options.outputFormatting = .withoutEscapingSlashes
        expectSameBytes(special, options, foundation: foundation)
        foundation.dateEncodingStrategy = .iso8601
        options.dateEncodingStrategy = .iso8601
        foundation.outputFormatting = .prettyPrinted
        options.outputFormatting = .prettyPrinted
        expectSameBytes(special, options, foundation: foundation)
        expectSameBytes([Interleaved()], options, foundation: foundation)
        expectSameBytes([[Empty()], []], options, foundation: foundation)
        expectSameBytes([[String]](), options, foundation: foundation)
        foundation.dateEncodingStrategy = .custom { _, _ in }
        options.dateEncodingStrategy = .custom { _, _ in }
        expectSameBytes([special.date], options, foundation: foundation)
    }

    @Test func `key strategies encode as with Foundation`() {
        let foundation = JSONEncoder()
        var options = FastJSONEncoder.Options()
        foundation.keyEncodingStrategy = .convertToSnakeCase
        options.keyEncodingStrategy = .convertToSnakeCase
        expectSameBytes(
            Camel(firstName: "x", myURLProperty: 1, _private: 2, nestedThing: ["aB": 1]), options,
            foundation: foundation)
        for name in ["", "a", "A", "URL", "aURL", "aURLB", "myURLProperty", "aB", "a1B", "ABc", "_aB_", "éÉ", "aBC"] {
            expectSameBytes(OneKey(key: AnyKey(stringValue: name)), options, foundation: foundation)
        }
        let foundationDecoder = JSONDecoder()
        var reading = FastJSONDecoder.Options()
        foundationDecoder.keyDecodingStrategy = .convertFromSnakeCase
        reading.keyDecodingStrategy = .convertFromSnakeCase
        let odd: [UInt8] = [
            244, 114, 6, 117, 207, 65, 1, 0, 0, 249, 202, 71, 71, 91, 34, 92, 117, 68, 55, 57, 57, 92, 34, 0, 91, 34,
            92, 1, 71, 71, 139, 139, 109, 121, 95, 85, 82, 76, 80, 139, 139, 71, 96, 71, 0, 91, 34, 255,
        ]
        let oddName = String(decoding: odd, as: UTF8.self)
        expectSameBytes(OneKey(key: AnyKey(stringValue: oddName)), options, foundation: foundation)
        let oddText = Array((try? JSONEncoder().encode([oddName: 1])) ?? Data())
        expectSame(KeyNames.self, oddText, reading, foundation: foundationDecoder)
        var random = Seeded(state: 4)
        for _ in 0..<3_000 {
            var name = ""
            for _ in 0..<Int.random(in: 0...9, using: &random) {
                name +=
                    [
                        "a", "b", "A", "B", "_", "_", "1", "é", "É", "ß", "ǆ", "Σ", "中", "ͺ", "Ⅰ", "𝐀", "ǅ", "'", ".",
                        "`", ":", "-", " ",
                    ]
                    .randomElement(using: &random)
                    ?? ""
            }
            expectSameBytes(OneKey(key: AnyKey(stringValue: name)), options, foundation: foundation)
            expectSame(KeyNames.self, Array("{\"\(name)\":1}".utf8), reading, foundation: foundationDecoder)
        }
        foundation.keyEncodingStrategy = .custom { AnyKey(stringValue: "x" + $0.map(\.stringValue).joined()) }
        options.keyEncodingStrategy = .custom { AnyKey(stringValue: "x" + $0.map(\.stringValue).joined()) }
        expectSameBytes(["k": [Account(id: 1, owner: "", balance: 0)]], options, foundation: foundation)
    }

    @Test func `infinities and NaN fail with the same path, or become texts`() {
        for value in [Double.nan, .infinity, -.infinity] {
            expectSameBytes(value)
            expectSameBytes([["a": value]])
            expectSameBytes([Account(id: 1, owner: "", balance: value)])
            expectSameBytes([Float(value)])
            let foundation = JSONEncoder()
            var options = FastJSONEncoder.Options()
            foundation.nonConformingFloatEncodingStrategy = .convertToString(
                positiveInfinity: "+", negativeInfinity: "-", nan: "?")
            options.nonConformingFloatEncodingStrategy = .convertToString(
                positiveInfinity: "+", negativeInfinity: "-", nan: "?")
            expectSameBytes([Account(id: 1, owner: "", balance: value)], options, foundation: foundation)
        }
    }

    @Test func `numbers are written as Foundation writes them`() {
        var random = Seeded(state: 2)
        var numbers: [Double] = [
            0, -0.0, 1, 1e15, 1e16, 9007199254740991, 9007199254740992, 1e17, 1e22, 1e100, .leastNonzeroMagnitude,
            0.001, 0.0001, 0.00001,
        ]
        for _ in 0..<5_000 {
            numbers.append(Double(Int.random(in: -1_000_000_000...1_000_000_000, using: &random)) / 100)
            numbers.append((Double.random(in: -10...10, using: &random) * 10_000).rounded() / 10_000)
            numbers.append(Double(Int64.random(in: .min ... .max, using: &random)) / 1e5)
            let bits = Double(bitPattern: random.next())
            if bits.isFinite { numbers.append(bits) }
        }
        expectSameBytes(numbers)
        expectSameBytes(numbers.map { Float($0) }.filter(\.isFinite))
        var integers: [Int64] = []
        for shift in 0..<64 { integers += [.max >> shift, .min >> shift, Int64(bitPattern: random.next()) >> shift] }
        var power: Int64 = 1
        for _ in 0..<18 {
            integers += [power, power - 1, power + 1]
            power *= 10
        }
        expectSameBytes(integers)
        expectSameBytes(integers.map { UInt64(bitPattern: $0) })
    }

    @Test func `the depth limit is Foundation's`() {
        for depth in [510, 511, 512, 513] {
            var value = AnyJSON.array([])
            for level in 1..<depth { value = level % 2 == 0 ? .array([value]) : .object(["a": value]) }
            expectSameBytes(value)
        }
    }

    @Test func `a container that outlives the call writes nowhere`() throws {
        final class Place { var container: KeyedEncodingContainer<AnyKey>? }
        struct Leaving: Encodable {
            let place: Place
            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: AnyKey.self)
                try container.encode(1, forKey: AnyKey(stringValue: "a"))
                place.container = container
            }
        }
        let encoder = FastJSONEncoder()
        for _ in 0..<3 {
            let place = Place()
            #expect(try encoder.encode(Leaving(place: place)) == Array(#"{"a":1}"#.utf8))
            try place.container?.encode(2, forKey: AnyKey(stringValue: "b"))
            #expect(try encoder.encode(["c": 3]) == Array(#"{"c":3}"#.utf8))
        }
    }

    @Test func `without sorting members keep their order, and the last of equal ones stays`() throws {
        let encoder = FastJSONEncoder()
        let bytes = try encoder.encode(Account(id: 1, owner: "o", balance: 2))
        #expect(String(decoding: bytes, as: UTF8.self) == #"{"id":1,"owner":"o","balance":2}"#)
        let other = try encoder.encode(Interleaved())
        let expected =
            #"{"first":{"first":1,"list":"again","second":3},"list":["a",[1.5],"b"],"twice":"last wins","second":{}}"#
        #expect(String(decoding: other, as: UTF8.self) == expected)
        var lent = 0
        try encoder.encode([1, 2], into: { lent = $0.byteCount })
        #expect(lent == 5)
    }
}

struct OneKey: Encodable {
    var key: AnyKey
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: AnyKey.self)
        try container.encode(1, forKey: key)
    }
}

struct KeyNames: Decodable, Equatable {
    var names: [String]
    init(from decoder: any Decoder) throws {
        names = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
    }
}
