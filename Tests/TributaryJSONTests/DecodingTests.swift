import Foundation
import Testing
import TributaryJSON

@Suite struct DecodingTests {
    static let texts = [
        #"{"id":1,"owner":"x","balance":1.5}"#, #"{"balance":1e2,"id":1.0,"owner":"\u00e9\n\ud83d\ude00/\/"}"#,
        #"{"id":null,"owner":"x","balance":1}"#, #"{"id":"1","owner":"x","balance":1}"#, #"{"owner":"x","balance":1}"#,
        #"{"id":1,"owner":2,"balance":1}"#, #"{"id":1.5,"owner":"x","balance":1}"#, "[]", "null", "7", "{}", "",
        #"{"id":9223372036854775808,"owner":"x","balance":1}"#, #"{"id":1,"owner":"x","balance":1e400}"#,
        #"{"id":1,"owner":"x","balance":1e-400}"#, #"{"id":1,"owner":"x","balance":true}"#,
        #"{"id":1,"id":2,"owner":"x","owner":3,"balance":1}"#, #"{"i\u0064":1,"owner":"x","balance":null}"#,
        #"{"id":-9223372036854775808,"owner":"","balance":-0}"#, #"{"id":-0,"owner":"","balance":-0.0}"#,
        #"{"id":1e3,"owner":"","balance":0.1}"#, #"{"id":12e-1,"owner":"","balance":0.1}"#,
    ]

    @Test(arguments: texts)
    func `a record decodes as with Foundation`(text: String) { expectSame(Account.self, text) }

    @Test func `a byte order mark is skipped`() {
        expectSame(Account.self, [0xEF, 0xBB, 0xBF] + [UInt8](Self.texts[0].utf8))
        expectSame(Int.self, [0xEF, 0xBB, 0xBF])
    }

    static let integers = [
        "0", "-0", "1", "-1", "127", "128", "-128", "-129", "255", "256", "65535", "65536", "2147483648", "4294967295",
        "9007199254740992", "9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
        "-9223372036854775809", "18446744073709551615", "18446744073709551616", "1e2", "1.0", "1.5", "1e18", "1e19",
        "100e-2", "170141183460469231731687303715884105727", "170141183460469231731687303715884105728", "1e-1", "-1.0",
        "340282366920938463463374607431768211455", "340282366920938463463374607431768211456", "-0.0", "1e1000",
        "9007199254740993.0", "12345678901234567890e-1", "0.00", "-1e2",
        "1e38", "1e39", "-1e38", "2e38", "1.7e38", "3e38", "4e38", "1e37", "123456789e30", "1e-38", "1e-45", "1e-46",
        "3.4028235e38", "3.4028236e38", "1e308", "1e309", "1.7976931348623157e308", "5e-324", "2e-324", "1e127",
        "1e128",
        "9007199254740993e0", "1152921504606846977e0", "4611686018427387905e1", "9223372036854775807e0",
    ]

    @Test(arguments: integers)
    func `integers of all widths have the same ranges`(text: String) {
        expectSame(Int8.self, text, except: .wideInteger)
        expectSame(Int16.self, text, except: .wideInteger)
        expectSame(Int32.self, text, except: .wideInteger)
        expectSame(Int64.self, text, except: .wideInteger)
        expectSame(Int.self, text, except: .wideInteger)
        expectSame(Int128.self, text, except: .wideInteger)
        expectSame(UInt8.self, text, except: .wideInteger)
        expectSame(UInt16.self, text, except: .wideInteger)
        expectSame(UInt32.self, text, except: .wideInteger)
        expectSame(UInt64.self, text, except: .wideInteger)
        expectSame(UInt.self, text, except: .wideInteger)
        expectSame(UInt128.self, text, except: .wideInteger)
        expectSame(Decimal.self, text)
        expectSame(Double.self, text)
        expectSame(Float.self, text)
    }

