import Testing
import TributaryCore
import TributaryDSL
import TributaryRuntime
import TributaryTesting

/// Serdes come from types; what has none is named while the topology is built.
@Suite struct SerdesOfTypesTests {
    private func driver(_ builder: StreamsBuilder) throws -> TopologyTestDriver {
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = 0
        return try TopologyTestDriver(builder.build(), configuration: configuration)
    }

    @Test func `the word count of Kafka Streams needs no serde`() throws {
        let builder = StreamsBuilder()
        builder.stream("lines", keyedBy: String?.self, of: String.self)
            .flatMapValues { $0.lowercased().split(whereSeparator: { !$0.isLetter }) }
            .groupBy { _, word in word }
            .count()
            .toStream()
            .to("counts")
        let driver = try driver(builder)
        defer { driver.close() }
        for line in ["All streams lead to Kafka", "Hello Kafka streams"] {
            try driver.pipe("lines", nil, line, timestamp: 0, .optional(.string), .string)
        }
        let counts = try driver.takeRecords(from: "counts", .string, .int64)
        #expect(counts.map { "\($0.key) \($0.value)" }.suffix(3) == ["hello 1", "kafka 2", "streams 2"])
    }

    @Test func `a type of one's own names its serde once`() throws {
        let builder = StreamsBuilder()
        let prices = builder.table("prices", of: Price.self)
        builder.stream("orders", of: Order.self)
            .selectKey { _, order in order.item }
            .repartition(named: "by-item")
            .join(prices) { order, price in Order(item: order.item, amount: order.amount * price.cents) }
            .groupBy { item, _ in item.count }
            .reduce { Order(item: $1.item, amount: $0.amount + $1.amount) }
            .toStream()
            .to("sums")
        let driver = try driver(builder)
        defer { driver.close() }
        try driver.pipe("prices", "tea", Price(cents: 3), timestamp: 0, .string, .int64Price)
        for amount in [2, 5] {
            try driver.pipe("orders", "o", Order(item: "tea", amount: amount), timestamp: 1, .string, Order.serde)
        }
        let sums = try driver.takeRecords(from: "sums", .int, Order.serde)
        #expect(sums.map(\.key) == [3, 3])
        #expect(sums.map(\.value.amount) == [6, 21])
    }

    @Test func `the error for a serde that is missing names the type and what needs it`() {
        func message(_ describe: (KStream<String, String>) -> Void) -> String {
            let builder = StreamsBuilder()
            describe(builder.stream("in", of: String.self))
            do { _ = try builder.build() } catch { return "\(error)" }
            return "none"
        }
        let sink = message { $0.mapValues { Unnamed(text: $0) }.to("out") }
        #expect(sink.contains("'out'") && sink.contains("values of type Unnamed") && !sink.contains("keys"))
        let grouped = message { _ = $0.groupBy { _, text in Unnamed(text: text) }.count(as: "counts") }
        #expect(grouped.contains("counts-repartition") && grouped.contains("keys of type Unnamed"))
        let aggregate = message { _ = $0.groupByKey().aggregate(Unnamed(text: ""), as: "sums") { all, _ in all } }
        #expect(aggregate.contains("values of type Unnamed"))
        let windowed = message {
            _ = $0.groupByKey().windowedBy(.tumbling(size: .seconds(1))).aggregate(Unnamed(text: "")) { all, _ in all }
        }
        #expect(windowed.contains("values of type Unnamed"))
        let table = message { _ = $0.mapValues { Unnamed(text: $0) }.toTable(as: "rows") }
        #expect(table.contains("'rows'") && table.contains("values of type Unnamed"))
    }

    @Test func `a serde that is given goes before the type's`() throws {
        let builder = StreamsBuilder()
        let loud = Serde<String>(
            name: "loud", decode: { try Serde<String>.string.decode($0).lowercased() },
            encode: { text, writer in writer.append(utf8: text.uppercased()) })
        builder.stream("in", of: String.self).mapValues(value: loud) { $0 + "!" }.to("out")
        let driver = try driver(builder)
        defer { driver.close() }
        try driver.pipe("in", "k", "v", timestamp: 0, .string, .string)
        #expect(try driver.takeRecords(from: "out", .string, .string).map(\.value) == ["V!"])
    }

