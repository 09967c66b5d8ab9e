import Testing
import TributaryCore
import TributaryLineage
import TributaryRuntime
import TributaryTesting

@testable import TributaryDSL

/// What tables give to the nodes behind them: in the form that those ask for, and with old values where one asked.
@Suite struct TableEdgeTests {
    enum Form: CaseIterable { case update, keyless, bytes }

    struct Change: Equatable {
        var key: String
        var new: String?
        var old: String?

        init(_ key: String, _ new: String?, _ old: String?) {
            self.key = key
            self.new = new
            self.old = old
        }
    }

    private func configuration(isCached: Bool) -> TestDriverConfiguration {
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = isCached ? 1 << 20 : 0
        return configuration
    }

    @Test(arguments: Form.allCases, [false, true])
    func `a table's changes have old values once a node asked for them`(_ form: Form, _ isCached: Bool) throws {
        for asks in [false, true] {
            let builder = StreamsBuilder()
            let table = builder.table("in", key: .string, value: .string, as: "rows")
            let probe = Probe(table, form, .string, .string) { $0 }
            if asks { _ = table.source.askForOld(table.graph, true) }
            let driver = try TopologyTestDriver(builder.build(), configuration: configuration(isCached: isCached))
            defer { driver.close() }
            for value in ["1", "2", nil, "3"] {
                try driver.pipe(
                    topic: "in", key: Array("a".utf8), value: value.map { Array($0.utf8) }, timestamp: 0)
            }
            let old: [String?] = asks ? [nil, "1", "2", nil] : [nil, nil, nil, nil]
            #expect(probe.taken == zip(["1", "2", nil, "3"], old).map { Change("a", $0, $1) })
        }
    }

    @Test(arguments: Form.allCases)
    func `a table that keeps no rows decodes what is asked for`(_ form: Form) throws {
        let builder = StreamsBuilder()
        let keys = Decoded<String>(.string)
        let values = Decoded<String>(.string)
        let table = builder.table("in", key: keys.serde, value: values.serde)
        let probe = Probe(table, form, .string, .string) { $0 }
        let driver = try TopologyTestDriver(builder.build())
        defer { driver.close() }
        try driver.pipe("in", "a", "1", timestamp: 0, .string, .string)
        try driver.pipe(topic: "in", key: Array("a".utf8), value: nil, timestamp: 0)
        try driver.pipe(topic: "in", key: nil, value: Array("2".utf8), timestamp: 0)
        #expect(probe.taken == [Change("a", "1", nil), Change("a", nil, nil)])
        #expect(keys.count == (form == .update ? 2 : 0))
        #expect(values.count == (form == .bytes ? 0 : form == .update ? 1 : 2))
    }