    @Test func `numbers with a fraction are read exactly`() {
        var random = Seeded(state: 1)
        for _ in 0..<20_000 {
            var text = String(
                UInt64.random(in: 0...UInt64.max, using: &random) >> UInt64.random(in: 0...63, using: &random))
            if Bool.random(using: &random) { text += ".\(UInt32.random(in: 0...UInt32.max, using: &random))" }
            if Bool.random(using: &random) { text += "e\(Int.random(in: -330...320, using: &random))" }
            let bytes = [UInt8](text.utf8)
            let double = try? FastJSONDecoder().decode(Double.self, from: bytes)
            let float = try? FastJSONDecoder().decode(Float.self, from: bytes)
            let isZero = !text.prefix { $0 != "e" }.contains { "1"..."9" ~= $0 }
            #expect(double == Double(text).flatMap { $0.isFinite && ($0 != 0 || isZero) ? $0 : nil }, "\(text)")
            #expect(float == Float(text).flatMap { $0.isFinite && ($0 != 0 || isZero) ? $0 : nil }, "\(text)")
        }
    }

    @Test func `numbers in range and out of it are read as with Foundation`() {
        var random = Seeded(state: 3)
        for _ in 0..<2_000 {
            var text = String(
                UInt64.random(in: 1...UInt64.max, using: &random) >> UInt64.random(in: 0...63, using: &random))
            if Bool.random(using: &random) { text = "-" + text }
            if Bool.random(using: &random) { text += ".\(UInt32.random(in: 0...UInt32.max, using: &random))" }
            if Bool.random(using: &random) { text += "e\(Int.random(in: -60...60, using: &random))" }
            if Divergence.zeroWithExponent.explains(Array(text.utf8)) { continue }
            expectSame(Double.self, text)
            expectSame(Float.self, text)
            expectSame(Int64.self, text, except: .wideInteger)
            expectSame(UInt128.self, text, except: .wideInteger)
            expectSame(Decimal.self, text)
        }
    }

    @Test func `errors deep inside name the same path`() {
        let texts = [
            #"{"inner":{"names":[],"scores":{},"numbered":{},"shape":{"nothing":{}}},"list":[],"grid":[],"holes":[]}"#,
            #"{"inner":{"names":["a",1],"scores":{},"numbered":{},"shape":{"nothing":{}}},"list":[],"grid":[],"holes":[]}"#,
            #"{"inner":{"names":[],"scores":{"a":"b"},"numbered":{},"shape":{"nothing":{}}},"list":[],"grid":[],"holes":[]}"#,
            #"{"inner":{"names":[],"scores":{},"numbered":{"5":6},"shape":{"nothing":{}}},"list":[],"grid":[],"holes":[]}"#,
            #"{"inner":{"names":[],"scores":{},"numbered":{"x":"6"},"shape":{"nothing":{}}},"list":[],"grid":[],"holes":[]}"#,
            #"{"inner":{"names":[],"scores":{},"numbered":{"5":"6"},"shape":{"circle":{}}},"list":[],"grid":[],"holes":[]}"#,
            #"{"inner":{"names":[],"scores":{},"numbered":{"5":"6"},"shape":{"pair":{"_0":1,"_1":2}}},"list":[],"grid":[],"holes":[]}"#,
            #"{"inner":{"names":[],"scores":{},"numbered":{},"shape":{"nothing":{},"circle":{"radius":1}}},"list":[],"grid":[],"holes":[]}"#,
            #"{"inner":{"names":[],"scores":{},"numbered":{},"shape":{"circle":{"radius":1}},"colour":"blue"},"list":[],"grid":[],"holes":[]}"#,
            #"{"inner":{"names":[],"scores":{},"numbered":{},"shape":{"circle":{"radius":1}},"colour":"red"},"list":[],"grid":[[1],[2,"3"]],"holes":[]}"#,
            #"{"inner":{"names":[],"scores":{},"numbered":{},"shape":{"circle":{"radius":1}},"colour":"red"},"list":[{}],"grid":[[1],[2,3]],"holes":[]}"#,
            #"{"inner":{"names":[],"scores":{},"numbered":{},"shape":{"circle":{"radius":1}},"colour":"red"},"list":[],"grid":[[1],null],"holes":[1,null]}"#,
            #"{"inner":{"names":[],"scores":{},"numbered":{},"shape":{"rectangle":{"width":1,"height":2}}},"list":[],"grid":[[]],"holes":[1,null,2]}"#,
        ]
        for text in texts { expectSame(Nested.self, text) }
    }

