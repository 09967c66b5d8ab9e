internal import TributaryCore
internal import TributaryLineage
internal import TributaryTelemetry

/// `tributary trace`.
enum TraceCommand {
    static let spec = CommandSpec(
        words: ["trace"],
        summary: "Shows a trace as a tree, or follows its links back to the source records.",
        details:
            "Traces come from files of OTLP JSON lines (gzip or not), as the file exporter and collectors write them, or from "
            + "Jaeger's HTTP API. Say which trace by its id, by a traceparent, or by a stored value (--state, --store, --key): that of its last "
            + "write. Without any, the traces are listed.\n"
            + "Under each span stand its links and why they are there: previous, joined, merged, copied contributed; "
            + "superseded, retracted, deleted are history; routed and trigger say why now. --follow-links walks the parents and "
            + "the contributing links, through all traces, down to the source records. Below the tree stands where the time went: an operation's "
            + "own time is that in which none of its children ran.",
        operands: [OperandSpec(name: "ID", summary: "32 hexadecimal digits, or a traceparent", arity: .optional)],
        options: [
            .text(
                "traces", "PATH", "a file, or a folder of files; may be given several times", repeated: true),
            .text("jaeger", "URL", "Jaeger's query service, for example http://127.0.0.1:16686"),
            .text("service", "NAME", "with --jaeger: list the traces of this service"),
            .text("state", "DIR", "with --store and --key: the application's state directory"),
            .text("store", "NAME", "the store of the value"), .text("key", "KEY", "the key of the value"),
            .format("key-format", windows: true, "how the key is typed: \(BytesFormat.keyHelp)"),
        ] + KeyRows.options + [
            .flag("follow-links", "walk back to the source records"),
            .integer("max", "N", "list at most so many traces (20)"), TopicsCommands.json,
        ],
        examples: [
            "tributary trace --traces ./bank-data/traces",
            "tributary trace 4bf92f3577b34da6a3ce929d0e0e4736 --traces ./bank-data/traces",
            "tributary trace 4bf92f3577b34da6a3ce929d0e0e4736 --jaeger http://127.0.0.1:16686 --follow-links",
            "tributary trace --traces ./bank-data/traces --state ./bank-data/state/bank --store balances --key DE100000 "
                + "--follow-links",
        ], run: { try run($0, $1) })

    private static func run(_ arguments: Arguments, _ console: Console) throws -> Int32 {
        let wanted = try wanted(arguments)
        let source = try TraceSource(arguments)
        let most = Int(max(arguments.integer("max") ?? 20, 0))
        var graph = try source.graph(ofTrace: wanted?.trace, most: most) { console.note("left out: \($0)") }
        guard let wanted else {
            list(graph, most, arguments.has("json"), console)
            return 0
        }
        let roots = graph.roots(ofTrace: wanted.trace)
        guard !roots.isEmpty else {
            let why =
                wanted.isSampled == false ? ": it was not sampled, so it has no spans (its cell knows its sources)" : ""
            throw CommandError("the trace \(wanted.trace) is not \(source.place)\(why)")
        }
        let isJSON = arguments.has("json")
        guard arguments.has("follow-links") else {
            console.line(trimmed(isJSON ? graph.json(ofTrace: wanted.trace) : graph.text(ofTrace: wanted.trace)))
            if !isJSON { console.line("\n" + trimmed(graph.timesText(ofTrace: wanted.trace))) }
            return 0
        }
        for start in wanted.span.map({ [$0] }) ?? leaves(graph, roots.map { SpanID($0.context) }) {
            let answer = try graph.why(start, isRow: wanted.isRow) { try source.spans(ofTrace: $0) }
            console.line(trimmed(isJSON ? graph.json(of: answer) : graph.text(of: answer)))
        }
        return 0
    }

    private struct Wanted {
        var trace: String
        var span: SpanID?
        var isSampled: Bool?
        var isRow = false
    }

    private static func wanted(_ arguments: Arguments) throws -> Wanted? {
        if let text = arguments.operands.first {
            guard !arguments.has("key") else { throw UsageError("give an id or a key, not both") }
            let bytes = Array(text.utf8)
            if let context = TraceContext(traceparent: bytes.span.bytes) {
                return Wanted(trace: context.traceID, span: SpanID(context), isSampled: context.isSampled)
            }
            guard text.utf8.count == 32, [UInt8](hexadecimal: text) != nil else {
                throw UsageError("'\(text)' is neither 32 hexadecimal digits nor a traceparent")
            }
            return Wanted(trace: text.lowercased())
        }
        guard let key = arguments["key"] else {
            guard !arguments.has("store") && !arguments.has("state") else { throw UsageError("--key is missing") }
            return nil
        }
        guard arguments.has("state"), arguments.has("store") else {
            throw UsageError("--key needs --state and --store, too")
        }
        guard let (row, _) = try StoreCommands.find(key, arguments) else {
            throw StoreCommands.missing(key, try arguments.required("store"))
        }
        guard row.context.isValid else { throw CommandError("the value of '\(key)' has no context: lineage was off") }
        // A row made of one record may be that record, in a store that follows its source topic: nothing can be missing.
        let isOneRecord = row.cell?.count == 1
        return Wanted(
            trace: row.context.traceID, span: SpanID(row.context), isSampled: row.context.isSampled, isRow: !isOneRecord
        )
    }

    /// The spans at the ends of a trace's tree: from there all of it is reached.
    private static func leaves(_ graph: TraceGraph, _ roots: [SpanID]) -> [SpanID] {
        var leaves: [SpanID] = []
        var open = roots
        var seen: Set<SpanID> = []
        while let id = open.popLast() {
            guard seen.insert(id).inserted else { continue }
            let children = graph.children(of: id).map { SpanID($0.context) }
            if children.isEmpty { leaves.append(id) } else { open += children }
        }
        return leaves
    }

    private static func list(_ graph: TraceGraph, _ most: Int, _ json: Bool, _ console: Console) {
        let ids = graph.traceIDs
        for id in ids.prefix(most) {
            let root = graph.roots(ofTrace: id).first
            let name = root.map { Printable.line($0.name) } ?? ""
            let time = (root?.start ?? 0) / 1_000_000
            if json {
                var writer = ByteWriter()
                writer.appendObject { writer, members in
                    members.string("traceId", id, &writer)
                    members.string("name", root?.name ?? "", &writer)
                    members.integer("start", time, &writer)
                }
                console.line(String(decoding: writer.copy(), as: UTF8.self))
            } else {
                console.line("\(id)  \(TimeText.text(time))  \(name)\(root?.coordinate.map { "  \($0)" } ?? "")")
            }
        }
        if ids.count > most { console.note("\(ids.count - most) more; --max shows them") }
        if ids.isEmpty { console.note("there are no spans") }
    }

    private static func trimmed(_ text: String) -> String { text.hasSuffix("\n") ? String(text.dropLast()) : text }
}
