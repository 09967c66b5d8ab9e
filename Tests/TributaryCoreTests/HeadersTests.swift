import Testing
import TributaryCore

@Suite struct HeadersTests {
    @Test func `order, duplicates, null and empty values are kept`() throws {
        let list: [(name: String, value: [UInt8]?)] = [("b", [1]), ("a", nil), ("b", []), ("", [2, 3]), ("ü", [0])]
        let headers = Headers(list)
        #expect(headers.count == 5)
        #expect(headers.list.map(\.name) == ["b", "a", "b", "", "ü"])
        #expect(headers.list.map(\.value) == [[1], nil, [], [2, 3], [0]])
        let again = try Headers(encoded: headers.encoded.span.bytes)
        #expect(again == headers)
    }

    @Test func `the encoding is what logs store`() {
        #expect(Headers().encoded == [])
        #expect(Headers([]).encoded == [])
        let headers = Headers([("h", [0x48, 0x31]), ("n", nil), ("e", [])])
        #expect(hex(headers.encoded) == "03" + "0168" + "034831" + "016e" + "00" + "0165" + "01")
    }

    @Test func `the last of a name counts, and all of a name are removed`() {
        var headers = Headers([("a", [1]), ("b", [2]), ("a", nil)])
        #expect(headers.last("a") == nil)
        headers.append("a", [3])
        #expect(headers.last("a") == [3])
        headers.removeAll("a")
        #expect(headers == Headers([("b", [2])]))
        headers.removeAll("b")
        #expect(headers.isEmpty && headers == Headers())
        #expect(headers.last("b") == nil)
    }

    @Test(arguments: ["01", "0101", "010161", "01016105", "010161016100", "ff", "02016100", "0105", "016100"])
    func `bytes that are no list are refused`(hex: String) throws {
        let bytes = try #require([UInt8](hexadecimal: hex))
        #expect(throws: MalformedBytes.self) { _ = try Headers(encoded: bytes.span.bytes) }
        // Walking over them without checking ends, and does not crash.
        var seen = 0
        Headers.forEach(in: bytes.span.bytes) { _, _, _ in seen += 1 }
        #expect(seen <= 2)
    }
}
