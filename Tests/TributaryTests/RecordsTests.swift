import Foundation
import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB
import TributaryTesting

/// Typed records in and out, times that values have, partitions that are chosen.
@Suite(.timeLimit(.minutes(10))) struct RecordsTests {
    private func withLog(_ topics: [(String, Int32)], _ body: (EmbeddedLog) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        let log = try EmbeddedLog.open(at: folder.path)
        defer { log.close() }
        try log.createTopics(
            topics.map { TopicSpecification($0.0, partitions: $0.1, settings: ["retention.ms": "-1"]) })
        try await body(log)
    }

    @Test func `typed records go in and come out`() async throws {
        try await withLog([("orders", 3)]) { log in
            let producer = try log.producer("orders", of: Order.self, timestamp: \.time)
            for number in 0..<100 {
                let order = Order(
                    item: "item-\(number % 7)", amount: number, time: Date(timeIntervalSince1970: Double(number)))
                try producer.send(order.item, order, headers: Headers([("n", [UInt8(number)])]))
            }
            try producer.delete("item-3", timestamp: 5)
            try producer.close()
            var orders: [Int] = []
            var partitions: [String: Int32] = [:]
            var tombstones = 0
            for try await record in log.records("orders", of: Order.self, follows: false) {
                let key = try #require(record.key)
                #expect(partitions[key] == nil || partitions[key] == record.coordinate.partition)
                partitions[key] = record.coordinate.partition
                guard let order = record.value else {
                    tombstones += 1
                    #expect(record.timestamp == 5)
                    continue
                }
                #expect(record.timestamp == Int64(order.amount) * 1000)
                #expect(record.headers.encoded == Headers([("n", [UInt8(order.amount)])]).encoded)
                orders.append(order.amount)
            }
            #expect(orders.sorted() == Array(0..<100))
            #expect(tombstones == 1)
            #expect(partitions["item-1"] == partition(forKey: Array("item-1".utf8).span.bytes, count: 3))
        }
    }

    @Test func `a walk waits for what comes, and ends with its task`() async throws {
        try await withLog([("words", 1)]) { log in
            let walk = Task {
                var words: [String] = []
                for try await record in log.records("words", of: String.self) { words.append(record.value ?? "") }
                return words
            }
            let producer = try log.producer("words", keyedBy: String?.self, of: String.self)
            try producer.send(nil, "first")
            try producer.flush()
            let early = log.records("words", of: String.self)
            for try await record in early {
                #expect(record.value == "first" && record.key == nil)
                break
            }
            try producer.send("k", "second")
            try producer.close()
            var count = 0
            for try await _ in log.records("words", of: String.self) {
                count += 1
                if count == 2 { break }
            }
            walk.cancel()
            let words = try await walk.value
            #expect(["first", "second"].starts(with: words))
        }
    }

    @Test func `records that a serde refuses end the walk with their place`() async throws {
        try await withLog([("numbers", 1)]) { log in
            let producer = try log.producer("numbers", of: String.self)
            try producer.send("k", "not a number")
            try producer.close()
            let error = await #expect(throws: UnreadableRecord.self) {
                for try await _ in log.records("numbers", of: Int.self) {}
            }
            #expect(error?.coordinate == RecordCoordinate(topic: "numbers", partition: 0, offset: 0))
            await #expect(throws: LogError.self) { for try await _ in log.records("none", of: Int.self) {} }
        }
    }

    @Test func `a value's own time is its record's`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", of: Order.self, timestamp: \.time)
            .mapValues { $0.amount }
            .to("out")
        let driver = try TopologyTestDriver(builder.build())
        defer { driver.close() }
        let order = Order(item: "a", amount: 1, time: Date(timeIntervalSince1970: 77))
        try driver.pipe("in", "k", order, timestamp: 1)
        #expect(try driver.takeRecords(from: "out", of: Int.self).map(\.timestamp) == [77_000])
    }

    @Test func `a partitioner says where records go, behind a repartition topic too`() async throws {
        try await withLog([("in", 1), ("out", 4)]) { log in
            let builder = StreamsBuilder()
            builder.stream("in", of: Int.self)
                .repartition(named: "again", partitions: 2) { _, value, _ in value.map { Int32($0 % 2) } }
                .to("out") { _, value, partitions in value.map { Int32($0) % partitions } }
            let producer = try log.producer("in", of: Int.self)
            for number in 0..<40 { try producer.send("k", number) }
            try producer.close()
            let app = try StreamsApplication(
                builder.build(), configuration: StreamsConfiguration(applicationID: "p", log: .open(log)))
            async let done: Void = app.run()
            var places: [Int: Int32] = [:]
            for try await record in log.records("out", of: Int.self) {
                places[try #require(record.value)] = record.coordinate.partition
                if places.count == 40 { break }
            }
            app.shutdown()
            try await done
            for number in 0..<40 { #expect(places[number] == Int32(number % 4)) }
            for try await record in log.records("p-again-repartition", of: Int.self, follows: false) {
                #expect(record.coordinate.partition == Int32(try #require(record.value) % 2))
            }
        }
    }
}

private struct Order: JSONRecordable {
    var item: String
    var amount: Int
    var time: Date
}
