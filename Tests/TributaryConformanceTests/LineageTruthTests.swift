import Testing
import TributaryConformance

@Suite struct LineageTruthTests {
    /// The tokens' digest, the second from the vectors of the rules.
    private let item: ConformanceCase

    init() throws {
        item = try ConformanceCase(
            json: JSONValue(
                parsing: """
                    {"id": "x", "topology": [], "expected": {}, "steps": [
                      {"pipe": {"topic": "S1", "key": "a", "value": "a[S1:0]", "ts": 5}},
                      {"pipe": {"topic": "S1", "key": "a", "value": "b[S1:1]", "ts": 9}}]}
                    """))
    }

    private let context = "00-11111111111111111111111111111111-00000000000000b2-01"

    private func line(
        n: Int = 1, first: Int = 1, last: Int = 1, flags: String = "", times: String = #""earliest": 9, "latest": 9"#,
        value: String = #""b[S1:1]""#, digest: String? = nil
    ) throws -> JSONValue {
        let digest = try digest ?? vector()
        return try JSONValue(
            parsing: """
                {"case": "x", "kind": "output", "step": 1, "topic": "out", "index": 0, "key": "a", "value": \(value),
                 "traceparent": "\(context)", "cell": {"n": \(n), "digest": "\(digest)", \(times), "flags": [\(flags)],
                 "sources": [{"topic": "S1", "partition": 0, "first": \(first), "last": \(last), "count": \(n)}]}}
                """)
    }

    /// The digest of S1, partition 0, offset 1, from a run of the real thing.
    private func vector() throws -> String {
        let item = try ConformanceCase(
            json: JSONValue(
                parsing: """
                    {"id": "v", "expected": {}, "topology": [
                      {"id": "s", "op": "stream", "topics": ["S1"]}, {"op": "to", "in": "s", "topic": "out"}],
                     "steps": [{"pipe": {"topic": "S1", "key": "a", "value": "a", "ts": 5}},
                               {"pipe": {"topic": "S1", "key": "a", "value": "b", "ts": 9}}]}
                    """))
        let run = try DriverRunner().run(item)
        return try #require(run.lineage.last?.object?["cell"]?.object?["digest"]?.string)
    }

