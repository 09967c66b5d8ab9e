import Foundation
import Testing
import TributaryJSON

@Suite struct GrammarTests {
    static let accepted = [
        "0", "-0", "1", "123", "1.5", "1e5", "1E+5", "1e-5", "-1.25e2", "\"\"", "\"a\"", "true", "false", "null", " 1 ",
        "[]", "[ ]", "{}", "{ }", "[1]", "[1,2]", "[[]]", "{\"a\":1}", "{\"a\":{}}", "{\"\":0}", "\t\n\r 1\t\n\r ",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"", "\"\\ud83d\\ude00\"", "\"\\u0000\"", "\"\u{7f}\"", "\"é😀\u{2028}\"",
        "{\"a\":1,\"a\":2}", "[1,\n2]", "[0e1]", "[0e+1]", "[-0.0]", "[\"\\uDBFF\\uDFFF\"]", "[\"\u{FFFF}\"]",
        "[1.0E1]",
        "{\"a\":[{\"b\":[{}]}]}", "[null,true,false]", "\"\\u00e9\"", "[123456789012345678901234567890]",
    ]

    static let refused = [
        "", " ", "[", "]", "{", "}", "[1", "[1,", "[1,]", "[,1]", "[,]", "[1 2]", "[1,,2]", "[1]]", "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}", "{,\"a\":1}", "{\"a\" 1}", "{a:1}", "{1:1}", "{\"a\":1 \"b\":2}", "{'a':1}", "{\"a\":1}}", "01",
        "-01", "-", "+1", ".5", "1.", "1.e1", "1e", "1e+", "1E-", "0x1", "1.2.3", "-a", "--1", "1e1.5", "NaN",
        "Infinity", "-Infinity", "nan", "True", "tru", "truee", "nul", "fals", "falsy", "nulll", "\"", "\"a", "\"\\\"",
        "\"\\", "\"\\a\"", "\"\\x41\"", "\"\\u\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\u+123\"", "\"\n\"", "\"\t\"",
        "\"\u{0}\"",
        "\"\\ud800\"", "\"\\ud800x\"", "\"\\ud800\\n\"", "\"\\ud800\\ud800\"", "\"\\udc00\"", "'a'", "// c\n1",
        "1 // c",
        "/**/1", "# c\n1", "[1}", "{\"a\":1]", "1 2", "\u{a0}1", "\u{c}1", "\u{0}", "1\u{0}", "{\"a\":1}x",
        "[\"a\" \"b\"]",
        "{\"a\":\"b\":\"c\"}", "[\"a\",", "{\"a\":", "{\"a\",1}", "[1:2]", "{\"a\":1,\"b\"", "\u{FEFF}\u{FEFF}1",
        "-NaN",
        "[-]", "[- 1]", "[1e ]", "[2.e3]", "[0.e1]", "[0e]", "[1eE2]", "<null>", "[\\u0020]", "[a]", "*",
    ]

    static let refusedBytes: [[UInt8]] = [
        [0x22, 0x80, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xC1, 0xBF, 0x22], [0x22, 0xE0, 0x80, 0x80, 0x22],
        [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0x22, 0xF5, 0x80, 0x80, 0x80, 0x22],
        [0x22, 0xC3, 0x22], [0x22, 0xE2, 0x82, 0x22], [0x22, 0xF0, 0x9F, 0x98, 0x22], [0x22, 0xFF, 0x22], [0xC3],
        [0xE9],
        [0x22, 0xF0, 0x80, 0x80, 0x80, 0x22], [0x22, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0xC3],
    ]

    @Test(arguments: accepted)
    func `what RFC 8259 allows is accepted`(text: String) {
        if !Divergence.zeroWithExponent.explains(Array(text.utf8)) { expectSame(AnyJSON.self, text) }
        #expect(throws: Never.self) { try FastJSONDecoder().decode(AnyJSON.self, from: Array(text.utf8)) }
    }

    @Test(arguments: refused)
    func `what RFC 8259 forbids is refused`(text: String) {
        #expect(throws: DecodingError.self) { try FastJSONDecoder().decode(AnyJSON.self, from: Array(text.utf8)) }
    }