    @Test func `dates, data, URLs and decimals decode as with Foundation`() {
        for date in ["1.5", "\"x\"", "null"] {
            for data in ["\"AQID\"", "\"A\"", "\"AQ\\u0049D\"", "[1]", "null", "\"\""] {
                for decimal in ["0.1", "123456789012345678901234567890.5", "\"1\"", "1e100", "null"] {
                    let text =
                        #"{"date":\#(date),"data":\#(data),"url":"https://a.b/c?d","decimal":\#(decimal),"#
                        + #""uuid":"E621E1F8-C36C-495A-93FC-0C247A3E6E5F"}"#
                    expectSame(Special.self, text)
                }
            }
        }
        expectSame([URL].self, #"["", "a b", "http://x"]"#)
        expectSame([UUID].self, #"["nonsense"]"#)
    }

    @Test func `date and data strategies decode as with Foundation`() {
        let foundation = JSONDecoder()
        var options = FastJSONDecoder.Options()
        foundation.dateDecodingStrategy = .secondsSince1970
        options.dateDecodingStrategy = .secondsSince1970
        expectSame([Date].self, Array("[1.25,-3]".utf8), options, foundation: foundation)
        foundation.dateDecodingStrategy = .millisecondsSince1970
        options.dateDecodingStrategy = .millisecondsSince1970
        expectSame([Date].self, Array("[1250,-3]".utf8), options, foundation: foundation)
        foundation.dateDecodingStrategy = .iso8601
        options.dateDecodingStrategy = .iso8601
        expectSame([Date].self, Array(#"["2020-01-02T03:04:05Z"]"#.utf8), options, foundation: foundation)
        foundation.dateDecodingStrategy = .custom { try Date(timeIntervalSince1970: Double(from: $0) * 2) }
        options.dateDecodingStrategy = .custom { try Date(timeIntervalSince1970: Double(from: $0) * 2) }
        foundation.dataDecodingStrategy = .deferredToData
        options.dataDecodingStrategy = .deferredToData
        expectSame([Date].self, Array(#"[1]"#.utf8), options, foundation: foundation)
        expectSame([Date].self, Array(#"["1"]"#.utf8), options, foundation: foundation)
        expectSame([Data].self, Array(#"[[1,2,300]]"#.utf8), options, foundation: foundation)
        expectSame([Data].self, Array(#"[[1,2,30]]"#.utf8), options, foundation: foundation)
    }

    @Test func `infinities and NaN are read from texts`() {
        let foundation = JSONDecoder()
        var options = FastJSONDecoder.Options()
        foundation.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "+", negativeInfinity: "-", nan: "?")
        options.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "+", negativeInfinity: "-", nan: "?")
        expectSame([Double].self, Array(#"["+","-",1]"#.utf8), options, foundation: foundation)
        expectSame([Float].self, Array(#"["+","x"]"#.utf8), options, foundation: foundation)
    }

    @Test func `key strategies convert as with Foundation`() {
        let foundation = JSONDecoder()
        var options = FastJSONDecoder.Options()
        foundation.keyDecodingStrategy = .convertFromSnakeCase
        options.keyDecodingStrategy = .convertFromSnakeCase
        let good = #"{"first_name":"a","my_URL_property":1,"_private":2,"nested_thing":{"a_b":1}}"#
        let texts = [
            good, good.replacing("my_URL_property", with: "myURLProperty"), #"{"first_name":1}"#,
            good.replacing("\"a_b\":1", with: "\"a_b\":true"), good.replacing("_URL_", with: "__u_r_l__"),
        ]
        for text in texts { expectSame(Camel.self, Array(text.utf8), options, foundation: foundation) }
        foundation.keyDecodingStrategy = .custom {
            AnyKey(stringValue: String(($0.last?.stringValue ?? "").dropFirst()))
        }
        options.keyDecodingStrategy = .custom { AnyKey(stringValue: String(($0.last?.stringValue ?? "").dropFirst())) }
        let prefixed = #"{"xid":1,"xowner":"o","xbalance":2,"yid":3}"#
        expectSame(Account.self, Array(prefixed.utf8), options, foundation: foundation)
    }

    @Test func `inheritance and containers in any order decode as with Foundation`() {
        for text in [#"{"age":3,"super":{"name":"Rex"}}"#, #"{"age":3}"#, #"{"age":3,"super":{"name":1}}"#] {
            expectSame(Dog.self, text)
        }
        for text in [
            #"{"first":{"second":1},"list":[[1],[2]]}"#, #"{"first":{"second":1},"list":[[1],2]}"#, #"{"first":3}"#,
            #"{"first":{"second":null},"list":[]}"#,
        ] { expectSame(Interleaved.self, text) }
        expectSame([Int: Shape].self, #"{"1":{"nothing":{}}}"#)
        expectSame([Shape: Int].self, "[]")
        expectSame(Wide.self, #"{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":1.1,"k":true,"l":-1,"m":1}"#)
    }

    @Test func `a decoder that outlives the call reads on`() throws {
        struct Keeper: Decodable {
            var decoder: any Decoder
            init(from decoder: any Decoder) { self.decoder = decoder }
        }
        let decoder = FastJSONDecoder()
        let kept = try decoder.decode(Keeper.self, from: Array(#"{"id":5,"owner":"yes","balance":1}"#.utf8))
        _ = try decoder.decode([Int].self, from: Array("[1,2,3]".utf8))
        #expect(try Account(from: kept.decoder) == Account(id: 5, owner: "yes", balance: 1))
    }

    @Test func `a container that outlives the call reads on, and others are lent meanwhile`() throws {
        struct Keeper: Decodable {
            enum Keys: String, CodingKey { case inner, id }
            var container: KeyedDecodingContainer<Keys>
            var inner: KeyedDecodingContainer<Keys>
            init(from decoder: any Decoder) throws {
                container = try decoder.container(keyedBy: Keys.self)
                inner = try container.nestedContainer(keyedBy: Keys.self, forKey: .inner)
            }
        }
        let decoder = FastJSONDecoder()
        var kept: [Keeper] = []
        for number in 0..<4 {
            let text = #"{"inner":{"id":\#(number)},"id":"x\#(number)"}"#
            kept.append(try decoder.decode(Keeper.self, from: Array(text.utf8)))
            _ = try decoder.decode(Account.self, from: Array(DecodingTests.texts[0].utf8))
        }
        for (number, keeper) in kept.enumerated() {
            #expect(try keeper.container.decode(String.self, forKey: .id) == "x\(number)")
            #expect(try keeper.inner.decode(Int.self, forKey: .id) == number)
            let again = try keeper.container.nestedContainer(keyedBy: Keeper.Keys.self, forKey: .inner)
            #expect(try again.decode(Int.self, forKey: .id) == number && again.codingPath.count == 1)
        }
    }

    @Test func `many keys in any order are found, the first of equal ones counts`() throws {
        for count in [1, 15, 17, 1000] {
            let members = (0..<count).map { "\"key\($0)\":\($0)" } + (0..<count).map { "\"key\($0)\":-1" }
            let text = "{\(members.joined(separator: ","))}"
            let value = try FastJSONDecoder().decode([String: Int].self, from: Array(text.utf8))
            #expect(value.count == count && value.allSatisfy { $0.key == "key\($0.value)" })
        }
    }

    @Test func `malformed text is reported with its byte`() throws {
        let error = #expect(throws: DecodingError.self) {
            try FastJSONDecoder().decode([Int].self, from: Array("[1, 2, 3, 4, 5, x]".utf8))
        }
        guard case .dataCorrupted(let context) = error else { return #expect(Bool(false)) }
        #expect(context.debugDescription.contains("at byte 16"))
    }
}

extension Shape: Hashable {
    func hash(into hasher: inout Hasher) {}
}