    private func span(
        _ id: String, parent: String? = nil, kind: Int = 1, offset: Int? = nil, links: [(String, String)] = [],
        trigger: Bool = false
    ) -> String {
        let trace = String(repeating: "1", count: 32)
        let parentText = parent.map { #""parentSpanId": "\#($0)","# } ?? ""
        var attributes: [String] = []
        if let offset {
            attributes += [
                #"{"key": "messaging.destination.name", "value": {"stringValue": "S1"}}"#,
                #"{"key": "messaging.destination.partition.id", "value": {"stringValue": "0"}}"#,
                #"{"key": "messaging.kafka.offset", "value": {"intValue": "\#(offset)"}}"#,
            ]
        }
        if kind == 1 {
            attributes.append(#"{"key": "db.operation.name", "value": {"stringValue": "put"}}"#)
            attributes.append(#"{"key": "db.collection.name", "value": {"stringValue": "rows"}}"#)
        }
        if trigger { attributes.append(#"{"key": "tributary.parent", "value": {"stringValue": "trigger"}}"#) }
        let linkText = links.map { target, type in
            """
            {"traceId": "\(trace)", "spanId": "\(target)",
             "attributes": [{"key": "tributary.link", "value": {"stringValue": "\(type)"}}]}
            """
        }
        return """
            {"traceId": "\(trace)", "spanId": "\(id)", \(parentText) "kind": \(kind), "name": "n",
             "attributes": [\(attributes.joined(separator: ","))], "links": [\(linkText.joined(separator: ","))]}
            """
    }

    private func spans(_ list: String...) throws -> [JSONValue] {
        [
            try JSONValue(
                parsing: #"{"resourceSpans": [{"scopeSpans": [{"spans": [\#(list.joined(separator: ","))]}]}]}"#)
        ]
    }

    private func problems(_ lines: [JSONValue], _ spans: [JSONValue]? = nil) -> [String] {
        LineageTruth.check(item, lineage: lines, spans: spans).problems
    }

    @Test func `a cell that fits its tokens passes, others don't`() throws {
        #expect(problems([try line()]) == [])
        #expect(try problems([line(n: 2)]).count == 2)
        #expect(try problems([line(first: 0)]).count == 1)
        #expect(try problems([line(times: #""earliest": 5, "latest": 9"#)]).count == 1)
        #expect(try problems([line(digest: String(repeating: "0", count: 32))]).count == 1)
        #expect(try problems([line(value: #""b[S1:1]b[S1:1]""#)]).count == 3)
        #expect(try problems([line(value: #""b[S1:7]""#)]).isEmpty == false)
    }

    @Test func `a loose cell may be wider and never narrower`() throws {
        let wide = #""earliest": 5, "latest": 9"#
        #expect(try problems([line(first: 0, flags: #""loose""#, times: wide)]) == [])
        #expect(try problems([line(first: 2, last: 2, flags: #""loose""#)]).count == 1)
    }

    @Test func `a superset is not judged, and a null value only has to have lineage`() throws {
        #expect(try problems([line(n: 2, flags: #""bound""#)]) == [])
        #expect(try problems([line(n: 2, value: "null")]) == [])
        #expect(problems([.fields([("kind", .string("output")), ("value", .null)])]).count == 1)
    }

    private let source = "00000000000000a1"
    private let put = "00000000000000b2"

    @Test func `the way to the tokens goes over parents and contributing links`() throws {
        let lines = [try line()]
        let reached = try spans(span(source, kind: 5, offset: 1), span(put, parent: source))
        #expect(problems(lines, reached) == [])
        #expect(try problems(lines, spans(span(source, kind: 5, offset: 1))).count == 1)
        #expect(try problems(lines, spans(span(source, kind: 5, offset: 0), span(put, parent: source))).count == 2)
        let triggered = try spans(span(source, kind: 5, offset: 1), span(put, parent: source, trigger: true))
        #expect(problems(lines, triggered).count == 1)
    }

    @Test func `history is not the way, and what was retracted may be on it`() throws {
        let lines = [try line()]
        let old = "00000000000000c3"
        let start = span(source, kind: 5, offset: 1)
        let other = span(old, parent: source, kind: 5, offset: 0) + "," + span("00000000000000d4", parent: old)
        let row = "00000000000000d4"
        for (type, count) in [("superseded", 0), ("previous", 1), ("retracted", 0)] {
            let all = try spans(start, other, span(put, parent: source, links: [(row, type)]))
            #expect(problems(lines, all).count == count, "\(type)")
        }
        let both = try spans(start, other, span(put, parent: source, links: [(row, "previous"), (row, "retracted")]))
        #expect(problems(lines, both) == [])
    }

    @Test func `loose ends, second roots and cycles are found`() throws {
        let start = span(source, kind: 5, offset: 1)
        let loose = try spans(start, span(put, parent: source, links: [("00000000000000ff", "joined")]))
        #expect(problems([], loose).count == 1)
        #expect(try problems([], spans(start, span(put, parent: "00000000000000ff"))).count == 1)
        #expect(try problems([], spans(start, span(put))).count == 1)
        let cycle = try spans(span(source, links: [(put, "joined")]), span(put, parent: source))
        #expect(problems([], cycle).count == 1)
    }

    @Test func `a seed always makes the same case, and caches change only the settings`() throws {
        #expect(LineageGenerator.json(seed: 7) == LineageGenerator.json(seed: 7))
        #expect(LineageGenerator.json(seed: 7) != LineageGenerator.json(seed: 8))
        let steps = LineageGenerator.Caches.allCases.map {
            LineageGenerator.json(seed: 7, caches: $0).object?["steps"]
        }
        #expect(steps[0] == steps[1] && steps[1] == steps[2])
    }

    @Test func `without tokens a cell has to have what the spans lead to`() throws {
        let item = try ConformanceCase(
            json: JSONValue(
                parsing: """
                    {"id": "x", "topology": [], "expected": {}, "steps": [
                      {"pipe": {"topic": "S1", "key": "a", "value": "no token", "ts": 5}},
                      {"pipe": {"topic": "S1", "key": "a", "value": "nor here", "ts": 9}}]}
                    """))
        func problems(_ line: JSONValue, _ offset: Int) throws -> Int {
            let spans = try spans(span(source, kind: 5, offset: offset), span(put, parent: source))
            return LineageTruth.check(item, lineage: [line], spans: spans).problems.count
        }
        let value = #""v""#
        #expect(try problems(line(value: value), 1) == 0)
        // The record, and its time.
        #expect(try problems(line(value: value), 0) == 2)
        #expect(try problems(line(first: 0, times: #""earliest": 5, "latest": 9"#, value: value), 0) == 0)
        #expect(try problems(line(value: "null"), 0) == 0)
    }

    @Test func `random topologies have every operation, and the same ones for the same seed`() throws {
        var operations: Set<Statement.Operation> = []
        for seed in UInt64(0)..<150 {
            let item = try TopologyGenerator.makeCase(seed: seed)
            operations.formUnion(item.topology.map(\.operation))
            #expect(!item.steps.isEmpty)
        }
        #expect(operations == Set(Statement.Operation.allCases))
        #expect(TopologyGenerator.json(seed: 7) == TopologyGenerator.json(seed: 7))
        #expect(TopologyGenerator.json(seed: 7) != TopologyGenerator.json(seed: 8))
    }
}