    @Test(arguments: refusedBytes)
    func `what is not UTF-8 is refused`(bytes: [UInt8]) {
        #expect(throws: DecodingError.self) { try FastJSONDecoder().decode(AnyJSON.self, from: bytes) }
        #expect(throws: DecodingError.self) {
            try FastJSONDecoder().decode([AnyJSON].self, from: [0x5B] + bytes + [0x5D])
        }
    }

    @Test func `arrays and objects nest 512 deep, as with Foundation`() {
        for depth in [511, 512, 513] {
            expectSame(AnyJSON.self, String(repeating: "[", count: depth) + String(repeating: "]", count: depth))
            expectSame(
                AnyJSON.self, String(repeating: "{\"a\":", count: depth) + "1" + String(repeating: "}", count: depth))
        }
        let giant = [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)
        #expect(throws: DecodingError.self) { try FastJSONDecoder().decode(AnyJSON.self, from: giant) }
    }

    static let document =
        #"{"inner":{"names":["a\n","é😀"],"scores":{"a":-1.5e3},"numbered":{"1":"x"},"shape":{"circle":{"radius":2}},"#
        + #""colour":"red"},"list":[],"grid":[[1,2],[3]],"maybe":null,"holes":[1,null]}"#

    @Test func `a document cut at any byte is refused`() {
        let bytes = [UInt8](Self.document.utf8)
        let decoder = FastJSONDecoder()
        #expect(throws: Never.self) { try decoder.decode(Nested.self, from: bytes) }
        for size in 0..<bytes.count {
            #expect(throws: DecodingError.self) { try decoder.decode(Nested.self, from: Array(bytes[..<size])) }
        }
    }

    @Test func `any flipped bit is accepted or refused as with Foundation`() {
        let bytes = [UInt8](Self.document.utf8)
        for index in bytes.indices {
            for bit in 0..<8 {
                var changed = bytes
                changed[index] ^= 1 << UInt8(bit)
                compareAny(changed)
                _ = try? FastJSONDecoder().decode(Nested.self, from: changed)
            }
        }
    }

    @Test(arguments: 0..<8)
    func `random texts and their mutations decode as with Foundation`(seed: UInt64) {
        var random = Seeded(state: seed)
        for _ in 0..<400 {
            var text = ""
            write(&text, depth: 0, &random)
            var bytes = [UInt8](text.utf8)
            compareAny(bytes)
            for _ in 0..<4 where !bytes.isEmpty {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[index] = Array("{}[]\",:0e.-\\u tn\u{1}".utf8).randomElement(using: &random) ?? 0
                case 1: bytes.remove(at: index)
                default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: index)
                }
                compareAny(bytes)
            }
            if let value = try? FastJSONDecoder().decode(AnyJSON.self, from: Array(text.utf8)) {
                expectSameBytes(value)
            }
        }
    }

    /// Both read the same or both refuse, but for what ``Divergence`` names.
    private func compareAny(_ bytes: [UInt8]) {
        if Divergence.otherEncoding.explains(bytes) { return }
        let ours = try? FastJSONDecoder().decode(AnyJSON.self, from: bytes)
        let theirs = try? JSONDecoder().decode(AnyJSON.self, from: Data(bytes))
        if ours == theirs { return }
        let text = String(decoding: bytes, as: UTF8.self)
        if ours == nil {
            let isNamed = [.commaBeforeBracket, .unreadValue].contains { (named: Divergence) in named.explains(bytes) }
            #expect(isNamed, "\(text)")
        } else {
            #expect(theirs == nil && Divergence.zeroWithExponent.explains(bytes), "\(text)")
        }
    }

    private func write(_ text: inout String, depth: Int, _ random: inout Seeded) {
        let space = ["", "", "", " ", "\n", "\t "].randomElement(using: &random) ?? ""
        text += space
        switch Int.random(in: 0..<(depth > 4 ? 5 : 7), using: &random) {
        case 0: text += ["null", "true", "false"].randomElement(using: &random) ?? ""
        case 1: text += "\(Int64(bitPattern: random.next()) >> Int64.random(in: 0...63, using: &random))"
        case 2: text += "\(Double(Int.random(in: -100_000...100_000, using: &random)) / 1000)"
        case 3:
            text +=
                "\(Int.random(in: -9...9, using: &random)).\(Int.random(in: 0...99, using: &random))e\(Int.random(in: -20...20, using: &random))"
        case 4: string(&text, &random)
        case 5:
            text += "["
            for index in 0..<Int.random(in: 0...4, using: &random) {
                if index > 0 { text += "," }
                write(&text, depth: depth + 1, &random)
            }
            text += space + "]"
        default:
            text += "{"
            for index in 0..<Int.random(in: 0...5, using: &random) {
                if index > 0 { text += "," }
                // Keys that differ: Foundation doesn't look into the value of a repeated one.
                string(&text, &random, "\(index)")
                text += space + ":"
                write(&text, depth: depth + 1, &random)
            }
            text += space + "}"
        }
        text += space
    }

    private func string(_ text: inout String, _ random: inout Seeded, _ start: String = "") {
        text += "\"" + start
        let parts = [
            "a", "b", "key", "é", "😀", "\\n", "\\\"", "\\u0041", "\\ud83d\\ude00", "/", "\\/", "0123456789", "\\u001f",
        ]
        for _ in 0..<Int.random(in: 0...3, using: &random) { text += parts.randomElement(using: &random) ?? "" }
        text += "\""
    }
}
