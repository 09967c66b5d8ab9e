import TestSupport
import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryState
import TributaryTesting

@testable import TributaryRuntime

/// Lineage in state: how long graves are kept, and what a restore says of records that it can't read or that had none.
@Suite struct LineageStateTests {
    private func makeTable() throws -> TaskRig {
        let builder = StreamsBuilder()
        _ = builder.table("in", key: .string, value: .string, as: "rows")
        return try TaskRig(builder)
    }

    private func graves(_ rig: TaskRig) throws -> Int { try rig.state.memory.table("rows.graves").count() }

    @Test func `graves go when their retention is over by the wall clock, whatever the records' times`() throws {
        let rig = try makeTable()
        rig.configuration.graveRetention = .milliseconds(60_000)
        try rig.start()
        // A backfill: its tombstones are decades old.
        for key in ["a", "b"] {
            try rig.send("in", key, "x", timestamp: 5)
            try rig.send("in", key, nil, timestamp: 6)
        }
        try rig.process()
        try rig.commit(force: true)
        #expect(try graves(rig) == 2)
        rig.clock.advance(60_000)
        try rig.send("in", "c", nil)
        try rig.send("in", "b", "again", timestamp: 7)
        try rig.process()
        try rig.commit(force: true)
        #expect(try graves(rig) == 2)
        rig.clock.advance(60_000)
        try rig.commit(force: true)
        try rig.commit(force: true)
        #expect(try graves(rig) == 1)
        rig.clock.advance(60_001)
        try rig.commit(force: true)
        #expect(try graves(rig) == 0)
        try rig.kill()
    }

    @Test func `cells in a changelog that can't be read are a gap and a warning, not an end`() throws {
        let builder = StreamsBuilder()
        _ = builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts")
        let rig = try TaskRig(builder)
        let context = TraceContext(traceHigh: 1, traceLow: 2, span: 3, flags: 0)
        for (key, cell) in [("newer", [2, 0, 0]), ("cut", [1, 0, 0, 0]), ("fine", [1])] as [(String, [UInt8])] {
            _ = try rig.log.append(
                LoggedRecord(
                    offset: 0, timestamp: 5, key: Array(key.utf8), value: [0, 0, 0, 0, 0, 0, 0, 4], headers: Headers(),
                    context: context, cell: cell, lineageHeaders: Headers()),
                to: TopicPartition("app-counts-changelog", 0))
        }
        try rig.start()
        let warnings = rig.takeWarnings().filter { $0.message.hasPrefix("cells of changelog records") }
        #expect(warnings.count == 1)
        #expect(warnings.first?.metadata.contains { $0 == ("records", "2") } == true)
        for key in ["newer", "cut", "fine"] { try rig.send("in", key, "x") }
        try rig.process()
        #expect(try rig.counts("counts") == ["newer": 5, "cut": 5, "fine": 5])
        let scan = try rig.task.store("counts").scan(from: nil, through: nil, reverse: false)
        while let row = try scan.next() { #expect(row.lineage.cell.flags == Cell.gap && row.lineage.cell.count == 1) }
        try rig.kill()
    }

    /// Key, value, timestamp, context, flags and number of contributions of each row and grave.
    private func content(_ rig: TaskRig) throws -> [String] {
        let store = try rig.task.store("rows")
        var list: [String] = []
        let scan = try store.scan(from: nil, through: nil, reverse: false)
        while let row = try scan.next() {
            let cell = row.lineage.cell
            list.append(
                "\(row.key) \(row.value) \(row.timestamp) \(row.lineage.context.span) \(cell.flags) \(cell.count)")
        }
        for key in ["a", "b", "c", "d", "e"] {
            guard let grave = try store.grave(Array(key.utf8).span.bytes) else { continue }
            list.append("grave \(key) \(grave.timestamp) \(grave.lineage.context.span) \(grave.lineage.cell.flags)")
        }
        return list
    }

    @Test func `with lineage off and on again kept and restored state say the same`() throws {
        let rig = try makeTable()
        func phase(_ mode: LineageMode, _ records: [(String, String?)]) throws {
            rig.configuration.lineage.mode = mode
            for (key, value) in records { try rig.send("in", key, value) }
            try rig.runOnce()
        }
        try phase(.cells, [("a", "1"), ("b", "1"), ("c", "1"), ("b", nil), ("c", nil), ("d", "1"), ("d", nil)])
        try phase(.off, [("a", "2"), ("b", "2"), ("b", nil), ("c", "2"), ("e", "2")])
        try phase(.context, [("e", "3")])
        rig.configuration.lineage.mode = .cells
        try rig.start()
        let kept = try content(rig)
        try rig.kill()
        for name in try rig.state.memory.tableNames() { try rig.state.memory.dropTable(name) }
        for key in try rig.state.memory.metadataKeys(prefix: "") { try rig.state.memory.setMetadata(key, nil) }
        try rig.state.memory.commit()
        try rig.start()
        #expect(try content(rig) == kept)
        // Rows that were written without cells say so; of the graves only that which nothing without lineage touched is left.
        #expect(kept.count == 4)
        #expect(kept.filter { $0.hasPrefix("grave") }.map { $0.split(separator: " ")[1] } == ["d"])
        #expect(kept.filter { !$0.hasPrefix("grave") }.allSatisfy { $0.hasSuffix(" 1 0") })
        try rig.kill()
    }
}
