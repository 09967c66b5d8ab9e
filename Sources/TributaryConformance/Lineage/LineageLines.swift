internal import TributaryCore
internal import TributaryDSL
internal import TributaryLineage
internal import TributaryTelemetry

/// Writes what a run saw of lineage as the lines that are judged.
struct LineageLines {
    private let id: String
    private let names: SourceNames

    init(_ item: ConformanceCase, _ topology: Topology, cluster: String) {
        id = item.id
        // Those that a pattern means have their names from the steps.
        let named = (topology.sources + topology.globalSources).filter { !$0.isInternal }.map(\.topic)
        names = SourceNames(cluster: cluster, topics: named + item.pipedTopics.filter { !named.contains($0) })
    }

    /// The line of a record in an output topic.
    func output(
        _ record: CaseResult.Record, step: Int, topic: String, index: Int, _ context: TraceContext, _ cell: [UInt8]
    ) -> JSONValue {
        line(
            [
                ("kind", .string("output")), ("step", .integer(Int64(step))), ("topic", .string(topic)),
                ("index", .integer(Int64(index))), ("key", record.key.json), ("value", record.value.json),
            ], context, cell)
    }

    /// The line of a row of a store.
    func stored(
        _ key: CaseKey, _ value: CaseValue, store: String, _ context: TraceContext, _ cell: [UInt8]
    ) -> JSONValue {
        line(
            [("kind", .string("stored")), ("store", .string(store)), ("key", key.json), ("value", value.json)],
            context, cell)
    }

    private func line(
        _ fields: [(name: String, value: JSONValue)], _ context: TraceContext, _ cell: [UInt8]
    ) -> JSONValue {
        let report = cell.isEmpty ? nil : try? CellReport(cell.span.bytes, names: names)
        let json = report.flatMap { try? JSONValue(parsing: $0.json) } ?? .null
        return .fields(
            [("case", .string(id))] + fields + [
                ("traceparent", context.isValid ? .string(context.traceparent) : .null), ("cell", json),
            ])
    }

    /// The lines of spans, as OTLP.
    static func spans(_ batches: [SpanBatch], of item: ConformanceCase) throws -> [JSONValue] {
        var writer = ByteWriter()
        let resource = TelemetryResource(
            serviceName: CaseExecution.applicationID, attributes: [AttributeNames.testCase: .string(item.id)])
        for batch in batches { OTLPJSON.appendLine(batch, resource: resource, to: &writer) }
        return try writer.copy().split(separator: UInt8(ascii: "\n")).map { try JSONValue(parsing: Array($0)) }
    }
}
