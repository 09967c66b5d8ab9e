import Testing
import TributaryConformance

@Suite struct ComparisonTests {
    private func result(_ text: String) throws -> CaseResult {
        try ConformanceCase(json: JSONValue(parsing: #"{"id": "x", "expected": \#(text)}"#)).expected
    }

    private func differences(_ expected: String, _ actual: String) throws -> [String] {
        CaseComparison.differences(expected: try result(expected), actual: try result(actual))
    }

    @Test func `records are compared in order within a topic`() throws {
        let expected =
            #"{"steps": [{"o": [{"key": "a", "value": "1", "ts": 1}, {"key": "b", "value": 2, "ts": 1}]}, {}]}"#
        #expect(try differences(expected, expected) == [])
        let swapped =
            #"{"steps": [{"o": [{"key": "b", "value": 2, "ts": 1}, {"key": "a", "value": "1", "ts": 1}]}, {}]}"#
        #expect(
            try differences(expected, swapped) == [
                #"steps[0].o[0]: expected {"key": "a", "value": "1", "ts": 1}, got {"key": "b", "value": 2, "ts": 1}"#,
                #"steps[0].o[1]: expected {"key": "b", "value": 2, "ts": 1}, got {"key": "a", "value": "1", "ts": 1}"#,
            ])
        let more = #"{"steps": [{"o": [{"key": "a", "value": "1", "ts": 1}]}, {"p": [{"key": null, "value": null}]}]}"#
        #expect(
            try differences(expected, more) == [
                #"steps[0].o[1]: expected {"key": "b", "value": 2, "ts": 1}, got nothing"#,
                #"steps[1].p[0]: expected nothing, got {"key": null, "value": null}"#,
            ])
    }

    @Test func `text is not a number, and windows count`() throws {
        let text = #"{"steps": [{"o": [{"key": {"key": "a", "start": 0, "end": 5}, "value": "1"}]}]}"#
        let number = #"{"steps": [{"o": [{"key": {"key": "a", "start": 0, "end": 5}, "value": 1}]}]}"#
        let other = #"{"steps": [{"o": [{"key": {"key": "a", "start": 0, "end": 6}, "value": "1"}]}]}"#
        #expect(try differences(text, number).count == 1)
        #expect(try differences(text, other).count == 1)
    }

    @Test func `lineage headers are taken out, others are compared with order and duplicates`() throws {
        func steps(_ headers: String) -> String {
            #"{"steps": [{"o": [{"key": "a", "value": "1", "ts": 1, "headers": \#(headers)}]}]}"#
        }
        let expected = steps(#"[["h", "1"], ["h", null]]"#)
        let traced = #"["traceparent", "x"], ["tracestate", "y"], ["tributary-cell", "z"]"#
        #expect(try differences(expected, steps(#"[["h", "1"], \#(traced), ["h", null]]"#)) == [])
        #expect(try differences(expected, steps(#"[["h", null], ["h", "1"]]"#)).count == 1)
        #expect(try differences(expected, steps(#"[["h", "1"]]"#)).count == 1)
    }

    @Test func `only dead letters may have any text`() throws {
        func steps(_ name: String, _ value: String) -> String {
            #"{"steps": [{"o": [{"key": "a", "value": "1", "ts": 1, "headers": [["\#(name)", \#(value)]]}]}]}"#
        }
        let name = "__streams.errors.message"
        #expect(try differences(steps(name, #""*""#), steps(name, #""failed""#)) == [])
        #expect(try differences(steps(name, #""*""#), steps(name, "null")).count == 1)
        #expect(try differences(steps("h", #""*""#), steps("h", #""failed""#)).count == 1)
    }

    @Test func `rows of stores are sorted, opaque stores only need to exist`() throws {
        let expected = #"{"stores": {"s": [["a", "1", 5], ["b", 2, 6]], "o": "opaque"}}"#
        #expect(try differences(expected, #"{"stores": {"s": [["b", 2, 6], ["a", "1", 5]], "o": [["x", "y"]]}}"#) == [])
        #expect(
            try differences(expected, #"{"stores": {"s": [["a", "1"], ["b", 2, 6]]}}"#) == [
                "stores.o: expected an entry, got nothing",
                #"stores.s[0]: expected ["a", "1", 5], got ["a", "1"]"#,
            ])
        let windows =
            #"{"stores": {"s": [[{"key": "a", "start": 0, "end": 5}, 1], [{"key": "a", "start": 5, "end": 10}, 2]]}}"#
        let turned =
            #"{"stores": {"s": [[{"key": "a", "start": 5, "end": 10}, 2], [{"key": "a", "start": 0, "end": 5}, 1]]}}"#
        #expect(try differences(windows, turned) == [])
        #expect(try differences(expected, #"{"stores": {"s": "opaque", "o": "opaque"}}"#).count == 1)
    }

