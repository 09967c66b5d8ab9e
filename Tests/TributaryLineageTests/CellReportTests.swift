import Testing
import TributaryCore
import TributaryLineage

@Suite struct CellReportTests {
    let names = SourceNames(cluster: "conformance", topics: ["S1"])

    func report(_ index: Int) throws -> CellReport {
        let bytes = try #require([UInt8](hexadecimal: cellVectors[index].hex))
        return try CellReport(bytes.span.bytes, names: names)
    }

    @Test func `a report names topics and flags`() throws {
        let report = try report(2)
        #expect(report.count == 3)
        #expect(report.flags == ["gap"])
        #expect(report.earliest == 100 && report.latest == 256)
        #expect(report.fingerprint == "00000007")
        #expect(
            report.sources == [
                .init(topic: "179c7bf5", partition: 0, first: 0, last: 0, count: 1),
                .init(topic: "S1", partition: 0, first: 0, last: 1, count: 2),
            ])
    }

    @Test func `the report as JSON`() throws {
        #expect(
            try report(2).json
                == #"{"n": 3, "digest": "8ef92a25657b75497ac3834927b427e8", "earliest": 100, "latest": 256, "#
                + #""flags": ["gap"], "sources": ["#
                + #"{"topic": "179c7bf5", "partition": 0, "first": 0, "last": 0, "count": 1}, "#
                + #"{"topic": "S1", "partition": 0, "first": 0, "last": 1, "count": 2}]}"#)
        #expect(
            try report(3).json.contains(
                #"{"topic": "S1", "partition": null, "first": null, "last": null, "count": 17}"#))
        #expect(try report(0).json.hasSuffix(#""flags": [], "sources": []}"#))
    }

    @Test func `the report in a line`() throws {
        #expect(try report(0).line == "no records")
        #expect(try report(1).line == "1 record, S1-0 @ 0 (1), at 100, digest c3495bdaa105af91d09372b5b1ad6ba3")
        #expect(
            try report(2).line
                == "3 records, 179c7bf5-0 @ 0 (1), S1-0 @ 0...1 (2), from 100 to 256, "
                + "digest 8ef92a25657b75497ac3834927b427e8, gap")
        #expect(try report(3).line.hasPrefix("17 records, S1 all partitions (17), at -1"))
    }

    @Test func `all flags are named in the order of their bits`() {
        let cell = Cell.empty.with(flags: 31)
        #expect(
            CellReport(cell, of: CellArena(), names: names).flags == ["gap", "collapsed", "bound", "loose", "impure"])
    }

    @Test func `text is escaped in JSON`() {
        let odd = SourceNames(cluster: "c", topics: ["a\"\\\n\u{1}ä"])
        let arena = CellArena()
        let source = SourcePartition(cluster: "c", topic: "a\"\\\n\u{1}ä", partition: 0)
        let cell = arena.source(source, offset: 0, timestamp: Int64.min, fingerprint: 0)
        let json = CellReport(cell, of: arena, names: odd).json
        #expect(json.contains(#""topic": "a\"\\\n\u0001ä""#))
        #expect(json.contains(#""earliest": -9223372036854775808"#))
    }
}
