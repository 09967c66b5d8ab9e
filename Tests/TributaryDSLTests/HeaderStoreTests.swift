import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryState
import TributaryTesting

/// Stores of processors that keep headers beside values.
@Suite struct HeaderStoreTests {
    private func header(_ value: String, _ name: String = "h") -> Headers { Headers([(name, Array(value.utf8))]) }

    fileprivate static func text(_ headers: Headers) -> String {
        headers.list.map { "\($0.name)=\(String(decoding: $0.value ?? [], as: UTF8.self))" }.joined(separator: " ")
    }

    private func driver(
        propagated: [String] = [], _ describe: (StreamsBuilder) -> Void
    ) throws -> TopologyTestDriver {
        let builder = StreamsBuilder()
        describe(builder)
        var configuration = TestDriverConfiguration()
        configuration.runtime.lineage.propagatedHeaders = propagated
        configuration.runtime.lineage.sendsCells = true
        return try TopologyTestDriver(builder.build(), configuration: configuration)
    }

    private func logged(_ driver: TopologyTestDriver, _ store: String) -> [String] {
        driver.log.records(in: TopicPartition("app-\(store)-changelog", 0)).map { record in
            let value = record.value.map { String(decoding: $0, as: UTF8.self) } ?? "-"
            return "\(value)@\(record.timestamp) \(Self.text(record.headers))"
        }
    }

    /// Each record's value is what was stored before, with its headers; a value that begins with `=` is put with headers of its own, and
    /// one that is null deletes.
    private func exchange(_ builder: StreamsBuilder, caching: Bool) {
        let rows = builder.store(.keyValue("rows", headers: true), of: String.self, caching: caching)
        builder.stream("in", key: .string, value: Serde<String>.string.optional)
            .processValues(stores: [rows]) { Exchange(rows) }
            .to("out", value: .string)
    }

    @Test(arguments: [false, true])
    func `a value has its record's headers, or those that it was put with, and is read with them`(_ caching: Bool)
        throws
    {
        let driver = try driver { exchange($0, caching: caching) }
        defer { driver.close() }
        for (time, value) in [(1, "x"), (2, "=y"), (3, nil), (4, "z")] as [(Int64, String?)] {
            try driver.pipe("in", "a", value, timestamp: time, headers: header("\(time)"))
        }
        let out = try driver.takeRecords(from: "out", of: String.self)
        #expect(out.map(\.value) == ["none", "x@1 h=1", "=y@50 own=2", "none"])
        #expect(out.map { Self.text($0.headers) } == ["h=1", "h=2", "h=3", "h=4"])
        // A delete has the headers and the time of the record that deleted.
        #expect(logged(driver, "rows") == ["x@1 h=1", "=y@50 own=2", "-@3 h=3", "z@4 h=4"])
    }

    @Test(arguments: [false, true])
    func `headers are there again after a restart and a restore, and of rows that are walked over`(_ caching: Bool)
        throws
    {
        let driver = try driver { builder in
            let rows = builder.store(.keyValue("rows", headers: true), of: String.self, caching: caching)
            let windows = builder.store(
                .window("windows", retention: .seconds(60), size: .seconds(1), headers: true), of: String.self,
                caching: caching)
            let sessions = builder.store(
                .session("sessions", retention: .seconds(60), headers: true), of: String.self, caching: caching)
            builder.stream("in", of: String.self).processValues(stores: [rows, windows, sessions]) {
                Walk(rows, windows, sessions)
            }.to("out", value: .string)
        }
        defer { driver.close() }
        try driver.pipe("in", "a", "put", timestamp: 7, headers: header("1"))
        let wanted = "put@7 h=1, put@7 h=1, put@9 w=7, put@9 w=7, put h=1, put h=1"
        try driver.pipe("in", "a", "show", timestamp: 8)
        try driver.restart()
        try driver.pipe("in", "a", "show", timestamp: 8)
        try driver.restoreFromChangelogs()
        try driver.pipe("in", "a", "show", timestamp: 8)
        #expect(
            try driver.takeRecords(from: "out", of: String.self).map(\.value) == ["put", wanted, wanted, wanted])
        #expect(logged(driver, "windows") == ["put@9 w=7"])
    }

    @Test(arguments: [false, true])
    func `headers that go through rows are among a row's own once`(_ caching: Bool) throws {
        let driver = try driver(propagated: ["user"]) { exchange($0, caching: caching) }
        defer { driver.close() }
        try driver.pipe("in", "a", Optional("x"), timestamp: 1, headers: header("eve", "user"))
        try driver.pipe("in", "a", Optional("y"), timestamp: 2, headers: header("2"))
        try driver.pipe("in", "a", Optional("z"), timestamp: 3)
        let out = try driver.takeRecords(from: "out", of: String.self)
        #expect(out.map(\.value) == ["none", "x@1 user=eve", "y@2 h=2 user=eve"])
    }

    @Test func `headers for a store that keeps none are refused`() throws {
        let driver = try driver { builder in
            let rows = builder.store(.keyValue("rows", timestamped: true), of: String.self)
            builder.stream("in", key: .string, value: Serde<String>.string.optional)
                .processValues(stores: [rows]) { Exchange(rows) }
        }
        defer { driver.close() }
        try driver.pipe("in", "a", Optional("x"), timestamp: 1, headers: header("1"))
        #expect { try driver.pipe("in", "a", Optional("=y"), timestamp: 1) } throws: {
            "\($0)".contains("headers: true")
        }
        #expect(logged(driver, "rows") == ["x@1 "])
    }

    @Test func `headers change nothing of a row's lineage`() throws {
        let driver = try driver { exchange($0, caching: true) }
        defer { driver.close() }
        try driver.pipe("in", "a", Optional("x"), timestamp: 1, headers: header("1"))
        try driver.pipe("in", "a", Optional("y"), timestamp: 2, headers: header("2"))
        let arena = CellArena()
        let cells = try driver.log.records(in: TopicPartition("app-rows-changelog", 0)).map { record in
            try #require(try CellHeader.decode(record.cell.span.bytes, into: arena))
        }
        #expect(cells.map(\.count) == [1, 2])
    }
}