    @Test func `internal topics are compared byte by byte, without lineage`() throws {
        let expected =
            #"{"changelogs": {"c": [["61", "78", 5, [["v", "03"]]], ["61", null, null]]}, "repartitions": {}}"#
        let traced =
            #"{"changelogs": {"c": [["61", "78", 5, [["traceparent", "00"], ["v", "03"]]], ["61", null, null]]}, "repartitions": {"r": []}}"#
        #expect(try differences(expected, traced) == [])
        let other =
            #"{"changelogs": {"c": [["61", "79", 5, [["v", "03"]]], ["61", null, 5]]}, "repartitions": {"r": [[null, "61", 1]]}}"#
        #expect(
            try differences(expected, other) == [
                #"changelogs.c[0]: expected ["61", "78", 5, [["v", "03"]]], got ["61", "79", 5, [["v", "03"]]]"#,
                #"changelogs.c[1]: expected ["61", null, null], got ["61", null, 5]"#,
                "repartitions.r: expected nothing, got an entry",
            ])
    }

    @Test func `topics, groups and counts are compared`() throws {
        let expected = """
            {"internalTopics": {"t": {"type": "changelog", "config": {"a": "1"}}}, "copartition": [["b", "a"], ["c"]],
             "droppedRecords": 0}
            """
        let same = """
            {"internalTopics": {"t": {"type": "changelog", "config": {"a": "1"}}}, "copartition": [["c"], ["a", "b"]],
             "droppedRecords": 0}
            """
        #expect(try differences(expected, same) == [])
        let other = """
            {"internalTopics": {"t": {"type": "changelog", "config": {"a": "2"}, "partitions": 3}}, "copartition": [],
             "droppedRecords": 2}
            """
        let found = try differences(expected, other)
        #expect(found.count == 3)
        #expect(found.last == "droppedRecords: expected 0, got 2")
    }

    @Test func `expected groups that share a topic are one`() throws {
        let expected = #"{"copartition": [["a", "b"], ["c", "d"], ["e"], ["d", "b"], ["a", "b"]]}"#
        #expect(try differences(expected, #"{"copartition": [["a", "b", "c", "d"], ["e"]]}"#) == [])
        #expect(try differences(expected, #"{"copartition": [["a", "b"], ["c", "d"], ["e"]]}"#).count == 1)
        #expect(try differences(expected, #"{"copartition": [["a", "b", "c", "d", "e"]]}"#).count == 1)
    }

    @Test func `errors are compared by place, and after one only some things`() throws {
        let atStep = #"{"error": {"atStep": 1, "message": "x"}, "steps": [{}], "describe": ["a"]}"#
        #expect(try differences(atStep, #"{"error": {"atStep": 1}, "steps": [{}], "describe": ["a"]}"#) == [])
        #expect(
            try differences(atStep, #"{"steps": [{}, {}], "describe": ["a"], "stores": {}}"#) == [
                "error: expected at step 1, got none", "steps: expected 1 steps, got 2",
            ])
        let atBuild = #"{"error": {"atBuild": true}}"#
        #expect(try differences(atBuild, #"{"error": {"atBuild": true}, "describe": ["a"]}"#) == [])
        #expect(try differences(atBuild, #"{"describe": ["a"]}"#) == ["error: expected at build, got none"])
        #expect(
            try differences(#"{"steps": [{}], "describe": ["a"]}"#, #"{"error": {"atStart": true, "message": "no"}}"#)
                == [
                    "error: expected none, got at start (no)"
                ])
    }

    @Test func `what the runner did not observe is a difference`() throws {
        let expected = """
            {"describe": ["a"], "steps": [], "stores": {}, "changelogs": {}, "repartitions": {}, "internalTopics": {},
             "copartition": [], "droppedRecords": 0}
            """
        #expect(try differences(expected, "{}").count == 8)
    }

    @Test func `descriptions are compared with their lists sorted`() {
        let text = """
            Topologies:
               Sub-topology: 0
                Source: s (topics: [b, a])
                  --> y, x
                Processor: x (stores: [])
                  --> none
                  <-- s
                Sink: k (extractor class: org.example.F@1a2b(x))
                  <-- y, x


            """
        let lines = DescribeText.normalised(text)
        #expect(
            lines == [
                "Topologies:", "   Sub-topology: 0", "    Source: s (topics: [a, b])", "      --> x, y",
                "    Processor: x (stores: [])", "      --> none", "      <-- s",
                "    Sink: k (extractor class: *)", "      <-- x, y",
            ])
        #expect(DescribeText.normalised(lines) == lines)
        #expect(DescribeText.normalised("") == [])
    }
}
