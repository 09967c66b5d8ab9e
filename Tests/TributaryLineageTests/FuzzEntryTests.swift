import Testing
import TributaryCore
import TributaryLineage

/// The fuzzers' entry points, run over every cut and many damages of every vector.
@Suite struct FuzzEntryTests {
    /// Calls `entry` with every prefix, every flipped bit, and random replacements of `bytes`.
    func damage(_ bytes: [UInt8], _ entry: (RawSpan) -> Bool) {
        for count in 0...bytes.count { _ = accepts(Array(bytes.prefix(count)), entry) }
        for bit in 0..<(bytes.count * 8) {
            var wrong = bytes
            wrong[bit / 8] ^= 1 << UInt8(bit % 8)
            _ = entry(wrong.span.bytes)
        }
        var random = FastRandom(seed: 11)
        for _ in 0..<2000 {
            var wrong = bytes
            for _ in 0..<(1 + random.next() % 4) where !wrong.isEmpty {
                wrong[Int(random.next() % UInt64(wrong.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            _ = entry(wrong.span.bytes)
        }
    }

    func accepts(_ bytes: [UInt8], _ entry: (RawSpan) -> Bool) -> Bool { entry(bytes.span.bytes) }

    @Test func `cells`() throws {
        for vector in cellVectors {
            let bytes = try #require([UInt8](hexadecimal: vector.hex))
            #expect(accepts(bytes, FuzzEntries.cell))
            damage(bytes, FuzzEntries.cell)
            damage([1] + bytes, FuzzEntries.cellHeader)
        }
    }

    @Test func `stored values`() throws {
        for vector in envelopeVectors {
            let bytes = try #require([UInt8](hexadecimal: vector.hex))
            #expect(accepts(bytes, FuzzEntries.envelope))
            damage(bytes, FuzzEntries.envelope)
        }
    }

    @Test func `headers and traceparent`() {
        damage(Headers([("a", [1, 2]), ("b", nil), ("", [])]).encoded, FuzzEntries.headers)
        damage(Array("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".utf8), FuzzEntries.traceparent)
        damage(Array(" cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x\t".utf8), FuzzEntries.traceparent)
    }

    @Test(arguments: [
        "foo=1, bar=2", "ot=th:c;rv:00000000000001,v=1", "ot=a:b ;c: d,ot=x",
        "ot=" + String(repeating: "a:b;", count: 64),
        (1...32).map { "k\($0)=v" }.joined(separator: ","),
        (1...16).map { "k\($0)=" + String(repeating: "v", count: 250) }.joined(separator: ","),
    ])
    func `tracestates`(_ text: String) {
        #expect(accepts(Array(text.utf8), FuzzEntries.tracestate))
        damage(Array(text.utf8.prefix(300)), FuzzEntries.tracestate)
    }

    @Test(arguments: [
        "a=1, b = x%20y%C3%A4 ;p;q=2", "a=;;p,b=1=2,c=%ff%", "a=\u{e4}\"\r\n;\u{301}",
        (1...200).map { "k\($0)=v" }.joined(separator: ","), "a=" + String(repeating: "\u{e4}", count: 4000) + ",b=1",
    ])
    func `baggage`(_ text: String) {
        #expect(accepts(Array(text.utf8), FuzzEntries.baggage))
        damage(Array(text.utf8.prefix(300)), FuzzEntries.baggage)
    }

    @Test func `elements`() throws {
        let cell = try #require([UInt8](hexadecimal: cellVectors[1].hex))
        var writer = ByteWriter()
        Elements.append(count: 2, to: &writer)
        Elements.append(
            context: TraceContext(traceHigh: 1, traceLow: 2, span: 3, flags: 1), cell: cell.span.bytes, to: &writer)
        Elements.append(.none, of: CellArena(), to: &writer)
        #expect(accepts(writer.copy(), FuzzEntries.elements))
        damage(writer.copy(), FuzzEntries.elements)
    }

    @Test func `random bytes`() {
        var random = FastRandom(seed: 12)
        for length in 0..<200 {
            let bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            _ = FuzzEntries.cell(bytes.span.bytes)
            _ = FuzzEntries.elements(bytes.span.bytes)
            _ = FuzzEntries.headers(bytes.span.bytes)
            _ = accepts([0xfa, 0x4c, 1, (bytes.first ?? 0) & 63] + bytes, FuzzEntries.envelope)
        }
    }
}