    @Test func `a serde may throw what it likes: the handler is asked`() throws {
        struct Odd: Error {}
        let even = Serde<Int>(
            name: "even",
            decode: { bytes in
                let value = try Serde<Int>.int.decode(bytes)
                if value % 2 != 0 { throw Odd() }
                return value
            },
            encode: { value, writer in
                if value % 2 != 0 { throw Odd() }
                try Serde<Int>.int.encode(value, &writer)
            })
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: even).mapValues { $0 + 1 }.filter { _, value in value > 0 }.to("out")
        var configuration = TestDriverConfiguration()
        configuration.runtime.deserializationHandler = { _ in .continue }
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
        defer { driver.close() }
        for value in [1, 2, 3] { try driver.pipe("in", "k", value, timestamp: 0, .string, .int) }
        #expect(try driver.takeRecords(from: "out", .string, .int).map(\.value) == [3])
        #expect(driver.dropped == [.deserialization: 2])
    }

    // MARK: Null keys

    private static let shapes: [(name: String, describe: @Sendable (KStream<String, String>) -> Void)] = [
        ("bytes", { $0.to("out") }), ("values", { $0.mapValues { $0 }.to("out") }),
        ("keys and values", { $0.filter { _, _ in true }.to("out") }),
        ("aggregates", { $0.groupByKey().count().toStream().mapValues { "\($0)" }.to("out") }),
    ]

    @Test func `null keys where the type has no null are dropped and counted, whatever follows`() throws {
        for (name, describe) in Self.shapes {
            let builder = StreamsBuilder()
            describe(builder.stream("in", of: String.self))
            let driver = try driver(builder)
            defer { driver.close() }
            try driver.pipe("in", nil, "v", timestamp: 0, .optional(.string), .string)
            try driver.pipe("in", "k", "v", timestamp: 1, .string, .string)
            #expect(driver.dropped == [.nullKey: 1], "\(name)")
            #expect(try driver.takeRecords(from: "out", .string, .string).map(\.key) == ["k"], "\(name)")
        }
    }

    @Test func `a stream whose keys may be null joins a table`() throws {
        let builder = StreamsBuilder()
        let names = builder.table("names", of: String.self)
        let stream = builder.stream("in", keyedBy: String?.self, of: String.self)
        stream.join(names) { $0 + $1 }.to("inner")
        stream.joinWithKey(names) { ($0 ?? "-") + $1 + $2 }.to("inner-key")
        stream.leftJoin(names) { $0 + ($1 ?? "?") }.to("left")
        stream.leftJoinWithKey(names) { ($0 ?? "-") + $1 + ($2 ?? "?") }.to("left-key")
        let driver = try driver(builder)
        defer { driver.close() }
        try driver.pipe("names", "k", "N", timestamp: 0, .string, .string)
        for key in ["k", "x", nil] { try driver.pipe("in", key, "v", timestamp: 1, .optional(.string), .string) }
        func values(_ topic: String) throws -> [String] {
            try driver.takeRecords(from: topic, .optional(.string), .string).map(\.value)
        }
        #expect(try values("inner") == ["vN"])
        #expect(try values("inner-key") == ["kvN"])
        #expect(try values("left") == ["vN", "v?", "v?"])
        #expect(try values("left-key") == ["kvN", "xv?", "-v?"])
        #expect(driver.dropped == [.nullKey: 2])
    }

    @Test func `optional serdes are found behind a dot`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .optional(.string), value: .optional(.int64))
            .mapValues(value: .optional(.double)) { $0.map { Double($0) / 2 } }
            .to("out")
        let driver = try driver(builder)
        defer { driver.close() }
        for value in [3, nil] as [Int64?] {
            try driver.pipe("in", nil, value, timestamp: 0, .optional(.string), .optional(.int64))
        }
        let out = try driver.takeRecords(from: "out", .optional(.string), .optional(.double))
        #expect(out.map(\.value) == [1.5, nil])
        #expect(out.map(\.key) == [nil, nil])
    }
}

private struct Unnamed { var text: String }

private struct Price: Recordable {
    var cents: Int
    static var serde: Serde<Price> { .int64Price }
}

private struct Order: Recordable {
    var item: String
    var amount: Int

    static var serde: Serde<Order> {
        Serde(
            name: "order",
            decode: { bytes in
                let parts = try Serde<String>.string.decode(bytes).split(separator: "*").map(String.init)
                guard parts.count == 2, let amount = Int(parts[1]) else { throw Malformed() }
                return Order(item: parts[0], amount: amount)
            },
            encode: { order, writer in writer.append(utf8: "\(order.item)*\(order.amount)") })
    }

    private struct Malformed: Error {}
}

extension Serde where Value == Price {
    fileprivate static var int64Price: Serde<Price> {
        Serde(
            name: "price", decode: { Price(cents: try Serde<Int>.int.decode($0)) },
            encode: { price, writer in try Serde<Int>.int.encode(price.cents, &writer) })
    }
}