private final class Exchange: FixedKeyProcessor {
    private let handle: StoreHandle<KeyValueStore<String, String>>
    private var found: (FixedKeyProcessorContext<String, String>, KeyValueStore<String, String>)?

    init(_ handle: StoreHandle<KeyValueStore<String, String>>) { self.handle = handle }

    func initialize(_ context: FixedKeyProcessorContext<String, String>) throws {
        found = (context, try context.store(handle))
    }

    func process(_ record: Record<String, String?>) throws {
        guard let (context, store) = found else { return }
        let old = try store.get(record.key).map { "\($0.value)@\($0.timestamp) \(HeaderStoreTests.text($0.headers))" }
        if let value = record.value {
            if value.hasPrefix("=") {
                try store.put(
                    record.key, value, timestamp: 50, headers: Headers([("own", Array("2".utf8))]))
            } else {
                try store.put(record.key, value)
            }
        } else {
            _ = try store.delete(record.key)
        }
        try context.forward(record.with(value: old ?? "none"))
    }
}

private final class Walk: FixedKeyProcessor {
    private let rows: StoreHandle<KeyValueStore<String, String>>
    private let windows: StoreHandle<WindowStore<String, String>>
    private let sessions: StoreHandle<SessionStore<String, String>>
    private var context: FixedKeyProcessorContext<String, String>?

    init(
        _ rows: StoreHandle<KeyValueStore<String, String>>, _ windows: StoreHandle<WindowStore<String, String>>,
        _ sessions: StoreHandle<SessionStore<String, String>>
    ) {
        self.rows = rows
        self.windows = windows
        self.sessions = sessions
    }

    func initialize(_ context: FixedKeyProcessorContext<String, String>) throws { self.context = context }

    func process(_ record: Record<String, String>) throws {
        guard let context else { return }
        let (rows, windows) = (try context.store(rows), try context.store(windows))
        let sessions = try context.store(sessions)
        let session = Windowed(key: record.key, window: Window(start: 3, end: 7))
        var text = record.value
        if text == "put" {
            try rows.put(record.key, text)
            try windows.put(
                record.key, text, windowStart: 0, timestamp: 9, headers: Headers([("w", Array("7".utf8))]))
            try sessions.put(session, text)
        } else {
            var found: [String] = []
            func add<Key>(_ entry: StoreEntry<Key, String>?, timed: Bool = true) {
                guard let entry else { return }
                found.append(
                    "\(entry.value)\(timed ? "@\(entry.timestamp)" : "") \(HeaderStoreTests.text(entry.headers))")
            }
            add(try rows.get(record.key))
            for row in try rows.all() { add(row) }
            add(try windows.fetch(record.key, windowStart: 0))
            for row in try windows.all() { add(row) }
            add(try sessions.fetch(record.key, start: 3, end: 7), timed: false)
            for row in try sessions.fetch(record.key) { add(row, timed: false) }
            text = found.joined(separator: ", ")
        }
        try context.forward(record.with(value: text))
    }
}
