import Testing
import TributaryCore

/// The rules for receivers of W3C Trace Context, level 2.
@Suite struct TraceContextTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static let span = "00f067aa0ba902b7"
    private static let good = "00-\(trace)-\(span)-01"

    private func parse(_ text: String) -> TraceContext? {
        TraceContext(traceparent: Array(text.utf8).span.bytes)
    }

    @Test func `a traceparent is read and written`() throws {
        let context = try #require(parse(Self.good))
        #expect(context.traceHigh == 0x4bf9_2f35_77b3_4da6 && context.traceLow == 0xa3ce_929d_0e0e_4736)
        #expect(context.span == 0x00f0_67aa_0ba9_02b7)
        #expect(context.flags == 1 && context.isSampled && context.isValid)
        #expect(context.traceparent == Self.good)
        #expect(context.traceID == Self.trace && context.spanID == Self.span)
    }

    @Test(arguments: [
        " \(good)", "\(good)\t", "\t \(good) \t", "cc-\(trace)-\(span)-01", "01-\(trace)-\(span)-01-x",
        "fe-\(trace)-\(span)-01-",
    ])
    func `blanks are cut, and later versions are read by position and sent as 00`(text: String) {
        #expect(parse(text)?.traceparent == Self.good)
    }

    private static let bad = [
        "", "   ", "00", String(good.dropLast()), good + ".", good + "-", good + "-x", good + "0",
        "ff-\(trace)-\(span)-01", "0-\(trace)-\(span)-01", "000-\(trace)-\(span)-01", "0000-\(trace)-\(span)-01",
        "0x-\(trace)-\(span)-01", "CC-\(trace)-\(span)-01", "cc-\(trace)-\(span)-01.x", "cc-\(trace)-\(span)-0",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-\(span)-01", "00-\(trace)-00F067AA0BA902B7-01",
        "00-00000000000000000000000000000000-\(span)-01", "00-\(trace)-0000000000000000-01",
        "00-\(trace.dropLast())-\(span)-01", "00-\(trace)0-\(span.dropLast())-01", "00-\(trace)-\(span)-1",
        "00-\(trace)-\(span)-0G", "00-\(trace)-\(span)-FF", "00-\(trace)-\(span)-.0", "00_\(trace)-\(span)-01",
        "00-\(trace)_\(span)-01", "00-\(trace)-\(span)_01", "00-\(trace.dropLast())g-\(span)-01",
        "00- \(trace.dropFirst())-\(span)-01", "ü0-\(trace)-\(span)-01",
    ]

    @Test(arguments: bad)
    func `anything else starts a new trace`(text: String) {
        #expect(parse(text) == nil)
    }

    @Test func `unknown flags are read bit by bit and sent as 0`() {
        #expect(parse("00-\(Self.trace)-\(Self.span)-ff")?.isSampled == true)
        #expect(parse("00-\(Self.trace)-\(Self.span)-ff")?.traceparent.hasSuffix("-03") == true)
        #expect(parse("00-\(Self.trace)-\(Self.span)-fe")?.isSampled == false)
        #expect(parse("00-\(Self.trace)-\(Self.span)-02")?.traceparent.hasSuffix("-02") == true)
    }

    @Test func `the stored form is 25 bytes and comes back, without flags of memory`() throws {
        var context = TraceContext(traceHigh: 1, traceLow: .max, span: 1 << 63, flags: 255)
        var writer = ByteWriter()
        context.store(into: &writer)
        #expect(hex(writer.copy()) == "0000000000000001" + "ffffffffffffffff" + "8000000000000000" + "03")
        let again = TraceContext(stored: writer.bytes)
        let cut = TraceContext(stored: writer.bytes.prefix(24))
        context.flags = 3
        #expect(again == context && cut == nil)
    }

    @Test func `none is not valid`() {
        #expect(!TraceContext.none.isValid)
        #expect(!TraceContext(traceHigh: 0, traceLow: 1, span: 0, flags: 1).isValid)
        #expect(!TraceContext(traceHigh: 0, traceLow: 0, span: 1, flags: 1).isValid)
        #expect(TraceContext(traceHigh: 0, traceLow: 1, span: 1, flags: 0).isValid)
    }
}
