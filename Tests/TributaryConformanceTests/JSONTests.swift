import Testing
import TributaryConformance

@Suite struct JSONTests {
    @Test func `fields keep their order, integers stay integers, null is not missing`() throws {
        let value = try JSONValue(parsing: #" {"b": 1, "a": null, "c": [true, 2.5, -9223372036854775808, ""]} "#)
        #expect(value.object?.names == ["b", "a", "c"])
        #expect(value.object?["a"] == .null)
        #expect(value.object?["d"] == nil)
        #expect(value.object?["c"] == .array([.bool(true), .number(2.5), .integer(.min), .string("")]))
    }

    @Test func `escapes are read and written`() throws {
        let text = #""a\"\\\/\b\f\n\r\té😀ü""#
        let value = try JSONValue(parsing: text)
        #expect(value.string == "a\"\\/\u{8}\u{c}\n\r\té😀ü")
        #expect(try JSONValue(parsing: "\(value)") == value)
        #expect("\(JSONValue.string("\u{1}"))" == #""\u0001""#)
        #expect(try JSONValue(parsing: #""\ud83d\ude00\u00e9""#).string == "😀é")
    }

    @Test func `objects are equal whatever the order of their fields`() throws {
        let left = try JSONValue(parsing: #"{"a": 1, "b": {"c": [], "d": {}}}"#)
        let right = try JSONValue(parsing: #"{"b": {"d": {}, "c": []}, "a": 1}"#)
        #expect(left == right)
        #expect(left.hashValue == right.hashValue)
        #expect(left != (try JSONValue(parsing: #"{"a": 1}"#)))
    }

    @Test(arguments: [
        "", " ", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "{a:1}", "nul", "tru", "1 2", "01", "-", "1.", "1e", "+1", "\"a",
        "\"\\x\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\u12\"", "\"\u{1}\"", "[", "]", "NaN",
    ])
    func `what is not JSON is refused`(text: String) {
        #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    }

    @Test func `bytes that are not UTF-8 and texts that are too deep are refused`() {
        #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xff, 0x22]) }
        #expect(throws: JSONError.self) { try JSONValue(parsing: String(repeating: "[", count: 100_000)) }
    }
}
