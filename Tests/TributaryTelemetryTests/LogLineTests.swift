import Testing
import TributaryCore
import TributaryTelemetry

@Suite struct LogLineTests {
    let line = LogMessage(
        .warning, "a record was skipped", metadata: [("topic", "orders"), ("reason", "not \"JSON\"\n"), ("empty", "")],
        source: "TributaryRuntime", context: Sample.context(2, 3))

    func text(_ line: LogMessage, at time: Int64 = 1_795_267_610_123_456_789) -> String {
        var writer = ByteWriter()
        LogLine.appendText(line, at: time, to: &writer)
        return String(decoding: writer.copy(), as: UTF8.self)
    }

    @Test func `a line for people`() {
        #expect(
            text(line)
                == #"2026-11-21T13:26:50.123Z WARNING [TributaryRuntime] a record was skipped topic=orders "#
                + #"reason="not \"JSON\"\n" empty="" trace_id=0000000000000abc0000000000000002 "#
                + "span_id=0000000000000003\n")
    }

    @Test func `a line for programs`() {
        var writer = ByteWriter()
        LogLine.appendJSON(line, at: 0, to: &writer)
        #expect(
            String(decoding: writer.copy(), as: UTF8.self)
                == #"{"time":"1970-01-01T00:00:00.000Z","level":"warning","source":"TributaryRuntime","#
                + #""message":"a record was skipped","trace_id":"0000000000000abc0000000000000002","#
                + #""span_id":"0000000000000003","trace_flags":"01","#
                + #""metadata":{"topic":"orders","reason":"not \"JSON\"\n","empty":""}}"# + "\n")
    }

    @Test func `data can't forge a second line`() {
        let forged = text(LogMessage(.info, "one\ntwo", metadata: [("a\nb", "c\nd")], source: "x\ny"))
        #expect(forged.filter { $0 == "\n" }.count == 1)
        #expect(!forged.contains("trace_id"))
    }

    @Test(
        arguments: [
            (951_782_400, "2000-02-29T00:00:00.000Z"), (4_107_542_400, "2100-03-01T00:00:00.000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000Z"), (1_735_689_600, "2025-01-01T00:00:00.000Z"),
            (5_097_600, "1970-03-01T00:00:00.000Z"),
        ] as [(Int64, String)])
    func `times are written as dates`(_ seconds: Int64, _ date: String) {
        #expect(text(line, at: seconds * 1_000_000_000).hasPrefix(date + " "))
    }

    @Test func `lines below the level are not made`() {
        // Nothing to see on the standard error output but the line itself.
        LogSink.text(level: .error)(.info, "not shown", source: "test")
        #expect(LogSink.json(level: .debug).level == .debug)
    }
}

@Suite struct LogSinkTests {
    @Test func `a handler of one's own is five lines`() {
        let printed = Guarded<[String]>([])
        let logs = LogSink(level: .notice) { line in
            let data = line.metadata.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
            let trace = line.context.isValid ? line.context.traceID : "-"
            printed.withLock { $0.append("\(line.level) \(trace) \(line.message) \(data)") }
        }
        logs(.info, "below", source: "test")
        logs(.error, "above", [("k", "v")], source: "test", context: Sample.context(2, 3))
        #expect(printed.withLock { $0 } == ["error 0000000000000abc0000000000000002 above k=v"])
    }

    @Test func `sinks are joined by level, and data is added after a line's own`() {
        let one = Guarded<[LogMessage]>([])
        let two = Guarded<[LogMessage]>([])
        let both = LogSink(level: .debug) { line in one.withLock { $0.append(line) } }
            .and(LogSink(level: .error) { line in two.withLock { $0.append(line) } })
            .adding([("application", "bank"), ("k", "not mine")])
        both(.trace, "none", source: "test")
        both(.info, "first", [("k", "v")], source: "test")
        both(.critical, "second", source: "test")
        #expect(one.withLock { $0.map(\.message) } == ["first", "second"])
        #expect(two.withLock { $0.map(\.message) } == ["second"])
        #expect(one.withLock { $0[0].metadata.map(\.key) } == ["k", "application"])
        #expect(one.withLock { $0[0].metadata[0].value } == "v")
    }
}
