import CrashApplication
import Glibc
import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB
import TributaryTelemetry

/// One transaction of the bank app in Jaeger: one connected trace, before and after a kill and a restore.
@Suite(.enabled(if: otelScript != nil, "needs TRIBUTARY_OTEL_SCRIPT"), .serialized, .timeLimit(.minutes(10)))
struct BankTraceTests {
    static let variables = [
        // Only what the test has sampled itself.
        "OTEL_TRACES_SAMPLER": "parentbased_always_off", "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
        "OTEL_METRICS_EXPORTER": "none",
    ]

    func start(_ folder: String, _ backend: Backend) throws -> Program {
        let child = try Program(
            [try Program.own("tributary-crash-child"), folder, ProcessingGuarantee.exactlyOnce.rawValue, "1"],
            environment: BankTraceTests.variables.merging(["OTEL_EXPORTER_OTLP_ENDPOINT": backend.endpoint]) { $1 })
        let said = child.read(milliseconds: 60_000)
        guard said == "running\n" else { throw TestFailure("the bank did not start: \(said)") }
        return child
    }

    func send(
        _ log: EmbeddedLog, _ topic: String, key: Int64, _ value: [UInt8], context: TraceContext, tracestate: String
    ) throws {
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
        defer { producer.close() }
        var bytes = ByteWriter()
        bytes.append(bigEndian: key)
        let keyBytes = bytes.copy()
        let lineageHeaders = Headers([("tracestate", Array(tracestate.utf8))])
        try producer.send(
            OutgoingRecord(
                timestamp: TimeSource.system.wall.milliseconds, key: keyBytes.span.bytes, value: value.span.bytes,
                context: context, lineageHeaders: lineageHeaders.encoded.span.bytes),
            topic: producer.number(ofTopic: topic),
            partition: partition(forKey: keyBytes.span.bytes, count: BankApplication.partitions))
        try producer.flush()
    }

    func sendAccount(_ log: EmbeddedLog, _ account: Int64, _ context: TraceContext) throws {
        let row = try Serde<Account>.account.bytes(Account(revision: 1, token: 5)) ?? []
        try send(log, BankApplication.accounts, key: account, row, context: context, tracestate: "account=1")
    }

    func sendTransfer(_ log: EmbeddedLog, _ account: Int64, _ context: TraceContext) throws {
        let transfer = Transfer(account: account, amount: 100, token: 7)
        let bytes = try Serde<Transfer>.transfer.bytes(transfer) ?? []
        try send(log, BankApplication.transactions, key: 77, bytes, context: context, tracestate: "bank=1")
    }

    /// Waits until Jaeger has spans of all names in a trace.
    func trace(_ client: JaegerClient, _ context: TraceContext, names: [String]) throws -> [FinishedSpan] {
        var spans: [FinishedSpan] = []
        for _ in 0..<300 {
            spans = try client.spans(ofTrace: context.traceID)
            if Set(names).isSubset(of: spans.map(\.name)) { return spans }
            usleep(100_000)
        }
        throw TestFailure("not there: \(Set(names).subtracting(spans.map(\.name)).sorted())")
    }

    static let steps = [
        "process transactions", "send bank-by-account-repartition", "process bank-by-account-repartition",
        // The join, the aggregate, the count and the windows, with the flush of each cache.
        "get accounts", "put balances", "flush balances", "send balance-updates", "put counts", "flush counts",
        "send count-updates", "put windows", "flush windows",
    ]

    /// Every span hangs below the one root, whose parent is the test's own.
    func checkConnected(_ spans: [FinishedSpan], _ context: TraceContext) {
        let ids = Set(spans.map(\.context.span))
        let roots = spans.filter { !ids.contains($0.parent) }
        #expect(roots.map(\.name) == ["process transactions"] && roots.first?.parent == context.span)
        #expect(roots.first?.parentIsRemote == true)
        for span in spans {
            #expect(span.context.traceID == context.traceID && span.tracestate == "bank=1")
            #expect(span.service == "bank" && span.end >= span.start && !span.failed)
        }
    }

    func links(_ spans: [FinishedSpan], _ name: String, _ type: LinkType) -> [TraceContext] {
        spans.filter { $0.name == name }.flatMap(\.links).filter { $0.type == type }.map(\.context)
    }

    @Test
    func `a transaction is one connected trace with every step of the stores, before and after a kill and a restore`()
        throws
    {
        let backend = try Backend(jaeger: true)
        let client = try JaegerClient(backend.jaeger)
        let folder = try TemporaryFolder()
        let path = folder.path + "/log"
        let log = try EmbeddedLog.open(at: path, configuration: BankApplication.logConfiguration)
        try log.createTopics(BankApplication.topics)
        let child = try start(path, backend)

        var random = FastRandom.seededBySystem()
        func context() -> TraceContext {
            TraceContext(traceHigh: random.next() | 1, traceLow: random.next(), span: random.next() | 1, flags: 3)
        }
        let account = context()
        let first = context()
        let second = context()
        try sendAccount(log, 42, account)
        let opened = try trace(client, account, names: ["process accounts", "put accounts", "flush accounts"])
        try sendTransfer(log, 42, first)
        let one = try trace(client, first, names: BankTraceTests.steps)
        checkConnected(one, first)
        // The join leads to the write of the account's row, in the trace of the account.
        let row = try #require(opened.first { $0.name == "flush accounts" })
        let joined = links(one, "get accounts", .joined)
        #expect(joined.map(\.traceID) == [account.traceID])
        #expect(joined.map(\.span) == [row.context.span])

        // Killed, and all of its state lost: it is made anew from the changelogs.
        child.kill()
        guard rename("\(path)/state", "\(folder.path)/lost") == 0 else {
            throw TestFailure("the state is not where it should be")
        }
        let again = try start(path, backend)
        try sendTransfer(log, 42, second)
        let two = try trace(client, second, names: BankTraceTests.steps + ["get balances"])
        checkConnected(two, second)
        // What it goes on from was written by the first, before the kill.
        for store in ["balances", "windows"] {
            let written = one.filter { $0.name == "flush \(store)" }.map(\.context.span)
            let previous = links(two, "get \(store)", .previous)
            if store == "balances" { #expect(previous.map(\.traceID) == [first.traceID]) }
            for link in previous { #expect(written.contains(link.span)) }
        }
        #expect(links(two, "get accounts", .joined).map(\.span) == [row.context.span])

        // The links lead through all three traces back to the records that they came from.
        var graph = TraceGraph(two)
        let last = try #require(two.first { $0.name == "flush balances" })
        let answer = try graph.why(SpanID(last.context)) { try client.spans(ofTrace: $0) }
        #expect(Set(answer.sources.map(\.topic)) == ["transactions", "accounts"] && answer.sources.count == 3)

        // And on the command line.
        let text = try Program.run([
            try Program.own("tributary"), "trace", second.traceID, "--jaeger", backend.jaeger, "--follow-links",
        ])
        #expect(text.contains("transactions-") && text.contains("accounts-"))
        let tree = try Program.run([try Program.own("tributary"), "trace", second.traceID, "--jaeger", backend.jaeger])
        #expect(tree.contains("previous -> ") && tree.contains("own time"))

        again.signal(SIGTERM)
        #expect(again.wait() == 0)
        log.close()
        // Lines of the application are there as log records.
        let lines = try backend.objects("logs")
        #expect(
            lines.contains {
                $0["body"]?.string == "the application's state changed" && $0["service"]?.string == "bank"
            })
    }
}
