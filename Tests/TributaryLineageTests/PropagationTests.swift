import Testing
import TributaryCore
import TributaryLineage

@Suite struct PropagationTests {
    func kept(_ text: String) -> String? {
        let bytes = Array(text.utf8)
        return Tracestate.kept(bytes.span.bytes).map { String(decoding: $0, as: UTF8.self) }
    }

    func setting(_ threshold: String?, in text: String) -> String {
        let bytes = Array(text.utf8)
        return String(decoding: Tracestate.setting(threshold: threshold, in: bytes.span.bytes), as: UTF8.self)
    }

    // From W3C's own test suite where it has the case.
    @Test(arguments: [
        "foo=1", "foo=1,bar=2", "foo=1 \t , \t bar=2, \t baz=3", "foo=1,,bar=2", "foo@=1", "foo@@bar=1", "a@b@c=1",
        "0foo=1", "a-_*/b=1", "foo= 1", "foo=1,foo=2", "foo=" + String(repeating: "v", count: 256),
        String(repeating: "z", count: 256) + "=1",
        (1...32).map { "k\($0)=v" }.joined(separator: ","), "ot=th:8;rv:00000000000001",
    ])
    func `tracestates that are passed on`(_ text: String) { #expect(kept(text) == text) }

    @Test(arguments: [
        "", " ", ",", "foo", "foo=", "=1", "@foo=1", "FOO=1", "foo.bar=1", "foo =1", "foo=1=2", "foo=ü", "foo=a\u{1}",
        "foo=" + String(repeating: "v", count: 257), String(repeating: "z", count: 257) + "=1",
        "foo=1,bar", (1...33).map { "k\($0)=v" }.joined(separator: ",") + ",bar",
    ])
    func `tracestates that are dropped as a whole`(_ text: String) { #expect(kept(text) == nil) }

    @Test func `a tracestate that is too long loses whole members, the long ones first`() {
        let many = (1...40).map { "k\($0)=v" }
        #expect(kept(many.joined(separator: " , ")) == many.prefix(32).joined(separator: ","))
        let long = { (name: String) in "\(name)=" + String(repeating: "v", count: 250) }
        let short = (1...14).map { "s\($0)=v" }
        // 18 of 252 bytes are too many for 4096: two have to go.
        let members = short + (10...27).map { long("l\($0)") }
        #expect(
            kept(members.joined(separator: ",")) == (short + (10...24).map { long("l\($0)") }).joined(separator: ","))
        // Where the short ones are does not matter, nor that they would be enough to let one more long one stay.
        let first = (10...27).map { long("l\($0)") } + short
        #expect(
            kept(first.joined(separator: ",")) == ((10...24).map { long("l\($0)") } + short).joined(separator: ","))
        let even = (10...41).map { "e\($0)=" + String(repeating: "v", count: 124) }
        #expect(kept(even.joined(separator: ",")) == even.prefix(31).joined(separator: ","))
    }

    @Test func `the threshold comes first and leaves the others as they are`() {
        #expect(setting("c", in: "a=1 , b=2") == "ot=th:c,a=1,b=2")
        #expect(setting("c", in: "a=1,ot=p:8;th:0;rv:12345678901234,b=2") == "ot=th:c;p:8;rv:12345678901234,a=1,b=2")
        #expect(setting(nil, in: "ot=th:0,a=1") == "a=1")
        #expect(setting(nil, in: "a=1,ot=th:0;x:1") == "ot=x:1,a=1")
        #expect(setting(nil, in: "ot=th:0") == "")
        let full = (1...32).map { "k\($0)=v" }.joined(separator: ",")
        #expect(setting("8", in: full) == "ot=th:8," + (1...31).map { "k\($0)=v" }.joined(separator: ","))
    }

    @Test func `baggage is read, changed and written`() {
        func read(_ text: String) -> Baggage {
            let bytes = Array(text.utf8)
            return Baggage(bytes.span.bytes)
        }
        var baggage = read("a=1, b = x%20y%C3%A4 ;p;q=2,bad,=1,c d=1,e=1=2,f=%ff,g=%zz")
        #expect(
            baggage.members == [
                .init("a", "1"), .init("b", "x yä", properties: "p;q=2"), .init("e", "1=2"), .init("f", "\u{fffd}"),
                .init("g", "%zz"),
            ])
        baggage["a"] = nil
        baggage["b"] = "50% \"ü\""
        baggage["z"] = "new"
        baggage["f"] = nil
        #expect(baggage["b"] == "50% \"ü\"" && baggage["none"] == nil)
        #expect(
            String(decoding: baggage.bytes, as: UTF8.self) == "b=50%25%20%22%C3%BC%22,e=1=2,g=%25zz,z=new")
        #expect(read(String(decoding: baggage.bytes, as: UTF8.self)) == baggage)
        #expect(Baggage(Headers([("baggage", Array("a=1".utf8)), ("baggage", Array("a=2".utf8))]))["a"] == "2")
        #expect(Baggage(Headers()).members.isEmpty)
    }

    @Test func `a recorder knows the tracestates of the newest traces`() throws {
        let recorder = LineageRecorder(mode: .context)
        var contexts: [TraceContext] = []
        for number in UInt64(1)...20_000 {
            var context = TraceContext(traceHigh: 1, traceLow: number, span: 1, flags: 1)
            let text = Array("n=\(number)".utf8)
            recorder.know(text.span.bytes, of: &context)
            contexts.append(context)
        }
        let last = try #require(contexts.last)
        #expect(String(strictUTF8: recorder.tracestate(of: last)) == "n=20000")
        let list = try Headers(encoded: recorder.lineageHeaders(of: last)).list
        #expect(list.map(\.name) == ["tracestate"] && list.first?.value == Array("n=20000".utf8))
        let isForgotten =
            recorder.tracestate(of: contexts[0]).isEmpty && recorder.lineageHeaders(of: contexts[0]).isEmpty
        #expect(isForgotten)
        #expect(last.traceparent.hasSuffix("-01"))
    }
}