    @Test(arguments: Form.allCases, [false, true])
    func `a count begins at its initial value, unless that is never seen`(_ form: Form, _ isCached: Bool) throws {
        let builder = StreamsBuilder()
        let table = builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts")
        let probe = Probe(table, form, .string, .int64) { "\($0)" }
        _ = table.source.askForOld(table.graph, true)
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration(isCached: isCached))
        defer { driver.close() }
        for _ in 0..<2 { try driver.pipe("in", "a", "x", timestamp: 0, .string, .string) }
        #expect(probe.taken == [Change("a", "1", isCached ? nil : "0"), Change("a", "2", "1")])
    }

    @Test(arguments: Form.allCases, [false, true])
    func `what is reduced has no old value at first`(_ form: Form, _ isCached: Bool) throws {
        let builder = StreamsBuilder()
        let table = builder.stream("in", key: .string, value: .string).groupByKey().reduce(as: "texts") { $0 + $1 }
        let probe = Probe(table, form, .string, .string) { $0 }
        _ = table.source.askForOld(table.graph, true)
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration(isCached: isCached))
        defer { driver.close() }
        for text in ["x", "y"] { try driver.pipe("in", "a", text, timestamp: 0, .string, .string) }
        #expect(probe.taken == [Change("a", "x", nil), Change("a", "xy", "x")])
    }

    @Test(arguments: Form.allCases, [false, true])
    func `windows have old values of their own`(_ form: Form, _ isCached: Bool) throws {
        let builder = StreamsBuilder()
        let table = builder.stream("in", key: .string, value: .string).groupByKey()
            .windowedBy(.tumbling(size: .milliseconds(10))).count(as: "windows")
        let probe = Probe(table, form, .timeWindowed(.string, size: .milliseconds(10)), .int64) { "\($0)" }
        _ = table.source.askForOld(table.graph, true)
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration(isCached: isCached))
        defer { driver.close() }
        for time: Int64 in [1, 2, 11] { try driver.pipe("in", "a", "x", timestamp: time, .string, .string) }
        let first: String? = isCached ? nil : "0"
        let (one, two) = ("a@0", "a@10")
        #expect(probe.taken == [Change(one, "1", first), Change(one, "2", "1"), Change(two, "1", first)])
    }

    @Test func `several nodes get a table's changes in the form that all of them can take`() throws {
        for (one, other) in [(Form.bytes, Form.keyless), (.keyless, .update), (.bytes, .bytes)] {
            let builder = StreamsBuilder()
            let table = builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts")
            let probes = [one, other].map { Probe(table, $0, .string, .int64) { "\($0)" } }
            let driver = try TopologyTestDriver(builder.build())
            defer { driver.close() }
            try driver.pipe("in", "a", "x", timestamp: 0, .string, .string)
            for probe in probes { #expect(probe.taken == [Change("a", "1", nil)]) }
        }
    }

    @Test func `an aggregate that is null goes on as a deleted row`() throws {
        let optional: Serde<String?> = Serde<String>.string.optional
        let builder = StreamsBuilder()
        let table = builder.stream("in", key: .string, value: .string).groupByKey()
            .aggregate(into: String?.none, as: "last", value: optional) { last, value in
                last = value == "-" ? nil : value
            }
        let probe = Probe(table, .update, .string, optional) { $0 ?? "null" }
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration(isCached: false))
        defer { driver.close() }
        for text in ["x", "-"] { try driver.pipe("in", "a", text, timestamp: 0, .string, .string) }
        #expect(probe.taken == [Change("a", "x", nil), Change("a", nil, nil)])
    }
}

/// A node behind a table that notes what it gets.
private final class Probe<Key, Value>: @unchecked Sendable {
    var taken: [TableEdgeTests.Change] = []

    init(
        _ table: KTable<Key, Value>, _ form: TableEdgeTests.Form, _ key: Serde<Key>, _ value: Serde<Value>,
        _ text: @escaping @Sendable (Value) -> String
    ) {
        let name = table.graph.name("PROBE-", nil)
        let id = table.graph.add(name, parents: [table.node])
        let take: (Value?, Value?, borrowing RecordMeta) throws -> Void = { [self] new, old, meta in
            var name = "\(try key.decode(meta.key))"
            if let windowed = try key.decode(meta.key) as? Windowed<String> {
                name = "\(windowed.key)@\(windowed.window.start)"
            }
            taken.append(TableEdgeTests.Change(name, new.map(text), old.map(text)))
        }
        let bytes: (RawSpan?, RawSpan?, borrowing RecordMeta) throws -> Void = { new, old, meta in
            var newValue: Value?
            var oldValue: Value?
            if let new { newValue = try value.decode(new) }
            if let old { oldValue = try value.decode(old) }
            try take(newValue, oldValue, meta)
        }
        let forms = Forms(take: take, bytes: bytes)
        table.output.attach(id, name) { _ in
            TableInput(
                update: { key, new, old, meta in try forms.take(new, old, meta) },
                keyless: form == .update ? nil : forms.take, bytes: form == .bytes ? forms.bytes : nil)
        }
    }

    private struct Forms: @unchecked Sendable {
        let take: (Value?, Value?, borrowing RecordMeta) throws -> Void
        let bytes: (RawSpan?, RawSpan?, borrowing RecordMeta) throws -> Void
    }
}

/// A serde that counts what it decodes.
private final class Decoded<Value>: @unchecked Sendable {
    private(set) var count = 0
    private let inner: Serde<Value>

    init(_ inner: Serde<Value>) { self.inner = inner }

    var serde: Serde<Value> {
        Serde(
            name: inner.name,
            decode: { [self] bytes in
                count += 1
                return try inner.decode(bytes)
            }, encode: inner.encode)
    }
}
