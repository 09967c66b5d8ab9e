import Testing
import TributaryConformance

@Suite struct CaseReadingTests {
    private func read(_ text: String) throws -> ConformanceCase { try ConformanceCase(json: JSONValue(parsing: text)) }

    private func message(_ text: String) -> String {
        do {
            _ = try read(text)
            return "read"
        } catch {
            return "\(error)"
        }
    }

    @Test func `a case is read with its defaults`() throws {
        let item = try read(
            """
            {"id": "c1", "topology": [{"op": "stream", "id": "s", "topics": ["in"]}, {"op": "to", "in": "s", "topic": "o"}],
             "steps": [{"pipe": {"topic": "in", "key": null, "value": "v", "ts": 5, "headers": [["h", null]]}},
                       {"advanceWallClock": 7}],
             "expected": {"steps": [{"o": [{"key": null, "value": 3, "ts": 5}]}, {}], "droppedRecords": 1}}
            """)
        #expect(item.config == CaseConfig())
        #expect(item.topology.map(\.operation) == [.stream, .to])
        guard case .pipe(let record) = item.steps.first else {
            Issue.record("no pipe")
            return
        }
        #expect(record.key == nil && record.value == "v" && record.timestamp == 5)
        #expect(record.headers == [CaseHeader("h", nil)])
        #expect(item.steps.last == .advanceWallClock(7))
        let steps: [[String: [CaseResult.Record]]] = [["o": [.init(.null, .integer(3), timestamp: 5)]], [:]]
        #expect(item.expected.steps == steps)
        #expect(item.expected.droppedRecords == 1)
        #expect(item.expected.stores == nil)
    }

    @Test func `a bad case says where`() {
        #expect(message(#"{"topology": []}"#) == "id: the field is missing")
        #expect(
            message(#"{"id": "x", "topology": [{"op": "fold"}], "expected": {}}"#)
                == "case x: topology[0].op: there is no operation 'fold'")
        #expect(
            message(#"{"id": "x", "config": {"cacheBytes": "1"}, "expected": {}}"#)
                == "case x: config.cacheBytes: an integer expected, not text")
        #expect(
            message(#"{"id": "x", "config": {"cache": 1}, "expected": {}}"#) == "case x: config.cache: an unknown field"
        )
        #expect(
            message(#"{"id": "x", "steps": [{"pipe": {"topic": "t", "value": "v", "ts": 1}}], "expected": {}}"#)
                == "case x: steps[0].pipe.key: the field is missing")
        #expect(message(#"{"id": "x", "steps": []}"#) == "case x: expected: the field is missing")
        #expect(
            message(#"{"id": "x", "expected": {"changelogs": {"t": [["61", 5, 1]]}}}"#).contains(
                "expected.changelogs.t.[0]: [key, value, ts, headers?] expected"))
    }

    @Test func `shapes of statements are read`() throws {
        let item = try read(
            """
            {"id": "x", "expected": {}, "topology": [
              {"op": "stream", "id": "s", "topics": ["a"]},
              {"op": "split", "in": "s", "named": "n-", "branches": [{"id": "b1", "fn": "true", "name": "one"}],
               "default": {"id": "b2"}},
              {"op": "groupByKey", "id": "g", "in": "b1"},
              {"op": "windowedBy", "id": "w", "in": "g",
               "window": {"kind": "hopping", "sizeMs": 10, "advanceMs": 5, "graceMs": 2}},
              {"op": "count", "id": "c", "in": "w",
               "mat": {"name": "st", "store": "inMemory", "retentionMs": 100, "cache": false}},
              {"op": "process", "id": "p", "in": "b2", "stores": ["k"],
               "processor": {"kind": "ttl", "store": "k", "everyMs": 10, "clock": "wall", "ttlMs": 5}}
            ]}
            """)
        let branches = try item.topology[1].branches
        #expect(branches.map(\.id) == ["b1", "b2"])
        #expect(branches.map(\.name) == ["one", nil])
        #expect(branches.map(\.predicate) == ["true", nil])
        #expect(try item.topology[3].window == .hopping(size: 10, advance: 5, grace: 2))
        let stored = try item.topology[4].materialized
        #expect(stored?.name == "st" && stored?.store == .inMemory && stored?.retention == 100)
        #expect(stored?.cache == false && stored?.log == nil)
        let processor = try item.topology[5].processor
        #expect(processor.kind == .ttl && processor.store == "k")
        #expect(try processor.clock == .wall)
        #expect(try item.features() == [])
    }

    private static let featureCases: [(String, [Feature])] = [
        (#"{"op": "stream", "id": "s", "pattern": "a.*"}"#, [.pattern]),
        (#"{"op": "globalTable", "id": "g", "topic": "t"}"#, [.globalTable]),
        (
            #"{"op": "table", "id": "t", "topic": "t", "mat": {"name": "v", "store": "supplier:plain"}}"#,
            [.suppliedStore]
        ),
        (#"{"op": "filter", "in": "T", "fn": "true"}"#, [.tableFilter]),
        (#"{"op": "filter", "in": "S", "fn": "true"}"#, []),
        (#"{"op": "mapValues", "in": "T", "fn": "id"}"#, [.tableMapValues]),
        (#"{"op": "groupBy", "in": "T", "keyFn": "key", "fn": "id"}"#, [.tableGroupBy]),
        (#"{"op": "groupBy", "in": "S", "fn": "key"}"#, []),
        (#"{"op": "join", "type": "left", "in": "S", "in2": "T", "fn": "plus"}"#, []),
        (#"{"op": "join", "type": "left", "in": "S", "in2": "T", "fn": "plus", "graceMs": 0}"#, [.graceJoin]),
        (#"{"op": "join", "type": "inner", "in": "S", "in2": "S", "fn": "plus"}"#, [.streamStreamJoin]),
        (#"{"op": "join", "type": "outer", "in": "T", "in2": "T", "fn": "plus"}"#, [.tableTableJoin]),
        (#"{"op": "store", "type": "versioned", "name": "v"}"#, [.versionedStore]),
        (#"{"op": "store", "type": "window", "name": "v"}"#, []),
        (#"{"op": "suppress", "in": "T", "until": "windowClose"}"#, [.suppress]),
    ]

    @Test(arguments: featureCases)
    func `what a case needs beyond the first set is named`(statement: String, expected: [Feature]) throws {
        let item = try read(
            """
            {"id": "x", "expected": {}, "topology": [{"op": "stream", "id": "S", "topics": ["a"]},
             {"op": "table", "id": "T", "topic": "b"}, \(statement)]}
            """)
        #expect(try item.missingFeatures(Set(Feature.allCases)) == expected)
        #expect(try item.missingFeatures([]) == [])
    }

    @Test func `an id that no statement gave is an error`() throws {
        let item = try read(#"{"id": "x", "expected": {}, "topology": [{"op": "to", "in": "s", "topic": "o"}]}"#)
        #expect(throws: CaseError.self) { try item.features() }
    }
}
